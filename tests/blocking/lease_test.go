package blocking

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// token is the lease that a reply of CACHE.GET brings.
func token(t *testing.T, r harness.Reply) string {
	t.Helper()
	if _, ok := r.Elems[3].Int(); !ok {
		t.Fatalf("no lease: %s", r.Raw)
	}
	return r.Elems[3].Text
}

// TestLeasePassesOn: those who wait get the lease one after the other when its holder is killed, goes,
// gives up or takes too long, and at last all of them the value.
func TestLeasePassesOn(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver, "io-threads 2")
		holder := b.server.Dial(t)
		first := token(t, holder.Do("CACHE.GET", "k", "LEASE", "600000"))
		var crowd []*harness.Conn
		for _, lease := range []string{"600000", "600000", "600000", "20", "600000", "600000"} {
			crowd = append(crowd, b.waiter("CACHE.GET", "k", "LEASE", lease, "WAIT", "600000"))
		}
		b.expect(":1\r\n", "CLIENT", "KILL", "ID", id(holder))
		second := token(t, crowd[0].Read())
		b.expect("$-1\r\n", "CACHE.SET", "k", "v", "LEASE", first)
		_ = crowd[0].Close()
		third := token(t, crowd[1].Read())
		b.expect("$-1\r\n", "CACHE.SET", "k", "v", "LEASE", second)
		b.expect(":1\r\n", "CACHE.FAIL", "k", third)
		b.expect(":1\r\n", "CACHE.FAIL", "k", token(t, crowd[2].Read()))
		token(t, crowd[3].Read()) // whose time is up soon
		last := token(t, crowd[4].Read())
		if b.Do("CACHE.SET", "k", "v", "LEASE", last).Raw == "$-1\r\n" {
			t.Error("the fill was refused")
		}
		if got := crowd[5].Read(); got.Elems[0].Text != "v" || got.Elems[1].Text != "hit" {
			t.Errorf("the last got %s", got.Raw)
		}
		b.untilBlocked(0)

		token(t, b.Do("CACHE.GET", "busy", "LEASE", "600000"))
		c := b.server.Dial(t)
		if got := c.Do("CACHE.GET", "busy", "LEASE", "9", "WAIT", "1"); got.Raw != "*5\r\n$-1\r\n$4\r\nmiss\r\n:0\r\n$-1\r\n:0\r\n" {
			t.Errorf("at the end of its patience: %q", got.Raw)
		}
		w := b.waiter("CACHE.GET", "busy", "LEASE", "9", "WAIT", "600000")
		b.expect("+OK\r\n", "SET", "busy", "plain")
		if got := w.Read(); got.Elems[0].Text != "plain" {
			t.Errorf("after SET: %s", got.Raw)
		}
	})
}

// TestHolderWaits: a connection whose lease it is waits as others do, as the value may come over another
// one: clients with a pool of connections take any of them for each request.
func TestHolderWaits(t *testing.T) {
	b := start(t, "io-threads 2")
	holder := b.server.Dial(t)
	lease := token(t, holder.Do("CACHE.GET", "k", "LEASE", "600000"))
	holder.Send("CACHE.GET", "k", "LEASE", "600000", "WAIT", "600000")
	b.untilBlocked(1)
	if b.Do("CACHE.SET", "k", "v", "LEASE", lease).IsNull() {
		t.Error("the fill was refused")
	}
	if got := holder.Read(); got.Elems[0].Text != "v" || got.Elems[1].Text != "hit" {
		t.Errorf("the holder got %s", got.Raw)
	}
}

// TestOriginIsAskedOnce: a thousand clients read one key that becomes stale again and again, of an
// origin that is so slow that all of them come before it answers. It is asked once each time; the others
// wait for the value, or get the stale one.
func TestOriginIsAskedOnce(t *testing.T) {
	const clients = 1000
	b := start(t, "io-threads 2", "maxclients 2000")
	conns := make([]*harness.Conn, clients)
	for i := range conns {
		conns[i] = b.server.Dial(t)
	}
	for round, takesStale := range []bool{false, false, true, false, true} {
		words := []string{"CACHE.GET", "page", "LEASE", "600000", "WAIT", "600000"}
		if takesStale {
			words = append(words, "STALE")
		}
		var asked, stale, hits atomic.Int64
		var served, crowd sync.WaitGroup
		served.Add(clients - 1)
		for _, c := range conns {
			crowd.Go(func() {
				r := c.Do(words...)
				lease, state := r.Elems[3], r.Elems[1].Text
				if _, given := lease.Int(); !given {
					switch {
					case state == "stale" && takesStale && r.Elems[0].Text == strconv.Itoa(round-1):
						stale.Add(1)
					case state == "hit" && !takesStale && r.Elems[0].Text == strconv.Itoa(round):
						hits.Add(1)
					default:
						t.Errorf("round %d: %s", round, r.Raw)
					}
					served.Done()
					return
				}
				asked.Add(1)
				if takesStale {
					served.Wait()
				} else {
					b.untilBlocked(clients - 1)
				}
				if c.Do("CACHE.SET", "page", strconv.Itoa(round), "PX", "600000", "TAGS", "1", "pages", "LEASE", lease.Text).Raw == "$-1\r\n" {
					t.Error("the fill was refused")
				}
			})
		}
		crowd.Wait()
		if asked.Load() != 1 || stale.Load()+hits.Load() != clients-1 {
			t.Errorf("round %d: the origin was asked %d times; %d stale values, %d new ones", round, asked.Load(), stale.Load(), hits.Load())
		}
		b.expect(":1\r\n", "CACHE.STALE", "pages")
	}
	b.untilBlocked(0)
}

// TestLeaseRepliesAreShared: all who wait for a value get the reply that they would get for themselves,
// in their version of the protocol, also if the value is long, or was stored by a plain command.
func TestLeaseRepliesAreShared(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver, "io-threads 2")
		for _, store := range [][]string{
			{"CACHE.SET", "k", "short"},
			{"CACHE.SET", "k", strings.Repeat("long", 50_000)},
			{"CACHE.SET", "k", strings.Repeat("longer", 100_000)},
			{"SET", "k", "plain"},
		} {
			b.Do("DEL", "k")
			holder := token(t, b.Do("CACHE.GET", "k", "LEASE", "600000"))
			var crowd []*harness.Conn
			for i := range 40 {
				c := b.server.DialRESP(t, 2+i%2)
				c.Send("CACHE.GET", "k", "LEASE", "600000", "WAIT", "600000")
				crowd = append(crowd, c)
			}
			b.untilBlocked(len(crowd))
			if store[0] == "CACHE.SET" {
				store = append(store, "LEASE", holder)
			}
			if r := b.Do(store...); r.IsNull() {
				t.Fatalf("the fill was refused: %s", r.Raw)
			}
			for i, c := range crowd {
				got := c.Read()
				if want := c.Do("CACHE.GET", "k"); got.Raw != want.Raw || got.Elems[0].Text != store[2] || got.Elems[1].Text != "hit" {
					t.Errorf("waiter %d: %.60q, want %.60q", i, got.Raw, want.Raw)
				}
			}
			b.untilBlocked(0)
		}
	})
}

// TestLeaseEndsByAnyChange: whatever takes a key's stale value away, or puts another in its place, ends the
// lease: its holder's fill is refused, and who waits gets the new value or is the next to make one.
func TestLeaseEndsByAnyChange(t *testing.T) {
	b := start(t, "io-threads 2")
	b.expect("+OK\r\n", "SET", "there", "new")
	dump := b.Do("DUMP", "there").Text
	for _, test := range []struct {
		change []string
		value  string // that there is then, empty for none
	}{
		{[]string{"RESTORE", "k", "0", dump, "REPLACE"}, "new"},
		{[]string{"RENAME", "there", "k"}, "new"},
		{[]string{"COPY", "there", "k", "REPLACE"}, "new"},
		{[]string{"RENAME", "k", "gone"}, ""},
		{[]string{"MOVE", "k", "1"}, ""},
		{[]string{"SWAPDB", "0", "1"}, ""},
		{[]string{"FLUSHDB"}, ""},
		{[]string{"FLUSHALL"}, ""},
		{[]string{"DEL", "k"}, ""},
		{[]string{"UNLINK", "k"}, ""},
		{[]string{"GETDEL", "k"}, ""},
		{[]string{"CACHE.INVALIDATE", "t"}, ""},
	} {
		b.expect("+OK\r\n", "FLUSHALL")
		b.expect("+OK\r\n", "SET", "there", "new")
		b.Do("CACHE.SET", "k", "old", "TAGS", "1", "t")
		b.expect(":1\r\n", "CACHE.STALE", "t")
		holder := token(t, b.Do("CACHE.GET", "k", "LEASE", "600000"))
		w := b.waiter("CACHE.GET", "k", "LEASE", "600000", "WAIT", "600000")
		if r := b.Do(test.change...); r.IsError() || r.Raw == ":0\r\n" {
			t.Fatalf("%q: %q", test.change, r.Raw)
		}
		got := w.Read()
		if test.value == "" {
			if next := token(t, got); next == holder || !got.Elems[0].IsNull() {
				t.Errorf("%q: who waits gets %q", test.change, got.Raw)
			}
		} else if got.Elems[0].Text != test.value || got.Elems[1].Text != "hit" {
			t.Errorf("%q: who waits gets %q", test.change, got.Raw)
		}
		b.expect("$-1\r\n", "CACHE.SET", "k", "late", "TAGS", "1", "t", "LEASE", holder)
		b.expect(":"+strconv.Itoa(len(test.value))+"\r\n", "STRLEN", "k")
	}
}

// TestEarlyRefreshIsOnesBusiness: hundreds who would all refresh a value early are given one lease, and
// one value is made.
func TestEarlyRefreshIsOnesBusiness(t *testing.T) {
	b := start(t, "io-threads 2")
	conns := make([]*harness.Conn, 200)
	for i := range conns {
		conns[i] = b.server.Dial(t)
	}
	first := token(t, b.Do("CACHE.GET", "page", "LEASE", "600000"))
	harness.Eventually(t, patience, "making a value takes a millisecond", func() bool {
		r := b.Do("CACHE.SET", "page", "0", "PX", "600000", "LEASE", first)
		if r.IsNull() {
			t.Fatal("refused")
		}
		lease := b.Do("CACHE.GET", "page", "LEASE", "600000", "BETA", "1e300").Elems[3]
		if !lease.IsNull() {
			b.expect(":1\r\n", "CACHE.FAIL", "page", lease.Text)
			return true
		}
		b.expect(":1\r\n", "DEL", "page") // it took no time, so its cost is not known
		first = token(t, b.Do("CACHE.GET", "page", "LEASE", "600000"))
		return false
	})
	var asked atomic.Int64
	var lease atomic.Value
	var crowd sync.WaitGroup
	for _, c := range conns {
		crowd.Go(func() {
			r := c.Do("CACHE.GET", "page", "LEASE", "600000", "WAIT", "600000", "BETA", "1e300")
			if r.Elems[0].Text != "0" || r.Elems[1].Text != "hit" {
				t.Errorf("%q", r.Raw)
			}
			if !r.Elems[3].IsNull() {
				asked.Add(1)
				lease.Store(r.Elems[3].Text)
			}
		})
	}
	crowd.Wait()
	if asked.Load() != 1 {
		t.Fatalf("%d have been asked", asked.Load())
	}
	if b.Do("CACHE.SET", "page", "1", "PX", "600000", "LEASE", lease.Load().(string)).IsNull() {
		t.Error("the fill was refused")
	}
}

// TestLeaseNamesAreBounded: names of a megabyte do not fill the memory that maxmemory is to bound, nor do the
// copies of those who wait go uncounted.
func TestLeaseNamesAreBounded(t *testing.T) {
	s := harness.StartBinary(t, "maxmemory 32mb") // a process of its own: what the test has on its heap would count
	b := &bench{s.Dial(t), t, s}
	name := strings.Repeat("n", 1<<20)
	token(t, b.Do("CACHE.GET", name, "LEASE", "600000"))
	for i := range 150 {
		if r := b.Do("CACHE.GET", name+strconv.Itoa(i), "LEASE", "600000", "WAIT", "600000"); !r.Elems[3].IsNull() {
			t.Fatalf("%d names of a megabyte have leases", i+2)
		}
	}
	if n := b.number("stats", "leases_bytes"); n < 1<<20 || n > 2<<20 {
		t.Errorf("leases take %d bytes", n)
	}
	token(t, b.Do("CACHE.GET", "short", "LEASE", "600000"))
	b.expect("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<20))

	const n = 5
	before := b.number("memory", "mem_clients_normal")
	for range n {
		b.waiter("CACHE.GET", name, "LEASE", "600000", "WAIT", "600000")
	}
	if grown := b.number("memory", "mem_clients_normal") - before; grown < n<<20 || grown > n<<20+n<<19 {
		t.Errorf("%d who wait for a name of a megabyte count %d bytes", n, grown)
	}
}
