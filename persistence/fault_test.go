package persistence

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
)

var errDisk = syscall.EIO

// TestSaveFails lets a save fail in every way, and looks whether the old file and the State are as
// they should be.
func TestSaveFails(t *testing.T) {
	faults := map[string]func(f *vfs.Faulty){
		"full":           func(f *vfs.Faulty) { f.SetSpace(100_000) },
		"full at once":   func(f *vfs.Faulty) { f.SetSpace(0) },
		"short write":    func(f *vfs.Faulty) { f.FailShort(0, 1, 10, syscall.EIO) },
		"write":          func(f *vfs.Faulty) { f.Fail(vfs.OpWrite, 0, 1, syscall.EIO) },
		"sync":           func(f *vfs.Faulty) { f.Fail(vfs.OpSync, 0, 1, syscall.EIO) },
		"rename":         func(f *vfs.Faulty) { f.Fail(vfs.OpRename, 0, 1, syscall.EIO) },
		"create":         func(f *vfs.Faulty) { f.Fail(vfs.OpCreate, 0, 1, syscall.ENOSPC) },
		"unwritable":     func(f *vfs.Faulty) { f.SetReadOnly(syscall.EACCES) },
		"read-only disk": func(f *vfs.Faulty) { f.SetReadOnly(syscall.EROFS) },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "--save", "100 1")
			r.fill(100)
			must(t, r.bgsave())
			before, want := r.read(dumpFile), r.contents()
			r.run(0, "SET", "more", randomText(300_000))

			fault(r.faulty)
			if err := r.bgsave(); err == nil {
				t.Fatal("the save succeeds")
			}
			if st := r.m.Status(); r.m.State() != SaveFailing || st.LastSaveOK || st.Saves != 1 || st.Dirty != 1 {
				t.Fatalf("state %b, %+v", r.m.State(), st)
			}
			if !bytes.Equal(r.read(dumpFile), before) || r.names("/") != "dump.rdb" {
				t.Fatalf("the old file has changed, or another is there: %s", r.names("/"))
			}

			// A save point asks again, but not at once.
			r.clock.add(200 * time.Second)
			r.faulty.Heal()
			fault(r.faulty)
			r.m.Tick()
			r.wait()
			r.clock.add(retryDelay)
			r.m.Tick()
			r.expect(false, false)
			r.faulty.Heal()
			failed := want
			r.clock.add(time.Millisecond)
			r.m.Tick()
			r.wait()
			if st := r.m.Status(); r.m.State() != 0 || !st.LastSaveOK || st.Saves != 2 || st.Dirty != 0 {
				t.Fatalf("state %b, %+v", r.m.State(), st)
			}
			want = r.contents()
			must(t, r.restart("--save", "100 1"))
			r.holds(want)

			// What the failure left was good to load, too.
			r.end()
			r.write(dumpFile, string(before))
			must(t, r.open())
			r.holds(failed)
		})
	}
}

func randomText(n int) string {
	rng := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, n) // does not compress
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

// A folder that cannot be synced has the new file, but nobody may rely on it.
func TestSaveFailsAtTheEnd(t *testing.T) {
	r := newRig(t, "--save", "100 1")
	r.fill(10)
	r.faulty.Fail(vfs.OpSyncDir, 0, 1, errDisk)
	if err := r.bgsave(); !errors.Is(err, errDisk) || r.m.State() != SaveFailing || r.m.Status().Dirty != 10 {
		t.Fatalf("%v, state %b", err, r.m.State())
	}
}

// SAVE tells its client, and nobody else, as in Redis.
func TestSaveCommandFails(t *testing.T) {
	r := newRig(t, "--save", "100 1")
	r.fill(10)
	r.faulty.Fail(vfs.OpSync, 0, 1, errDisk)
	if err := <-r.save(); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	r.wait()
	if st := r.m.Status(); r.m.State() != 0 || !st.LastSaveOK || st.LastSaveTook != -1 {
		t.Fatalf("state %b, %+v", r.m.State(), st)
	}
	r.faulty.Fail(vfs.OpSync, 0, 1, errDisk)
	if err := r.bgsave(); err == nil || r.m.State() != SaveFailing {
		t.Fatal(err)
	}
	must(t, <-r.save())
	r.wait()
	if r.m.State() != 0 {
		t.Fatal("a SAVE that succeeds does not end the failure")
	}
}

func TestLogFails(t *testing.T) {
	for name, fault := range map[string]func(f *vfs.Faulty){
		"write": func(f *vfs.Faulty) { f.Fail(vfs.OpWrite, 0, vfs.Forever, syscall.EIO) },
		"full":  func(f *vfs.Faulty) { f.SetSpace(10) },
		"sync":  func(f *vfs.Faulty) { f.Fail(vfs.OpSync, 0, vfs.Forever, syscall.EIO) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "--appendonly", "yes", "--appendfsync", "always")
			r.fill(10)
			fault(r.faulty)
			r.run(0, "SET", "k", "1")
			if err := r.m.Log().Commit(); err == nil || r.m.State() != LogFailing {
				t.Fatalf("%v, state %b", err, r.m.State())
			}
			if err := r.m.PrepareShutdown(ShutdownMode{NoSave: true}); err == nil {
				t.Fatal("a shutdown that loses the end of the log")
			}
			if _, err := r.background(false); errors.Is(err, ErrStopping) {
				t.Fatal("no job begins after a shutdown that was refused")
			}
			r.wait()
			r.faulty.Heal()
			r.clock.add(2 * time.Second)
			r.m.Tick()
			if r.m.State() != 0 {
				t.Fatalf("state %b after the disk is well again: %v", r.m.State(), r.m.Log().Err())
			}
			want := r.contents()
			must(t, r.restart())
			r.holds(want)
		})
	}
}

// CONFIG SET appendonly no works also with a disk that does not.
func TestSwitchFailingLogOff(t *testing.T) {
	r := newRig(t, "--appendonly", "yes", "--appendfsync", "always")
	r.faulty.Fail(vfs.OpWrite, 0, vfs.Forever, errDisk)
	r.run(0, "SET", "k", "1")
	if err := r.m.Log().Commit(); err == nil || r.m.State() != LogFailing {
		t.Fatal(err)
	}
	r.set("appendonly", "no")
	if r.m.State() != 0 || r.m.Log().On() || r.cfg.Values().AppendOnly || r.m.Status().LogOn {
		t.Fatalf("state %b, on %v", r.m.State(), r.m.Log().On())
	}
}

func TestRewriteFails(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	r.fill(50)
	r.faulty.Fail(vfs.OpCreate, 2, 1, syscall.ENOSPC) // the incremental file, the manifest, then the base
	if err := r.rewrite(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if st := r.m.Status(); st.LastRewriteOK || st.RewriteFailures != 1 || r.m.State() != 0 {
		t.Fatalf("%+v", st)
	}
	r.do(0, "SET", "after", "1")
	want := r.contents()
	must(t, r.restart())
	r.holds(want)
	if strings.Contains(r.names(logDir), "temp") {
		t.Fatal(r.names(logDir))
	}

	// Automatic ones are tried at once three times, and then after longer and longer waits.
	r.set("auto-aof-rewrite-min-size", "1")
	r.set("auto-aof-rewrite-percentage", "1")
	r.do(0, "SET", "big", randomText(10_000))
	r.faulty.Fail(vfs.OpRename, 0, vfs.Forever, errDisk)
	var waits []time.Duration
	last := r.clock.Now()
	for range 12 * 60 * 6 {
		failures := r.m.Status().RewriteFailures
		r.m.Tick()
		r.wait()
		if r.m.Status().RewriteFailures > failures {
			waits = append(waits, r.clock.Now().Sub(last))
			last = r.clock.Now()
		}
		r.clock.add(5 * time.Second)
	}
	for i, wait := range waits {
		want := time.Duration(0)
		if n := i - freeFailures; n >= 0 {
			want = min(time.Minute<<min(n, 6), time.Hour)
		}
		if wait < want || wait > want+5*time.Second {
			t.Errorf("attempt %d came %v after the one before, not %v", i+1, wait, want)
		}
	}
	if files := strings.Fields(r.names(logDir)); len(waits) < 9 || len(files) > 2*len(waits)+4 {
		t.Fatalf("%d attempts, %d files", len(waits), len(files))
	}
	// By hand it goes on at once.
	r.faulty.Heal()
	must(t, r.rewrite())
	if st := r.m.Status(); st.RewriteFailures != 0 || !st.LastRewriteOK {
		t.Fatalf("%+v", st)
	}
	if names := r.names(logDir); len(strings.Fields(names)) != 3 {
		t.Fatalf("files are left over: %s", names)
	}
	want = r.contents()
	must(t, r.restart())
	r.holds(want)
}

func TestFirstBaseFails(t *testing.T) {
	for _, op := range []vfs.Op{vfs.OpMkdir, vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir} {
		r := rigOn(t, vfs.NewMem(), newClock(), "--appendonly", "yes")
		r.faulty.Fail(op, 0, vfs.Forever, errDisk)
		if err := r.open(); !errors.Is(err, errDisk) {
			t.Fatalf("op %d: %v", op, err)
		}
		r.faulty.Heal()
		must(t, r.open()) // the folder's lock is free again
		r.do(0, "SET", "k", "1")
		must(t, r.restart())
		r.holds(model{"0 k": {text: "1"}})
	}
}
