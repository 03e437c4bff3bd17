package evict

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// group is keys with the same past.
type group struct {
	name    string
	size    int      // of the value, in bytes
	ttl     int      // in seconds, 0 for none
	restore []string // options of RESTORE
	use     []string // a command that is called with each key, before the server is short of memory
	uses    int      // how often
}

const (
	members = 3000 // of each group
	goSome  = 600  // keys that have to go, at least: a fifth of a group
	goMany  = 8000 // of any group, among them those that press the others out
)

// trial is groups under a policy, and what has to become of them.
type trial struct {
	policy string
	params []string
	groups []group
	filler []string // what is added to the SET of keys that press the others out
	goes   int64    // keys to evict
	check  func(t *testing.T, lost map[string]int)
}

// survives checks that of these groups hardly anybody goes. Chance would take a quarter at least of
// all that go from them.
func survives(groups ...string) func(*testing.T, map[string]int) {
	return func(t *testing.T, lost map[string]int) {
		t.Helper()
		theirs, all := 0, 0
		for g, n := range lost {
			all += n
			if slices.Contains(groups, g) {
				theirs += n
			}
		}
		if theirs > all/10 {
			t.Errorf("%d of %d evicted are of %q: %v", theirs, all, groups, lost)
		}
	}
}

// alike checks that all groups lose about the same.
func alike(t *testing.T, lost map[string]int) {
	t.Helper()
	sum := 0
	for _, n := range lost {
		sum += n
	}
	mean := sum / len(lost)
	for g, n := range lost {
		if n < mean*6/10 || n > mean*14/10 {
			t.Errorf("%s has lost %d, others %v", g, n, lost)
		}
	}
}

// idle is three groups that were idle for long: one is left alone, one is read, one is changed.
func idle(ttl int) []group {
	old := []string{"IDLETIME", "5000"}
	return []group{
		{name: "untouched", size: 60, ttl: ttl, restore: old},
		{name: "read", size: 60, ttl: ttl, restore: old, use: []string{"GET"}, uses: 1},
		{name: "changed", size: 60, ttl: ttl, restore: old, use: []string{"SETRANGE", "0", "x"}, uses: 1},
	}
}

// counts is groups that are used more or less often; each use counts.
func counts(ttl int) []group {
	return []group{
		{name: "rare", size: 60, ttl: ttl, restore: []string{"FREQ", "1"}},
		{name: "used", size: 60, ttl: ttl, restore: []string{"FREQ", "1"}, use: []string{"GET"}, uses: 20},
		{name: "frequent", size: 60, ttl: ttl, restore: []string{"FREQ", "100"}},
	}
}

// forever is a group that no volatile policy may touch, whatever it is worth.
func forever(restore ...string) group { return group{name: "forever", size: 60, restore: restore} }

func trials() []trial {
	const hour = 3600
	lasting := []string{"EX", "1000000"}
	sparing := func(check func(*testing.T, map[string]int)) func(*testing.T, map[string]int) {
		return func(t *testing.T, lost map[string]int) {
			t.Helper()
			if n := lost["forever"]; n > 0 {
				t.Errorf("%d keys without a time to live are gone", n)
			}
			delete(lost, "forever")
			check(t, lost)
		}
	}
	lfu := []string{"lfu-log-factor 0"}
	return []trial{
		{policy: "allkeys-lru", groups: idle(0), check: survives("read", "changed")},
		{policy: "allkeys-lrm", groups: idle(0), check: survives("changed")},
		{policy: "allkeys-lfu", params: lfu, groups: counts(0), check: survives("used", "frequent")},
		{policy: "allkeys-random", groups: append(idle(0), group{name: "expiring", size: 60, ttl: hour}), goes: goMany, check: alike},
		{policy: "volatile-lru", groups: append(idle(hour), forever("IDLETIME", "9000")), filler: lasting, check: sparing(survives("read", "changed"))},
		{policy: "volatile-lrm", groups: append(idle(hour), forever("IDLETIME", "9000")), filler: lasting, check: sparing(survives("changed"))},
		{policy: "volatile-lfu", params: lfu, groups: append(counts(hour), forever("FREQ", "0")), filler: lasting, check: sparing(survives("used", "frequent"))},
		{policy: "volatile-random", groups: append(idle(hour), forever()), filler: lasting, goes: goMany, check: sparing(alike)},
		{policy: "volatile-ttl", groups: []group{
			{name: "soon", size: 60, ttl: hour}, {name: "later", size: 60, ttl: 5 * hour}, {name: "last", size: 60, ttl: 50 * hour}, forever(),
		}, filler: lasting, check: sparing(survives("last"))},
		{policy: "allkeys-lhd", groups: []group{
			{name: "small and used", size: 60, use: []string{"GET"}, uses: 8},
			{name: "large and used", size: 400, use: []string{"GET"}, uses: 8},
			{name: "small", size: 60},
			{name: "large", size: 400},
		}, check: survives("small and used")},
	}
}

// TestWhoIsEvicted fills caches with keys of different pasts and presses keys out by others.
func TestWhoIsEvicted(t *testing.T) {
	for _, trial := range trials() {
		t.Run(trial.policy, func(t *testing.T) {
			if !harness.SubjectIsLarder() && (strings.HasSuffix(trial.policy, "lrm") || strings.HasSuffix(trial.policy, "lhd")) {
				t.Skip("larder's own")
			}
			params := append([]string{"maxmemory-policy " + trial.policy, "maxmemory-samples 10"}, trial.params...)
			c := newCache(t, harness.StartSubject(t, params...))
			for _, g := range trial.groups {
				c.MustOK("SET", "sample", strings.Repeat("v", g.size))
				dump := c.Do("DUMP", "sample").Text
				c.must(members, func(i int) []string {
					return append([]string{"RESTORE", name(g.name, i), fmt.Sprint(g.ttl * 1000), dump}, g.restore...)
				})
			}
			c.Do("DEL", "sample")
			for round := range 8 { // time goes by for who counts insertions
				for _, g := range trial.groups {
					for use := round; use < g.uses; use += 8 {
						c.must(members, func(i int) []string { return append([]string{g.use[0], name(g.name, i)}, g.use[1:]...) })
					}
				}
				c.must(1000, func(i int) []string { return []string{"SET", name("passing", i), "v", "EX", "1000000"} })
				c.must(1000, func(i int) []string { return []string{"DEL", name("passing", i)} })
			}
			filler := func(i int) []string {
				return append([]string{"SET", name("filler", i), strings.Repeat("f", 60)}, trial.filler...)
			}
			for n := c.tighten(filler); c.stat("evicted_keys") < max(trial.goes, goSome); n += piece {
				c.must(piece, func(i int) []string { return filler(n + i) })
			}
			lost := map[string]int{}
			for _, g := range trial.groups {
				lost[g.name] = members - c.left(g.name, members)
			}
			t.Log(lost)
			trial.check(t, lost)
			if strings.HasPrefix(trial.policy, "volatile-") {
				checkNothingVolatile(c)
			}
		})
	}
}

// checkNothingVolatile sees the volatile policies refuse when no key has a time to live, and evict
// when one has.
func checkNothingVolatile(c *cache) {
	c.t.Helper()
	c.MustOK("FLUSHALL")
	c.room(4 << 20)
	before, kept := c.stat("evicted_keys"), 0
	value := strings.Repeat("v", 1000)
	for refused := false; !refused; {
		for _, r := range c.each(piece, func(i int) []string { return []string{"SET", name("forever", kept+i), value} }) {
			refused = refused || isOOM(r)
			if !refused {
				kept++
			}
		}
	}
	if n := c.left("forever", kept); n != kept {
		c.t.Errorf("%d of %d keys are left", n, kept)
	}
	if n := c.stat("evicted_keys"); n != before {
		c.t.Errorf("%d keys without a time to live were evicted", n-before)
	}
	const some = 100
	c.must(some, func(i int) []string { return []string{"EXPIRE", name("forever", i), "1000000"} })
	c.MustOK("SET", "another", value, "EX", "1000000")
	if n := c.left("forever", kept); n < kept-some || n >= kept {
		c.t.Errorf("%d of %d keys are left, of which %d had a time to live", n, kept, some)
	}
}
