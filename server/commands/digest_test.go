package commands

import (
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
)

// TestEveryTypeHasADigest: a type that has elements says how they go into a digest, and no two types
// have the same number.
func TestEveryTypeHasADigest(t *testing.T) {
	numbers := map[uint32]store.Type{}
	for typ := range store.Type(store.NumTypes) {
		row := digestings[typ]
		if (row.element == nil) != (typ == store.TypeString) {
			t.Errorf("%v: there is no row, or an element that nothing asks for", typ)
		}
		if other, twice := numbers[row.number]; twice {
			t.Errorf("%v and %v have the same number", typ, other)
		}
		numbers[row.number] = typ
	}
}

// TestDigestOfElementsWithATime: whether an element has a time to live is in the digest, for each of them, and
// as Redis 7.4 writes it for fields.
func TestDigestOfElementsWithATime(t *testing.T) {
	c := newTestClient(t)
	value := func(key string) string {
		k := c.kernel.Store.Key([]byte(key))
		c.kernel.Store.Lock(k.Shard())
		defer c.kernel.Store.Unlock(k.Shard())
		e, ok := (&store.View{Store: c.kernel.Store, Now: c.now.UnixMilli()}).Peek(k)
		if !ok {
			t.Fatalf("no key %s", key)
		}
		var d digest
		d.mixValue(&e)
		return d.String()
	}
	for _, of := range []struct{ fill, expire, persist string }{
		{"HSET k a 1 b 2", "HEXPIRE k 100 FIELDS 1 ", "HPERSIST k FIELDS 1 "},
		{"SADD k a b", "SEXPIRE k 100 MEMBERS 1 ", "SPERSIST k MEMBERS 1 "},
	} {
		c.do("DEL", "k")
		c.do(strings.Fields(of.fill)...)
		seen := map[string]string{}
		see := func(what string) {
			t.Helper()
			text := value("k")
			if seen[text] != "" {
				t.Errorf("%s: %s has the digest of %s", of.fill, what, seen[text])
			}
			seen[text] = what
		}
		plain := value("k")
		see("no time")
		c.do(strings.Fields(of.expire + "a")...)
		see("a time of a")
		c.do(strings.Fields(of.expire + "b")...)
		see("times of both")
		c.do(strings.Fields(of.persist + "a")...)
		see("a time of b")
		if c.do(strings.Fields(of.persist + "b")...); value("k") != plain {
			t.Errorf("%s: without times again the digest is %s, was %s", of.fill, value("k"), plain)
		}
	}

	// debug.c of 7.4: each field's digest takes in the name, the value, and the mark.
	var d, field digest
	d.mixNumber(4)
	field.mix([]byte("f"))
	field.mix([]byte("v"))
	field.add([]byte("!!hexpire!!"))
	d.add(field[:])
	c.do("HSET", "h", "f", "v")
	c.do("HEXPIRE", "h", "100", "FIELDS", "1", "f")
	if got := value("h"); got != d.String() {
		t.Errorf("digest %s, want %v", got, &d)
	}
}
