package commands

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
)

// hot is a batch of n requests that all hit.
func hot(n int, words ...string) []byte {
	var b bytes.Buffer
	for i := range n {
		request := append([]string(nil), words...)
		request[1] = fmt.Sprintf("key:%012d", i)
		b.Write(encode(request))
	}
	return b.Bytes()
}

var value64 = string(bytes.Repeat([]byte("v"), 64))

// TestHotPathDoesNotAllocate runs what a cache does all day through the whole
// session: parse, look up, lock, execute, append to the log, reply, count.
func TestHotPathDoesNotAllocate(t *testing.T) {
	t.Run("without a log", func(t *testing.T) { testHotPath(t, newTestClient(t)) })
	t.Run("with a log", func(t *testing.T) { testHotPath(t, newLogRig(t, "everysec").client()) })
}

func testHotPath(t *testing.T, c *testClient) {
	for range 3000 {
		c.send(hot(16, "RPUSH", "", "element"))
	}
	for _, words := range [][]string{
		{"RPUSH", "", "element"}, {"LPUSH", "", "element"}, {"LPOP", ""}, {"RPOP", ""}, {"LLEN", ""}, {"LINDEX", "", "2"},
		{"LRANGE", "", "0", "9"}, {"LSET", "", "1", "another"}, {"LMOVE", "", "key:000000000000", "LEFT", "RIGHT"},
	} {
		testHotBatch(t, c, words)
	}
	c.send(hot(16, "DEL", ""))
	c.send(hot(16, "SET", "", value64))
	c.send(hot(16, "HSET", "", "f", "v")) // WRONGTYPE: allocates its error, not measured
	for _, words := range [][]string{
		{"GET", ""}, {"SET", "", value64}, {"EXISTS", ""}, {"TTL", ""}, {"STRLEN", ""}, {"EXPIRE", "", "1000"}, {"PING", "x"},
		{"SET", "", value64, "EX", "100"}, {"APPEND", "", ""},
	} {
		testHotBatch(t, c, words)
	}
}

// TestNotifyingDoesNotAllocate: neither do changes that would be published if anybody listened.
func TestNotifyingDoesNotAllocate(t *testing.T) {
	c := newTestClient(t)
	c.send(encode([]string{"CONFIG", "SET", "notify-keyspace-events", "AKEmn"}))
	c.send(hot(16, "SET", "", value64))
	for _, words := range [][]string{{"SET", "", value64}, {"SET", "", value64, "EX", "100"}, {"GET", ""}, {"DEL", ""}, {"GET", ""}} {
		testHotBatch(t, c, words)
	}
}

// testHotBatch runs a request for one key, and a batch of them for as many.
func testHotBatch(t *testing.T, c *testClient, words []string) {
	for _, depth := range []int{1, 16} {
		in := hot(depth, words...)
		out := make([]byte, 0, 1<<20)
		n := testing.AllocsPerRun(200, func() {
			taken, _, next := c.data(in, out)
			if taken != len(in) || next != netloop.Wait {
				t.Fatalf("%s: took %d of %d bytes, then %d", words[0], taken, len(in), next)
			}
		})
		if n >= 1 && !raceEnabled {
			t.Errorf("%s, %d in a batch: %v allocations", words[0], depth, n)
		}
	}
}

// TestEvictingDoesNotAllocate: neither does a SET that has to evict.
func TestEvictingDoesNotAllocate(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			t.Run("without a log", func(t *testing.T) { testEvictingPath(t, newTestClient(t), policy) })
			t.Run("with a log", func(t *testing.T) { testEvictingPath(t, newLogRig(t, "everysec").client(), policy) })
		})
	}
}

func testEvictingPath(t *testing.T, c *testClient, policy string) {
	f := newFull(t, c, policy, 50_000)
	out := make([]byte, 0, 1<<20)
	for range 2000 { // tables and scratch memory grow to their size
		c.data(f.next(), out)
	}
	before := c.kernel.Store.Evicted()
	n := testing.AllocsPerRun(2000, func() {
		in := f.next()
		taken, reply, next := c.data(in, out)
		if taken != len(in) || next != netloop.Wait || string(reply) != "+OK\r\n" {
			t.Fatalf("took %d of %d bytes, answered %q, then %d", taken, len(in), reply, next)
		}
	})
	if n >= 1 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
	if evicted := c.kernel.Store.Evicted() - before; evicted < 1000 {
		t.Errorf("only %d keys were evicted", evicted)
	}
}

// full is a client of a server at its memory limit, and one SET after another of keys that are new.
type full struct {
	request []byte // SET key:<12 digits> value EX 1000
	n       int
}

// newFull sets n keys, and the limit to what counts then.
func newFull(t testing.TB, c *testClient, policy string, n int) *full {
	t.Helper()
	f := &full{request: hot(1, "SET", "", value64, "EX", "1000")}
	for range n {
		c.send(f.next())
	}
	p, ok := eviction.ParsePolicy(policy)
	if !ok {
		t.Fatalf("no policy %s", policy)
	}
	c.kernel.Store.SetMeter(eviction.NewMeter(p, eviction.Params{LogFactor: 10, DecayTime: 1}))
	for range 100 { // the higher the limit, the less fragmentation counts
		limitTo(t, c, policy, c.kernel.Counted())
	}
	return f
}

func limitTo(t testing.TB, c *testClient, policy string, bytes int64) {
	t.Helper()
	if err := c.kernel.Config.Set([]config.Setting{
		{Name: "maxmemory-policy", Value: policy}, {Name: "maxmemory", Value: fmt.Sprint(bytes)},
	}, true); err != nil {
		t.Fatal(err)
	}
}

// next is the next request. It is valid until the one after it.
func (f *full) next() []byte {
	f.n++
	digits := f.request[bytes.Index(f.request, []byte("key:"))+len("key:"):][:12]
	for i, n := len(digits)-1, f.n; i >= 0; i, n = i-1, n/10 {
		digits[i] = byte('0' + n%10)
	}
	return f.request
}

func BenchmarkSession(b *testing.B) {
	benchmarkSession(b, func(b *testing.B) (*testClient, func()) {
		return newTestClient(b), func() {}
	})
}

// BenchmarkSessionWithLog includes the commit of each batch, to a null device.
func BenchmarkSessionWithLog(b *testing.B) {
	benchmarkSession(b, func(b *testing.B) (*testClient, func()) {
		r := newLogRigOn(b, nowhere{vfs.NewMem()}, "everysec")
		return r.client(), func() {
			if err := r.manager.Log().Commit(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// nowhere is a file system whose files forget what is written.
type nowhere struct{ vfs.FS }

func (n nowhere) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := n.FS.OpenFile(name, flag, perm)
	return forgetful{f}, err
}

type forgetful struct{ vfs.File }

func (f forgetful) Write(p []byte) (int, error) { return len(p), nil }

func benchmarkSession(b *testing.B, open func(b *testing.B) (c *testClient, commit func())) {
	set, hset := []string{"SET", "", value64}, []string{"HSET", "", "field", value64}
	for _, of := range []struct{ fill, words []string }{
		{set, []string{"GET", ""}}, {set, set}, {hset, []string{"HGET", "", "field"}}, {hset, hset},
	} {
		words := of.words
		for _, depth := range []int{1, 16, 100} {
			b.Run(fmt.Sprintf("%s/P=%d", words[0], depth), func(b *testing.B) {
				c, commit := open(b)
				c.send(hot(depth, of.fill...))
				in := hot(depth, words...)
				out := make([]byte, 0, 1<<20)
				b.ReportAllocs()
				for b.Loop() {
					c.data(in, out)
					commit()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/command")
			})
		}
	}
}

// BenchmarkCacheGet is hits of readers that would take a lease, beside GET of the same keys.
func BenchmarkCacheGet(b *testing.B) {
	for _, words := range [][]string{{"GET", ""}, {"CACHE.GET", ""}, {"CACHE.GET", "", "LEASE", "5000"}, {"CACHE.GET", "", "LEASE", "5000", "WAIT", "1000"}} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/P=%d", strings.Join(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" }), "_"), depth), func(b *testing.B) {
				c := newTestClient(b)
				c.send(hot(depth, "CACHE.SET", "", value64, "EX", "600", "FRESH", "60000"))
				in := hot(depth, words...)
				out := make([]byte, 0, 1<<20)
				b.ReportAllocs()
				for b.Loop() {
					c.data(in, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/command")
			})
		}
	}
}

// BenchmarkRoom is SETs of new and of old keys: without a limit, below one, and at one, where each
// new key evicts another.
func BenchmarkRoom(b *testing.B) {
	const keys = 1_000_000
	for _, test := range []struct {
		name  string
		limit func(counted int64) int64
		fresh bool
	}{
		{"old keys/no limit", func(int64) int64 { return 0 }, false},
		{"old keys/below the limit", func(n int64) int64 { return 2 * n }, false},
		{"new keys/no limit", func(int64) int64 { return 0 }, true},
		{"new keys/below the limit", func(n int64) int64 { return 4 * n }, true},
		{"new keys/at the limit", func(n int64) int64 { return n }, true},
	} {
		b.Run(test.name, func(b *testing.B) {
			c := newTestClient(b)
			f := newFull(b, c, "allkeys-lru", keys)
			limitTo(b, c, "allkeys-lru", test.limit(c.kernel.Counted()))
			out := make([]byte, 0, 1<<10)
			rng := rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			for b.Loop() {
				if !test.fresh {
					f.n = rng.IntN(keys)
				}
				c.data(f.next(), out)
			}
			b.ReportMetric(float64(c.kernel.Store.Evicted())/float64(b.N), "evicted/op")
		})
	}
}
