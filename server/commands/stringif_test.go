package commands

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/tests/randtest"
)

// loggedCommands are the commands in the log from a number of them on, each in one line.
func loggedCommands(r *logRig, from int) (lines []string) {
	r.t.Helper()
	r.readLog(func(batch []aof.Command) error {
		for _, c := range batch {
			words := make([]string, len(c.Args))
			for i, a := range c.Args {
				words[i] = string(a)
			}
			lines = append(lines, strings.Join(words, " "))
		}
		return nil
	})
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "SELECT ") })
	return lines[min(from, len(lines)):]
}

// step is a request, the reply to it and what it adds to the log: commands parted by semicolons, which
// are one transaction.
type step struct{ request, reply, log string }

// walk runs steps in both versions of the protocol.
func walk(t *testing.T, steps []step) {
	t.Helper()
	for _, proto := range []string{"2", "3"} {
		t.Run("RESP"+proto, func(t *testing.T) {
			r := newLogRig(t, "no")
			c := r.client()
			c.t = t
			c.do("HELLO", proto)
			logged := 0
			for _, s := range steps {
				c.expect(s.request, s.reply)
				lines := loggedCommands(r, logged)
				logged += len(lines)
				if got := strings.Join(lines, "; "); got != s.log {
					t.Errorf("%s\n logs %s\n want %s", s.request, got, s.log)
				}
			}
		})
	}
}

const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value"

// TestSetIf has the conditions of SET on the value that is there. The clock stands at
// 1700000000000.
func TestSetIf(t *testing.T) {
	const digest = "-ERR The digest must be exactly 16 hexadecimal characters"
	walk(t, []step{
		{"SET k v IFEQ v", "nil", ""},
		{"SET k v IFNE v", "+OK", "SET k v"},
		{"SET k w IFNE v", "nil", ""},
		{"SET k w ifeq v", "+OK", "SET k w"},
		{"SET k x IFEQ v GET", `"w"`, ""},
		{"SET k x GET IFEQ w", `"w"`, "SET k x"},
		{"SET new x IFEQ w GET", "nil", ""},
		{"SET new x GET IFNE w", "nil", "SET new x"},
		{"SET k y IFEQ x EX 10", "+OK", "SET k y PXAT 1700000010000"},
		{"SET k z PX 500 IFEQ nothing", "nil", ""},
		{"SET k z KEEPTTL IFEQ y", "+OK", "SET k z KEEPTTL"},
		{"PTTL k", ":10000", ""},
		{"SET k z IFEQ z", "+OK", "SET k z"},
		{"PTTL k", ":-1", ""},
		{"SET k IFEQ IFEQ z", "+OK", "SET k IFEQ"},
		{"SET k GET IFEQ IFEQ", "+OK", "SET k GET"},
		{"SET k a IFEQ GET", "+OK", "SET k a"},
		{"DIGEST k", `"e6c632b61e964e1f"`, ""},
		{"SET k b IFDEQ e6c632b61e964e1e", "nil", ""},
		{"SET k b IFDNE E6C632B61E964E1F", "nil", ""},
		{"SET k b IFDEQ E6C632B61E964E1F", "+OK", "SET k b"},
		{"SET k c IFDNE e6c632b61e964e1f GET", `"b"`, "SET k c"},
		{"SET none c IFDEQ e6c632b61e964e1f", "nil", ""},
		{"SET none c IFDNE e6c632b61e964e1f", "+OK", "SET none c"},
		{"SET k d IFDEQ e6c632b61e964e1", digest, ""},
		{"SET k d IFDEQ e6c632b61e964e1f0", digest, ""},
		{"SET k d IFDNE xyz632b61e964e1f", digest, ""},
		{"SET k d IFEQ", "-ERR syntax error", ""},
		{"SET k d IFEQ c NX", "-ERR syntax error", ""},
		{"SET k d NX IFEQ c", "-ERR syntax error", ""},
		{"SET k d XX IFNE c", "-ERR syntax error", ""},
		{"SET k d IFEQ c IFEQ c", "-ERR syntax error", ""},
		{"SET k d IFEQ c IFDNE e6c632b61e964e1f", "-ERR syntax error", ""},
		{"SET k d IFEQ c EX 0", "-ERR invalid expire time in 'set' command", ""},
		{"GETEX k IFEQ c", "-ERR syntax error", ""},
		{"RPUSH l a", ":1", "RPUSH l a"},
		{"SET l d IFEQ c", wrongType, ""},
		{"SET l d IFDNE e6c632b61e964e1f GET", wrongType, ""},
		{"SET l d", "+OK", "SET l d"},
		{"SET old v PXAT 1", "+OK", "SET old v PXAT 1"},
		{"SET old w IFEQ v", "nil", "DEL old"},
		{"MULTI", "+OK", ""},
		{"SET k e IFEQ c", "+QUEUED", ""},
		{"SET k f IFEQ c", "+QUEUED", ""},
		{"EXEC", `[+OK nil]`, "SET k e"},
	})
}

func TestDeleteIf(t *testing.T) {
	walk(t, []step{
		{"MSET a 1 b 2 c 3 d 4", "+OK", "MSET a 1 b 2 c 3 d 4"},
		{"DELEX a", ":1", "DEL a"},
		{"DELEX a", ":0", ""},
		{"DELEX b IFEQ 1", ":0", ""},
		{"DELEX b ifeq 2", ":1", "DEL b"},
		{"DELEX b IFNE 2", ":0", ""},
		{"DELEX c IFNE 3", ":0", ""},
		{"DELEX c IFNE 4", ":1", "DEL c"},
		{"DIGEST d", `"e28911027fcf803f"`, ""},
		{"DELEX d IFDNE e28911027fcf803f", ":0", ""},
		{"DELEX d IFDEQ e28911027fcf8030", ":0", ""},
		{"DELEX d IFDEQ e28911027fcf803f", ":1", "DEL d"},
		{"DELEX d IFDEQ 14", "-ERR The digest must be exactly 16 hexadecimal characters", ""},
		{"DELEX d IFEQ", "-ERR wrong number of arguments for 'delex' command", ""},
		{"DELEX d IFEQ 1 2", "-ERR wrong number of arguments for 'delex' command", ""},
		{"DELEX d NX 1", "-ERR syntax error", ""},
		{"SET k v", "+OK", "SET k v"},
		{"DELIFEQ k w", ":0", ""},
		{"DELIFEQ k v", ":1", "DEL k"},
		{"DELIFEQ k v", ":0", ""},
		{"SADD s a", ":1", "SADD s a"},
		{"DELIFEQ s a", wrongType, ""},
		{"DELEX s IFEQ a", wrongType, ""},
		{"DELEX s IFDNE e28911027fcf803f", wrongType, ""},
		{"DIGEST s", wrongType, ""},
		{"DELEX s", ":1", "DEL s"},
		{"DIGEST none", "nil", ""},
	})
}

func TestDigest(t *testing.T) {
	c := newTestClient(t)
	c.do("SET", "k", "Hello world")
	c.expect("DIGEST k", `"b6acb9d84a38ff74"`)
	c.do("SET", "k", "") // the digest of nothing
	c.expect("DIGEST k", `"2d06800538d394c2"`)
	rng := rand.New(rand.NewPCG(randtest.Seed(t), 0))
	for range 100 {
		value := strings.Repeat("x", rng.IntN(2000)) + strconv.Itoa(rng.Int())
		c.do("SET", "k", value)
		digest := c.do("DIGEST", "k")
		if want := fmt.Sprintf("%q", fmt.Sprintf("%016x", xxh3.HashString(value))); digest != want {
			t.Fatalf("DIGEST of %q is %s, want %s", value, digest, want)
		}
		if got := c.do("SET", "k", "next", "IFDEQ", strings.Trim(digest, `"`)); got != "+OK" {
			t.Fatalf("SET IFDEQ over %q: %s", value, got)
		}
	}
}

func TestMsetex(t *testing.T) {
	walk(t, []step{
		{"MSETEX 2 a 1 b 2", ":1", "MSET a 1 b 2"},
		{"MSETEX 2 b 3 c 4 NX", ":0", ""},
		{"MSETEX 2 b 3 c 4 XX", ":0", ""},
		{"EXISTS c", ":0", ""},
		{"MSETEX 2 c 3 d 4 nx ex 10", ":1", "SET c 3 PXAT 1700000010000; SET d 4 PXAT 1700000010000"},
		{"MSETEX 2 c 5 d 6 KEEPTTL XX", ":1", "SET c 5 KEEPTTL; SET d 6 KEEPTTL"},
		{"PTTL d", ":10000", ""},
		{"MSETEX 1 c 7", ":1", "MSET c 7"},
		{"TTL c", ":-1", ""},
		{"MSETEX 1 c 8 PXAT 1700000000005", ":1", "SET c 8 PXAT 1700000000005"},
		{"MSETEX 2 k 1 k 2 NX", ":1", "MSET k 1 k 2"},
		{"GET k", `"2"`, ""},
		{"SADD s a", ":1", "SADD s a"},
		{"MSETEX 1 s v XX", ":1", "MSET s v"},
		{"MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs", ""},
		{"MSETEX 9223372036854775807 a 1", "-ERR invalid numkeys value", ""},
		{"MSETEX 0 a 1", "-ERR invalid numkeys value", ""},
		{"MSETEX -1 a 1", "-ERR invalid numkeys value", ""},
		{"MSETEX 1x a 1", "-ERR invalid numkeys value", ""},
		{"MSETEX 1 a 1 b 2", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 NX XX", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 GET", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 IFEQ 1", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 EX 10 KEEPTTL", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 EX 10 PX 10", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 EX", "-ERR syntax error", ""},
		{"MSETEX 1 a 1 EX -1", "-ERR invalid expire time in 'msetex' command", ""},
		{"MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range", ""},
		{"MGET a b c d", `["1" "2" "8" "6"]`, ""},
		{"COMMAND GETKEYS MSETEX 2 a b c d EX 1", `["a" "c"]`, ""},
	})
}

func TestGetWithTTL(t *testing.T) {
	walk(t, []step{
		{"CACHE.GETTTL none", "nil", ""},
		{"SET k v", "+OK", "SET k v"},
		{"CACHE.GETTTL k", `["v" :-1]`, ""},
		{"SET k w PX 250", "+OK", "SET k w PXAT 1700000000250"},
		{"CACHE.GETTTL k", `["w" :250]`, ""},
		{"SADD s a", ":1", "SADD s a"},
		{"CACHE.GETTTL s", wrongType, ""},
	})
	for proto, absent := range map[string]string{"2": "*-1\r\n", "3": "_\r\n"} {
		c := newTestClient(t)
		c.do("HELLO", proto)
		if got := string(c.send(encode([]string{"CACHE.GETTTL", "none"}))); got != absent {
			t.Errorf("RESP%s: %q", proto, got)
		}
	}
}

// TestConditionsNeedTheRightToRead: who may only write learns nothing of a value by comparing it.
func TestConditionsNeedTheRightToRead(t *testing.T) {
	c := newTestClient(t)
	c.expect("SET w:k v", "+OK")
	c.expect("ACL SETUSER writer on nopass %W~w:* +@all", "+OK")
	c.expect("AUTH writer x", "+OK")
	const denied = "-NOPERM No permissions to access a key"
	for _, request := range []string{
		"SET w:k v IFEQ v", "SET w:k v IFDNE e6c632b61e964e1f", "SET w:k v NX ifne get", "DELEX w:k IFEQ v", "DELIFEQ w:k v",
		"DIGEST w:k", "CACHE.GETTTL w:k", "MSETEX 2 w:k v other v",
	} {
		c.expect(request, denied)
	}
	c.expect("SET w:k v XX", "+OK")
	c.expect("MSETEX 1 w:k v XX", ":1")
	c.expect("DELEX w:k", ":1")
}

// TestConditionsAllocateNothing: they are for hot keys.
func TestConditionsAllocateNothing(t *testing.T) {
	c := newTestClient(t)
	var batch []byte
	for _, words := range [][]string{
		{"SET", "k", "value"}, {"SET", "k", "value", "IFEQ", "value"}, {"SET", "k", "value", "IFDNE", "e6c632b61e964e1f", "EX", "10"},
		{"DIGEST", "k"}, {"CACHE.GETTTL", "k"}, {"MSETEX", "2", "k", "v", "l", "w", "EX", "10"}, {"DELEX", "k", "IFEQ", "w"}, {"DELIFEQ", "k", "v"},
	} {
		batch = append(batch, encode(words)...)
	}
	for range 10 {
		c.send(batch)
	}
	if n := testing.AllocsPerRun(100, func() { c.send(batch) }); n > 0 && !raceEnabled {
		t.Errorf("%v allocations in a batch", n)
	}
}
