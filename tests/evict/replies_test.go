package evict

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestRepliesUnderTheCap: twenty clients ask for big replies and read none of them. Memory stays
// where the cap wants it, half of the keys stay, and somebody who reads is answered.
func TestRepliesUnderTheCap(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	const limit, clients, rounds = 100 << 20, 20, 8
	rng := rand.New(rand.NewPCG(randtest.Seed(t), 0))
	for _, config := range [][2]string{{"noeviction", "auto"}, {"allkeys-random", "auto"}, {"noeviction", "portable"}} {
		policy, driver := config[0], config[1]
		t.Run(policy+"/"+driver, func(t *testing.T) {
			s := harness.StartBinary(t, "maxmemory-policy "+policy, "network-driver "+driver)
			c := newCache(t, s)
			c.must(20, func(i int) []string { return []string{"SET", name("big", i), strings.Repeat("b", 500_000)} })
			for _, add := range [][]string{{"SADD", "s"}, {"SADD", "t"}, {"RPUSH", "l"}, {"HSET", "h"}} {
				for from := 0; from < 60_000; from += 1000 {
					request := add
					for i := from; i < from+1000; i++ {
						request = append(request, add[1]+strconv.Itoa(i))
					}
					c.Do(request...)
				}
			}
			c.set("maxmemory", limit)
			// Up to a sixteenth of the cap may come to count between two looks: what is resident beside the data.
			full := 0
			for ; full < 100_000 && c.counted() < limit-limit/10; full += 1000 {
				c.must(1000, func(i int) []string { return []string{"SET", name("k", full+i), strings.Repeat("v", 2000)} })
			}
			kept := c.size()
			asked := [][]string{
				{"HGETALL", "h"}, {"SMEMBERS", "s"}, {"KEYS", "*"}, {"SRANDMEMBER", "s", "-500000"}, {"SUNION", "s", "t"},
				{"HRANDFIELD", "h", "-200000", "WITHVALUES"}, {"LRANGE", "l", "0", "-1"}, append([]string{"MGET"}, names("big", 60, 20)...),
			}
			idle := make([]*harness.Conn, clients)
			most := int64(0)
			for range rounds {
				for i := range idle {
					if idle[i] == nil || idle[i].TryWrite(harness.Encode(asked[rng.IntN(len(asked))]...)) != nil {
						idle[i] = s.Dial(t) // it was closed
					}
				}
				c.Do("PING") // comes after what they have asked for
				most = max(most, s.RSS(t))
			}
			t.Logf("%d MB resident at most under a cap of %d", most>>20, limit>>20)
			// A tenth is the promise, which the benchmarks hold it to, where nobody else needs the processor.
			if most > limit+limit/5 {
				t.Errorf("%d bytes are resident under a cap of %d", most, limit)
			}
			if left := c.size(); left < kept/4 {
				t.Errorf("%d keys of %d are left", left, kept)
			}
			reader := s.Dial(t)
			harness.Eventually(t, patience, "somebody who reads is answered", func() bool {
				r := reader.Do("LRANGE", "l", "0", "19999") // allkeys-random may have evicted it
				return len(r.Elems) == 20_000 || policy != "noeviction" && r.Raw == "*0\r\n"
			})
			for _, hog := range idle {
				hog.Close()
			}
			harness.Eventually(t, patience, "their memory is given back", func() bool {
				return field(t, c.Do("INFO", "clients").Text, "connected_clients") == 2 && s.RSS(t) < limit+limit/10
			})
		})
	}
}

// size is the number of keys.
func (c *cache) size() int {
	c.t.Helper()
	n, err := strconv.Atoi(c.Do("DBSIZE").Text)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// names are n names out of a few.
func names(kind string, n, few int) (all []string) {
	for i := range n {
		all = append(all, name(kind, i%few))
	}
	return all
}

// TestReplyGoesBack: a reply of 200 MB that nobody reads takes its own size, and nothing when its
// client has gone.
func TestReplyGoesBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		const size = 200 << 20
		s := harness.StartBinary(t, "network-driver "+driver)
		c := s.Dial(t)
		c.MustOK("SET", name("b", 0), strings.Repeat("b", 1<<20))
		before := s.RSS(t)
		hog := s.Dial(t)
		hog.Send(append([]string{"MGET"}, names("b", size>>20, 1)...)...)
		harness.Eventually(t, patience, "the reply to be made", func() bool {
			return strings.Contains(c.Do("CLIENT", "LIST").Text, " omem=20") // a few MB are the kernel's
		})
		if grown := s.RSS(t) - before; grown > size+size/20 {
			t.Errorf("a reply of %d bytes takes %d", size, grown)
		}
		hog.Close()
		harness.Eventually(t, patience, "its memory is given back", func() bool { return s.RSS(t) < before+size/20 })
	})
}

// TestClientsLimitWhileMaking: a reply that would take more than all clients may is not made: its
// client is evicted meanwhile, and nobody else is.
func TestClientsLimitWhileMaking(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		const limit = 8 << 20
		s := harness.StartBinary(t, "network-driver "+driver, "maxmemory-clients 8mb")
		c := newCache(t, s)
		c.MustOK("SET", name("b", 0), strings.Repeat("b", 1<<20))
		before := s.RSS(t)
		hog := s.Dial(t)
		hog.Send(append([]string{"MGET"}, names("b", 400, 1)...)...)
		if got := hog.ReadUntilClosed(); got != "" {
			t.Errorf("%d bytes of a reply were sent", len(got))
		}
		if grown := s.RSS(t) - before; grown > 2*limit {
			t.Errorf("%d bytes are resident for it", grown)
		}
		if n := c.stat("evicted_clients"); n != 1 {
			t.Errorf("%d clients were evicted", n)
		}
	})
}
