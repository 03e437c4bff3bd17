package commands

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/tests/randtest"
)

// second is another client of the same server.
func (c *testClient) second() *testClient {
	c.t.Helper()
	session, refused := c.kernel.Connect(testConn{})
	if session == nil {
		c.t.Fatalf("refused: %q", refused)
	}
	return &testClient{t: c.t, kernel: c.kernel, session: session, out: make([]byte, 0, 64<<10)}
}

// lease asks for a lease of a second and returns the token, which is empty if there is none.
func (c *testClient) lease(key string) string {
	c.t.Helper()
	words := strings.Fields(strings.Trim(c.do("CACHE.GET", key, "LEASE", "1000"), "[]"))
	if token := words[len(words)-2]; token != "nil" {
		return token[1:]
	}
	return ""
}

// mustLease is lease where there must be one.
func (c *testClient) mustLease(key string) string {
	c.t.Helper()
	token := c.lease(key)
	if token == "" {
		c.t.Fatalf("no lease on %s", key)
	}
	return token
}

func TestLease(t *testing.T) {
	c := newTestClient(t)
	c.expectCache("CACHE.GET k LEASE 1000", `[nil "miss" :0 :V :0]`)
	c.expectCache("CACHE.GET k LEASE 1000", `[nil "miss" :0 nil :0]`)
	d := c.second()
	d.expectCache("CACHE.MGET 2 k l LEASE 1000", `[[nil "miss" :0 nil :0] [nil "miss" :0 :V :0]]`)
	c.expect("CACHE.SET k v LEASE 17", "nil")
	c.expect("CACHE.SET k v LEASE 0", "nil")
	c.expect("EXISTS k", ":0")

	token := c.mustLease("m")
	c.expectCache("CACHE.SET m v PX 100 LEASE "+token, ":V")
	c.expect("CACHE.SET m w LEASE "+token, "nil")
	c.expectCache("CACHE.GET m LEASE 1000", `["v" "hit" :100 nil :V]`)
	c.expect("CACHE.FAIL m "+token, ":0")
}

// TestLeaseEnds: by what a fill is refused, and by what not.
func TestLeaseEnds(t *testing.T) {
	for what, refused := range map[string]bool{
		"SET k other": true, "APPEND k x": true, "SETEX k 10 x": true, "MSET a 1 k 2": true, "RENAME there k": true,
		"COPY there k": true, "FLUSHDB": true, "FLUSHALL": true, "SWAPDB 0 1": true, "LPUSH k x": true, "GET k": false,
		"DEL k": true, "UNLINK other k": true, "GETDEL k": true, "DELEX k": true, "DELEX k IFEQ x": false, "DEL other": false,
		"EXISTS k": false, "SET other x": false, "CACHE.INVALIDATE new": true, "CACHE.STALE new": true,
		"CACHE.INVALIDATE other": false, "CACHE.SET k v XX": false, "CACHE.SET k v": true, "EXPIRE k 10": false,
		"CACHE.GET k LEASE 9": false,
	} {
		c := newTestClient(t)
		c.do("SET", "there", "x")
		token := c.mustLease("k")
		c.do(strings.Fields(what)...)
		want := ":V"
		if refused {
			want = "nil"
		}
		c.expectCache("CACHE.SET k value TAGS 1 new LEASE "+token, want)
	}
	// Of a key that is there.
	for what, refused := range map[string]bool{
		"DEL k": true, "SET k x": true, "PEXPIRE k 9": true, "PERSIST k": true, "RENAME k l": true, "CACHE.TAG k more": true,
		"CACHE.INVALIDATE tag": true, "CACHE.STALE tag": true, "MOVE k 1": true, "GETDEL k": true, "GET k": false,
		"CACHE.INVALIDATE other": false, "COPY k l": false,
	} {
		c := newTestClient(t)
		c.do("CACHE.SET", "k", "v", "TAGS", "1", "tag", "PX", "1000", "FRESH", "1")
		c.now = c.now.Add(5 * time.Millisecond)
		token := c.mustLease("k")
		c.do(strings.Fields(what)...)
		want := ":V"
		if refused {
			want = "nil"
		}
		c.expectCache("CACHE.SET k value LEASE "+token, want)
	}
}

func TestLeaseOutlivesExpiry(t *testing.T) {
	for _, sweeps := range []bool{false, true} {
		c := newTestClient(t)
		c.do("CACHE.SET", "k", "v", "PX", "100", "FRESH", "50", "TAGS", "1", "tag")
		c.now = c.now.Add(60 * time.Millisecond)
		token := c.mustLease("k")
		c.now = c.now.Add(60 * time.Millisecond)
		if sweeps {
			c.maintain()
		}
		c.expectCache("CACHE.SET k w LEASE "+token, ":V")
	}
	// A key that was gone before the lease was given, and is removed after it.
	c := newTestClient(t)
	c.do("CACHE.SET", "k", "v", "TAGS", "1", "tag")
	c.expect("CACHE.INVALIDATE tag", ":1")
	token := c.mustLease("k")
	c.maintain()
	c.expectCache("CACHE.SET k w TAGS 1 tag LEASE "+token, ":V")
}

func TestLeaseTimeAndHolder(t *testing.T) {
	c := newTestClient(t)
	token := c.mustLease("k")
	c.now = c.now.Add(999 * time.Millisecond)
	if c.lease("k") != "" {
		t.Error("a second lease within the time of the first")
	}
	c.now = c.now.Add(time.Millisecond)
	c.expect("CACHE.SET k v LEASE "+token, "nil")
	d := c.second()
	held := d.mustLease("k")
	if c.lease("k") != "" {
		t.Error("two leases")
	}
	d.session.Closed(netloop.ClientClosed)
	c.expect("CACHE.SET k v LEASE "+held, "nil")
	third := c.mustLease("k")
	c.expect("CACHE.FAIL k "+third, ":1")
	c.expect("CACHE.FAIL k "+third, ":0")
	fourth := c.mustLease("k")
	c.expectCache("CACHE.SET k v LEASE "+fourth, ":V")
	if n := c.kernel.Store.Leases(); n.Leases != 0 || n.Bytes != 0 || n.Given != 4 || n.Filled != 1 || n.Refused != 2 {
		t.Errorf("%+v", n)
	}
	c.mustLease("l")
	c.now = c.now.Add(2 * time.Second)
	c.maintain()
	if n := c.kernel.Store.Leases(); n.Leases != 0 {
		t.Errorf("%+v", n)
	}
	c.kernel.Store.SetMaxLeases(1, 0)
	c.mustLease("a")
	c.expectCache("CACHE.GET b LEASE 1000 WAIT 1000", `[nil "miss" :0 nil :0]`) // nobody has it who could be waited for
}

// TestLeasesCount: what leases take counts towards maxmemory.
func TestLeasesCount(t *testing.T) {
	c := newTestClient(t)
	key := strings.Repeat("k", 100_000)
	c.do("CACHE.FAIL", key, c.mustLease(key)) // what the client's tables take is there then
	before := c.kernel.Counted()
	c.mustLease(key)
	if n := c.kernel.Counted() - before; n != c.kernel.Store.LeaseBytes() || n < 100_000 {
		t.Errorf("%d bytes more count, of %d", n, c.kernel.Store.LeaseBytes())
	}
}

func TestLeaseOfStale(t *testing.T) {
	c := newTestClient(t)
	c.do("CACHE.SET", "k", "v", "TAGS", "1", "tag", "PX", "5000")
	if c.lease("k") != "" {
		t.Error("a lease on a fresh value that nobody knows the cost of")
	}
	c.expect("CACHE.STALE tag", ":1")
	token := c.mustLease("k")
	c.expectCache("CACHE.GET k LEASE 1000", `["v" "stale" :0 nil :V]`)
	c.expectCache("CACHE.SET k w TAGS 1 tag PX 5000 FRESH 100 LEASE "+token, ":V")
	c.expectCache("CACHE.GET k LEASE 1000", `["w" "hit" :100 nil :V]`)
	c.now = c.now.Add(100 * time.Millisecond)
	c.expectCache("CACHE.GET k LEASE 1000", `["w" "stale" :0 :V :V]`)
	c.expectCache("CACHE.GET k LEASE 1000", `["w" "stale" :0 nil :V]`)
}

// TestEarlyRefresh: a hit may come with a lease, the more often the nearer the end.
func TestEarlyRefresh(t *testing.T) {
	c := newTestClient(t)
	token := c.mustLease("k")
	c.now = c.now.Add(100 * time.Millisecond)
	c.expectCache("CACHE.SET k v PX 10000 FRESH 5000 LEASE "+token, ":V")
	c.expectCache("CACHE.GET k LEASE 1000 BETA 0", `["v" "hit" :5000 nil :V]`)
	c.expect("CACHE.GET k LEASE 1000 BETA -1", "-ERR BETA must be a number that is not negative")
	c.expect("CACHE.GET k BETA 1", "-ERR syntax error, it is CACHE.GET key [LEASE milliseconds [WAIT milliseconds [STALE]] [BETA beta]]")
	c.expectCache("CACHE.GET k LEASE 1000 BETA 1e300", `["v" "hit" :5000 :V :V]`)
	c.expectCache("CACHE.GET k LEASE 1000 BETA 1e300", `["v" "hit" :5000 nil :V]`)

	for _, left := range []int64{0, 10, 100, 300} { // against the distribution: P(early) = exp(-left/cost)
		rng := rand.New(rand.NewPCG(1, uint64(left)))
		n, tries := 0, 100_000
		for range tries {
			if early(1000, 1000+left, 100, 1, 1-rng.Float64()) {
				n++
			}
		}
		if want := math.Exp(-float64(left) / 100); math.Abs(float64(n)/float64(tries)-want) > 0.01 {
			t.Errorf("%d ms before the end: %d of %d, want %.3f", left, n, tries, want)
		}
	}
}

func TestCacheFail(t *testing.T) {
	c := newTestClient(t)
	c.do("CACHE.SET", "k", "v", "PX", "1000", "FRESH", "500", "TAGS", "1", "tag")
	c.now = c.now.Add(900 * time.Millisecond)
	c.expect("CACHE.FAIL k "+c.mustLease("k")+" STALE 10000", ":1")
	c.expect("PTTL k", ":10000")
	c.expectCache("CACHE.GET k", `["v" "stale" :0 nil :V]`)
	c.expect("CACHE.TAGS k", `["tag"]`)
	c.expect("CACHE.FAIL k "+c.mustLease("k")+" STALE 9223372036854775807", ":1")
	c.expect("PTTL k", ":3599600") // an hour after it was fresh
	c.now = c.now.Add(time.Second)
	c.expect("CACHE.FAIL k "+c.mustLease("k")+" STALE 9223372036854775807", ":1")
	c.expect("PTTL k", ":3598600")
	c.expect("CACHE.FAIL k "+c.mustLease("k"), ":1")

	c.do("CACHE.SET", "soft", "v", "PX", "1000", "TAGS", "1", "s")
	c.do("CACHE.STALE", "s")
	c.expect("CACHE.FAIL soft "+c.mustLease("soft")+" STALE 5000", ":1")
	c.expect("PTTL soft", ":5000")
	c.expectCache("CACHE.GET soft", `["v" "stale" :0 nil :V]`)
	c.expect("CACHE.FAIL none "+c.mustLease("none")+" STALE 5000", ":1")
	c.expect("EXISTS none", ":0")
	c.expect("CACHE.FAIL none x", "-ERR the token must be one that CACHE.GET has given")
	c.expect("CACHE.FAIL none 1 STALE 0", "-ERR STALE must be a positive number of milliseconds")
	c.expect("CACHE.FAIL none 1 STALE", "-ERR syntax error, it is CACHE.FAIL key token [STALE milliseconds]")
}

// TestLeaseNeverWaitsInside: neither a transaction nor a script waits.
func TestLeaseNeverWaitsInside(t *testing.T) {
	c := newTestClient(t)
	c.mustLease("k")
	c.expect("MULTI", "+OK")
	c.expect("CACHE.GET k LEASE 1000 WAIT 1000", "+QUEUED")
	c.expect("EXEC", `[[nil "miss" :0 nil :0]]`)
	got := c.do("EVAL", "return redis.call('CACHE.GET', KEYS[1], 'LEASE', '1000', 'WAIT', '1000')[2]", "1", "k")
	if got != `"miss"` {
		t.Error(got)
	}
}

// modelled is what the model knows of a key.
type modelled struct {
	there, soft   bool
	value         string
	expire, fresh int64
	tags          map[string]bool

	token, until int64 // of the lease; 0: none
	unsure       bool  // an expired value was invalidated: which of both has removed it is chance
	spoilt       map[string]bool
}

func (m *modelled) live(now int64) bool { return m.there && (m.expire == 0 || m.expire > now) }

func (m *modelled) stale(now int64) bool { return m.soft || m.fresh != 0 && m.fresh <= now }

// leaseModel is one run of random requests beside a model of them.
type leaseModel struct {
	*testClient
	rng  *rand.Rand
	keys [4]modelled
	log  []string
}

func (m *leaseModel) ms() int64 { return m.now.UnixMilli() }

func (m *leaseModel) run(words ...string) string {
	reply := m.do(words...)
	m.log = append(m.log, strings.Join(words, " ")+" -> "+reply)
	return reply
}

func (m *leaseModel) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\n%s", strings.Join(m.log[max(0, len(m.log)-30):], "\n"), fmt.Sprintf(format, args...))
}

// get reads a key with a lease.
func (m *leaseModel) get(name string, k *modelled) {
	now := m.ms()
	reply := m.run("CACHE.GET", name, "LEASE", "100", "BETA", "0")
	f := strings.Fields(strings.Trim(reply, "[]"))
	state := "miss"
	if k.live(now) {
		if state = "hit"; k.stale(now) {
			state = "stale"
		}
		if f[0] != strconv.Quote(k.value) {
			m.fail("value %s, want %s", f[0], k.value)
		}
	}
	if f[1] != strconv.Quote(state) {
		m.fail("state %s, want %s", f[1], state)
	}
	gets := state != "hit" && (k.token == 0 || k.until <= now)
	if k.unsure && state != "hit" && f[3] != "nil" {
		gets = true
	}
	if gets != (f[3] != "nil") {
		m.fail("a lease %v, want %v", f[3], gets)
	}
	if !gets {
		return
	}
	k.token, _ = strconv.ParseInt(f[3][1:], 10, 64)
	k.until, k.spoilt, k.unsure = now+100, map[string]bool{}, false
}

// fill stores a value with the last token of a key.
func (m *leaseModel) fill(name string, k *modelled) {
	now := m.ms()
	expire, fresh := 1+m.rng.Int64N(200), int64(0)
	words := []string{"CACHE.SET", name, "v" + strconv.Itoa(m.rng.IntN(1000)), "PX", strconv.FormatInt(expire, 10), "LEASE", strconv.FormatInt(k.token, 10)}
	if m.rng.IntN(2) == 0 {
		fresh = 1 + m.rng.Int64N(expire)
		words = append(words, "FRESH", strconv.FormatInt(fresh, 10))
	}
	tag := "t" + strconv.Itoa(m.rng.IntN(3))
	words = append(words, "TAGS", "1", tag)
	good := k.token != 0 && k.until > now && !k.spoilt[tag]
	for old := range k.tags { // those of an expired value are no longer the key's, removed or not
		good = good && !(k.live(now) && k.spoilt[old])
	}
	ok := m.run(words...) != "nil"
	if ok != good && !(k.unsure && good) {
		m.fail("filled %v, want %v", ok, good)
	}
	good = ok
	k.token = 0
	if !good {
		return
	}
	k.there, k.soft, k.value, k.expire, k.fresh = true, false, words[2], now+expire, 0
	if fresh > 0 {
		k.fresh = now + fresh
	}
	k.tags = map[string]bool{tag: true}
}

func (m *leaseModel) invalidate(soft bool) {
	tag := "t" + strconv.Itoa(m.rng.IntN(3))
	m.run(map[bool]string{true: "CACHE.STALE", false: "CACHE.INVALIDATE"}[soft], tag)
	for i := range m.keys {
		k := &m.keys[i]
		if k.token != 0 {
			k.spoilt[tag] = true
		}
		k.unsure = k.unsure || !soft && k.tags[tag] && !k.live(m.ms())
		if k.live(m.ms()) && k.tags[tag] {
			if soft {
				k.soft = true
			} else {
				k.there, k.token = false, 0 // whoever removes it ends the lease
			}
		}
	}
	m.tidy()
}

// tidy has everything removed that has ended.
func (m *leaseModel) tidy() {
	m.maintain()
	for i := range m.keys {
		k := &m.keys[i]
		k.there = k.live(m.ms())
	}
}

// tagsShareSlots reports whether the invalidation of one of the model's tags refuses fills of another, as
// it does once in thousands of servers (leasing.fence, in package store). The model knows nothing of that.
func (m *leaseModel) tagsShareSlots() bool {
	for _, pair := range [][2]string{{"t0", "t1"}, {"t0", "t2"}, {"t1", "t2"}} {
		token := m.mustLease("probe")
		m.do("CACHE.INVALIDATE", pair[0])
		if m.do("CACHE.SET", "probe", "v", "LEASE", token, "TAGS", "1", pair[1]) == "nil" {
			return true
		}
		m.do("DEL", "probe")
	}
	return false
}

// TestLeaseModel: random requests, with expiry, deletions and invalidations between lease and fill, do
// what a simple model of them does.
func TestLeaseModel(t *testing.T) {
	seed := randtest.Seed(t)
	for run := range uint64(20) {
		m := &leaseModel{testClient: newTestClient(t), rng: rand.New(rand.NewPCG(seed, run))}
		for m.tagsShareSlots() {
			m.testClient = newTestClient(t)
		}
		for range 400 {
			i := m.rng.IntN(len(m.keys))
			name, k := "k"+strconv.Itoa(i), &m.keys[i]
			switch m.rng.IntN(12) {
			case 0, 1, 2:
				m.get(name, k)
			case 3, 4, 5:
				m.fill(name, k)
			case 6:
				m.run("DEL", name)
				k.there, k.token = false, 0
			case 7:
				m.run("SET", name, "plain")
				*k = modelled{there: true, value: "plain"}
			case 8:
				m.invalidate(m.rng.IntN(2) == 0)
			case 9:
				if held := m.run("CACHE.FAIL", name, strconv.FormatInt(k.token, 10)) == ":1"; held != (k.token != 0 && k.until > m.ms()) && !k.unsure {
					m.fail("held %v", held)
				}
				k.token = 0
			default:
				m.now = m.now.Add(time.Duration(m.rng.IntN(60)) * time.Millisecond)
				if m.rng.IntN(2) == 0 {
					m.tidy()
				}
			}
		}
	}
}
