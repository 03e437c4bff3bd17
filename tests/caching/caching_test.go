// Package caching tests client-side caching with clients that have a cache.
package caching

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// cache is a client that keeps what it has read until it is told to forget it.
type cache struct {
	*harness.Conn
	kept  map[string]string // raw replies
	told  int
	reads int
}

func newCache(t *testing.T, s *harness.Server, options ...string) *cache {
	c := &cache{Conn: s.DialRESP(t, 3), kept: map[string]string{}}
	c.ask(append([]string{"CLIENT", "TRACKING", "ON"}, options...)...)
	return c
}

// ask returns the reply to a call, and forgets what it is told to before it.
func (c *cache) ask(args ...string) harness.Reply {
	c.Send(args...)
	for {
		r := c.Read()
		if r.Kind != '>' {
			return r
		}
		c.told++
		if r.Elems[1].IsNull() {
			clear(c.kept)
		}
		for _, key := range r.Elems[1].Elems {
			delete(c.kept, key.Text)
		}
	}
}

// get reads a key, from the cache if it is there.
func (c *cache) get(key string) {
	if _, ok := c.kept[key]; ok {
		return
	}
	c.reads++
	c.kept[key] = "" // a message that comes before the reply is about an older value
	c.kept[key] = c.ask("GET", key).Raw
}

// Two clients with caches read ten thousand keys while others write them, let them expire and
// delete them, and memory is too short for all of them. Once they have got what they are told, what
// they keep is what they would read.
func TestNoStaleReads(t *testing.T) {
	const keys, steps = 10_000, 6_000
	seed := randtest.Seed(t)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for _, mode := range [][]string{nil, {"BCAST"}} {
			t.Run(fmt.Sprint(mode), func(t *testing.T) {
				s := harness.StartBinary(t, "network-driver "+driver, "io-threads 2", "maxmemory 14mb",
					"maxmemory-policy allkeys-lru",
					"tracking-table-max-keys 9000")
				run(t, s, mode, seed, keys, steps)
			})
		}
	})
}

// change is a random write with a value that nobody else writes.
func change(r *rand.Rand, keys int, value string) []string {
	key := "key:" + strconv.Itoa(r.IntN(keys))
	switch r.IntN(8) {
	case 0:
		return []string{"DEL", key}
	case 1:
		return []string{"SET", key, value, "PX", strconv.Itoa(1 + r.IntN(300))}
	}
	return []string{"SET", key, value + strings.Repeat("-", r.IntN(3000))}
}

// atOnce is how many writes go in one packet.
const atOnce = 20

func run(t *testing.T, s *harness.Server, mode []string, seed uint64, keys, steps int) {
	caches := []*cache{newCache(t, s, mode...), newCache(t, s, mode...)}
	writers := []*harness.Conn{s.Dial(t), s.Dial(t)}
	var writing, reading sync.WaitGroup
	written := make(chan struct{})
	for i, w := range writers {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		writing.Go(func() {
			for n := 0; n < steps; n += atOnce {
				batch := ""
				for j := range atOnce {
					batch += harness.Encode(change(r, keys, fmt.Sprintf("%d-%d", i, n+j))...)
				}
				w.WriteRaw(batch)
				for range atOnce {
					w.Read()
				}
			}
		})
	}
	for i, c := range caches {
		r := rand.New(rand.NewPCG(seed, uint64(10+i)))
		reading.Go(func() {
			for {
				select {
				case <-written:
					return
				default:
					c.get("key:" + strconv.Itoa(r.IntN(keys)))
				}
				if r.IntN(16) == 0 {
					c.ask("PING")
				}
			}
		})
	}
	writing.Wait()
	close(written)
	reading.Wait()
	c := s.DialRESP(t, 3)
	harness.Eventually(t, harness.Patience, "no key is about to expire", func() bool {
		return strings.Contains(c.Info("keyspace", "db0"), "expires=0")
	})
	for i, cache := range caches {
		harness.Eventually(t, harness.Patience, fmt.Sprintf("what cache %d keeps is true", i), func() bool {
			cache.ask("PING")
			return cache.stale(c) == ""
		})
		t.Logf("cache %d: %d reads, %d messages, %d kept", i, cache.reads, cache.told, len(cache.kept))
		if cache.told == 0 || len(cache.kept) == 0 {
			t.Errorf("cache %d was told %d times, and keeps %d keys: nothing is proved", i, cache.told, len(cache.kept))
		}
	}
	for _, field := range []string{"expired_keys", "evicted_keys"} {
		if c.Info("stats", field) == "0" {
			t.Errorf("%s is 0: nothing is proved", field)
		}
	}
}

// stale is a key of which the cache keeps what is not true, asked of another connection.
func (c *cache) stale(other *harness.Conn) string {
	stale, all := "", slices.Collect(maps.Keys(c.kept))
	for batch := range slices.Chunk(all, 500) {
		calls := ""
		for _, key := range batch {
			calls += harness.Encode("GET", key)
		}
		other.WriteRaw(calls)
		for _, key := range batch {
			if other.Read().Raw != c.kept[key] {
				stale = key
			}
		}
	}
	return stale
}
