package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/tests/randtest"
)

// connectWith is connect for a client whose buffers take so many bytes.
func (r *rig) connectWith(buffers int64) *client {
	c := r.connect()
	c.Sized(buffers)
	return c
}

// evicted reports whether the client has been closed for its memory.
func (c *client) evicted() bool {
	return c.conn.killed.Load() && netloop.CloseReason(c.conn.reason.Load()) == netloop.Evicted
}

// expectEvicted checks who of clients has been evicted, by their places.
func expectEvicted(t *testing.T, clients []*client, want ...int) {
	t.Helper()
	var got []int
	for i, c := range clients {
		if c.evicted() {
			got = append(got, i)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("evicted are %v, want %v", got, want)
	}
}

// TestClientMemory follows one client's total through everything that takes memory.
func TestClientMemory(t *testing.T) {
	r := newRig(t)
	clients := &r.kernel.Clients
	c := r.connect()
	base := clients.Memory()
	if base < sessionMemory {
		t.Fatalf("a new client takes %d bytes", base)
	}
	grows := func(what string, least, most int64, f func()) {
		t.Helper()
		before := clients.Memory()
		f()
		if d := clients.Memory() - before; d < least || d > most {
			t.Errorf("%s takes %d bytes, want %d to %d", what, d, least, most)
		}
		if got := c.Info().Memory; got != clients.Memory() {
			t.Errorf("%s: the client says %d bytes, the sum %d", what, got, clients.Memory())
		}
	}
	grows("a buffer", 5000, 5000, func() { c.Sized(5000) })
	grows("giving it back", -5000, -5000, func() { c.Sized(-5000) })
	grows("a name", 4, 4, func() { c.SetName([]byte("name")) })
	grows("another name", -3, -3, func() { c.SetName([]byte("n")) })
	grows("a library", 5, 5, func() { c.SetLibrary([]byte("lib"), []byte("12")) })
	long := strings.Repeat("x", 1000)
	grows("a first request", 0, 1000, func() { c.expect("get k", "$-1") })
	grows("the second", 0, 0, func() { c.expect("get k", "$-1") })
	grows("a queue", 3000, 4000, func() { c.expect("multi\nset k "+long+"\nset k "+long+"\nset k "+long, "+OK +QUEUED +QUEUED +QUEUED") })
	if got := c.Info().QueueBytes; got < 3000 || got > 4000 {
		t.Errorf("the queue takes %d bytes", got)
	}
	grows("its end", -4000, -3000, func() { c.do("discard") })
	grows("watching", 2000, 3000, func() { c.expect("watch "+long+" "+long+"2", "+OK") })
	grows("its end", -3000, -2000, func() { c.expect("unwatch", "+OK") })
	grows("half a request of many arguments", 16000, 40000, func() {
		if taken, _, _ := c.data([]byte("*2000\r\n"+strings.Repeat("$1\r\nx\r\n", 1000)), nil); taken != 0 {
			t.Errorf("took %d bytes", taken)
		}
	})
	if got := c.Info().Tables; got < 16000 || got > 40000 {
		t.Errorf("the arguments take %d bytes", got)
	}
	c.Closed(netloop.ClientClosed)
	if got := clients.Memory(); got != 0 {
		t.Errorf("without clients %d bytes are left", got)
	}
}

// TestSessionMemory compares what a session is said to take with what the heap has grown by.
func TestSessionMemory(t *testing.T) {
	const n = 20_000
	r := newRig(t)
	conns := make([]*fakeConn, n)
	for i := range conns {
		conns[i] = &fakeConn{id: uint64(i + 1), addr: "127.0.0.1:1"}
	}
	r.configure("maxclients", fmt.Sprint(n))
	before := heap()
	for _, conn := range conns {
		if s, refused := r.kernel.Connect(conn); s == nil {
			t.Fatalf("refused: %s", refused)
		}
	}
	grown, said := heap()-before, r.kernel.Clients.Memory()
	t.Logf("%d bytes each, %d are said", grown/n, said/n)
	if said < grown*4/5 || said > grown*5/4 {
		t.Errorf("%d sessions take %d bytes and are said to take %d", n, grown, said)
	}
	runtime.KeepAlive(conns)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestClientsAreEvictedFromTheLargestOn(t *testing.T) {
	r := newRig(t)
	var cs []*client
	for _, size := range []int64{100, 2 << 20, 40 << 10, 3 << 20, 9 << 20, 700, 2<<20 + 1} {
		cs = append(cs, r.connectWith(size))
	}
	sum := r.kernel.Clients.Memory()
	r.configure("maxmemory-clients", fmt.Sprint(sum+1))
	expectEvicted(t, cs)
	r.configure("maxmemory-clients", fmt.Sprint(sum))
	expectEvicted(t, cs, 4)
	r.configure("maxmemory-clients", fmt.Sprint(r.kernel.Clients.Memory()+1))
	cs[5].Sized(1)
	expectEvicted(t, cs, 3, 4)
	r.configure("maxmemory-clients", "1gb")
	r.configure("maxmemory", "20mb")
	expectEvicted(t, cs, 3, 4)
	r.configure("maxmemory-clients", "20%")
	expectEvicted(t, cs, 3, 4, 6)
	r.configure("maxmemory", "1mb") // 20 % is 210 KB
	expectEvicted(t, cs, 1, 3, 4, 6)
	if got := r.kernel.Clients.Evicted(); got != 4 {
		t.Errorf("%d clients are counted", got)
	}
	for _, c := range cs {
		c.Closed(netloop.Evicted)
	}
	if got := r.kernel.Clients.Memory(); got != 0 {
		t.Errorf("without clients %d bytes are left", got)
	}
}

// TestSmallClientsAreEvicted: when nobody takes 32 KiB, the largest go first, and of equal ones the
// oldest.
func TestSmallClientsAreEvicted(t *testing.T) {
	r := newRig(t)
	var cs []*client
	for i := range 20 {
		size := int64(20 << 10)
		if i == 0 || i == 15 {
			size += int64(i) - 1
		}
		cs = append(cs, r.connectWith(size))
	}
	each := r.kernel.Clients.Memory() / 20
	r.configure("maxmemory-clients", fmt.Sprint(17*each))
	expectEvicted(t, cs, 1, 2, 15)
}

// TestSmallClientsStayWhileLargeOnesGrow: nobody small pays for what others take in the middle of
// an eviction.
func TestSmallClientsStayWhileLargeOnesGrow(t *testing.T) {
	const (
		large = 64
		steps = 16
		grown = 1 << 20 // bytes by each
		limit = 4 << 20
	)
	r := newRig(t)
	r.configure("maxmemory-clients", fmt.Sprint(limit))
	small := r.connect()
	for range 50 {
		var cs []*client
		var wg sync.WaitGroup
		for range large {
			c := r.connect()
			cs = append(cs, c)
			wg.Go(func() {
				for i := range steps {
					c.Sized(grown / steps)
					if i%4 == 3 {
						c.Sized(-grown / steps)
						c.Sized(grown / steps)
					}
				}
			})
		}
		wg.Wait()
		if small.evicted() {
			t.Fatal("the small client is evicted")
		}
		if got := r.kernel.Clients.Memory(); got >= limit || got < limit-grown-large*sessionMemory {
			t.Fatalf("clients take %d bytes", got)
		}
		for _, c := range cs {
			c.Closed(netloop.Evicted)
		}
	}
}

// TestBytesOfTheSumCanBeEvicted: who grows is in its list before its bytes are in the sum, and who
// has been evicted adds nothing to it.
func TestBytesOfTheSumCanBeEvicted(t *testing.T) {
	const grown = 1 << 20
	r := newRig(t)
	clients := &r.kernel.Clients
	var cs []*client
	for range 16 {
		cs = append(cs, r.connect())
	}
	before := clients.Memory()
	clients.size.listing.Lock() // as while clients are evicted
	var wg sync.WaitGroup
	for _, c := range cs {
		wg.Go(func() { c.Sized(grown) })
	}
	for _, c := range cs {
		for c.pub.memory.Load() < grown {
			runtime.Gosched()
		}
	}
	if got := clients.Memory(); got != before {
		t.Errorf("the sum has %d bytes of clients that are in no list", got-before)
	}
	clients.size.listing.Unlock()
	wg.Wait()
	if got := clients.Memory(); got != before+16*grown {
		t.Errorf("the sum is %d, want %d", got, before+16*grown)
	}
	r.configure("maxmemory-clients", fmt.Sprint(2*grown))
	left := clients.Memory()
	for _, c := range cs {
		if c.evicted() {
			c.Sized(grown)
			c.Sized(-2 * grown)
		}
	}
	if got := clients.Memory(); got != left {
		t.Errorf("clients that are evicted add %d bytes to the sum", got-left)
	}
}

func TestNoEvict(t *testing.T) {
	r := newRig(t)
	exempt, was := r.connectWith(4<<20), r.connectWith(1<<20)
	exempt.SetNoEvict(true)
	was.SetNoEvict(true)
	was.SetNoEvict(false)
	other, small := r.connectWith(100<<10), r.connect()
	cs := []*client{exempt, was, other, small}
	limit := r.kernel.Clients.Memory()
	r.configure("maxmemory-clients", fmt.Sprint(limit))
	expectEvicted(t, cs, 1)
	exempt.Sized(100 << 20)
	expectEvicted(t, cs, 1, 2, 3) // as in Redis its bytes count
	exempt.Sized(1)
	exempt.expect("get k", "$-1")
	expectEvicted(t, cs, 1, 2, 3)
	if late := r.connect(); !late.evicted() {
		t.Error("a client is let in though there is no memory for it")
	}
	exempt.expect("reset", "+RESET")
	exempt.Sized(1)
	expectEvicted(t, cs, 0, 1, 2, 3)
	if got := r.kernel.Clients.Evicted(); got != 5 {
		t.Errorf("%d clients are counted", got)
	}
}

// TestEvictingOneself: the replies to what has run are sent, and nothing runs after.
func TestEvictingOneself(t *testing.T) {
	r := newRig(t)
	r.configure("maxmemory-clients", "1mb")
	c := r.connect()
	word := "get " + strings.Repeat("x", 60<<10)
	c.expect("multi"+strings.Repeat("\n"+word, 20), "+OK"+strings.Repeat(" +QUEUED", 20))
	if !c.evicted() {
		t.Error("a queue of 1.2 MB is kept")
	}
	if c.do("get nothing"); c.next != netloop.CloseNow {
		t.Errorf("then %d", c.next)
	}
	admin := r.connect()
	admin.Sized(500 << 10)
	got := admin.do("configure maxmemory-clients 200kb\nget nothing")
	if got != "+OK" || admin.next != netloop.CloseAfterFlush || !admin.evicted() {
		t.Errorf("got %s, then %d", got, admin.next)
	}
}

// TestKilledClientsAreNoVictims: who is about to go counts no second time.
func TestKilledClientsAreNoVictims(t *testing.T) {
	r := newRig(t)
	killed, other := r.connectWith(2<<20), r.connectWith(1<<20)
	killed.Kill()
	r.configure("maxmemory-clients", "2mb")
	expectEvicted(t, []*client{killed, other})
	if got := r.kernel.Clients.Evicted(); got != 0 {
		t.Errorf("%d clients are counted", got)
	}
}

// TestSizedDoesNotAllocate: it is called on the way of requests that arrive in pieces.
func TestSizedDoesNotAllocate(t *testing.T) {
	r := newRig(t)
	r.configure("maxmemory-clients", "1gb")
	c := r.connectWith(100 << 20)
	if n := testing.AllocsPerRun(100, func() { c.Sized(1 << 20); c.Sized(-1 << 20) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRecentMax(t *testing.T) {
	r := newRig(t)
	pass := func(d time.Duration) {
		r.now.Add(d.Milliseconds())
		r.kernel.EnforceClientsLimit()
	}
	expect := func(wantIn, wantOut int64) {
		t.Helper()
		if in, out := r.kernel.Clients.RecentMax(); in != wantIn || out != wantOut {
			t.Errorf("%d and %d bytes, want %d and %d", in, out, wantIn, wantOut)
		}
	}
	pass(0)
	conn := &sizedConn{fakeConn: fakeConn{id: 1, addr: "127.0.0.1:1"}}
	session, _ := r.kernel.Connect(conn)
	s := session.(*Session)
	set := func(z netloop.Sizes) {
		z.Memory = z.QueryBuf + z.QueryFree + z.Output + z.OutputFree
		delta := z.Memory - conn.sizes.Memory
		conn.sizes = z
		s.Sized(delta)
	}
	expect(0, 0)
	set(netloop.Sizes{QueryBuf: 1000, QueryFree: 200})
	set(netloop.Sizes{Output: 3000, OutputFree: 1000})
	set(netloop.Sizes{})
	expect(1200, 4000)
	pass(3 * time.Second)
	set(netloop.Sizes{QueryBuf: 500})
	set(netloop.Sizes{})
	expect(1200, 4000)
	pass(5 * time.Second)
	expect(500, 0)
	set(netloop.Sizes{QueryBuf: 50 << 10, Output: 7})
	pass(time.Hour)
	expect(50<<10, 7) // still there
	set(netloop.Sizes{})
	expect(0, 0)
	s.Closed(netloop.ClientClosed)
}

// sizedConn is a connection that leads nowhere and has buffers.
type sizedConn struct {
	fakeConn
	sizes netloop.Sizes
}

func (c *sizedConn) Sizes() netloop.Sizes { return c.sizes }

// TestClientMemoryDoesNotDrift grows, shrinks, exempts and closes clients from several goroutines
// while others evict them. When all have gone nothing is left of them.
func TestClientMemoryDoesNotDrift(t *testing.T) {
	r := newRig(t)
	r.configure("maxmemory-clients", "3mb")
	var wg sync.WaitGroup
	for range 4 {
		random := randtest.New(t)
		wg.Go(func() { churn(r, random) })
	}
	wg.Wait()
	clients := &r.kernel.Clients
	if got := clients.Memory(); got != 0 {
		t.Errorf("without clients %d bytes are left", got)
	}
	for i, list := range clients.size.heavy {
		if len(list) > 0 {
			t.Errorf("list %d still has %d clients", i, len(list))
		}
	}
	if clients.Evicted() == 0 {
		t.Error("nobody was evicted: the test shows nothing")
	}
}

func churn(r *rig, random *rand.Rand) {
	var open []*client
	for range 5000 {
		if len(open) < 20 {
			open = append(open, r.connect())
		}
		i := random.IntN(len(open))
		switch c := open[i]; random.IntN(8) {
		case 0:
			c.SetNoEvict(random.IntN(4) == 0)
		case 1:
			r.kernel.EnforceClientsLimit()
		case 2:
			c.Closed(netloop.ClientClosed)
			open = append(open[:i], open[i+1:]...)
		default:
			c.Sized(random.Int64N(200<<10) - 80<<10)
		}
	}
	for _, c := range open {
		c.Closed(netloop.ClientClosed)
	}
}
