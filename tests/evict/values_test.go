package evict

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// listAndZsetCalls adds a command on a random list or sorted set, small or large, that lets it
// grow, shrink, move or go.
func listAndZsetCalls(b *harness.Batch, rng *rand.Rand) {
	n := strconv.Itoa(rng.IntN(1000))
	list, zset := "l:"+n, "z:"+n
	if rng.IntN(20) == 0 {
		list, zset = "l:large:"+n[:1], "z:large:"+n[:1]
	}
	element := strings.Repeat("e", rng.IntN(300))
	switch member := strconv.Itoa(rng.IntN(5000)); rng.IntN(12) {
	case 0, 1:
		b.Add("RPUSH", list, element, element, member)
	case 2:
		b.Add("LPUSH", list, element)
	case 3:
		b.Add("LINSERT", list, "BEFORE", member, element)
	case 4:
		b.Add("LPOP", list, "2")
	case 5:
		b.Add("LTRIM", list, "1", "500")
	case 6:
		b.Add("LMOVE", list, "l:"+member[:1], "LEFT", "RIGHT")
	case 7, 8:
		b.Add("ZADD", zset, strconv.Itoa(rng.IntN(100)), member+element, "1.5", member)
	case 9:
		b.Add("ZPOPMAX", zset)
	case 10:
		b.Add("ZUNIONSTORE", "z:"+member[:1], "2", zset, "z:"+member)
	default:
		b.Add("ZREMRANGEBYRANK", zset, "0", "3")
	}
}

// TestListsAndZsetsUnderEveryPolicy: clients change lists and sorted sets of all sizes at the cap.
// It holds, keys are evicted or commands refused, as the policy has it, and when all keys are gone
// the data takes not a byte.
func TestListsAndZsetsUnderEveryPolicy(t *testing.T) {
	const room, above = 6 << 20, 4 << 20
	for _, policy := range []string{
		"allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-random", "allkeys-lhd",
		"volatile-lru", "volatile-lfu", "volatile-lrm", "volatile-random", "volatile-ttl", "noeviction",
	} {
		t.Run(policy, func(t *testing.T) {
			if !harness.SubjectIsLarder() && (strings.HasSuffix(policy, "lrm") || strings.HasSuffix(policy, "lhd")) {
				t.Skip("larder's own")
			}
			s := harness.StartSubject(t, "maxmemory-policy "+policy, "zset-max-listpack-entries 32")
			c := newCache(t, s)
			limit := c.room(room)
			seed := randtest.Seed(t)
			l := newLoad(t)
			evicts := policy != "noeviction"
			for id := range uint64(3) {
				rng := rand.New(rand.NewPCG(seed, id))
				l.run(s.Dial(t), func(b *harness.Batch, _ int) {
					for range 50 {
						listAndZsetCalls(b, rng)
						if strings.HasPrefix(policy, "volatile-") {
							b.Add("EXPIRE", "l:"+strconv.Itoa(rng.IntN(1000)), "10000")
							b.Add("EXPIRE", "z:"+strconv.Itoa(rng.IntN(1000)), "10000")
						}
					}
				}, func(r harness.Reply) bool { return !r.IsError() || isOOM(r) })
			}
			most := int64(0)
			refused := func() bool { return isOOM(c.Do("SET", "probe", "v")) }
			harness.Eventually(t, patience, "the cap is felt", func() bool {
				most = max(most, c.counted())
				return t.Failed() || evicts && c.stat("evicted_keys") > 1500 || !evicts && refused()
			})
			for range 50 {
				most = max(most, c.counted())
			}
			l.stop()
			if most > limit+above {
				t.Errorf("%d bytes counted, %d above the cap", most, most-limit)
			}
			c.set("maxmemory", 0)
			c.MustOK("FLUSHALL")
			if harness.SubjectIsLarder() {
				harness.Eventually(t, patience, "the data is counted down to nothing", func() bool {
					return field(t, c.Do("INFO", "memory").Text, "used_memory_dataset") == 0
				})
			}
		})
	}
}
