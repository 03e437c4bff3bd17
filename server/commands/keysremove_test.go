package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// remove walks over the whole database with RM, and returns how many keys went.
func (c *testClient) remove(options string) (deleted int) {
	c.t.Helper()
	cursor := "0"
	for calls := 0; ; calls++ {
		var n int
		reply := c.do(append([]string{"RM", cursor}, strings.Fields(options)...)...)
		if _, err := fmt.Sscanf(reply, `[%q :%d]`, &cursor, &n); err != nil {
			c.t.Fatalf("RM %s %s: %s: %v", cursor, options, reply, err)
		}
		if deleted += n; cursor == "0" {
			return deleted
		}
		if calls > 100_000 {
			c.t.Fatal("RM does not come to an end")
		}
	}
}

func (c *testClient) keys(pattern string) []string {
	c.t.Helper()
	list := strings.Fields(strings.Trim(c.do("KEYS", pattern), "[]"))
	slices.Sort(list)
	return list
}

func TestRemoveWhileScanning(t *testing.T) {
	r := newLogRig(t, "no")
	c := r.client()
	for i := range 3000 {
		c.do("SET", fmt.Sprint("a:", i), "v")
		c.do("SET", fmt.Sprint("b:", i), "v")
	}
	for i := range 20 {
		c.do("SADD", fmt.Sprint("a:set:", i), "m")
	}
	logged := len(loggedCommands(r, 0))
	if n := c.remove("MATCH a:* TYPE SET"); n != 20 {
		t.Errorf("%d sets", n)
	}
	if n := c.remove("MATCH a:1* COUNT 1000"); n != 1111 {
		t.Errorf("%d keys that begin with a:1", n)
	}
	if n := c.remove("TYPE list"); n != 0 {
		t.Errorf("%d lists", n)
	}
	c.expect("DBSIZE", ":4889")
	var removed []string
	for _, line := range loggedCommands(r, logged) {
		words := strings.Fields(line)
		if words[0] != "DEL" {
			t.Fatalf("%s is in the log", line)
		}
		removed = append(removed, words[1:]...)
	}
	slices.Sort(removed)
	if n := len(slices.Compact(removed)); n != 1131 {
		t.Errorf("%d keys deleted in the log", n)
	}
	if n := c.remove("COUNT 9223372036854775807"); n != 4889 {
		t.Errorf("%d keys were left", n)
	}
	c.expect("DBSIZE", ":0")
	for request, want := range map[string]string{
		"RM x":                    "-ERR invalid cursor",
		"RM 0 COUNT 0":            "-ERR syntax error",
		"RM 0 COUNT x":            "-ERR value is not an integer or out of range",
		"RM 0 MATCH":              "-ERR syntax error",
		"RM 0 BUCKET 1":           "-ERR syntax error",
		"RM 18446744073709551615": `["0" :0]`, // of no shard
	} {
		c.expect(request, want)
	}
}

// TestRemoveBoundsACall: a call deletes no more than it may in the time that a shard can be held.
func TestRemoveBoundsACall(t *testing.T) {
	c := newTestClient(t)
	for i := range 40_000 {
		c.do("SET", fmt.Sprint("k", i), "v")
	}
	cursor, n := "0", 0
	reply := c.do("RM", "0", "COUNT", "1000000")
	if _, err := fmt.Sscanf(reply, `[%q :%d]`, &cursor, &n); err != nil || cursor == "0" || n < mostRemoved || n > mostRemoved+100 {
		t.Errorf("%s, %v", reply, err)
	}
}

// TestRemoveByPatternsOfKeys: what a user may not write stays.
func TestRemoveByPatternsOfKeys(t *testing.T) {
	c := newTestClient(t)
	for _, key := range []string{"a:1", "a:2", "b:1", "c:1", "d:1"} {
		c.do("SET", key, "v")
	}
	c.expect("ACL SETUSER limited on nopass ~a:* %R~b:* %W~c:* +rm +multi +exec +eval +ping", "+OK")
	c.do("ACL", "SETUSER", "limited", "(~d:* +get)") // which is not for RM
	c.expect("ACL SETUSER reader on nopass ~* +@read", "+OK")
	c.expect("AUTH reader x", "+OK")
	c.expect("RM 0", "-NOPERM User reader has no permissions to run the 'rm' command")
	c.expect("AUTH limited x", "+OK")
	if n := c.remove("MATCH *:1"); n != 2 {
		t.Errorf("%d keys", n)
	}
	c.expect("MULTI", "+OK")
	for shard := range 256 {
		c.do("RM", fmt.Sprint(shard))
	}
	c.do("EXEC")
	c.expect("AUTH default x", "+OK")
	if left := c.keys("*"); !slices.Equal(left, []string{`"b:1"`, `"d:1"`}) {
		t.Errorf("left are %s", left)
	}
}

// TestRemoveInScripts: a script may, as far as its shards reach, and what it does is one transaction.
func TestRemoveInScripts(t *testing.T) {
	c := newTestClient(t)
	for i := range 100 {
		c.do("SET", fmt.Sprint("a:", i), "v")
	}
	c.do("SET", "b", "v")
	got := c.do("EVAL", `local cursor, sum = "0", 0
		repeat
			local r = redis.call("RM", cursor, "MATCH", ARGV[1])
			cursor, sum = r[1], sum + r[2]
		until cursor == "0"
		redis.call("SET", "c", sum)
		return sum`, "1", "b", "a:*")
	if got != ":100" {
		t.Error(got)
	}
	if left := c.keys("*"); !slices.Equal(left, []string{`"b"`, `"c"`}) {
		t.Errorf("left are %s", left)
	}
	if got := c.do("EVAL_RO", `return redis.call("RM", "0")`, "0"); !strings.HasPrefix(got, "-ERR Write commands are not allowed") {
		t.Error(got)
	}
}
