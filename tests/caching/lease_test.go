package caching

import (
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// lease asks for a lease on a key and returns the reply's first two elements and the token.
func lease(t *testing.T, c *harness.Conn, key string) (value, state, token string) {
	t.Helper()
	r := c.Do("CACHE.GET", key, "LEASE", "600000", "BETA", "0")
	if len(r.Elems) != 5 {
		t.Fatalf("%q", r.Raw)
	}
	return r.Elems[0].Value(), r.Elems[1].Text, r.Elems[3].Value()
}

// TestLeaseOutlivesEviction: a stale value that is evicted while somebody makes the next one is no change;
// the fill is taken.
func TestLeaseOutlivesEviction(t *testing.T) {
	s := harness.StartBinary(t, "maxmemory-policy allkeys-lru")
	c := s.Dial(t)
	c.Do("CACHE.SET", "page", "old", "TAGS", "1", "tag")
	c.Do("CACHE.STALE", "tag")
	_, state, token := lease(t, c, "page")
	if state != "stale" || token == "" {
		t.Fatalf("%s, lease %s", state, token)
	}
	used, err := strconv.Atoi(c.Info("memory", "used_memory"))
	if err != nil {
		t.Fatal(err)
	}
	c.MustOK("CONFIG", "SET", "maxmemory", strconv.Itoa(used+4<<20))
	filler := strings.Repeat("x", 1000)
	for i := 0; c.Do("EXISTS", "page").Raw == ":1\r\n"; i++ {
		if i == 1_000_000 {
			t.Fatal("it is never evicted")
		}
		c.MustOK("SET", "filler:"+strconv.Itoa(i), filler)
	}
	if c.Info("stats", "evicted_keys") == "0" {
		t.Error("nothing was evicted")
	}
	if _, state, second := lease(t, c, "page"); state != "miss" || second != "" {
		t.Errorf("%s, a second lease %s", state, second)
	}
	if c.Do("CACHE.SET", "page", "new", "TAGS", "1", "tag", "LEASE", token).IsNull() {
		t.Error("the fill was refused")
	}
	if got := c.Do("GET", "page").Text; got != "new" {
		t.Errorf("the value is %q", got)
	}
}

// TestLeasesEndAtARestart: times, tags and versions survive a restart from a snapshot, and from a log that
// ends by kill -9; leases do not. A fill with a token of before is refused, as the key may have changed in
// what was not saved.
func TestLeasesEndAtARestart(t *testing.T) {
	for name, params := range map[string][]string{
		"snapshot": nil,
		"log":      {"appendonly yes", "appendfsync always", "aof-use-rdb-preamble no"},
		"base":     {"appendonly yes", "appendfsync always"},
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.StartBinary(t, params...)
			c := s.Dial(t)
			for _, words := range [][]string{
				{"fresh", "v", "PX", "6000000", "FRESH", "5000000", "TAGS", "1", "kept"},
				{"soft", "v", "PX", "6000000", "TAGS", "1", "tag"},
				{"late", "v", "PX", "6000000", "FRESH", "1"},
				{"gone", "v", "TAGS", "1", "dead"},
			} {
				c.Do(append([]string{"CACHE.SET"}, words...)...)
			}
			c.Do("CACHE.STALE", "tag")
			c.Do("CACHE.INVALIDATE", "dead")
			harness.Eventually(t, harness.Patience, "a value is stale", func() bool {
				return c.Do("CACHE.GET", "late").Elems[1].Text == "stale"
			})
			_, _, token := lease(t, c, "soft")
			_, _, missing := lease(t, c, "absent")
			before := map[string]harness.Reply{}
			for _, key := range []string{"fresh", "soft", "late"} {
				before[key] = c.Do("CACHE.GET", key)
			}
			switch name {
			case "snapshot":
				c.MustOK("SAVE")
			case "base":
				c.BackgroundWork("BGREWRITEAOF")
			}
			s.Kill(t)
			c = s.Restart(t).Dial(t)
			if n := c.InfoInt("stats", "leases"); n != 0 {
				t.Errorf("%d leases", n)
			}
			for key, was := range before {
				is := c.Do("CACHE.GET", key)
				left, _ := is.Elems[2].Int()
				if most, _ := was.Elems[2].Int(); left > most || left == 0 != (most == 0) {
					t.Errorf("%s is fresh for %d ms, it was for %d", key, left, most)
				}
				for _, i := range []int{0, 1, 4} {
					if is.Elems[i].Raw != was.Elems[i].Raw {
						t.Errorf("%s: %q, it was %q", key, is.Raw, was.Raw)
					}
				}
			}
			if got := c.Do("CACHE.GET", "gone"); got.Elems[1].Text != "miss" {
				t.Errorf("what was invalidated: %q", got.Raw)
			}
			for key, old := range map[string]string{"soft": token, "absent": missing} {
				if !c.Do("CACHE.SET", key, "late", "LEASE", old).IsNull() {
					t.Errorf("%s: a fill by a lease of before the restart", key)
				}
				_, _, next := lease(t, c, key)
				if n, _ := strconv.ParseInt(next, 10, 64); next == "" || strconv.FormatInt(n, 10) <= old {
					t.Errorf("%s: token %q after %s", key, next, old)
				}
				if c.Do("CACHE.SET", key, "new", "LEASE", next).IsNull() {
					t.Errorf("%s: the fill was refused", key)
				}
			}
		})
	}
}
