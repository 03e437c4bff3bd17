package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/netloop"
)

func (r *rig) pause(d time.Duration, all bool) {
	r.kernel.Store.LockAll()
	defer r.kernel.Store.UnlockAll()
	r.kernel.Pause(d, all)
}

// postponed sends requests of which the last one is to wait for the end of the pause.
func (c *client) postponed(requests string) {
	c.t.Helper()
	c.do(requests)
	if c.next != netloop.Block || c.conn.resumed.Load() {
		c.t.Errorf("%q: next is %d", requests, c.next)
	}
}

// released is what the client gets when it is resumed.
func (c *client) released(want string) {
	c.t.Helper()
	if !c.conn.resumed.Swap(false) {
		c.t.Error("not resumed")
	}
	if got := c.resume(); got != want || c.next != netloop.Wait {
		c.t.Errorf("resumed: %q, want %q, next is %d", got, want, c.next)
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b, q := r.connect(), r.connect(), r.connect()
		q.expect("multi\nset q 1", "+OK +QUEUED")
		r.pause(time.Minute, false)
		a.expect("get k\nmulti\nget k\nexec\nset k", "$-1 +OK +QUEUED *1 $-1 -ERR wrong number of arguments for 'set' command")
		a.postponed("set k v")
		q.postponed("exec")
		b.postponed("multi\nset k w")
		if n := r.kernel.Clients.Blocked(); n != 3 || a.Info().Flags != "b" || b.Info().Flags != "xb" {
			t.Errorf("%d blocked, flags %q and %q", n, a.Info().Flags, b.Info().Flags)
		}
		if a.Unblock(true, true) {
			t.Error("unblocked")
		}
		r.kernel.Unpause()
		a.released("+OK\r\n")
		q.released("*1\r\n+OK\r\n")
		b.released("+QUEUED\r\n")
		b.expect("exec\nget k\nget q", "*1 +OK $1 w $1 1")
		if n := r.kernel.Clients.Blocked(); n != 0 || r.kernel.Still() {
			t.Errorf("%d blocked, still %v", n, r.kernel.Still())
		}
	})
}

// TestPauses: of several pauses the longer and the stricter counts, but not one that is over.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		left := func(wantAll bool, want time.Duration) {
			t.Helper()
			if _, all, d := r.kernel.Paused(); all != wantAll || d != want {
				t.Errorf("all is %v, for %v; want %v for %v", all, d, wantAll, want)
			}
		}
		a := r.connect()
		r.pause(0, true)
		left(false, 0)
		r.pause(20*time.Second, false)
		r.pause(10*time.Second, true)
		left(true, 20*time.Second)
		a.postponed("get k")
		time.Sleep(15 * time.Second)
		r.pause(10*time.Second, false)
		left(true, 10*time.Second)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		a.conn.resumed.Store(false)
		left(true, time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		left(false, 0)
		a.released("$-1\r\n")
		r.pause(time.Second, false)
		a.expect("get k", "$-1")
		r.pause(0, true)
		left(true, time.Second)
		r.kernel.Unpause()
		r.kernel.Unpause()
		left(false, 0)
		r.pause(1<<62, false) // for ever
		a.postponed("set k v")
		r.kernel.Unpause()
		a.released("+OK\r\n")
	})
}

// TestPauseAgain: a request that comes back in the next pause waits again, and a client that goes
// takes its request with it.
func TestPauseAgain(t *testing.T) {
	r := newRigOn(t, vfs.NewMem())
	a, b := r.connect(), r.connect()
	r.pause(time.Hour, true)
	a.postponed(`set k "a b"`)
	b.postponed("set k gone")
	r.kernel.Unpause()
	r.pause(time.Hour, true)
	a.conn.resumed.Store(false)
	if got := a.resume(); got != "" || a.next != netloop.Block {
		t.Fatalf("in the second pause: %q, next is %d", got, a.next)
	}
	b.Closed(netloop.ClientClosed)
	r.kernel.Unpause()
	a.released("+OK\r\n")
	a.expect("get k", "$3 a b")
	if p := &r.kernel.pause.lineup; p.resuming != 0 || p.first != nil || p.last != nil {
		t.Errorf("left behind: %+v", p)
	}
}

// TestPauseOfWaiting: who waits for a key when the pause begins gets nothing before its end, not
// even what was there before, but its time limit goes on.
func TestPauseOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b, c := r.connect(), r.connect(), r.connect()
		a.do("take l 0")
		b.do("take m 1000")
		c.expect("multi\npush l x\npush m y", "+OK +QUEUED +QUEUED")
		c.expect("exec", "*2 :1 :1")
		r.pause(time.Minute, false)
		for _, w := range []*client{a, b} {
			w.conn.resumed.Store(false)
			if got := w.resume(); got != "" || w.next != netloop.Block {
				t.Errorf("during the pause: %q, next is %d", got, w.next)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.released("*-1\r\n")
		r.kernel.Unpause()
		a.released("$1\r\nx\r\n")
		if n := r.kernel.Clients.Blocked(); n != 0 || r.kernel.pause.lineup.resuming != 0 {
			t.Errorf("%d blocked, %d being resumed", n, r.kernel.pause.lineup.resuming)
		}
	})
}

// TestEndOfPause: clients are resumed a few at a time, in the order in which they came.
func TestEndOfPause(t *testing.T) {
	r := newRig(t)
	r.pause(time.Hour, false)
	clients := make([]*client, 1000)
	for i := range clients {
		clients[i] = r.connect()
		clients[i].postponed("incr n")
	}
	clients[10].Closed(netloop.ClientClosed)
	clients[500].Closed(netloop.ClientClosed)
	r.kernel.Unpause()
	resumed := func() (n int) {
		for _, c := range clients {
			if c.conn.resumed.Load() {
				n++
			}
		}
		return n
	}
	if n := resumed(); n != letGo {
		t.Fatalf("%d resumed at once", n)
	}
	served := 0
	for i, c := range clients {
		if i == 10 || i == 500 {
			continue
		}
		served++
		c.released(fmt.Sprintf(":%d\r\n", served))
		if n := resumed(); n > letGo {
			t.Fatalf("%d resumed at once", n)
		}
	}
}
