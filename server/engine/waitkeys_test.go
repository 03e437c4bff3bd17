package engine

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/tests/randtest"
)

// waits has a client wait with a command.
func (c *client) waits(line string) {
	c.t.Helper()
	c.expect(line, "")
	if c.next != netloop.Block {
		c.t.Fatalf("%s: next is %d", line, c.next)
	}
	c.conn.resumed.Store(false)
}

// wantResumed checks what a client is told to do, and what comes of it.
func (c *client) wantResumed(want string, next netloop.Action) {
	c.t.Helper()
	if !c.conn.resumed.Swap(false) {
		c.t.Fatal("the client was not resumed")
	}
	if got := strings.ReplaceAll(c.resume(), "\r\n", " "); got != want || c.next != next {
		c.t.Errorf("resumed: %q, then %d; want %q, then %d", got, c.next, want, next)
	}
}

// TestWaitForKeys: the request runs again when there is something, keeps its place if it comes too
// late, and others are told when it goes.
func TestWaitForKeys(t *testing.T) {
	fs := vfs.NewMem()
	r := newRigOn(t, fs)
	a, b, pusher := r.connect(), r.connect(), r.connect()
	a.waits("take k other 0")
	b.waits("take k 0")
	pusher.expect("push k x\npush k y\ntake k 0\ntake k 0", ":1 :2 $1 x $1 y")
	if b.conn.resumed.Load() {
		t.Error("the second was told beside the first")
	}
	a.wantResumed("", netloop.Block) // somebody else was faster
	pusher.expect("push k y z", ":2")
	a.wantResumed("$1 y ", netloop.Wait)
	b.wantResumed("$1 z ", netloop.Wait)
	if n := r.kernel.Clients.Blocked(); n != 0 {
		t.Errorf("%d are blocked", n)
	}
	want := "SELECT 0\npush k x\npush k y\nLPOP k\nLPOP k\npush k y z\nLPOP k\nLPOP k"
	if got := logged(t, r, fs); got != want {
		t.Errorf("the log has %s, want %s", got, want)
	}
}

// TestWaitForKeysEnds: nothing is taken by, or lost with, a client whose wait has ended in another
// way.
func TestWaitForKeysEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		pusher := r.connect()
		for name, end := range map[string]func(c *client){
			"closed":    func(c *client) { c.Closed(netloop.ClientClosed) },
			"killed":    func(c *client) { c.Kill(); c.resume(); c.Closed(netloop.Killed) },
			"time":      func(*client) { time.Sleep(time.Second); synctest.Wait() },
			"unblocked": func(c *client) { c.Unblock(false, true) },
			"error":     func(c *client) { c.Unblock(true, true) },
		} {
			for _, told := range []bool{false, true} {
				c, next := r.connect(), r.connect()
				c.waits("take k 1000")
				next.waits("take k 0")
				if told {
					pusher.expect("push k x", ":1")
				}
				end(c)
				switch name {
				case "time", "unblocked":
					c.wantResumed("*-1 ", netloop.Wait)
				case "error":
					c.wantResumed("-UNBLOCKED client unblocked via CLIENT UNBLOCK ", netloop.Wait)
				}
				if !told {
					pusher.expect("push k x", ":1")
				}
				next.wantResumed("$1 x ", netloop.Wait)
				if n := r.kernel.Clients.Blocked(); n != 0 || r.kernel.Limited() != 0 {
					t.Errorf("%s: %d are blocked, %d for some time", name, n, r.kernel.Limited())
				}
			}
		}
	})
}

// TestWaitForKeysInExec: nobody waits in a transaction, and what it pushes is told when it is over.
func TestWaitForKeysInExec(t *testing.T) {
	r := newRig(t)
	c, other := r.connect(), r.connect()
	c.expect("multi\ntake k 0\nexec", "+OK +QUEUED *1 *-1")
	other.waits("take k 0")
	c.expect("multi\npush k x\ntake k 0\npush k y", "+OK +QUEUED +QUEUED +QUEUED")
	c.expect("exec", "*3 :1 $1 x :1")
	other.wantResumed("$1 y ", netloop.Wait)
}

// TestWaitForKeysIsRefused: a request that runs again is admitted like any other.
func TestWaitForKeysIsRefused(t *testing.T) {
	r := newRig(t)
	c, pusher := r.connect(), r.connect()
	c.waits("take k 0")
	pusher.expect("push k x", ":1")
	r.configure("maxmemory", "1")
	c.wantResumed("-"+string(ErrOOM)+" ", netloop.Wait)
	r.configure("maxmemory", "0")
	pusher.expect("take k 0", "$1 x")
}

// TestWaitCountsOnce: a call that waited counts when it is over, however often it has run.
func TestWaitCountsOnce(t *testing.T) {
	r := newRig(t)
	c, pusher := r.connect(), r.connect()
	row := r.kernel.Table.Lookup([]byte("take"))
	calls := func() int64 { return r.kernel.Stats.Row(row.Index()).Calls }
	c.waits("take k 0")
	for range 3 {
		pusher.expect("push k x\ntake k 0", ":1 $1 x")
		c.wantResumed("", netloop.Block)
	}
	if n := calls(); n != 3 {
		t.Errorf("%d calls before the wait is over, want 3", n)
	}
	pusher.expect("push k x", ":1")
	c.wantResumed("$1 x ", netloop.Wait)
	c.waits("take k 0")
	c.Unblock(false, true)
	c.wantResumed("*-1 ", netloop.Wait)
	if n := calls(); n != 5 {
		t.Errorf("%d calls, want 5", n)
	}
}

// TestTimeouts: waits end in the order of their limits, each at its own, and those that are removed
// do not.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(randtest.Seed(t), 0))
		limits := &timeouts{base: time.Now(), next: never}
		type one struct {
			*wait
			at time.Duration
		}
		var all []one
		for range 500 {
			w := &wait{session: &Session{conn: &fakeConn{}}}
			d := time.Duration(1+rng.IntN(1000)) * time.Millisecond
			limits.add(w, d)
			all = append(all, one{w, time.Since(limits.base) + d})
			if rng.IntN(3) == 0 {
				i := rng.IntN(len(all))
				limits.remove(all[i].wait)
				limits.remove(all[i].wait)
				all = slices.Delete(all, i, i+1)
			}
			if rng.IntN(20) == 0 {
				time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
			}
		}
		for range 2000 {
			synctest.Wait()
			now, open := time.Since(limits.base), 0
			for _, w := range all {
				over := w.state.Load() == timedOut
				if over != (w.at <= now) || over != limits.past(w.wait) {
					t.Fatalf("at %v a wait until %v is over: %v", now, w.at, over)
				}
				if !over {
					open++
				}
			}
			if limits.len() != open {
				t.Fatalf("%d waits have a limit, want %d", limits.len(), open)
			}
			time.Sleep(time.Millisecond)
		}
		far := &wait{session: &Session{conn: &fakeConn{}}}
		limits.add(far, never)
		time.Sleep(time.Hour)
		if synctest.Wait(); far.state.Load() != waiting {
			t.Error("a wait without an end has ended")
		}
		limits.timer.Stop()
	})
}
