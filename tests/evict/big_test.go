package evict

import (
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestBigValues writes many values of an eighth of the cap, and one that is larger than the cap.
func TestBigValues(t *testing.T) {
	const (
		limit = 64 << 20
		size  = 8 << 20
	)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		c := newCache(t, harness.StartSubject(t, "network-driver "+driver, "maxmemory 64mb", "maxmemory-policy allkeys-lru"))
		value := strings.Repeat("v", size)
		c.must(1000, func(i int) []string { return []string{"SET", name("small", i), "v"} })
		most := int64(0)
		for i := range 20 {
			c.MustOK("SET", name("big", i), value)
			most = max(most, c.used())
		}
		if most > limit+4<<20 {
			t.Errorf("%d bytes in use, %d above the cap", most, most-limit)
		}
		if n := c.left("big", 20); n < 4 || n > limit/size {
			t.Errorf("%d big values fit", n)
		}
		if r := c.Do("STRLEN", "big:19"); r.Raw != ":"+strconv.Itoa(size)+"\r\n" {
			t.Errorf("the last one: %v", r)
		}
		if !harness.SubjectIsLarder() {
			return // it takes the value, and is above its cap then
		}
		huge := strings.Repeat("h", limit+size)
		if r := c.Do("SET", "huge", huge); !isOOM(r) {
			t.Errorf("a value larger than the cap: %v", r)
		}
		c.MustOK("SET", "after", value)
		if c.Do("EXISTS", "huge").Raw != ":0\r\n" {
			t.Error("the refused value is there")
		}
		c.Do("DEL", "after", "big:19") // room for what follows: who would go for it is a matter of chance within one second
		c.must(5000, func(i int) []string { return []string{"SET", name("small", i), strings.Repeat("v", 1000)} })
		if n := c.left("small", 5000); n != 5000 {
			t.Errorf("%d of 5000 small values are left", n)
		}
		if n := c.used(); n > limit+4<<20 {
			t.Errorf("%d bytes in use, %d above the cap", n, n-limit)
		}
	})
}

// TestCollectionsGrow: a hash, a set, a list and a sorted set that grow past the cap are evicted as
// a whole when the policy may evict them, and stop growing when it may not.
func TestCollectionsGrow(t *testing.T) {
	const room = 2 << 20
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "noeviction"} {
		for add, count := range map[string]string{"HSET": "HLEN", "SADD": "SCARD", "RPUSH": "LLEN", "LPUSH": "LLEN", "ZADD": "ZCARD"} {
			t.Run(policy+" "+add, func(t *testing.T) {
				c := newCache(t, harness.StartSubject(t, "maxmemory-policy "+policy))
				evicts := strings.HasPrefix(policy, "allkeys-")
				limit := c.room(room)
				element := strings.Repeat("e", 100)
				refused, started := 0, 0
				for n := 0; refused == 0 && started < 2 && n < 200_000; n += piece {
					for _, r := range c.each(piece, func(i int) []string {
						added := element + strconv.Itoa(n+i)
						switch add {
						case "HSET":
							return []string{add, "collection", added, "v"}
						case "ZADD":
							return []string{add, "collection", strconv.Itoa((n + i) * 7919 % 10_007), added}
						}
						return []string{add, "collection", added}
					}) {
						switch {
						case isOOM(r):
							refused++
						case r.IsError():
							t.Fatal(r)
						}
					}
					if c.stat("evicted_keys") > int64(started) {
						started++
					}
				}
				size, _ := c.Do(count, "collection").Int()
				if evicts && (refused > 0 || started < 2 || size > 20_000) {
					t.Errorf("%d refused, evicted %d times, %d elements are left", refused, started, size)
				}
				if !evicts && (refused == 0 || started > 0 || size < 7000) {
					t.Errorf("%d refused, evicted %d times, %d elements are left", refused, started, size)
				}
				if got := c.counted(); got > limit+1<<20 {
					t.Errorf("%d bytes count, %d above the cap", got, got-limit)
				}
				if c.Do("DEL", "collection").IsError() {
					t.Error("it cannot be deleted")
				}
				c.MustOK("SET", "k", "v")
			})
		}
	}
}
