package persistence

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/tests/randtest"
)

// TestEverythingAtOnce has all callers at it at the same time, on a disk that fails now and then.
// It ends: nobody waits for ever, whoever asked for SAVE gets an answer, and what is on disk in the
// end is what is in memory.
func TestEverythingAtOnce(t *testing.T) {
	seed := randtest.Seed(t)
	r := newRig(t, "--save", "1 5", "--auto-aof-rewrite-min-size", "1000")
	var asked, answered atomic.Int64
	var wait sync.WaitGroup
	caller := func(n uint64, times int, call func(rng *rand.Rand)) {
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(seed, n))
			for range times {
				call(rng)
			}
		})
	}
	for n := range uint64(3) {
		caller(n, 400, func(rng *rand.Rand) {
			k := strconv.Itoa(rng.IntN(20))
			r.run(rng.IntN(4), []string{"SET", "HSET", "SADD"}[n], strconv.FormatUint(n, 10)+k, k, k)
			if err := r.m.Log().Commit(); err != nil && r.m.State()&LogFailing == 0 && r.m.Log().On() {
				if err := r.m.Log().Commit(); err != nil && r.m.Log().Err() != nil && !errors.Is(err, errDisk) {
					t.Error(err)
				}
			}
			r.m.Throttle()
		})
	}
	caller(10, 600, func(rng *rand.Rand) {
		r.clock.add(time.Duration(rng.IntN(300)) * time.Millisecond)
		r.m.Tick()
	})
	caller(11, 600, func(*rand.Rand) {
		if st := r.m.Status(); st.SaveRunning && st.RewriteRunning {
			t.Error("two jobs")
		}
		r.m.LastSave()
	})
	caller(12, 100, func(rng *rand.Rand) {
		refused := r.trySet("appendonly", []string{"yes", "no"}[rng.IntN(2)])
		if refused == nil {
			refused = r.trySet("appendfsync", []string{"always", "everysec", "no"}[rng.IntN(3)])
		}
		if refused != nil && !isStopping(refused) {
			t.Error(refused)
		}
	})
	caller(13, 100, func(rng *rand.Rand) {
		if _, err := r.background(rng.IntN(2) == 0); err != nil && !errors.Is(err, ErrSaveRunning) && !errors.Is(err, ErrRewriteRunning) && !errors.Is(err, ErrStopping) {
			t.Error(err)
		}
	})
	caller(14, 100, func(*rand.Rand) {
		if _, err := r.m.Rewrite(); err != nil && !errors.Is(err, ErrRewriteRunning) && !errors.Is(err, ErrStopping) {
			t.Error(err)
		}
	})
	caller(15, 100, func(*rand.Rand) {
		r.store.LockAll()
		asked.Add(1)
		if err := r.m.SaveLocked(func(error) { answered.Add(1) }); err != nil {
			answered.Add(1)
		}
		r.store.UnlockAll()
	})
	caller(16, 30, func(rng *rand.Rand) {
		r.faulty.Fail(vfs.Op(rng.IntN(8)), rng.Int64N(20), 2, errDisk)
	})
	caller(17, 30, func(*rand.Rand) {
		// The final save fails, so that the server stays.
		if err := r.m.PrepareShutdown(ShutdownMode{Save: true}); err == nil {
			r.m.mu.Lock()
			r.m.stopped, r.m.closing = false, false
			r.m.mu.Unlock()
			r.m.setState(Stopping, false)
		}
	})
	wait.Wait()

	r.faulty.Heal()
	r.clock.add(2 * longestWait)
	r.settle()
	if r.m.Log().On() != r.cfg.Values().AppendOnly {
		t.Fatalf("appendonly %v, the log is on: %v", r.cfg.Values().AppendOnly, r.m.Log().On())
	}
	if asked.Load() != answered.Load() {
		t.Fatalf("%d clients asked for SAVE, %d have an answer", asked.Load(), answered.Load())
	}
	r.set("appendonly", "yes")
	r.settle()
	if r.m.State() != 0 {
		r.clock.add(2 * time.Second)
		r.settle()
	}
	must(t, r.bgsave())
	if r.m.State() != 0 {
		t.Fatalf("state %b", r.m.State())
	}
	want := r.contents()
	r.end()
	for _, log := range []string{"yes", "no"} {
		must(t, r.restart("--appendonly", log))
		r.holds(want)
	}
}

// isStopping: CONFIG SET gives the text alone.
func isStopping(err error) bool {
	return err != nil && len(err.Error()) > len(ErrStopping.Error()) &&
		err.Error()[len(err.Error())-len(ErrStopping.Error()):] == ErrStopping.Error()
}
