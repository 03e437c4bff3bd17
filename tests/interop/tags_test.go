package interop

import (
	"fmt"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// tagged is what a server says of the tags and marks of the test's keys.
func tagged(t *testing.T, c *harness.Conn) (all []string) {
	t.Helper()
	for _, key := range append(taggedKeys(), "moved", "copied", "gone", "hidden") {
		tags := c.Do("CACHE.TAGS", key).Sorted(1)
		all = append(all, fmt.Sprint(key, " ", tags, " ", c.Do("BLESS", "GET", key).Value(), " ", c.Do("PTTL", key).Raw == ":-1\r\n"))
	}
	return all
}

func taggedKeys() []string { return []string{"string", "hash", "set", "list", "zset", "big", "dated"} }

// TestTagsTravel: tags and marks survive kill -9 and a restart, by log and by snapshot; what was
// invalidated does not come back; and Redis reads the same files to the same keys and values.
func TestTagsTravel(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		s := harness.StartBinary(t, append(f.params, "enable-debug-command yes")...)
		c := s.Dial(t)
		c.Do("SET", "string", "v")
		c.Do("HSET", "hash", "f", "v")
		c.Do("SADD", "set", "a", "b")
		c.Do("RPUSH", "list", "a", "b")
		c.Do("ZADD", "zset", "1", "a")
		for i := range 2000 {
			c.Do("SADD", "big", fmt.Sprint("member", i))
		}
		c.Do("SET", "dated", "v", "PX", "100000000")
		long := fmt.Sprintf("%01000d", 0)
		for i, key := range taggedKeys() {
			c.Do("CACHE.TAG", key, "all", fmt.Sprint("kind:", i), long)
		}
		c.Do("BLESS", "SET", "zset", "NO-EVICT")
		c.Do("CACHE.UNTAG", "list", "all")
		for _, key := range []string{"was", "gone", "hidden"} {
			c.Do("SET", key, "x")
			c.Do("CACHE.TAG", key, "old", key)
		}
		c.Do("RENAME", "was", "moved")
		c.Do("COPY", "string", "copied")
		c.Do("MULTI")
		c.Do("CACHE.INVALIDATE", "gone")
		c.Do("CACHE.TAG", "moved", "new")
		c.Do("EXEC")
		f.write(c)
		if f.logs() {
			c.Do("CACHE.INVALIDATE", "hidden")
		} else {
			c.Do("DEL", "hidden")
			c.Do("SAVE")
		}
		want := tagged(t, c)
		contents := harness.Contents(t, s)
		s.Kill(t)

		again := s.Restart(t)
		if got := tagged(t, again.Dial(t)); !slices.Equal(got, want) {
			t.Errorf("after the restart\n%q\nwant\n%q", got, want)
		}
		harness.SameContents(t, "restarted", contents, harness.Contents(t, again))
		if n, _ := again.Dial(t).Do("CACHE.INVALIDATE", "all").Int(); n != int64(len(taggedKeys())) {
			t.Errorf("%d keys went", n)
		}
		again.Kill(t)

		redis := harness.StartRedis(t, append(f.params, "dir "+s.Dir)...)
		if f.logs() { // the second invalidation is in the log, key by key or not at all
			for key := range contents {
				if key.DB == 0 && slices.Contains(append(taggedKeys(), "copied"), key.Name) {
					delete(contents, key)
				}
			}
			redis.Dial(t).Do("DEL", "string", "hash", "set", "list", "zset", "big", "dated", "copied", "hidden")
		}
		harness.SameContents(t, "read by Redis", contents, harness.Contents(t, redis))
	})
}
