package commands

import (
	"strings"
	"testing"
)

// TestInfoKeysizes: the section has Redis 8's form.
func TestInfoKeysizes(t *testing.T) {
	c := newTestClient(t)
	c.do("set", "empty", "")
	for _, n := range []int{1, 2, 3, 1023, 1024, 2047, 3 << 20} {
		c.do("set", strings.Repeat("k", n%90+1), strings.Repeat("x", n))
	}
	c.do("select", "9")
	c.do("rpush", "l", "1", "2", "3", "4")
	c.do("sadd", "s", "1", "2", "3")
	c.do("zadd", "z", "1", "a")
	c.do("hset", "h", "a", "1", "b", "2")
	got := c.do("info", "keysizes")
	want := strings.ReplaceAll(`# Keysizes
keysizes_age_seconds:0
db0_distrib_strings_sizes:0=1,1=1,2=2,512=1,1K=2,2M=1
db9_distrib_lists_items:4=1
db9_distrib_sets_items:2=1
db9_distrib_zsets_items:1=1
db9_distrib_hashes_items:2=1
`, "\n", "\r\n")
	if !strings.Contains(got, want) && !strings.Contains(got, strings.ReplaceAll(want, "\r\n", `\r\n`)) {
		t.Errorf("%s", got)
	}
	c.kernel.Store.CountSizes(false)
	if got := c.do("info", "keysizes"); !strings.Contains(got, "keysizes_age_seconds:-1") ||
		strings.Contains(got, "db0") {
		t.Errorf("switched off: %s", got)
	}
}
