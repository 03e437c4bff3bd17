package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/netloop"
)

// reader is a client whose replies go to blocks that count as its own, as on a connection.
type reader struct {
	*client
	pool  *chain.Pool
	made  chain.Buffer
	owes  chain.Chain // what it has not taken
	turns int
}

// reader connects a client, whose blocks come from a pool that the kernel knows of.
func (r *rig) reader(pool *chain.Pool) *reader {
	r.kernel.unsent = pool.Used
	return &reader{client: r.connect(), pool: pool}
}

func newPool(t *testing.T) *chain.Pool {
	p := chain.NewPool()
	t.Cleanup(func() {
		if n, _ := p.Used(); n != 0 {
			t.Errorf("%d bytes of blocks are in use", n)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (c *reader) Grow(n, _ int) bool { c.Sized(int64(n)); return true }
func (c *reader) Shrink(n, _ int)    { c.Sized(-int64(n)) }

// ask sends requests and returns the replies. The client does not take those of the last turn.
func (c *reader) ask(in []byte) string {
	c.t.Helper()
	var out strings.Builder
	for c.turns = 1; ; c.turns++ {
		c.made.Lend(nil, c.pool, c)
		taken, next := c.Data(in, &c.made)
		in, c.next = in[taken:], next
		out.Write(c.made.Bytes())
		_, rest, whole := c.made.Take()
		if !whole {
			c.t.Fatal("a reply is not whole")
		}
		c.owes.Join(&rest)
		if next != netloop.Yield || len(in) == 0 {
			return out.String()
		}
		c.take()
		if c.turns > 100_000 {
			c.t.Fatal("the request waits for ever")
		}
	}
}

// take has the client take all.
func (c *reader) take() {
	held := c.owes.Held()
	c.owes.Free()
	c.Sized(-int64(held))
}

// bigReply is a rig at its cap with a value of a megabyte and many small ones.
func bigReply(t *testing.T, policy string) (*rig, *reader) {
	r := newRig(t)
	c := r.reader(newPool(t))
	c.fill(60_000, "")
	if got := c.ask(wire("set", "big", strings.Repeat("b", 1<<20))); got != "+OK\r\n" {
		t.Fatal(got)
	}
	c.take()
	r.cap(policy, 0)
	return r, c
}

const wantBig = "$1048576\r\nbbb"

func TestReplyMakesRoom(t *testing.T) {
	r, c := bigReply(t, "allkeys-random")
	r.oneEach(10 * time.Microsecond)
	before := r.kernel.Store.Evicted()
	got := c.ask(append(wire("incr", "n"), wire("get", "big")...))
	for i := 0; strings.HasSuffix(got, "$-1\r\n"); i++ { // it was evicted itself: the seed's bad luck
		c.take()
		c.ask(wire("set", "big", strings.Repeat("b", 1<<20)))
		c.take()
		got = ":1\r\n" + c.ask(wire("get", "big"))
		if i > 10 {
			t.Fatal("it is always evicted")
		}
	}
	if !strings.HasPrefix(got, ":1\r\n"+wantBig) || len(got) != len(":1\r\n$1048576\r\n")+1<<20+2 {
		t.Errorf("%d bytes: %.40q", len(got), got)
	}
	limit := r.cfg.Values().MaxMemory
	if counted := r.kernel.counted(limit); r.kernel.Store.Evicted() == before || counted > limit+slack(limit) {
		t.Errorf("%d keys were evicted, %d bytes count of %d", r.kernel.Store.Evicted()-before, counted, limit)
	}
	if n := r.kernel.room.promised.Load(); n != 0 {
		t.Errorf("%d bytes are still promised", n)
	}
	c.take()
}

func TestReplyIsRefused(t *testing.T) {
	r, c := bigReply(t, "noeviction")
	refused := "-" + string(ErrReplyOOM) + "\r\n"
	get := r.kernel.Table.Lookup([]byte("get")).Index()
	calls := r.kernel.Stats.Row(get).Calls
	in := append(wire("get", "big"), wire("get", "key:1")...)
	if got := c.ask(in); !strings.HasPrefix(got, refused+"$100\r\n") {
		t.Errorf("%.100q", got)
	}
	if n := r.kernel.Stats.Row(get).Calls - calls; n != 2 {
		t.Errorf("%d calls are counted", n)
	}
	r.cap("noeviction", 300_000)
	if got := c.ask(wire("multi")) + c.ask(wire("get", "key:1")) + c.ask(wire("get", "big")) + c.ask(wire("exec")); !strings.HasSuffix(got, refused) ||
		!strings.Contains(got, "*2\r\n$100\r\n") {
		t.Errorf("in a transaction: %.100q", got)
	}
	if n := r.kernel.Store.Evicted(); n != 0 {
		t.Errorf("%d keys were evicted", n)
	}
	r.configure("maxmemory", "0")
	if got := c.ask(wire("get", "big")); !strings.HasPrefix(got, wantBig) {
		t.Errorf("without a cap: %.40q", got)
	}
	c.take()
}

// TestReplyNeverFits: for a reply of more than half of the cap nothing is evicted.
func TestReplyNeverFits(t *testing.T) {
	r, c := bigReply(t, "allkeys-lru")
	r.configure("maxmemory", "0")
	c.ask(wire("set", "half", strings.Repeat("h", 12<<20)))
	r.cap("allkeys-lru", 1<<20)
	if limit := r.cfg.Values().MaxMemory; limit > 24<<20 {
		t.Fatalf("the limit is %d", limit)
	}
	before := r.kernel.Store.Evicted()
	if got := c.ask(wire("get", "half")); got != "-"+string(ErrReplyOOM)+"\r\n" {
		t.Errorf("%.60q", got)
	}
	if n := r.kernel.Store.Evicted() - before; n != 0 {
		t.Errorf("%d keys were evicted", n)
	}
	c.take()
}

// TestStuckClientIsClosed: a client that takes nothing makes way for one that asks, but only after
// a second.
func TestStuckClientIsClosed(t *testing.T) {
	r, c := bigReply(t, "noeviction")
	r.configure("maxmemory", "0")
	idle := r.reader(c.pool)
	if got := idle.ask(wire("get", "big")); !strings.HasPrefix(got, wantBig) {
		t.Fatalf("%.40q", got)
	}
	r.cap("noeviction", 400_000)
	idle.conn.sizes = netloop.Sizes{Output: int64(idle.owes.Len()), Waiting: r.kernel.clock().UnixNano()}
	if got := c.ask(wire("get", "big")); got != "-"+string(ErrReplyOOM)+"\r\n" || idle.killed.Load() {
		t.Errorf("at once: %.60q, closed: %t", got, idle.killed.Load())
	}
	c.take()
	r.now.Add(2000)
	in := wire("get", "big")
	c.made.Lend(nil, c.pool, c)
	if taken, next := c.Data(in, &c.made); taken != 0 || next != netloop.Yield || !idle.killed.Load() {
		t.Errorf("took %d, then %d, closed: %t", taken, next, idle.killed.Load())
	}
	if _, rest, _ := c.made.Take(); rest.Len() > 0 {
		t.Errorf("%d bytes of reply", rest.Len())
	}
	if taken, next := c.Data(in, &c.made); taken != 0 || next != netloop.Yield {
		t.Errorf("took %d while the memory is not back, then %d", taken, next)
	}
	idle.owes.Free() // as its connection is closed
	if got := c.ask(in); !strings.HasPrefix(got, wantBig) {
		t.Errorf("%.60q", got)
	}
	c.take()
}
