package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
)

func TestTags(t *testing.T) {
	c := newTestClient(t)
	for _, step := range []struct{ request, want string }{
		{"cache.tag none a", "nil"},
		{"cache.tags none", "nil"},
		{"cache.untag none", "nil"},
		{"set k v", "+OK"},
		{"cache.tags k", "[]"},
		{"cache.tag k a b a", ":2"},
		{"cache.tag k b c", ":1"},
		{"cache.tags k", `["a" "b" "c"]`},
		{"cache.untag k b x", ":1"},
		{"cache.tags k", `["a" "c"]`},
		{"append k w", ":2"}, // a change of the value leaves tags
		{"expire k 100", ":1"},
		{"persist k", ":1"},
		{"rename k l", "+OK"},
		{"copy l m", ":1"},
		{"cache.tags m", `["a" "c"]`},
		{"move l 3", ":1"},
		{"set k new", "+OK"},
		{"cache.tag k c", ":1"},
		{"set k newer", "+OK"}, // a new value does not
		{"cache.tags k", "[]"},
		{"cache.invalidate none", ":0"},
		{"cache.invalidate c", ":1"}, // m; l is in another database
		{"exists k l m", ":1"},
		{"type m", "+none"},
		{"get m", "nil"},
		{"dbsize", ":2"}, // it is yet to be swept
		{"select 3", "+OK"},
		{"cache.tags l", `["a" "c"]`},
		{"cache.stale a c", ":2"}, // the key counts for each
		{"cache.stale a", ":0"},
		{"get l", `"vw"`},
		{"cache.tagscan 0 match c", `["0" ["c" :1 :1]]`},
		{"cache.tagscan 0 match a*", `["0" ["a" :1 :1]]`},
		{"cache.tagscan x", "-ERR invalid cursor"},
		{"cache.tagscan 0 type string", "-ERR syntax error, it is CACHE.TAGSCAN cursor [MATCH pattern] [COUNT count]"},
		{"flushdb", "+OK"},
		{"cache.tagscan 0", `["0" []]`},
		{"set l v", "+OK"},
		{"cache.tags l", "[]"},
		{"cache.invalidate a", ":0"},
		{"cache.attach l nonsense", "-ERR malformed extras of a key"},
	} {
		c.expect(step.request, step.want)
	}
	if got := c.do("cache.tag", "l", strings.Repeat("x", 1025)); got != "-ERR a tag is 1 to 1024 bytes long" {
		t.Error(got)
	}
	if got := c.do("cache.tag", "l", ""); got != "-ERR a tag is 1 to 1024 bytes long" {
		t.Error(got)
	}
	many := []string{"cache.tag", "l"}
	for i := range 65 {
		many = append(many, fmt.Sprint("t", i))
	}
	if got := c.do(many...); got != "-ERR a key has 64 tags at most" {
		t.Error(got)
	}
	if got := c.do(many[:66]...); got != ":64" {
		t.Error(got)
	}
	c.expect("cache.tag l more", "-ERR a key has 64 tags at most")
}

// TestTagsOfEveryType: tags outlive what changes a value, whatever its encoding, and RESP3 has a set of
// them.
func TestTagsOfEveryType(t *testing.T) {
	c := newTestClient(t)
	for key, change := range map[string]string{
		"h": "hset h f%d v", "s": "sadd s m%d", "l": "rpush l m%d", "z": "zadd z 1 m%d", "i": "sadd i %d",
	} {
		c.do(strings.Fields(fmt.Sprintf(change, 0))...)
		c.do("cache.tag", key, "t", "u")
		for i := range 1000 {
			c.do(strings.Fields(fmt.Sprintf(change, i))...)
		}
		c.expect("cache.tags "+key, `["t" "u"]`)
	}
	c.do("spop", "s", "990")
	c.expect("cache.tags s", `["t" "u"]`)
	c.expect("cache.invalidate u", ":5")
	c.expect("exists h s l z i", ":0")
	c.expect("hset h f v", ":1")
	c.expect("cache.tags h", "[]")
	c.do("hello", "3")
	c.do("cache.tag", "h", "a")
	if got := string(c.send([]byte("cache.tags h\r\n"))); got != "~1\r\n$1\r\na\r\n" {
		t.Errorf("%q", got)
	}
}

// TestTagRights: tags are named like keys to a user's rights.
func TestTagRights(t *testing.T) {
	c := newTestClient(t)
	c.do("acl", "setuser", "shop", "on", "nopass", "+@all", "~shop:*", "%R~*")
	c.do("set", "shop:1", "v")
	c.do("cache.tag", "shop:1", "other", "shop:all")
	c.expect("auth shop x", "+OK")
	const no = "-NOPERM No permissions to use a tag"
	c.expect("cache.tag shop:1 new", no)
	c.expect("cache.untag shop:1 other", no)
	c.expect("cache.invalidate shop:all other", no)
	c.expect("cache.stale other", no)
	c.expect("exists shop:1", ":1")
	c.expect("cache.tags shop:1", `["other" "shop:all"]`)
	c.expect("cache.invalidate shop:all", ":1")
	c.expect("exists shop:1", ":0")
}

func TestBless(t *testing.T) {
	c := newTestClient(t)
	for _, step := range []struct{ request, want string }{
		{"bless set k no-evict", "nil"},
		{"bless get k", "nil"},
		{"mset k v l w", "+OK"},
		{"bless get k", "[]"},
		{"bless set k no-evict", ":1"},
		{"bless set k NO-EVICT", ":0"},
		{"bless set k other", "-ERR syntax error"},
		{"bless get k", `["NO-EVICT"]`},
		{"set k again ex 100", "+OK"}, // the mark is the key's, not the value's
		{"bless get k", `["NO-EVICT"]`},
		{"copy k m", ":1"},
		{"bless get m", "[]"},
		{"rename k n", "+OK"},
		{"bless scan 0 count 1000", `["0" ["n"]]`},
		{"bless scan 0 count 1000 match x*", `["0" []]`},
		{"bless scan 0 count 1000 type hash", `["0" []]`},
		{"bless clear n no-evict", ":1"},
		{"bless clear n no-evict", ":0"},
		{"bless get n", "[]"},
	} {
		c.expect(step.request, step.want)
	}
}

// TestTagsTooMany: a request with more tags than a key can have is not compared tag by tag.
func TestTagsTooMany(t *testing.T) {
	tags := make([][]byte, 10_000)
	for i := range tags {
		tags[i] = fmt.Append(nil, i)
	}
	var list [][]byte
	if addTags(&list, tags); len(list) != store.MaxTags+1 {
		t.Errorf("%d tags were compared with one another", len(list))
	}
}

// TestStaleStays: a value that is stale by a tag is so until there is another, whatever becomes of its key.
func TestStaleStays(t *testing.T) {
	for request, key := range map[string]string{
		"cache.tag k c": "k", "cache.untag k a": "k", "bless set k no-evict": "k", "append k x": "k", "expire k 50": "k",
		"rename k l": "l", "copy k l": "l",
	} {
		c := newTestClient(t)
		c.do(strings.Fields("cache.set k v ex 100 fresh 90000 tags 2 a b")...)
		c.expect("cache.stale a", ":1")
		c.do(strings.Fields(request)...)
		if got := c.do("cache.get", key); !strings.Contains(got, `"stale"`) {
			t.Errorf("after %s: %s", request, got)
		}
	}
}
