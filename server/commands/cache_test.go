package commands

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/engine"
)

// anyNumber stands for a version or a token in the replies of a test.
var anyNumber = regexp.MustCompile(`:17\d{14}`)

// expectCache compares a reply in which versions and tokens read :V.
func (c *testClient) expectCache(request, want string) {
	c.t.Helper()
	if got := anyNumber.ReplaceAllString(c.do(strings.Fields(request)...), ":V"); got != want {
		c.t.Errorf("%s: %s, want %s", request, got, want)
	}
}

func TestCacheSetAndGet(t *testing.T) {
	c := newTestClient(t)
	c.expectCache("CACHE.GET page", `[nil "miss" :0 nil :0]`)
	c.expectCache("CACHE.SET page one PX 60000 FRESH 10000 TAGS 2 a b", ":V")
	c.expectCache("CACHE.GET page", `["one" "hit" :10000 nil :V]`)
	c.expect("GET page", `"one"`)
	c.expect("PTTL page", ":60000")
	c.now = c.now.Add(9999 * time.Millisecond)
	c.expectCache("CACHE.GET page", `["one" "hit" :1 nil :V]`)
	c.expectCache("CACHE.GET page LEASE 5000", `["one" "hit" :1 nil :V]`)
	c.expectCache("CACHE.GET page lease 5000", `["one" "hit" :1 nil :V]`)
	for _, word := range []string{"LEASE", "Lease"} {
		c.expectCache("CACHE.GET absent "+word+" 5000", `[nil "miss" :0 :V :0]`)
		c.expectCache("CACHE.GET absent "+word+" 5000", `[nil "miss" :0 nil :0]`)
		c.do("SET", "absent", "")
		c.do("DEL", "absent")
		c.expect("CACHE.GET page "+word+" 0", "-"+string(engine.ErrLeaseTime))
		c.expect("CACHE.GET page "+word+" 9223372036854776", "-"+string(engine.ErrLeaseTime))
		c.expect("CACHE.GET page "+word+" x", "-"+string(engine.ErrLeaseTime))
		c.expect("CACHE.GET page "+word, "-ERR syntax error, it is CACHE.GET key [LEASE milliseconds [WAIT milliseconds [STALE]] [BETA beta]]")
	}
	c.now = c.now.Add(time.Millisecond)
	c.expectCache("CACHE.GET page", `["one" "stale" :0 nil :V]`)
	c.expect("GET page", `"one"`)
	c.kernel.Store.SetStaleReads(false)
	c.expect("GET page", "nil")
	c.expect("MGET page page", "[nil nil]")
	c.expect("EXISTS page", ":1")
	c.expectCache("CACHE.MGET 2 page other", `[["one" "stale" :0 nil :V] [nil "miss" :0 nil :0]]`)
	c.kernel.Store.SetStaleReads(true)
	c.now = c.now.Add(50 * time.Second)
	c.expectCache("CACHE.GET page", `[nil "miss" :0 nil :0]`)

	c.expectCache("CACHE.SET plain v", ":V")
	c.expectCache("CACHE.GET plain", `["v" "hit" :-1 nil :V]`)
	c.expectCache("CACHE.SET plain v EX 5", ":V")
	c.expectCache("CACHE.GET plain", `["v" "hit" :5000 nil :V]`)
	c.expect("SET plain w", "+OK")
	c.expectCache("CACHE.GET plain", `["w" "hit" :-1 nil :0]`)
	c.expect("LPUSH list x", ":1")
	c.expect("CACHE.GET list", "-WRONGTYPE Operation against a key holding the wrong kind of value")
	c.expectCache("CACHE.MGET 1 list", `[[nil "miss" :0 nil :0]]`)
	c.expectCache("CACHE.SET list x", ":V")

	c.expectCache("CACHE.MSET 2 k1 v1 k2 v2 PX 100 FRESH 50 TAGS 1 pair", "[:V :V]")
	c.expectCache("CACHE.MGET 2 k1 k2", `[["v1" "hit" :50 nil :V] ["v2" "hit" :50 nil :V]]`)
}

func TestCacheSetConditions(t *testing.T) {
	c := newTestClient(t)
	c.expectCache("CACHE.SET k v XX", "nil")
	c.expectCache("CACHE.SET k v VERSION 0", "nil")
	first := c.do("CACHE.SET", "k", "v", "NX")
	c.expectCache("CACHE.SET k w NX", "nil")
	c.expectCache("CACHE.SET k w VERSION "+first[1:], ":V")
	c.expectCache("CACHE.SET k x VERSION "+first[1:], "nil")
	c.expectCache("CACHE.SET k x XX", ":V")
	c.expect("GET k", `"x"`)
	c.expect("SET k y", "+OK")
	c.expectCache("CACHE.SET k z VERSION 0", ":V")
	last := ""
	for range 3000 { // more than the clock has microseconds for, and over a deletion
		v := c.do("CACHE.SET", "k", "v")
		if len(v) < len(last) || len(v) == len(last) && v <= last {
			t.Fatalf("version %s after %s", v, last)
		}
		last = v
		if v > ":1700000000001" {
			c.do("DEL", "k")
		}
	}
}

func TestCacheSyntax(t *testing.T) {
	const (
		life = "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds] " +
			"[FRESH milliseconds] [TAGS numtags tag [tag ...]]"
		setSyntax  = "-ERR syntax error, it is CACHE.SET key value " + life + " [NX | XX | VERSION version | LEASE token]"
		msetSyntax = "-ERR syntax error, it is CACHE.MSET numkeys key value [key value ...] " + life
		getSyntax  = "-ERR syntax error, it is CACHE.GET key [LEASE milliseconds [WAIT milliseconds [STALE]] [BETA beta]]"
		mgetSyntax = "-ERR syntax error, it is CACHE.MGET numkeys key [key ...] [LEASE milliseconds [BETA beta]]"
	)
	c := newTestClient(t)
	for request, want := range map[string]string{
		"CACHE.SET k":                                       "-ERR wrong number of arguments for 'cache.set' command",
		"CACHE.SET k v NX XX":                               setSyntax,
		"CACHE.SET k v NX VERSION 1":                        setSyntax,
		"CACHE.SET k v EX 1 PX 1":                           setSyntax,
		"CACHE.SET k v EX 0":                                "-ERR invalid expire time in 'cache.set' command",
		"CACHE.SET k v FRESH 0":                             "-ERR FRESH must be a positive number of milliseconds",
		"CACHE.SET k v FRESH x":                             "-ERR FRESH must be a positive number of milliseconds",
		"CACHE.SET k v PX 10 FRESH 11":                      "-ERR FRESH must be within the time to live",
		"CACHE.SET k v FRESH 9223372036854775807":           "-ERR FRESH must be within the time to live",
		"CACHE.SET k v TAGS 2 a":                            setSyntax,
		"CACHE.SET k v TAGS 65 a":                           "-ERR TAGS must be the number of tags, 64 at most",
		"CACHE.SET k v TAGS x a":                            "-ERR TAGS must be the number of tags, 64 at most",
		"CACHE.SET k v VERSION -1":                          "-ERR VERSION must be a number that is not negative",
		"CACHE.SET k v LEASE -1":                            "-ERR LEASE must be a token that CACHE.GET has given",
		"CACHE.GET k WAIT 100":                              getSyntax,
		"CACHE.GET k LEASE 1 STALE":                         getSyntax,
		"CACHE.MGET 1 k LEASE 1 WAIT 1":                     mgetSyntax,
		"CACHE.GET k LEASE 0":                               "-ERR LEASE must be a positive number of milliseconds",
		"CACHE.GET k LEASE 9223372036855":                   "-ERR LEASE must be a positive number of milliseconds",
		"CACHE.GET k LEASE 1 WAIT x":                        "-ERR WAIT must be a positive number of milliseconds",
		"CACHE.GET k LEASE 1 BETA x":                        "-ERR BETA must be a number that is not negative",
		"CACHE.MGET 1 k LEASE -1":                           "-ERR LEASE must be a positive number of milliseconds",
		"CACHE.SET k v KEEPTTL":                             setSyntax,
		"CACHE.MSET 2 k v k2":                               "-ERR wrong number of key-value pairs",
		"CACHE.MSET 1 k v NX":                               msetSyntax,
		"CACHE.MSET 0 k v":                                  "-ERR invalid numkeys value",
		"CACHE.MGET 2 k":                                    "-ERR Number of keys can't be greater than number of args",
		"CACHE.MGET 1 k k":                                  mgetSyntax,
		"CACHE.SET k v TAGS 1 " + strings.Repeat("t", 1025): "-ERR a tag is 1 to 1024 bytes long",
	} {
		c.expect(request, want)
	}
	c.expect("EXISTS k", ":0")
}

// TestCacheSetLogged: what a log brings back has the times, tags and version, and a log that Redis reads
// has the values.
func TestCacheSetLogged(t *testing.T) {
	live := newLogRig(t, "no")
	c := live.client()
	c.do("CACHE.SET", "k", "v", "PX", "60000", "FRESH", "1000", "TAGS", "1", "t")
	c.do("CACHE.MSET", "2", "a", "1", "b", "2", "TAGS", "2", "t", "u")
	c.do("CACHE.SET", "a", "no", "NX")
	before := c.do("CACHE.MGET", "3", "k", "a", "b")
	tags := c.do("CACHE.TAGS", "b")

	again := newLogRig(t, "no")
	again.now.Store(live.now.Load())
	live.readLog(again.kernel.NewReplayer().Replay)
	d := again.client()
	if after := d.do("CACHE.MGET", "3", "k", "a", "b"); after != before || !strings.Contains(after, ":17") {
		t.Errorf("replayed: %s, want %s", after, before)
	}
	if got := d.do("CACHE.TAGS", "b"); got != tags {
		t.Errorf("tags: %s, want %s", got, tags)
	}
	if v, w := d.do("CACHE.SET", "k", "w"), c.do("CACHE.SET", "k", "w"); v != w {
		t.Errorf("version %s after the replay, want %s", v, w)
	}
}

// TestCacheGetDoesNotAllocate: neither of a key with tags.
func TestCacheGetDoesNotAllocate(t *testing.T) {
	c := newTestClient(t)
	for _, options := range [][]string{nil, {"PX", "100000", "FRESH", "1000", "TAGS", "2", "a", "b"}} {
		c.send(hot(16, append([]string{"CACHE.SET", "", value64}, options...)...))
		testHotBatch(t, c, []string{"CACHE.GET", ""})
	}
}
