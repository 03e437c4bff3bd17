package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store"
)

// cap puts the limit so many bytes above what counts now, or as far below what keys and
// clients use, fragmentation aside. The Go heap does not count.
func (r *rig) cap(policy string, bytes int64) {
	r.t.Helper()
	r.kernel.room.start = 0
	p, ok := eviction.ParsePolicy(policy)
	if !ok {
		r.t.Fatalf("no policy %s", policy)
	}
	r.kernel.Store.SetMeter(eviction.NewMeter(p, eviction.Params{LogFactor: 10, DecayTime: 1}))
	r.configure("maxmemory-policy", policy)
	limit := r.kernel.counted(math.MaxInt64) // fragmentation is all allowed then
	for range 100 {
		if bytes >= 0 {
			limit = r.kernel.counted(limit)
		}
	}
	r.configure("maxmemory", fmt.Sprint(max(1, limit+bytes)))
}

// fill sets n keys of 100 bytes each, with an expiry time if it is above zero.
func (c *client) fill(n int, px string) {
	c.t.Helper()
	value := strings.Repeat("v", 100)
	for i := range n {
		args := []string{"set", fmt.Sprintf("key:%d", i), value}
		if px != "" {
			args = append(args, "PX", px)
		}
		if out, _ := c.send(wire(args...)); out != "+OK\r\n" {
			c.t.Fatalf("%s: %q", args[1], out)
		}
	}
}

// wire is a request as clients send it.
func wire(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// send gives the session input until it is all taken, and counts the turns.
func (c *client) send(in []byte) (out string, turns int) {
	c.t.Helper()
	var b []byte
	for turns = 1; ; turns++ {
		taken, o, next := c.data(in, b)
		in, b, c.next = in[taken:], o, next
		if next != netloop.Yield || len(in) == 0 {
			return string(b), turns
		}
		if turns > 1_000_000 {
			c.t.Fatal("the request waits for ever")
		}
	}
}

// oneEach makes the clock move on by so much whenever it is read.
func (r *rig) oneEach(d time.Duration) {
	start, n := r.now.Load(), int64(0)
	r.kernel.clock = func() time.Time { n++; return time.UnixMilli(start).Add(time.Duration(n) * d) }
}

func TestEvictingMakesRoom(t *testing.T) {
	for _, policy := range eviction.Names() {
		if policy == "noeviction" {
			continue
		}
		t.Run(policy, func(t *testing.T) {
			r := newRig(t)
			c := r.connect()
			px := ""
			if strings.HasPrefix(policy, "volatile") {
				px = "1000000"
			}
			c.fill(20000, px)
			r.cap(policy, 0)
			limit := r.cfg.Values().MaxMemory
			for i := range 5000 {
				args := []string{"set", fmt.Sprintf("new:%d", i), strings.Repeat("w", 100), "PX", "1000000"}
				if out, _ := c.send(wire(args...)); out != "+OK\r\n" {
					t.Fatalf("%s: %q", args[1], out)
				}
				if over := r.kernel.Counted() - limit; over > slack(limit) {
					t.Fatalf("%d bytes above the limit after %d requests", over, i+1)
				}
			}
			if n := r.kernel.Store.Evicted(); n < 4000 || n > 6000 {
				t.Errorf("%d keys evicted for 5000 of their size", n)
			}
			if total, current := r.kernel.OverLimit(); total != 0 || current != 0 {
				t.Errorf("memory was above the limit for %v, and is for %v", total, current)
			}
		})
	}
}

// TestVolatileWithoutTTL: when no key may go, commands that need memory are refused, others are
// not.
func TestVolatileWithoutTTL(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(3000, "")
	r.cap("volatile-lru", -r.kernel.Store.Used()/2)
	c.expect("set a 1\nget key:1\nsize", "-"+string(ErrOOM)+" $100 "+strings.Repeat("v", 100)+" :3000")
	if total, current := r.kernel.OverLimit(); current != 0 || total != 0 {
		t.Errorf("the clock stands still, but memory was above the limit for %v, %v", total, current)
	}
	r.now.Add(5000)
	if total, current := r.kernel.OverLimit(); current != 5*time.Second || total != current {
		t.Errorf("memory was above the limit for %v, and is for %v; want 5 s", total, current)
	}
	r.configure("maxmemory", "0")
	r.kernel.EvictWhenIdle(r.kernel.Store.NewEvictor(), r.now.Load())
	r.now.Add(5000)
	if total, current := r.kernel.OverLimit(); current != 0 || total != 5*time.Second {
		t.Errorf("memory was above the limit for %v, and is for %v; want 5 s and 0", total, current)
	}
	(&Ctx{View: store.View{Store: r.kernel.Store}, Kernel: r.kernel}).ResetStats()
	if total, _ := r.kernel.OverLimit(); total != 0 {
		t.Errorf("RESETSTAT leaves %v", total)
	}
}

func TestNoEvictionRefuses(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(1000, "1000000")
	r.cap("noeviction", -r.kernel.Store.Used()/2)
	c.expect("set a 1\nincr b\nflush\nset a 1", "-"+string(ErrOOM)+" -"+string(ErrOOM)+" +OK +OK")
	if n := r.kernel.Store.Evicted(); n != 0 {
		t.Errorf("%d keys evicted", n)
	}
}

// TestMultiWithoutMemory: inside MULTI everything that makes the queue longer is refused, as in
// Redis, and WATCH and MULTI too; what ends it is not.
func TestMultiWithoutMemory(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(1000, "")
	r.cap("noeviction", -r.kernel.Store.Used()/2)
	oom := " -" + string(ErrOOM)
	c.expect("multi\nget a\nwatch a\nmulti\nunwatch\nping\nexec", "+OK"+oom+oom+oom+oom+oom+" -"+string(ErrExecAbort))
	c.expect("multi\nexec\nmulti\ndiscard\nmulti\nreset\nwatch a\nget a\nunwatch", "+OK *0 +OK +OK +OK +RESET +OK $-1 +OK")
	r.configure("maxmemory", "0")
	c.expect("multi\nget a", "+OK +QUEUED")
	r.configure("maxmemory", "1")
	c.expect("exec", "*1 $-1")
}

// TestYield: a request that needs much waits in the input until there is room, in turns of one
// slice, and runs once.
func TestYield(t *testing.T) {
	r := newRig(t)
	r.oneEach(100 * time.Microsecond)
	c := r.connect()
	c.fill(50000, "")
	r.cap("allkeys-lru", 0)
	limit := r.cfg.Values().MaxMemory
	big := strings.Repeat("b", int(limit/3))
	in := append(wire("incr", "n"), wire("set", "big", big)...)
	in = append(in, wire("incr", "n")...)
	calls := func() int64 {
		return r.kernel.Stats.Row(r.kernel.Table.Lookup([]byte("set")).Index()).Calls
	}
	before := calls()
	taken, out, next := c.data(in, nil)
	if next != netloop.Yield || taken != len(wire("incr", "n")) || string(out) != ":1\r\n" {
		t.Fatalf("took %d bytes and wrote %q, then %d", taken, out, next)
	}
	if r.connect().do("get n") != "$1 1" {
		t.Error("others are not served meanwhile")
	}
	got, turns := c.send(in[taken:])
	if got != "+OK\r\n:2\r\n" || turns < 3 {
		t.Errorf("%q after %d turns", got, turns)
	}
	if n := calls() - before; n != 1 {
		t.Errorf("it counts as %d calls", n)
	}
	if total, current := r.kernel.OverLimit(); total == 0 || current != 0 {
		t.Errorf("memory was above the limit for %v, and is for %v", total, current)
	}
	if over := r.kernel.Counted() - limit; over > slack(limit) {
		t.Errorf("%d bytes above the limit", over)
	}
	if out := c.do("get big"); len(out) < len(big) {
		t.Error("the value is not there")
	}
}

// TestYieldInTransactions: EXEC waits with its queue; a skipped reply is skipped once.
func TestYieldInTransactions(t *testing.T) {
	r := newRig(t)
	r.oneEach(100 * time.Microsecond)
	c := r.connect()
	c.fill(50000, "")
	big := strings.Repeat("b", int(r.kernel.Store.Used()/4))
	c.expect("reply skip\nmulti", "")
	if out, _ := c.send(wire("set", "big", big)); out != "+QUEUED\r\n" {
		t.Fatal(out)
	}
	r.cap("allkeys-lru", 0)
	limit := r.cfg.Values().MaxMemory
	r.configure("maxmemory", fmt.Sprint(limit-int64(len(big)))) // as if the queue had come since
	out, turns := c.send(append(wire("exec"), wire("get", "x")...))
	if out != "*1\r\n+OK\r\n$-1\r\n" || turns < 3 {
		t.Errorf("%q after %d turns", out, turns)
	}
	r.cap("allkeys-lru", 0)
	c.do("reply skip")
	if out, turns := c.send(append(wire("set", "big2", big), wire("get", "x")...)); out != "$-1\r\n" || turns < 3 {
		t.Errorf("%q after %d turns", out, turns)
	}
}

// TestPipelinePaysItsWay: while a lowered limit is being reached, writers go on, and what counts
// falls all the time.
func TestPipelinePaysItsWay(t *testing.T) {
	r := newRig(t)
	r.oneEach(100 * time.Microsecond)
	c := r.connect()
	c.fill(100000, "")
	r.cap("allkeys-lru", -r.kernel.Store.Used()/2)
	limit := r.cfg.Values().MaxMemory
	before := r.kernel.Counted()
	for i := 0; r.kernel.Counted() > limit+slack(limit); i++ {
		if out, turns := c.send(wire("set", fmt.Sprintf("new:%d", i), strings.Repeat("w", 100))); out != "+OK\r\n" || turns > 2 {
			t.Fatalf("request %d: %q after %d turns", i, out, turns)
		}
		now := r.kernel.Counted()
		if now >= before {
			t.Fatalf("after request %d %d bytes count, before it %d", i, now, before)
		}
		before = now
	}
}

// TestTooBigForTheLimit: what cannot fit an empty store is refused, and nothing is evicted for it.
func TestTooBigForTheLimit(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(1000, "")
	r.cap("allkeys-lru", 0)
	limit := r.cfg.Values().MaxMemory
	huge := strings.Repeat("h", int(limit))
	for _, want := range []string{"set"} {
		if out, _ := c.send(wire(want, "huge", huge)); out != "-"+string(ErrOOM)+"\r\n" {
			t.Errorf("%.80q", out)
		}
	}
	c.expect("multi", "+OK")
	half := strings.Repeat("h", int(limit)*2/3)
	c.send(wire("set", "a", half))
	if out, _ := c.send(wire("set", "b", half)); out != "+QUEUED\r\n" {
		t.Fatal(out)
	}
	c.expect("exec\nget a", "-EXECABORT Transaction discarded because of: "+string(ErrOOM)+" $-1")
}

// TestLimitBelowTheEmptyServer: every write is refused, and idle time takes what there is.
func TestLimitBelowTheEmptyServer(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(1000, "")
	r.cap("allkeys-lru", 0)
	r.kernel.room.start = 1 << 20
	r.configure("maxmemory", "1000")
	c.expect("set a 1\nget key:1", "-"+string(ErrOOM)+" $100 "+strings.Repeat("v", 100))
	e := r.kernel.Store.NewEvictor()
	for r.kernel.EvictWhenIdle(e, r.now.Load()) {
	}
	c.expect("size\nset a 1", ":0 -"+string(ErrOOM))
	if _, current := r.kernel.OverLimit(); current != 0 {
		t.Errorf("%v above the limit with a clock that stands still", current)
	}
	r.configure("maxmemory", "0")
	c.expect("set a 1", "+OK")
}

// TestEvictedKeysInTheLog: a victim's DEL stands before the command that needed its room.
func TestEvictedKeysInTheLog(t *testing.T) {
	fs := vfs.NewMem()
	r := newRigOn(t, fs)
	if err := r.manager.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := r.connect()
	c.fill(2000, "")
	r.cap("allkeys-lru", 0)
	dirty := r.manager.Status().Dirty
	for i := range 500 {
		if out, _ := c.send(wire("set", fmt.Sprintf("new:%d", i), strings.Repeat("w", 100))); out != "+OK\r\n" {
			t.Fatal(out)
		}
	}
	if n := r.manager.Status().Dirty - dirty; n != 500 {
		t.Errorf("%d changes counted: evictions are none in Redis", n)
	}
	deleted, living := 0, map[string]bool{}
	for line := range strings.Lines(logged(t, r, fs)) {
		words := strings.Fields(line)
		switch strings.ToUpper(words[0]) {
		case "SET":
			living[words[1]] = true
		case "DEL":
			deleted++
			if !living[words[1]] {
				t.Errorf("%s stands in the log before its key was set", line)
			}
			delete(living, words[1])
		}
	}
	if evicted := r.kernel.Store.Evicted(); int64(deleted) != evicted || evicted == 0 {
		t.Errorf("%d keys evicted, %d deleted in the log", evicted, deleted)
	}
	if got := c.do("size"); got != fmt.Sprintf(":%d", len(living)) {
		t.Errorf("the log leaves %d keys, there are %s", len(living), got)
	}
}

// TestNoEvictionWhileTheLogFails: its DELs would be lost.
func TestNoEvictionWhileTheLogFails(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	r := newRigOn(t, fs)
	if err := r.manager.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := r.connect()
	c.fill(1000, "")
	if err := r.manager.Log().Commit(); err != nil {
		t.Fatal(err)
	}
	fs.Fail(vfs.OpWrite, 0, vfs.Forever, syscall.ENOSPC)
	c.do("set k v")
	if err := r.manager.Log().Commit(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Commit: %v", err)
	}
	r.cap("allkeys-lru", -r.kernel.Store.Used()/2)
	c.expect("set k w\nsize", "-MISCONF Errors writing to the AOF file: No space left on device :1001")
	e := r.kernel.Store.NewEvictor()
	if r.kernel.EvictWhenIdle(e, r.now.Load()) {
		t.Error("idle time evicts")
	}
	fs.Heal()
	if err := r.manager.Log().Sync(); err != nil {
		t.Fatal(err)
	}
	c.expect("set k w", "+OK")
	if n := r.kernel.Store.Evicted(); n == 0 {
		t.Error("nothing is evicted when the log works again")
	}
}

// TestNoEvictionWhileLoading and after the last snapshot.
func TestNoEvictionWhileLoading(t *testing.T) {
	fs := vfs.NewMem()
	first := newRigOn(t, fs)
	if err := first.manager.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.connect().fill(1000, "")
	if err := first.manager.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRigOn(t, fs)
	c := r.connect()
	r.cap("allkeys-lru", 0)
	r.configure("maxmemory", "1")
	c.expect("set k v", "-"+string(ErrLoading))
	e := r.kernel.Store.NewEvictor()
	if r.kernel.EvictWhenIdle(e, r.now.Load()) {
		t.Error("idle time evicts while data are loaded")
	}
	if err := r.manager.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.expect("size", ":1000")
	if !r.kernel.EvictWhenIdle(e, r.now.Load()) {
		t.Error("idle time does not evict after the load")
	}
}

// TestNoEvictionAfterTheLastSnapshot: what it holds stays.
func TestNoEvictionAfterTheLastSnapshot(t *testing.T) {
	r := newRigOn(t, vfs.NewMem(), "--appendonly", "no")
	c := r.connect()
	c.fill(1000, "")
	r.cap("allkeys-lru", -r.kernel.Store.Used()/2)
	if err := r.manager.PrepareShutdown(persistence.ShutdownMode{Save: true}); err != nil {
		t.Fatal(err)
	}
	if r.kernel.EvictWhenIdle(r.kernel.Store.NewEvictor(), r.now.Load()) {
		t.Error("idle time evicts after the end")
	}
	c.expect("set k w", "")
	if n := r.kernel.Store.Evicted(); n != 0 {
		t.Errorf("%d keys evicted", n)
	}
}

func TestSlice(t *testing.T) {
	for tenacity, want := range map[int64]time.Duration{0: 0, 1: 50 * time.Microsecond, 10: 500 * time.Microsecond, 11: 575 * time.Microsecond} {
		if got := slice(tenacity); got != want {
			t.Errorf("tenacity %d: %v, want %v", tenacity, got, want)
		}
	}
	if got := slice(99); got < 2*time.Minute || got > 3*time.Minute {
		t.Errorf("tenacity 99: %v, Redis says about two minutes", got)
	}
	if got := slice(100); got < 1000*time.Hour {
		t.Errorf("tenacity 100: %v", got)
	}
}

// TestCountedWithoutLimit: what does not count is the same kind of memory with a limit and without.
func TestCountedWithoutLimit(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(20000, "")
	r.kernel.room.start = 0
	want := r.kernel.Clients.Memory() + r.kernel.Store.Used()
	if got := r.kernel.Counted(); got != want {
		t.Errorf("%d bytes count, want %d; %d are fragmented", got, want, r.kernel.Store.Fragmented())
	}
	r.configure("maxmemory", "100gb")
	if got := r.kernel.Counted(); got != want {
		t.Errorf("with a limit far away %d bytes count, want %d", got, want)
	}
}

// TestResidentMemoryCounts: the resident set beyond what is accounted for counts beyond a share of
// the limit, within bounds.
func TestResidentMemoryCounts(t *testing.T) {
	r := newRig(t)
	room := &r.kernel.room
	room.start = 6 << 20
	for _, c := range []struct{ beside, limit, want int64 }{
		{0, 100 << 20, 6 << 20},
		{10 << 20, 240 << 20, 6 << 20},
		{15 << 20, 120 << 20, 10 << 20},
		{15 << 20, 24 << 20, 6 << 20},
		{15 << 20, 42 << 20, 7 << 20},
		{1 << 30, 112 << 20, 13 << 20},
		{1 << 30, 240 << 20, 21 << 20},
	} {
		room.beside.Store(c.beside)
		if got := room.base(c.limit); got != c.want {
			t.Errorf("%d beside a store with a limit of %d: %d count, not %d", c.beside, c.limit, got, c.want)
		}
	}
	room.beside.Store(0)
	own := r.kernel.Store.Resident() + r.kernel.Clients.Memory()
	r.kernel.WatchResident(own + 8<<20)
	if got := room.beside.Load(); got != 8<<20 {
		t.Errorf("%d bytes beside the store, not 8 MiB", got)
	}
	r.kernel.WatchResident(own + 16<<20)
	if got := room.beside.Load(); got != 12<<20 {
		t.Errorf("%d bytes beside the store, not half on the way from 8 to 16 MiB", got)
	}
	r.kernel.WatchResident(0)
	if got := room.base(1 << 40); got != room.start {
		t.Errorf("%d bytes count where nothing is known of the resident set", got)
	}
}

// TestRemovalEvent: removing keys to make room is an event of LATENCY, of its own beside the cycle that it
// is part of, while events are noted.
func TestRemovalEvent(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.fill(20000, "")
	r.cap("allkeys-random", 0)
	worst := func() map[string]int64 {
		found := map[string]int64{}
		for _, e := range r.kernel.Latency.Events() {
			found[e.Name] = e.Worst
		}
		return found
	}
	r.oneEach(20 * time.Millisecond)
	for _, threshold := range []string{"20", "0"} {
		r.configure("latency-monitor-threshold", threshold)
		r.kernel.Latency.ResetAll()
		before := r.kernel.Store.Evicted()
		for i := range 1000 {
			c.send(wire("set", fmt.Sprintf("new%s:%d", threshold, i), strings.Repeat("w", 100)))
		}
		if r.kernel.Store.Evicted() == before {
			t.Fatal("nothing has been evicted")
		}
		got := worst()
		if on := threshold != "0"; on && (got["eviction-del"] != 20 || got["eviction-cycle"] <= 20) || !on &&
			len(got) > 0 {
			t.Errorf("threshold %s: %v", threshold, got)
		}
	}
}
