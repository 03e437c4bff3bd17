package diff

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/tests/harness"
)

// TestRulesNameAllCommands: a rule may name every command that redis-server has, and what is taken
// for lacking is.
func TestRulesNameAllCommands(t *testing.T) {
	c := harness.Start(t).Dial(t)
	for name := range commandInfo(harness.StartRedis(t).Dial(t)) {
		c.MustOK("ACL", "SETUSER", "u", "+"+name)
		c.MustOK("ACL", "SETUSER", "u", "-"+name)
	}
	larder := commandInfo(c)
	for _, name := range acl.Lacking() {
		if _, there := larder[name]; there {
			t.Errorf("larder has %s", name)
		}
	}
}

// TestRulesOfRedis: users as redis-server 7.0 writes them, with exceptions by the dozen, mean the
// same here.
func TestRulesOfRedis(t *testing.T) {
	larder, redis := harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)
	info := commandInfo(redis)
	const moved = "wait" // into @blocking, in 7.2
	var both []string
	for _, name := range slices.Sorted(maps.Keys(commandInfo(larder))) {
		if _, known := info[name]; known && !strings.Contains(name, "|") && name != moved {
			both = append(both, name)
		}
	}
	mayRun := func(c *harness.Conn, name string) bool {
		request := []string{"ACL", "DRYRUN", "u", name}
		arity, _ := info[name].Elems[1].Int()
		for range max(arity, -arity) - 1 {
			request = append(request, "1")
		}
		return !strings.Contains(c.Do(request...).Value(), "has no permissions to run")
	}
	for _, rules := range []string{
		"+@read -@slow", "+@read +@write -@dangerous", "+@read -@keyspace", "+@write -@stream",
		"+@all -@dangerous -@slow",
	} {
		redis.MustOK(append([]string{"ACL", "SETUSER", "u", "reset"}, strings.Fields(rules)...)...)
		lines := redis.Do("ACL", "LIST").Strings()
		at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "user u ") })
		larder.MustOK(append([]string{"ACL", "SETUSER", "u", "reset"}, strings.Fields(lines[at])[2:]...)...)
		for _, name := range both {
			if here, there := mayRun(larder, name), mayRun(redis, name); here != there {
				t.Errorf("%s, written as %s: %s may be run: larder %v, Redis %v", rules, lines[at], name, here, there)
			}
		}
	}
}
