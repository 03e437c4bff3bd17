package diff

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// counted are the fields of INFO that say what a call has done.
var counted = []string{"keyspace_hits", "keyspace_misses", "total_error_replies", "rdb_changes_since_last_save"}

// fixture is what is there before each call whose counts are compared: keys of all types, small and
// big. The fourth of the strings is missing, and so is the last of each other type; the third has
// expired, and waits for somebody to find out.
var fixture = [][]string{
	{"SELECT", "0"}, {"FLUSHALL"},
	{"SET", "s1", "42"}, {"SET", "s2", "hello world"}, {"SET", "s3", "gone", "PXAT", "1"},
	{"HSET", "h1", "a", "1", "b", "v", "1", "2"}, {"HSET", "h2", "member", "x"},
	{"SADD", "t1", "a", "b", "c", "1", "2"}, {"SADD", "t2", "1", "2", "3"},
	{"RPUSH", "l1", "a", "b", "a", "1"}, {"RPUSH", "l2", "3", "1", "2"},
	{"ZADD", "z1", "1", "a", "2", "b", "3", "c"}, {"ZADD", "z2", "5", "1", "6", "d"}, {"ZADD", "n1", "0", "a", "0", "b"},
	{"PEXPIRE", "s2", "100000000"}, {"PEXPIRE", "l2", "100000000"},
}

// alsoCounted are calls that the grammar does not have, whose replies cannot be compared or are
// always errors.
var alsoCounted = []string{
	"DUMP key", "RESTORE key 0 value [ REPLACE ]", "FLUSHALL", "FLUSHDB", "SET key value EX 0", "EXPIRE key 0",
	"NOSUCH key", "GET", "SELECT 99", "AUTH a b", "HELLO 9", "OBJECT NOSUCH key", "CLIENT KILL ID 1000000", "EXEC", "DISCARD",
}

// TestCounts draws calls of every row of the grammar, some of them damaged, and compares what INFO
// counts of each.
func TestCounts(t *testing.T) {
	const draws = 24
	seed := randtest.Seed(t)
	larder, redis := harness.Start(t, "enable-debug-command yes"), harness.StartRedis(t)
	d := duel{larder.Dial(t), redis.Dial(t)}
	for _, c := range []*harness.Conn{d.larder, d.redis} {
		c.MustOK("DEBUG", "SET-ACTIVE-EXPIRE", "0")
	}
	drawCalls(seed, draws, alsoCounted, []string{"SWAPDB", "CONFIG", "MULTI", "EXEC", "CLIENT"}, func(args []string) {
		if notCountable(args) {
			return
		}
		a, larder := countsOf(t, d.larder, args)
		b, redis := countsOf(t, d.redis, args)
		if larder != redis && !(a.Raw != b.Raw && excused(exceptions, args, a, b)) {
			t.Errorf("SEED=%d: %s\n  larder %v %v\n  redis  %v %v", seed, show(args), larder, a, redis, b)
		}
	})
}

// TestScriptFailures compares what commandstats says of scripts and functions whose replies are errors or
// have errors in them.
func TestScriptFailures(t *testing.T) {
	larder, redis := harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)
	for _, c := range []*harness.Conn{larder, redis} {
		c.MustOK("SET", "text", "x")
		c.Do("FUNCTION", "LOAD", `#!lua name=failing
			redis.register_function('call', function(keys) return redis.call('INCR', keys[1]) end)
			redis.register_function('pcall', function(keys) return redis.pcall('INCR', keys[1]) end)
			redis.register_function('own', function() return {err = 'MINE is'} end)`)
	}
	calls := [][]string{{"FCALL", "call", "1", "text"}, {"FCALL", "pcall", "1", "text"}, {"FCALL_RO", "call", "1", "text"},
		{"FCALL", "own", "0"}, {"FCALL", "missing", "0"}}
	const failing = "redis.pcall('INCR', KEYS[1])"
	for _, script := range []string{
		"return redis.call('INCR', KEYS[1])", "return " + failing, failing + " return 1", "error(" + failing + ")",
		"return {err = 'MINE is'}", "return {" + failing + ", " + failing + "}", "return {{err = 'A a'}, {err = 'B b'}}",
		"return {" + failing + ", {err = 'A a'}, " + failing + "}", failing + " return {err = 'A a'}",
		"return redis.call('NOSUCH')", "return redis.call('SUBSCRIBE', 'a')", "return missing", "not Lua", "error('x')",
		"#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'x')",
	} {
		calls = append(calls, []string{"EVAL", script, "1", "text"}, []string{"EVAL_RO", script, "1", "text"})
	}
	for _, call := range calls {
		a, b := failuresOf(larder, call), failuresOf(redis, call)
		if !slices.Equal(a, b) {
			t.Errorf("%s\n  larder %v\n  redis  %v", show(call), a, b)
		}
	}
}

// failuresOf makes a call, and returns what commandstats says of each command but for its time.
func failuresOf(c *harness.Conn, call []string) (rows []string) {
	c.MustOK("CONFIG", "RESETSTAT")
	c.Do(call...)
	for line := range strings.SplitSeq(c.Do("INFO", "commandstats").Text, "\r\n") {
		name, counts, _ := strings.Cut(line, ":")
		if count, rest, ok := strings.Cut(counts, ",usec="); ok && name != "cmdstat_config|resetstat" {
			_, failed, _ := strings.Cut(rest, ",rejected")
			rows = append(rows, name+" "+count+failed)
		}
	}
	slices.Sort(rows)
	return rows
}

// drawCalls draws calls of every row of the grammar but those of some commands, and of more rows, and
// passes them on. One in six is damaged.
func drawCalls(seed uint64, draws int, more, except []string, call func(args []string)) {
	drawer := &drawer{rand.New(rand.NewPCG(seed, 0)), time.Now()}
	rows := slices.Clone(more)
	for _, row := range grammar {
		if name, _, _ := strings.Cut(row.call, " "); !slices.Contains(except, name) {
			rows = append(rows, row.call)
		}
	}
	for _, row := range rows {
		for i := range draws {
			args := drawer.draw(row)
			if i%6 == 5 {
				args = drawer.damage(args)
			}
			if !tooDangerous(args) {
				call(args)
			}
		}
	}
}

// notCountable are calls of which Redis counts what happens by the way: SCAN with TYPE looks up every
// key that it passes, the number of which is its table's; and a command that stores its result over
// an expired key deletes that as if it were there.
func notCountable(args []string) bool {
	name, has := strings.ToUpper(args[0]), func(word string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, word) })
	}
	return name == "SCAN" && has("TYPE") || (strings.Contains(name, "STORE") || has("STORE")) && has("s3")
}

// countsOf sends a call to a server with nothing but the fixture, and returns by how much the counts
// have grown.
func countsOf(t *testing.T, c *harness.Conn, args []string) (reply harness.Reply, grown string) {
	t.Helper()
	ask := harness.Encode("INFO", "stats") + harness.Encode("INFO", "persistence")
	var all strings.Builder
	for _, setup := range fixture {
		all.WriteString(harness.Encode(setup...))
	}
	// Redis' reads remove an expired key, larder's leave that to the next writer, which is APPEND.
	c.WriteRaw(all.String() + ask + harness.Encode(args...) + ask + harness.Encode("APPEND", "s3", "x") + harness.Encode("INFO", "stats"))
	for _, setup := range fixture {
		if r := c.Read(); r.IsError() {
			t.Fatalf("%s: %v", show(setup), r)
		}
	}
	before := c.Read().Text + c.Read().Text
	reply = c.Read()
	after := c.Read().Text + c.Read().Text
	c.Read()
	end := c.Read().Text
	for _, field := range counted {
		grown += fmt.Sprintf("%s %+d, ", field, infoNumber(t, after, field)-infoNumber(t, before, field))
	}
	const expired = "expired_keys"
	return reply, grown + fmt.Sprintf("%s %+d", expired, infoNumber(t, end, expired)-infoNumber(t, before, expired))
}

func infoNumber(t *testing.T, info, field string) (n int) {
	t.Helper()
	_, rest, ok := strings.Cut(info, "\r\n"+field+":")
	if _, err := fmt.Sscan(rest, &n); !ok || err != nil {
		t.Fatalf("INFO has no %s", field)
	}
	return n
}
