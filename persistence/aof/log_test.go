package aof

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/tests/randtest"
)

// fixture is a log that is on, in memory or on disk, with a clock of its own.
type fixture struct {
	t        testing.TB
	fs       vfs.FS
	dir      string
	log      *Log
	journal  *journal.Journal
	now      time.Time
	failures []bool // what OnFailure was told
	watched  []string
}

func newFixture(t testing.TB, fsys vfs.FS, serverDir string, policy Policy) *fixture {
	x := &fixture{t: t, fs: fsys, dir: filepath.Join(serverDir, "appendonlydir"), now: time.Unix(1_800_000_000, 0)}
	x.journal = journal.New(func() time.Time { return x.now })
	x.log = NewLog(Options{Journal: x.journal, FS: fsys, Dir: x.dir, Prefix: testPrefix, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return x.now }, OnFailure: func(failing bool) { x.failures = append(x.failures, failing) },
		Watch: func(event string, do func() error) error { x.watched = append(x.watched, event); return do() }})
	x.log.SetPolicy(policy)
	r, err := x.log.PrepareRewrite(RewriteOptions{Start: true})
	must(t, err)
	r.CutLocked()
	x.finish(r)
	return x
}

// newFixtureOff is a log that has not been started.
func newFixtureOff(fsys vfs.FS, dir string) *Log {
	return NewLog(Options{Journal: journal.New(time.Now), FS: fsys, Dir: dir, Prefix: testPrefix, Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
}

func newMemFixture(t testing.TB, policy Policy) (*fixture, *vfs.Faulty) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	return newFixture(t, faulty, "/", policy), faulty
}

// finish ends a rewrite with an empty base.
func (x *fixture) finish(r *Rewrite) {
	x.t.Helper()
	must(x.t, writeFile(x.fs, r.BaseTemp(), nil))
	must(x.t, r.Finish(0))
}

func (x *fixture) set(db int, key string) {
	x.journal.Append(db, []byte("SET"), []byte(key), []byte("v"))
}

// tick lets time pass, and waits for syncs that begin.
func (x *fixture) tick(d time.Duration) {
	x.t.Helper()
	x.now = x.now.Add(d)
	x.log.Tick(x.now)
	for x.log.io.syncing != nil {
		<-x.log.io.syncing.done
		x.log.Tick(x.now)
	}
}

func (x *fixture) read(name string) string {
	x.t.Helper()
	f, err := x.fs.OpenFile(filepath.Join(x.dir, name), os.O_RDONLY, 0)
	must(x.t, err)
	defer func() { must(x.t, f.Close()) }()
	text, err := io.ReadAll(f)
	must(x.t, err)
	return string(text)
}

func (x *fixture) wantFile(name, want string) {
	x.t.Helper()
	if got := x.read(name); got != want {
		x.t.Fatalf("%s:\n%q\nwant:\n%q", name, got, want)
	}
}

func (x *fixture) wantNames(want ...string) {
	x.t.Helper()
	list, err := x.fs.ReadDir(x.dir)
	must(x.t, err)
	var names []string
	for _, e := range list {
		names = append(names, strings.TrimPrefix(e.Name(), testPrefix))
	}
	if got := strings.Join(names, " "); got != strings.Join(want, " ") {
		x.t.Fatalf("the folder has %s, want %s", got, want)
	}
}

const (
	select0 = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
	select7 = "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n"
)

func setText(key string) string {
	return "*3\r\n$3\r\nSET\r\n$" + strconv.Itoa(len(key)) + "\r\n" + key + "\r\n$1\r\nv\r\n"
}

func TestAppendedText(t *testing.T) {
	x, _ := newMemFixture(t, Always)
	x.set(0, "a")
	x.set(0, "b")
	x.set(7, "c")
	var e journal.Effects
	x.journal.AppendEffects(&e)
	e.Add(7, []byte("DEL"), []byte("x"))
	x.journal.AppendEffects(&e)
	e.Add(0, []byte("SET"), []byte("d"), []byte("v"))
	x.journal.AppendEffects(&e)
	must(t, x.log.Commit())
	del := "*2\r\n$3\r\nDEL\r\n$1\r\nx\r\n"
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a")+setText("b")+select7+setText("c")+
		del+"*1\r\n$5\r\nMULTI\r\n"+del+select0+setText("d")+"*1\r\n$4\r\nEXEC\r\n")
	x.wantFile(testPrefix+".manifest", "file log.aof.1.base.aof seq 1 type b\nfile log.aof.1.incr.aof seq 1 type i\n")
	x.wantNames(".1.base.aof", ".1.incr.aof", ".manifest")
}

func TestTimestamps(t *testing.T) {
	x, _ := newMemFixture(t, No)
	x.journal.SetMarks(true)
	x.set(0, "a")
	x.now = x.now.Add(900 * time.Millisecond)
	x.set(0, "b")
	x.now = x.now.Add(100 * time.Millisecond)
	x.set(0, "c")
	must(t, x.log.Commit())
	x.wantFile(testPrefix+".1.incr.aof",
		"#TS:1800000000\r\n"+select0+setText("a")+setText("b")+"#TS:1800000001\r\n"+setText("c"))
}

func TestOffAppendsNothing(t *testing.T) {
	x, _ := newMemFixture(t, Always)
	x.set(0, "a")
	must(t, x.log.Stop())
	x.set(0, "b")
	if x.log.On() || x.log.Pending() {
		t.Fatal("the log is on")
	}
	must(t, x.log.Commit())
	must(t, x.log.Stop())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a"))

	m, err := Find(x.fs, "/", x.dir, testPrefix)
	must(t, err)
	must(t, x.log.Start(m))
	if err := x.log.Start(m); !errors.Is(err, ErrOn) {
		t.Fatalf("second start: %v", err)
	}
	x.set(0, "c")
	must(t, x.log.Stop())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a")+select0+setText("c"))
}

func TestRewriteChangesFiles(t *testing.T) {
	x, _ := newMemFixture(t, EverySec)
	x.set(0, "a")
	r, err := x.log.PrepareRewrite(RewriteOptions{RDB: true})
	must(t, err)
	if _, err := x.log.PrepareRewrite(RewriteOptions{}); !errors.Is(err, ErrRewriting) {
		t.Fatalf("second rewrite: %v", err)
	}
	x.wantFile(testPrefix+".manifest", "file log.aof.1.base.aof seq 1 type b\nfile log.aof.1.incr.aof seq 1 type i\nfile log.aof.2.incr.aof seq 2 type i\n")
	x.set(0, "b")
	r.CutLocked()
	x.set(0, "c")
	must(t, x.log.Sync())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a")+setText("b"))
	x.wantFile(testPrefix+".2.incr.aof", select0+setText("c"))
	must(t, writeFile(x.fs, r.BaseTemp(), []byte("REDIS...")))
	must(t, r.Finish(8))
	x.wantFile(testPrefix+".manifest", "file log.aof.2.base.rdb seq 2 type b\nfile log.aof.2.incr.aof seq 2 type i\n")
	x.wantNames(".2.base.rdb", ".2.incr.aof", ".manifest")
	if st := x.log.Status(); st.CurrentSize != 8+int64(len(select0+setText("c"))) || st.BaseSize != st.CurrentSize {
		t.Fatalf("%+v", st)
	}
	if err := r.Finish(8); !errors.Is(err, ErrOff) {
		t.Fatalf("Finish again: %v", err)
	}
}

// TestFinishCompletesTheCut: after it nothing goes to the old file any more, and the sizes are the
// new ones'.
func TestFinishCompletesTheCut(t *testing.T) {
	x, _ := newMemFixture(t, No)
	x.set(0, "a")
	r, err := x.log.PrepareRewrite(RewriteOptions{})
	must(t, err)
	x.set(0, "b")
	r.CutLocked()
	x.set(0, "c")
	x.finish(r)
	x.wantFile(testPrefix+".2.incr.aof", select0+setText("c"))
	if st := x.log.Status(); st.CurrentSize != int64(len(select0+setText("c"))) {
		t.Fatalf("%+v", st)
	}
}

// TestStartSyncsWhatWasWritten: a process that was killed may have left its last bytes to the
// system alone.
func TestStartSyncsWhatWasWritten(t *testing.T) {
	mem := vfs.NewMem()
	x := newFixture(t, mem, "/", No)
	x.set(0, "a")
	must(t, x.log.Commit())
	m, err := Find(mem, "/", x.dir, testPrefix)
	must(t, err)
	next := newFixtureOff(mem, x.dir)
	must(t, next.Start(m))
	rng := randtest.New(t)
	for range 50 {
		x.fs = mem.Crash(rng)
		x.wantFile(testPrefix+".1.incr.aof", select0+setText("a"))
	}
}

// TestCancelBeforeCut: the manifest names the new file as the last, so only that may be written to,
// or servers that let no other file have a torn end would not start.
func TestCancelBeforeCut(t *testing.T) {
	x, _ := newMemFixture(t, Always)
	r, err := x.log.PrepareRewrite(RewriteOptions{})
	must(t, err)
	must(t, r.Cancel())
	x.set(0, "a")
	must(t, x.log.Commit())
	x.wantFile(testPrefix+".1.incr.aof", "")
	x.wantFile(testPrefix+".2.incr.aof", select0+setText("a"))
}

func TestStopEndsRewrite(t *testing.T) {
	for _, start := range []bool{false, true} {
		x, _ := newMemFixture(t, Always)
		if start {
			must(t, x.log.Stop())
		}
		r, err := x.log.PrepareRewrite(RewriteOptions{Start: start})
		must(t, err)
		r.CutLocked()
		x.set(0, "a")
		must(t, x.log.Stop())
		if err := r.Finish(0); !errors.Is(err, ErrOff) {
			t.Fatalf("Finish after Stop: %v", err)
		}
		must(t, r.Cancel())
		m, err := Find(x.fs, "/", x.dir, testPrefix)
		must(t, err)
		must(t, x.log.Start(m))
		must(t, x.log.Stop())
	}
}

// TestRewriteWithoutLog: BGREWRITEAOF while appendonly is off leaves a base.
func TestRewriteWithoutLog(t *testing.T) {
	x, _ := newMemFixture(t, Always)
	must(t, x.log.Stop())
	r, err := x.log.PrepareRewrite(RewriteOptions{RDB: true})
	must(t, err)
	r.CutLocked()
	x.set(0, "a")
	x.finish(r)
	if x.log.On() {
		t.Fatal("the log is on")
	}
	x.wantFile(testPrefix+".manifest", "file log.aof.2.base.rdb seq 2 type b\n")
	x.wantNames(".2.base.rdb", ".manifest")
}

// TestStartCleansUp: what an interrupted rewrite has left does not stay until the next one.
func TestStartCleansUp(t *testing.T) {
	x, _ := newMemFixture(t, Always)
	must(t, x.log.Stop())
	must(t, writeFile(x.fs, x.dir+"/temp-"+testPrefix+".base", []byte("half")))
	must(t, writeFile(x.fs, x.dir+"/temp-"+testPrefix+".manifest", nil))
	must(t, writeFile(x.fs, x.dir+"/"+testPrefix+".old", nil))
	must(t, writeFile(x.fs, x.dir+"/"+testPrefix+".manifest", []byte("file "+testPrefix+".old seq 1 type h\n"+x.read(testPrefix+".manifest"))))
	m, err := Find(x.fs, "/", x.dir, testPrefix)
	must(t, err)
	must(t, x.log.Start(m))
	x.wantNames(".1.base.aof", ".1.incr.aof", ".manifest")
	x.wantFile(testPrefix+".manifest", "file log.aof.1.base.aof seq 1 type b\nfile log.aof.1.incr.aof seq 1 type i\n")
}

// TestForeignFilesStay: a folder that has lost its manifest keeps its files.
func TestForeignFilesStay(t *testing.T) {
	mem := vfs.NewMem()
	must(t, mem.Mkdir("/appendonlydir", 0o755))
	must(t, writeFile(mem, "/appendonlydir/"+testPrefix+".4.base.rdb", []byte("precious")))
	must(t, writeFile(mem, "/appendonlydir/"+testPrefix+".1.incr.aof", []byte("precious")))
	x := newFixture(t, mem, "/", Always)
	x.wantNames(".1.incr.aof", ".4.base.rdb", ".5.base.aof", ".5.incr.aof", ".manifest")
}

// blocker is a file system whose file syncs wait.
type blocker struct {
	vfs.FS
	hold  atomic.Bool
	syncs atomic.Int64
	wait  chan struct{} // one receive per sync that goes on
}

type blockedFile struct {
	vfs.File
	b *blocker
}

func (b *blocker) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	f, err := b.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return blockedFile{f, b}, nil
}

func (f blockedFile) Sync() error {
	f.b.syncs.Add(1)
	if f.b.hold.Load() {
		<-f.b.wait
	}
	return f.File.Sync()
}

// TestWritesWaitForSync: as Redis does, two seconds, then they are counted and written.
func TestWritesWaitForSync(t *testing.T) {
	b := &blocker{FS: vfs.NewMem(), wait: make(chan struct{})}
	x := newFixture(t, b, "/", EverySec)
	x.set(0, "a")
	must(t, x.log.Commit())
	b.hold.Store(true)
	x.now = x.now.Add(2 * time.Second)
	x.log.Tick(x.now)
	if st := x.log.Status(); st.PendingFsync != 1 {
		t.Fatalf("no sync has begun: %+v", st)
	}
	x.set(0, "b")
	must(t, x.log.Commit())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a"))
	x.now = x.now.Add(1900 * time.Millisecond)
	must(t, x.log.Commit())
	if st := x.log.Status(); st.PendingBytes != int64(len(setText("b"))) || st.DelayedFsync != 0 {
		t.Fatalf("%+v", st)
	}
	x.now = x.now.Add(100 * time.Millisecond)
	must(t, x.log.Commit())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a")+setText("b"))
	if st := x.log.Status(); st.PendingBytes != 0 || st.DelayedFsync != 1 || x.log.Pending() {
		t.Fatalf("%+v", st)
	}
	close(b.wait)
	x.tick(time.Second)
	if st := x.log.Status(); st.PendingFsync != 0 || x.log.io.seg.synced != x.log.io.seg.size {
		t.Fatalf("%+v", st)
	}
}

// TestCutWaitsForOldFile: nothing is in the new file before all of the old one is durable.
func TestCutWaitsForOldFile(t *testing.T) {
	b := &blocker{FS: vfs.NewMem(), wait: make(chan struct{})}
	x := newFixture(t, b, "/", No)
	r, err := x.log.PrepareRewrite(RewriteOptions{})
	must(t, err)
	x.set(0, "a")
	r.CutLocked()
	x.set(0, "b")
	b.hold.Store(true)
	must(t, x.log.Commit())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a"))
	x.wantFile(testPrefix+".2.incr.aof", "")
	close(b.wait)
	must(t, x.log.Sync())
	x.wantFile(testPrefix+".2.incr.aof", select0+setText("b"))
	must(t, r.Cancel())
}

func TestSuspendedSync(t *testing.T) {
	b := &blocker{FS: vfs.NewMem(), wait: make(chan struct{})}
	x := newFixture(t, b, "/", Always)
	before := b.syncs.Load()
	x.log.SetSuspendSync(true)
	x.set(0, "a")
	must(t, x.log.Commit())
	if n := b.syncs.Load() - before; n != 0 {
		t.Fatalf("%d syncs", n)
	}
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a"))
	x.log.SetSuspendSync(false)
	x.tick(2 * time.Second)
	if n := b.syncs.Load() - before; n != 1 {
		t.Fatalf("%d syncs after it", n)
	}
}

// TestGroupCommit: while one sync is under way others' effects gather, and one more sync covers
// them all.
func TestGroupCommit(t *testing.T) {
	const loops = 8
	b := &blocker{FS: vfs.NewMem(), wait: make(chan struct{})}
	x := newFixture(t, b, "/", Always)
	before := b.syncs.Load()
	b.hold.Store(true)
	done := make(chan error, loops)
	commit := func() {
		x.set(0, "k")
		done <- x.log.Commit()
	}
	go commit()
	eventually(t, "the first sync", func() bool { return b.syncs.Load() == before+1 })
	for range loops - 1 {
		go commit()
	}
	text := int64(len(setText("k")))
	eventually(t, "the others' effects", func() bool { return x.log.Status().PendingBytes == int64(len(select0))+loops*text })
	close(b.wait)
	for range loops {
		must(t, <-done)
	}
	if n := b.syncs.Load() - before; n != 2 {
		t.Errorf("%d commits took %d syncs, want 2", loops, n)
	}
	must(t, x.log.Stop())
	x.wantFile(testPrefix+".1.incr.aof", select0+strings.Repeat(setText("k"), loops))
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 seconds", what)
		}
		runtime.Gosched()
	}
}

// TestRacingUsers has everything going on at once, for the race detector.
func TestRacingUsers(t *testing.T) {
	x, faulty := newMemFixture(t, Always)
	stop := make(chan struct{})
	var group sync.WaitGroup
	spawn := func(do func(i int)) {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					do(i)
				}
			}
		}()
	}
	const each = 3000
	var acked atomic.Int64
	var loops sync.WaitGroup
	for range 3 {
		loops.Add(1)
		go func() {
			defer loops.Done()
			for range each {
				x.set(0, "k")
				for x.log.Commit() != nil { // a server would close the connection; here the effects are counted at the end
				}
				acked.Add(1)
			}
		}()
	}
	base := x.now
	spawn(func(i int) { x.log.Tick(base.Add(time.Duration(i) * time.Second)) })
	spawn(func(i int) {
		x.log.SetPolicy([]Policy{Always, Always, EverySec, No}[i%4])
		_ = x.log.Status()
		_ = x.log.Err()
		faulty.Fail(vfs.OpSync, 5, 1, syscall.EIO)
	})
	spawn(func(int) {
		r, err := x.log.PrepareRewrite(RewriteOptions{})
		if err != nil {
			return
		}
		r.CutLocked()
		_ = r.Cancel()
	})
	loops.Wait()
	close(stop)
	group.Wait()
	faulty.Heal()
	for x.log.Err() != nil || x.log.Pending() {
		x.tick(time.Second)
	}
	must(t, x.log.Stop())
	m, err := ReadManifest(x.fs, x.dir, testPrefix)
	must(t, err)
	n := 0
	for _, name := range m.Files() {
		n += strings.Count(x.read(name), "SET")
	}
	if n != 3*each {
		t.Fatalf("%d commands in the files, %d were appended", n, 3*each)
	}
}

func TestFailureIsToldAndEnds(t *testing.T) {
	x, faulty := newMemFixture(t, EverySec)
	faulty.FailShort(0, 2, 5, syscall.ENOSPC)
	x.set(0, "a")
	wantFull := func(err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	wantFull(x.log.Commit()) // what is only written may be lost with the power, but not with the process
	wantFull(x.log.Err())
	x.wantFile(testPrefix+".1.incr.aof", "")
	x.set(0, "b")
	wantFull(x.log.Commit())
	x.tick(10 * time.Millisecond)
	if x.log.Err() == nil {
		t.Fatal("it was tried again too early, or has forgotten")
	}
	x.tick(time.Second)
	must(t, x.log.Err())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a")+setText("b"))
	if len(x.failures) != 2 || !x.failures[0] || x.failures[1] {
		t.Fatalf("OnFailure was told %v", x.failures)
	}
}

// TestFailingCommit: under Always every Commit that has something to promise fails, without
// hammering the disk.
func TestFailingCommit(t *testing.T) {
	x, faulty := newMemFixture(t, Always)
	faulty.Fail(vfs.OpSync, 0, 2, syscall.EIO)
	x.set(0, "a")
	for range 3 {
		if err := x.log.Commit(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Commit() = %v", err)
		}
	}
	x.set(0, "b")
	if err := x.log.Commit(); !errors.Is(err, syscall.EIO) { // the second try
		t.Fatalf("Commit() = %v", err)
	}
	x.set(0, "c")
	must(t, x.log.Commit())
	must(t, x.log.Err())
	x.wantFile(testPrefix+".1.incr.aof", select0+setText("a")+setText("b")+setText("c"))
}

// TestSyncFailsInBackground: what the system may have dropped is written again.
func TestSyncFailsInBackground(t *testing.T) {
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	x := newFixture(t, faulty, "/", EverySec)
	for range 100 {
		x.set(0, "a")
	}
	must(t, x.log.Commit())
	faulty.Fail(vfs.OpSync, 0, 2, syscall.EIO)
	x.tick(2 * time.Second)
	if err := x.log.Err(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Err() = %v", err)
	}
	x.set(0, "b")
	for range 4 {
		x.tick(time.Second)
	}
	must(t, x.log.Err())
	rng := randtest.New(t)
	x.fs = mem.Crash(rng)
	x.wantFile(testPrefix+".1.incr.aof", select0+strings.Repeat(setText("a"), 100)+setText("b"))
}

// forgetful is a file system that answers a failed sync by showing what is on the disk.
type forgetful struct {
	vfs.FS
	forget atomic.Bool
}

func (f *forgetful) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	return forgetfulFile{file, f}, err
}

type forgetfulFile struct {
	vfs.File
	f *forgetful
}

func (f forgetfulFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if f.f.forget.Load() {
		clear(p[:n])
	}
	return n, err
}

// TestLostNeedsRewrite: what is gone from the system's cache too is told, refused, and repaired by
// a rewrite.
func TestLostNeedsRewrite(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	f := &forgetful{FS: faulty}
	x := newFixture(t, f, "/", EverySec)
	x.set(0, "a")
	must(t, x.log.Commit())
	faulty.Fail(vfs.OpSync, 0, 1, syscall.EIO)
	f.forget.Store(true)
	for range 3 {
		x.tick(2 * time.Second)
	}
	f.forget.Store(false)
	x.tick(2 * time.Second)
	if st := x.log.Status(); !st.NeedsRewrite || st.Err == nil {
		t.Fatalf("%+v", st)
	}
	x.set(0, "b")
	r, err := x.log.PrepareRewrite(RewriteOptions{})
	must(t, err)
	r.CutLocked()
	x.set(0, "c")
	must(t, x.log.Commit())
	if x.log.Err() == nil {
		t.Fatal("all is well before the rewrite has come to its end")
	}
	x.finish(r)
	must(t, x.log.Err())
	must(t, x.log.Stop())
	x.wantFile(testPrefix+".2.incr.aof", select0+setText("c"))
}

func TestAppendAllocatesNothing(t *testing.T) {
	x, _ := newMemFixture(t, No)
	args := [][]byte{[]byte("SET"), []byte("key:000000000001"), make([]byte, 64)}
	var e journal.Effects
	round := func() {
		for range 100 {
			x.journal.Append(0, args...)
			e.Add(0, args...)
			e.Add(1, args...)
			x.journal.AppendEffects(&e)
			e.Reset()
		}
	}
	for range 3 { // both buffers grow
		round()
		round()
		must(t, x.log.Commit())
	}
	if n := testing.AllocsPerRun(1, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestWritesAreWatched: how long writing takes is noted, by what it does.
func TestWritesAreWatched(t *testing.T) {
	for policy, want := range map[Policy]string{Always: "aof-fsync-always", No: "aof-write"} {
		x, _ := newMemFixture(t, policy)
		x.watched = nil
		x.set(0, "a")
		must(t, x.log.Commit())
		if len(x.watched) == 0 || x.watched[0] != want {
			t.Errorf("policy %d: %q, want %s", policy, x.watched, want)
		}
	}
}
