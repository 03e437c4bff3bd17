package persistence

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
)

func TestShutdownModes(t *testing.T) {
	for _, c := range []struct {
		name   string
		save   string // save points
		mode   ShutdownMode
		broken bool
		saved  bool
		fails  bool
	}{
		{"no save points", "", ShutdownMode{}, false, false, false},
		{"save points", "100 100", ShutdownMode{}, false, true, false},
		{"SAVE", "", ShutdownMode{Save: true}, false, true, false},
		{"NOSAVE", "100 100", ShutdownMode{NoSave: true}, false, false, false},
		{"SAVE on a broken disk", "", ShutdownMode{Save: true}, true, false, true},
		{"save points and a broken disk", "100 100", ShutdownMode{}, true, false, true},
		{"NOSAVE on a broken disk", "100 100", ShutdownMode{NoSave: true}, true, false, false},
		{"FORCE on a broken disk", "100 100", ShutdownMode{Force: true}, true, false, false},
		{"FORCE", "100 100", ShutdownMode{Force: true}, false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "--save", c.save)
			r.fill(20)
			if c.broken {
				r.faulty.Fail(vfs.OpCreate, 0, vfs.Forever, errDisk)
			}
			err := r.m.PrepareShutdown(c.mode)
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if (r.names("/") == "dump.rdb") != c.saved || !c.saved && r.names("/") != "" {
				t.Fatalf("files: %s", r.names("/"))
			}
			if stopping := r.m.State()&Stopping != 0; stopping != c.saved {
				t.Fatalf("state %b", r.m.State())
			}
			if c.fails {
				r.goesOn()
				return
			}
			if _, err := r.background(true); !errors.Is(err, ErrStopping) {
				t.Fatal(err)
			}
			if _, err := r.m.Rewrite(); !errors.Is(err, ErrStopping) {
				t.Fatal(err)
			}
			if err := r.m.SaveLocked(nil); !errors.Is(err, ErrStopping) {
				t.Fatal(err)
			}
			if err := r.m.ScheduleSave(); !errors.Is(err, ErrStopping) {
				t.Fatal(err)
			}
			if err := r.trySet("save", "7 7"); err == nil {
				t.Fatal("CONFIG SET after the end")
			}
			r.m.Tick()
			r.expect(false, false)
			r.faulty.Fail(vfs.OpCreate, 0, vfs.Forever, errDisk)
			before := r.m.State()
			if err := r.m.PrepareShutdown(ShutdownMode{Save: true}); err != nil || r.m.State() != before {
				t.Fatalf("the decision does not stand: %v, state %b", err, r.m.State())
			}
			want := r.contents()
			if !c.saved {
				want = model{}
			}
			r.faulty.Heal()
			must(t, r.restart())
			r.holds(want)
		})
	}
}

// goesOn checks that a server whose shutdown was refused is as good as before.
func (r *rig) goesOn() {
	r.t.Helper()
	r.faulty.Heal()
	r.do(0, "SET", "goes", "on")
	if r.m.State()&Stopping != 0 {
		r.t.Fatal("writes are refused")
	}
	must(r.t, r.bgsave())
	if r.m.State() != 0 {
		r.t.Fatalf("state %b", r.m.State())
	}
	must(r.t, r.rewrite())
	r.set("save", "7 7")
	must(r.t, r.m.PrepareShutdown(ShutdownMode{Save: true}))
}

// With a log, writes after the final save are not lost: they go on.
func TestShutdownWithLog(t *testing.T) {
	r := newRig(t, "--appendonly", "yes", "--save", "100 100")
	r.fill(20)
	must(t, r.m.PrepareShutdown(ShutdownMode{}))
	if r.m.State() != 0 {
		t.Fatalf("state %b", r.m.State())
	}
	r.do(0, "SET", "late", "1")
	want := r.contents()
	must(t, r.restart())
	r.holds(want)
}

// What can be written of a forced end is written: the snapshot, though the log fails.
func TestForcedShutdownSaves(t *testing.T) {
	r := newRig(t, "--appendonly", "yes", "--appendfsync", "always", "--save", "100 100")
	r.fill(20)
	want := r.contents()
	r.faulty.Fail(vfs.OpSync, 0, 2, errDisk) // of the log
	r.run(0, "SET", "k", "1")
	if err := r.m.Log().Commit(); err == nil {
		t.Fatal("the log works")
	}
	must(t, r.m.PrepareShutdown(ShutdownMode{Force: true}))
	if names := r.names("/"); names != "appendonlydir dump.rdb" {
		t.Fatalf("no snapshot: %s", names)
	}
	want.apply(0, 0, []string{"SET", "k", "1"})
	r.faulty.Heal()
	must(t, r.restart("--appendonly", "no"))
	r.holds(want)
}

func TestShutdownWhileJobsRun(t *testing.T) {
	for _, rewrite := range []bool{false, true} {
		r := newRig(t, "--appendonly", "yes", "--save", "100 100")
		r.fill(20)
		r.disk.stall()
		var err error
		if rewrite {
			_, err = r.m.Rewrite()
		} else {
			_, err = r.background(false)
		}
		must(t, err)
		<-r.disk.held
		var waiting <-chan error
		if rewrite {
			waiting = r.save() // for its turn, which does not come
		}
		done := make(chan error)
		go func() { done <- r.m.PrepareShutdown(ShutdownMode{}) }()
		if waiting != nil {
			if err := <-waiting; !errors.Is(err, ErrStopping) {
				t.Fatal(err)
			}
		}
		r.disk.release()
		must(t, <-done)
		want := r.contents()
		must(t, r.restart())
		r.holds(want)
	}
}

// A client that waits for the end of its SAVE gets an answer when that is aborted.
func TestCloseAnswersSave(t *testing.T) {
	r := newRig(t)
	r.fill(10)
	r.disk.stall()
	running := r.save()
	<-r.disk.held
	closed := make(chan error)
	go func() { closed <- r.m.Close() }()
	for {
		r.m.mu.Lock()
		j := r.m.job
		r.m.mu.Unlock()
		if j == nil || j.aborted.Load() {
			break
		}
	}
	r.disk.release()
	if err := <-running; err == nil {
		t.Fatal("an aborted SAVE succeeds")
	}
	must(t, <-closed)
	if r.names("/") != "" {
		t.Fatalf("files are left over: %s", r.names("/"))
	}
	must(t, r.m.Close()) // again
}

// A shutdown waits for the base of a log that has just been switched on.
func TestShutdownWhileLogStarts(t *testing.T) {
	r := newRig(t)
	r.fill(20)
	r.disk.stall()
	if _, err := r.m.Rewrite(); err != nil { // of no log
		t.Fatal(err)
	}
	<-r.disk.held
	r.set("appendonly", "yes")
	done := make(chan error)
	go func() { done <- r.m.PrepareShutdown(ShutdownMode{NoSave: true}) }()
	r.disk.release()
	must(t, <-done)
	want := r.contents()
	must(t, r.restart("--appendonly", "yes"))
	r.holds(want)
}

func TestShutdownWithoutBase(t *testing.T) {
	r := newRig(t)
	r.fill(20)
	r.faulty.Fail(vfs.OpCreate, 0, vfs.Forever, errDisk)
	r.set("appendonly", "yes")
	if err := r.m.PrepareShutdown(ShutdownMode{NoSave: true}); err == nil {
		t.Fatal("the log would be lost")
	}
	must(t, r.m.PrepareShutdown(ShutdownMode{NoSave: true, Force: true}))
}

// One whose save fails must not take back the success of one that saves nothing.
func TestShutdownsTakeTurns(t *testing.T) {
	r := newRig(t)
	r.fill(10)
	r.faulty.Fail(vfs.OpRename, 0, vfs.Forever, errDisk)
	r.disk.stall()
	saving, other := make(chan error), make(chan error, 1)
	go func() { saving <- r.m.PrepareShutdown(ShutdownMode{Save: true}) }()
	<-r.disk.held
	go func() { other <- r.m.PrepareShutdown(ShutdownMode{NoSave: true}) }()
	for range 1000 {
		runtime.Gosched()
	}
	r.disk.release()
	if err := <-saving; !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	must(t, <-other)
	if _, err := r.background(true); !errors.Is(err, ErrStopping) {
		t.Fatal(err)
	}
}

// Several clients may ask for the end at once; a failure of one does not take back the success of
// another.
func TestConcurrentShutdowns(t *testing.T) {
	r := newRig(t, "--save", "100 100")
	r.fill(50)
	r.faulty.Fail(vfs.OpRename, 0, 3, errDisk)
	var wait sync.WaitGroup
	errs := make(chan error, 8)
	for range 8 {
		wait.Go(func() { errs <- r.m.PrepareShutdown(ShutdownMode{Save: true}) })
		wait.Go(r.m.Tick)
	}
	wait.Wait()
	close(errs)
	failed := 0
	for err := range errs {
		if err != nil {
			failed++
		}
	}
	if failed != 3 || r.m.State()&Stopping == 0 {
		t.Fatalf("%d of 8 failed, state %b", failed, r.m.State())
	}
	if _, err := r.background(true); !errors.Is(err, ErrStopping) {
		t.Fatal(err)
	}
}
