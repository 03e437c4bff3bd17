package diff

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// patternNames are keys, fields and members for patterns to find: as people name them, and of bytes
// that mean something in a pattern.
var patternNames = []string{
	"user:1:name", "user:1000:name", "user:22:visits", "session:abc", "session:ABC", "a", "b", "ab", "aab", "aabab", "hello", "hallo", "hillo",
	"*", "?", "[", "]", "\\", "^", "-", "[a]", "a*b", "a-b", "a]b", "\\a", "", "\x00", "a\x00b", "\xff", "caf\xc3\xa9", "x[1]", "list[10]", "Z", "_",
}

// TestPatterns compares what random patterns find, by every command that takes one.
func TestPatterns(t *testing.T) {
	larder, redis := harness.Start(t), harness.StartRedis(t)
	d := duel{larder.Dial(t), redis.Dial(t)}
	for _, name := range patternNames {
		for _, args := range [][]string{{"SET", name, "v"}, {"SADD", "the set", name}, {"HSET", "the hash", name, "v"}, {"ZADD", "the zset", "1", name}} {
			d.do(args)
		}
	}
	rnd := randtest.New(t)
	for range 3000 {
		pattern := drawPattern(rnd)
		for _, args := range [][]string{
			{"KEYS", pattern}, {"SCAN", "0", "COUNT", "1000", "MATCH", pattern}, {"SSCAN", "the set", "0", "COUNT", "1000", "MATCH", pattern},
			{"HSCAN", "the hash", "0", "COUNT", "1000", "MATCH", pattern}, {"ZSCAN", "the zset", "0", "COUNT", "1000", "MATCH", pattern},
		} {
			a, b := d.do(args)
			if args[0] != "KEYS" {
				a, b = a.Elems[1], b.Elems[1] // behind the cursor
			}
			if a.Sorted(1) != b.Sorted(1) {
				t.Fatalf("%s\n  larder %v\n  redis  %v", show(args), a, b)
			}
		}
		// The two do not have the same parameters, so one that both have is compared. Redis ends such
		// a pattern at a NUL.
		pattern, _, _ = strings.Cut(pattern, "\x00")
		args := []string{"CONFIG", "GET", pattern}
		if a, b := d.do(args); has(a, "maxmemory-policy") != has(b, "maxmemory-policy") {
			t.Fatalf("%s\n  larder %v\n  redis  %v", show(args), a, b)
		}
	}
}

func has(r harness.Reply, name string) bool {
	for _, e := range r.Elems {
		if e.Text == name {
			return true
		}
	}
	return false
}

// drawPattern makes a pattern of parts that mean something, or of a name with a few bytes replaced.
func drawPattern(rnd *rand.Rand) string {
	parts := []string{
		"*", "*", "?", "[", "]", "[^", "[a-c]", "[c-a]", "[^a]", "[A-z]", "[Z-_]", "[\\]]", "[a-", "[a-]", "\\", "\\*", "\\[",
		"-", "^", "a", "b", "user:", ":name", "h", "ll", "o", "max", "MEM", "ory-policy", "\x00", "\xff",
	}
	if rnd.IntN(2) == 0 {
		pattern := ""
		for range rnd.IntN(6) {
			pattern += parts[rnd.IntN(len(parts))]
		}
		return pattern
	}
	name := []byte(append(patternNames, "maxmemory-policy")[rnd.IntN(len(patternNames)+1)])
	pattern := ""
	for i := 0; i < len(name); i++ {
		if rnd.IntN(4) == 0 {
			pattern += parts[rnd.IntN(len(parts))]
			i += rnd.IntN(3)
		} else {
			pattern += string(name[i : i+1])
		}
	}
	return pattern
}
