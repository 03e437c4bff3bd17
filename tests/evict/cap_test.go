package evict

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestCapIsLowered lowers the cap and raises it again while clients read and write: nobody is
// refused, and memory follows.
func TestCapIsLowered(t *testing.T) {
	const room = 24 << 20
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver, "maxmemory-policy allkeys-lru")
		c := newCache(t, s)
		empty := c.counted()
		seed := randtest.Seed(t)
		l := newLoad(t)
		for id := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, id))
			l.run(s.Dial(t), func(b *harness.Batch, _ int) {
				for range 50 {
					key := strconv.Itoa(rng.IntN(50_000))
					switch rng.IntN(10) {
					case 6:
						b.Add("RPUSH", "l:"+key, strings.Repeat("e", rng.IntN(2000)), "e")
					case 7:
						b.Add("ZADD", "z:"+key, strconv.Itoa(rng.IntN(100)), strconv.Itoa(rng.IntN(10)))
					case 8:
						b.Add("LMOVE", "l:"+key, "l:"+key, "LEFT", "RIGHT")
					case 9:
						b.Add("ZPOPMIN", "z:"+key)
					case 0:
						b.Add("HSET", "h:"+key, strconv.Itoa(rng.IntN(10)), "value")
					case 1:
						b.Add("SADD", "s:"+key, strconv.Itoa(rng.IntN(10)))
					case 2:
						b.Add("MGET", key, key+"0")
					case 3:
						b.Add("GET", key)
					default:
						b.Add("SET", key, strings.Repeat("v", 500+rng.IntN(2000)))
					}
				}
			}, noError)
		}
		under := func(limit int64) {
			t.Helper()
			harness.Eventually(t, patience, "memory is under the cap", func() bool { return c.counted() <= limit })
		}
		full := func() {
			t.Helper()
			before := c.stat("evicted_keys")
			harness.Eventually(t, patience, "keys are evicted", func() bool { return t.Failed() || c.stat("evicted_keys") > before })
		}
		for _, limit := range []int64{empty + room, empty + room/2, empty + room/3, empty + room/2, empty + room/3} {
			c.set("maxmemory", limit)
			under(limit)
			full()
		}
		l.stop()
		before := c.stat("evicted_keys")
		limit := c.room(-2 << 20) // nobody writes
		under(limit)
		harness.Eventually(t, patience, "keys are evicted without writers", func() bool { return c.stat("evicted_keys") > before })
		c.MustOK("CONFIG", "SET", "maxmemory", "0")
		before = c.stat("evicted_keys")
		c.must(20_000, func(i int) []string { return []string{"SET", name("free", i), "v"} })
		if n := c.left("free", 20_000); n != 20_000 || c.stat("evicted_keys") != before {
			t.Errorf("without a cap %d of 20000 keys are left", n)
		}
	})
}

// TestCapBelowTheEmptyServer: what may be evicted is, every write is refused, and all else works,
// as in Redis.
func TestCapBelowTheEmptyServer(t *testing.T) {
	const keys = 500
	left := map[string]string{"noeviction": ":1000", "allkeys-lru": ":0", "allkeys-lfu": ":0", "volatile-ttl": ":500", "allkeys-random": ":0"}
	for _, s := range []*harness.Server{harness.Start(t), harness.StartRedis(t)} {
		c := newCache(t, s)
		for _, limit := range []string{"1", "100kb"} {
			for policy, left := range left {
				c.set("maxmemory-policy", policy)
				c.must(keys, func(i int) []string { return []string{"SET", name("k", i), "v"} })
				c.must(keys, func(i int) []string { return []string{"SET", name("e", i), "v", "EX", "1000000"} })
				c.set("maxmemory", limit)
				harness.Eventually(t, patience, s.Name+" under "+policy+" has evicted all it may", func() bool {
					return c.Do("DBSIZE").Raw == left+"\r\n"
				})
				for _, args := range [][]string{{"SET", "k:1", "v"}, {"SETRANGE", "k:1", "1", "v"}, {"HSET", "h", "f", "v"}, {"SADD", "s", "m"}, {"INCR", "n"}} {
					if r := c.Do(args...); !isOOM(r) {
						t.Errorf("%s, %s, cap %s: %q: %v", s.Name, policy, limit, args, r)
					}
				}
				for _, args := range [][]string{{"GET", "k:1"}, {"DEL", "k:2"}, {"EXPIRE", "k:3", "100"}, {"PING"}, {"SPOP", "s"}, {"HDEL", "h", "f"}, {"FLUSHALL"}} {
					if r := c.Do(args...); r.IsError() {
						t.Errorf("%s, %s, cap %s: %q: %v", s.Name, policy, limit, args, r)
					}
				}
				c.set("maxmemory", "0")
				c.MustOK("SET", "k", "v")
				c.MustOK("FLUSHALL")
			}
		}
	}
}

// TestOvershoot: while eight clients write as fast as they can, memory in use stays within 4 MB
// above the cap.
func TestOvershoot(t *testing.T) {
	const (
		limit = 32 << 20
		above = 4 << 20
	)
	for _, policy := range []string{"allkeys-lru", "allkeys-lhd"} {
		t.Run(policy, func(t *testing.T) {
			s := harness.StartBinary(t, "maxmemory "+strconv.Itoa(limit), "maxmemory-policy "+policy)
			c := newCache(t, s)
			seed := randtest.Seed(t)
			l := newLoad(t)
			for id := range uint64(8) {
				rng := rand.New(rand.NewPCG(seed, id))
				l.run(s.Dial(t), func(b *harness.Batch, _ int) {
					for range 100 {
						b.Add("SET", strconv.Itoa(rng.IntN(10_000_000)), strings.Repeat("v", 50+rng.IntN(1000)))
					}
				}, noError)
			}
			most, samples := int64(0), 0
			for c.stat("evicted_keys") < 60_000 && !t.Failed() {
				most = max(most, c.used())
				samples++
			}
			l.stop()
			t.Logf("at most %+.2f MB above the cap in %d samples", float64(most-limit)/1e6, samples)
			if most > limit+above {
				t.Errorf("%d bytes are in use, %d above the cap", most, most-limit)
			}
		})
	}
}
