package persistence

import (
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
)

func (r *rig) running() (kind kind, yes bool) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.job == nil {
		return 0, false
	}
	return r.m.job.kind, true
}

// expect checks which job is running.
func (r *rig) expect(save, rewrite bool) {
	r.t.Helper()
	k, yes := r.running()
	if yes != (save || rewrite) || save && k != saveJob || rewrite && k != rewriteJob {
		r.t.Fatalf("a job is running: %v, kind %d; want save %v, rewrite %v", yes, k, save, rewrite)
	}
	st := r.m.Status()
	if st.SaveRunning != save || st.RewriteRunning != rewrite || st.SaveRunsFor >= 0 != save || st.RewriteRunsFor >= 0 != rewrite {
		r.t.Fatalf("status %+v", st)
	}
}

func TestSavePoints(t *testing.T) {
	r := newRig(t, "--save", "10 3 2 100")
	r.disk.stall()
	r.fill(2)
	r.clock.add(time.Hour)
	r.m.Tick()
	r.expect(false, false) // too few changes
	r.fill(1)
	r.m.Tick()
	r.expect(true, false)
	r.run(0, "SET", "later", "1")
	if n := r.m.Status().Dirty; n != 4 {
		t.Fatalf("%d changes before the end of the save", n)
	}
	r.disk.release()
	r.wait()
	if st := r.m.Status(); st.Dirty != 1 || st.Saves != 1 || !st.LastSaveOK || !st.LastSave.Equal(r.clock.Now()) {
		t.Fatalf("after a save with one write in between: %+v", st)
	}

	r.fill(3)
	r.clock.add(10 * time.Second)
	r.m.Tick()
	r.expect(false, false) // not more than ten seconds
	r.clock.add(time.Second)
	r.m.Tick()
	r.wait()
	if st := r.m.Status(); st.Saves != 2 || st.Dirty != 0 {
		t.Fatalf("%+v", st)
	}
	r.fill(100)
	r.clock.add(3 * time.Second)
	r.m.Tick()
	r.wait()
	if st := r.m.Status(); st.Saves != 3 {
		t.Fatalf("the second save point: %+v", st)
	}
}

// Save points may name any number of seconds.
func TestSavePointFarAway(t *testing.T) {
	r := newRig(t, "--save", strconv.FormatInt(math.MaxInt64, 10)+" 1")
	r.fill(1)
	r.clock.add(100 * 365 * 24 * time.Hour)
	r.m.Tick()
	r.expect(false, false)
}

func TestSaveDuringOtherJobs(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	r.fill(10)
	r.disk.stall()
	if scheduled, err := r.m.Rewrite(); scheduled || err != nil {
		t.Fatal(scheduled, err)
	}
	r.expect(false, true)
	if _, err := r.m.Rewrite(); !errors.Is(err, ErrRewriteRunning) {
		t.Fatal(err)
	}
	if _, err := r.background(false); !errors.Is(err, ErrRewriteRunning) {
		t.Fatal(err)
	}
	waiting := r.save()
	if scheduled, err := r.background(true); !scheduled || err != nil {
		t.Fatal(scheduled, err)
	}
	if !r.m.Status().SaveScheduled {
		t.Fatal("the save is not scheduled")
	}
	<-r.disk.held
	r.disk.release()
	r.wait()
	select {
	case err := <-waiting:
		t.Fatal("SAVE is over before it began:", err)
	default:
	}
	r.disk.stall()
	r.m.Tick()
	r.expect(true, false)
	<-r.disk.held
	if _, err := r.background(true); !errors.Is(err, ErrSaveRunning) {
		t.Fatal(err)
	}
	if err := r.m.ScheduleSave(); !errors.Is(err, ErrSaveRunning) {
		t.Fatal(err)
	}
	if err := r.m.SaveLocked(nil); !errors.Is(err, ErrSaveRunning) {
		t.Fatal(err)
	}
	if scheduled, err := r.m.Rewrite(); !scheduled || err != nil {
		t.Fatal(scheduled, err)
	}
	r.disk.release()
	must(t, <-waiting)
	r.wait()
	if st := r.m.Status(); st.Saves != 1 || st.SaveScheduled || !st.RewriteScheduled {
		t.Fatalf("%+v", st)
	}
	r.m.Tick()
	r.wait()
	if st := r.m.Status(); st.Rewrites != 3 || st.RewriteScheduled {
		t.Fatalf("%+v", st)
	}
	must(t, r.m.ScheduleSave())
	r.m.Tick()
	r.wait()
	if st := r.m.Status(); st.Saves != 2 {
		t.Fatalf("%+v", st)
	}
}

func TestGrowthOfTheLog(t *testing.T) {
	r := newRig(t, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "2000")
	count := func() int64 {
		r.m.Tick()
		r.wait()
		return r.m.Status().Rewrites
	}
	first := count()
	write := func(n int) { r.do(0, "SET", "k", strings.Repeat("x", n)) }
	write(1000)
	if n := count(); n != first {
		t.Fatal("rewritten below the least size")
	}
	write(1000)
	if n := count(); n != first+1 {
		t.Fatalf("%d rewrites; the log has doubled: %+v", n-first, r.m.Status().Log)
	}
	r.set("auto-aof-rewrite-percentage", "0")
	write(10_000)
	if n := count(); n != first+1 {
		t.Fatal("rewritten, though switched off")
	}
	st := r.m.Status().Log
	growth := (st.CurrentSize - st.BaseSize) * 100 / st.BaseSize
	r.set("auto-aof-rewrite-percentage", strconv.FormatInt(growth+1, 10))
	if n := count(); n != first+1 {
		t.Fatal("rewritten, though it has not grown as much")
	}
	r.set("auto-aof-rewrite-percentage", strconv.FormatInt(growth, 10))
	if n := count(); n != first+2 {
		t.Fatal("not rewritten, though it has grown as much")
	}
	must(t, r.restart())
	r.holds(model{"0 k": {text: strings.Repeat("x", 10_000)}})
}

func TestFollowConfiguration(t *testing.T) {
	r := newRig(t, "--save", "100 100")
	r.faulty.Fail(vfs.OpRename, 0, 1, errDisk)
	if err := r.bgsave(); err == nil {
		t.Fatal("a save that cannot be renamed succeeds")
	}
	state := func(want uint32) {
		t.Helper()
		if got := r.m.State(); got != want {
			t.Fatalf("state %b, want %b", got, want)
		}
	}
	state(SaveFailing)
	r.set("stop-writes-on-bgsave-error", "no")
	state(0)
	r.set("stop-writes-on-bgsave-error", "yes")
	state(SaveFailing)
	r.set("save", "")
	state(0)
	r.set("save", "1 1")
	state(SaveFailing)
	must(t, r.bgsave())
	state(0)
}

// A job that ends between Apply and the publication of the new values must not go back to the old
// ones.
func TestJobEndsDuringConfigSet(t *testing.T) {
	r := newRig(t, "--appendonly", "yes", "--appendfsync", "no")
	r.fill(1)
	r.disk.stall()
	if _, err := r.background(false); err != nil {
		t.Fatal(err)
	}
	r.cfg.OnApply([]string{"appendfsync"}, func(*config.Values) error {
		r.disk.release()
		r.wait()
		return nil
	})
	r.set("appendfsync", "always")
	before := r.mem.Calls()
	r.do(0, "SET", "k", "v")
	if r.mem.Calls() < before+2 {
		t.Fatal("a commit under always does not sync")
	}
}

func TestSwitchLog(t *testing.T) {
	r := newRig(t)
	r.fill(5)
	r.set("appendonly", "yes")
	if st := r.m.Status(); !st.LogOn || r.m.Log().On() {
		t.Fatalf("%+v", st)
	}
	r.disk.stall()
	r.m.Tick()
	<-r.disk.held
	r.do(0, "SET", "during", "1")
	if st := r.m.Status(); !st.LogOn || !r.m.Log().On() || !st.RewriteRunning {
		t.Fatalf("%+v", st)
	}
	r.disk.release()
	r.settle()
	want := r.contents()
	must(t, r.restart("--appendonly", "yes"))
	r.holds(want)

	// Off and on again, at any moment of the rewrite that switches it on.
	for _, moment := range []string{"queued", "held", "ended"} {
		r.set("appendonly", "no")
		if r.m.Log().On() {
			t.Fatal("still on")
		}
		r.wait()
		r.set("appendonly", "yes")
		if moment != "queued" {
			r.disk.stall()
			r.m.Tick()
			<-r.disk.held
		}
		if moment == "ended" {
			r.disk.release()
			r.wait()
		}
		r.set("appendonly", "no")
		r.set("appendonly", "yes")
		r.disk.release()
		r.settle()
		if !r.m.Log().On() {
			t.Fatalf("%s: the log is not on", moment)
		}
		r.do(1, "SET", moment, "1")
	}
	want = r.contents()
	must(t, r.restart())
	r.holds(want)
}

// A failed start of the log leaves no long pause behind for the next CONFIG SET.
func TestSwitchLogAfterFailures(t *testing.T) {
	r := newRig(t)
	r.fill(1)
	r.faulty.Fail(vfs.OpCreate, 0, vfs.Forever, errDisk)
	r.set("appendonly", "yes")
	for range 10 {
		r.m.Tick()
		r.wait()
	}
	if n := r.m.Status().RewriteFailures; n != freeFailures {
		t.Fatalf("%d attempts without a pause", n)
	}
	r.set("appendonly", "no")
	r.faulty.Heal()
	r.set("appendonly", "yes")
	r.m.Tick()
	r.wait()
	if !r.m.Log().On() {
		t.Fatal("the log is not on")
	}
}

// A rewrite that is aborted just before its cut must not turn on a log that was switched off.
func TestAbortBeforeCut(t *testing.T) {
	r := newRig(t)
	r.set("appendonly", "yes")
	r.store.LockAll() // the rewrite gets as far as its cut
	r.m.Tick()
	r.m.mu.Lock()
	j := r.m.job
	r.m.mu.Unlock()
	r.set("appendonly", "no")
	r.set("appendonly", "yes")
	r.store.UnlockAll()
	<-j.done
	if j.err == nil {
		t.Fatal("the aborted rewrite succeeded")
	}
	r.settle()
	if !r.m.Log().On() {
		t.Fatal("the log is not on")
	}
}

// A log that is switched off and on again after its first base is complete, but before the rewrite
// has come to its end, gets another base.
func TestSwitchAtTheEnd(t *testing.T) {
	r := newRig(t)
	r.fill(5)
	r.set("appendonly", "yes")
	r.disk.stall()
	r.m.Tick()
	<-r.disk.held
	r.m.mu.Lock() // the rewrite waits at its end
	r.disk.release()
	for r.m.aof.Status().BaseSize == 0 {
		runtime.Gosched()
	}
	r.m.wantLogLocked(false)
	must(t, r.m.aof.Stop())
	r.m.wantLogLocked(true)
	r.m.mu.Unlock()
	r.settle()
	if !r.m.Log().On() {
		t.Fatal("the log is not on")
	}
}

// A log that is switched off is synced once more. However long the disk takes for that, a save gets
// its cut meanwhile: it holds all shards, and with them every client. A rewrite waits for its turn.
func TestSwitchOffWhileTheDiskIsSlow(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	r.fill(5)
	r.run(0, "SET", "last", "write")
	release := r.disk.stallSync()
	off := make(chan error, 1)
	go func() { off <- r.trySet("appendonly", "no") }()
	<-r.disk.held
	cut := make(chan error, 1)
	go func() {
		r.m.Status()
		if scheduled, err := r.m.Rewrite(); err != nil || !scheduled {
			t.Errorf("a rewrite beside the end of the log: %v %v", scheduled, err)
		}
		r.store.LockAll()
		defer r.store.UnlockAll()
		_, err := r.m.BackgroundSaveLocked(false)
		cut <- err
	}()
	select {
	case err := <-cut:
		must(t, err)
	case <-time.After(time.Minute):
		release()
		t.Fatal("all shards wait for the disk")
	}
	release()
	must(t, <-off)
	r.wait()
	r.settle()
	if st := r.m.Status(); r.m.Log().On() || st.LogOn || st.Saves != 1 || st.Rewrites != 2 || st.RewriteFailures != 0 {
		t.Errorf("the log is on: %v, %+v", r.m.Log().On(), st)
	}
}

func TestFolderLock(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	second := rigOn(t, r.mem, r.clock, "--save", "1 1")
	err := second.begin()
	if err == nil || strings.ContainsAny(err.Error(), "\n") || !strings.Contains(err.Error(), "another server keeps its data in /:") {
		t.Fatalf("the second server: %v", err)
	}
	second.args = []string{"--dir", "/", "--save", ""}
	must(t, second.begin()) // writes nothing
	if err := second.trySet("appendonly", "yes"); err == nil {
		t.Fatal("a log in a folder of another server")
	}
	if second.m.Status().LogOn {
		t.Fatal("a refused log is on")
	}
	r.set("appendonly", "no")
	second.set("save", "1 1")
	if err := r.trySet("appendonly", "yes"); err == nil {
		t.Fatal("the lock has not moved")
	}
	second.end()
	r.set("appendonly", "yes")
	r.settle()
}

func TestFolderMoves(t *testing.T) {
	elsewhere := t.TempDir() // has to be there for the configuration, too
	r := rigOn(t, vfs.NewMem(), newClock(), "--save", "1 1", "--enable-protected-configs", "yes")
	var path string
	for part := range strings.SplitSeq(strings.Trim(elsewhere, "/"), "/") {
		path += "/" + part
		must(t, r.mem.Mkdir(path, 0o755))
	}
	must(t, r.open())
	r.fill(3)
	r.set("dir", elsewhere)
	other := rigOn(t, r.mem, r.clock, "--appendonly", "yes")
	must(t, other.open()) // the old folder is free
	must(t, other.m.Close())

	r.set("appendonly", "yes")
	r.settle()
	if !strings.Contains(r.names(elsewhere), "appendonlydir") {
		t.Fatalf("the log is not in dir: %s", r.names(elsewhere))
	}
	if err := r.trySet("dir", "/"); err == nil {
		t.Fatal("the folder of a log in use changes")
	}
	want := r.contents()
	r.set("appendonly", "no")
	r.set("dir", "/")
	r.set("dir", elsewhere)
	must(t, r.restart("--dir", elsewhere, "--appendonly", "yes"))
	r.holds(want)
}

func TestStatusOfNothing(t *testing.T) {
	r := newRig(t)
	st := r.m.Status()
	if st.Loading || st.SaveRunning || st.RewriteRunning || !st.LastSaveOK || !st.LastRewriteOK || st.LogOn ||
		st.LastSaveTook != -1 || st.LastRewriteTook != -1 || st.SaveRunsFor != -1 || st.RewriteRunsFor != -1 ||
		!st.LastSave.Equal(r.clock.Now()) || !r.m.LastSave().Equal(st.LastSave) || st.Dirty != 0 {
		t.Fatalf("%+v", st)
	}
	if r.m.State() != 0 || r.names("/") != "" {
		t.Fatal("a server without files has written some:", r.names("/"))
	}
	r.disk.stall()
	r.fill(10)
	if _, err := r.background(false); err != nil {
		t.Fatal(err)
	}
	r.clock.add(3 * time.Second)
	if st = r.m.Status(); st.SaveRunsFor != 3*time.Second || st.KeysTotal != 10 || st.KeysDone != 0 {
		t.Fatalf("%+v", st)
	}
	r.disk.release()
	r.wait()
	if st = r.m.Status(); st.LastSaveTook != 3*time.Second || st.KeysTotal != 0 {
		t.Fatalf("%+v", st)
	}
	must(t, r.rewrite())
	if st = r.m.Status(); st.Rewrites != 1 || st.LastRewriteTook != 0 || st.LogOn {
		t.Fatalf("%+v", st)
	}
}

func TestFlushed(t *testing.T) {
	r := newRig(t, "--save", "100 100")
	r.fill(10)
	r.disk.stall()
	if _, err := r.background(false); err != nil {
		t.Fatal(err)
	}
	<-r.disk.held
	r.m.Flushed()
	r.disk.release()
	r.wait()
	if st := r.m.Status(); st.Saves != 1 || !st.SaveScheduled {
		t.Fatalf("%+v", st)
	}
	r.settle()
	if st := r.m.Status(); st.Saves != 2 || st.SaveScheduled {
		t.Fatalf("%+v", st)
	}
	r.set("save", "")
	r.m.Flushed()
	r.settle()
	if st := r.m.Status(); st.Saves != 2 {
		t.Fatalf("a save that nobody has asked for: %+v", st)
	}
}
