package store

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/invariants"
)

// Every event has a name and a class of its own.
func TestEventNames(t *testing.T) {
	seen := map[string]bool{}
	for i, name := range eventNames {
		if name == "" || seen[name] {
			t.Errorf("event %d has the name %q", i, name)
		}
		seen[name] = true
	}
	for ev, want := range map[Event]string{
		EventDel: "del", EventRestore: "restore", EventSet: "set", EventIncrByFloat: "incrbyfloat", EventHSet: "hset",
		EventSDiffStore: "sdiffstore", EventLPush: "lpush", EventSortStore: "sortstore", EventZAdd: "zadd",
		EventZDiffStore: "zdiffstore", EventExpired: "expired", EventEvicted: "evicted",
	} {
		if ev.String() != want {
			t.Errorf("an event is called %q, want %q", ev, want)
		}
	}
	if EventZIncr.Class() != ClassZset || EventSPop.Class() != ClassSet || EventEvicted.Class() != ClassEvicted {
		t.Error("an event is in a wrong class")
	}
}

// Every mutation says its event, once it is done, in Redis' order.
func TestFeed(t *testing.T) {
	s := testStore(t)
	var got []string
	listen := func(classes EventClass) {
		s.Listen(classes, func(db int, key []byte, ev Event) { got = append(got, fmt.Sprint(ev, " ", string(key), " ", db)) })
	}
	listen(AllClasses)
	v, other := &View{Store: s, Now: 1000}, &View{Store: s, DB: 1, Now: 1000}
	key := func(name string) Key { return s.Key([]byte(name)) }
	items := func(names ...string) (list [][]byte) {
		for _, n := range names {
			list = append(list, []byte(n))
		}
		return list
	}
	for _, step := range []struct {
		do   func()
		want []string
	}{
		{func() { v.SetString(key("a"), []byte("1"), 0) }, []string{"set a 0"}},
		{func() { v.SetString(key("a"), []byte("1"), 5000) }, []string{"set a 0", "expire a 0"}},
		{func() { v.Persist(key("a")) }, []string{"persist a 0"}},
		{func() { v.IncrBy(key("a"), 1) }, []string{"incrby a 0"}},
		{func() { v.IncrBy(key("n"), 1) }, []string{"incrby n 0"}},
		{func() { v.SetText(key("a"), []byte("1.5")) }, []string{"incrbyfloat a 0"}},
		{func() { v.Append(key("b"), []byte("x"), 100) }, []string{"append b 0"}},
		{func() { v.SetRange(key("b"), 3, []byte("x"), 100) }, []string{"setrange b 0"}},
		{func() { v.Rename(key("b"), key("c")) }, []string{"rename_from b 0", "rename_to c 0"}},
		{func() { v.Move(key("c"), other) }, []string{"move_from c 0", "move_to c 1"}},
		{func() { v.Copy(key("a"), other, key("d")) }, []string{"copy_to d 1"}},
		{func() { v.Delete(key("a")) }, []string{"del a 0"}},
		{func() { v.Delete(key("a")) }, nil},
		{func() { v.SetFields(key("h"), items("f", "v")) }, []string{"hset h 0"}},
		{func() { v.SetField(key("h"), []byte("g"), []byte("1"), EventHIncrBy) }, []string{"hincrby h 0"}},
		{func() { h, _, _ := v.WriteHash(key("h")); h.Delete(items("f", "g")) }, []string{"hdel h 0", "del h 0"}},
		{func() { v.AddMembers(key("s"), items("x", "y")) }, []string{"sadd s 0"}},
		{func() { v.AddMembers(key("s"), items("x")) }, nil},
		{func() { set, _, _ := v.WriteSet(key("s")); set.Remove(items("x")) }, []string{"srem s 0"}},
		{func() { set, _, _ := v.WriteSet(key("s")); set.Pop(1, func([]byte) {}) }, []string{"spop s 0", "del s 0"}},
		{func() { mustScores(setScores(v, key("z"), 0, Scored{[]byte("x"), 1}, Scored{[]byte("y"), 2})) }, []string{"zadd z 0"}},
		{func() { mustScores(setScores(v, key("z"), 0, Scored{[]byte("x"), 1})) }, nil},
		{func() { mustScores(setScores(v, key("z"), OnlyKnown, Scored{[]byte("z"), 1})) }, nil},
		{func() { mustScores(setScores(v, key("z"), Increment, Scored{[]byte("x"), 1})) }, []string{"zincr z 0"}},
		{func() { z, _, _ := v.WriteZset(key("z")); z.Remove(items("x", "nothing")) }, []string{"zrem z 0"}},
		{func() { z, _, _ := v.WriteZset(key("z")); z.Pop(1, true, func([]byte, float64) {}) }, []string{"zpopmax z 0", "del z 0"}},
		{func() { n := v.NewZset(key("z")); n.Add([]byte("x"), 1); v.StoreZset(n, EventZDiffStore) }, []string{"zdiffstore z 0"}},
		{func() { z, _, _ := v.WriteZset(key("z")); z.RemoveRange(0, 1, EventZRemByRank) }, []string{"zremrangebyrank z 0", "del z 0"}},
		{func() { v.SetString(key("e"), nil, 2000) }, []string{"set e 0", "expire e 0"}},
		{func() { v.Now = 3000; v.Write(key("e")) }, []string{"expired e 0"}},
		{func() { v.GetString(key("nothing")); v.Lookup(key("nothing")); v.Inspect(key("nothing")) }, nil},
		{func() { listen(ClassHash); v.SetString(key("e"), nil, 0) }, nil},
		{func() { listen(ClassKeyMiss); v.GetString(key("nothing")); v.Inspect(key("nothing")) }, []string{"keymiss nothing 0"}},
		{func() { v.Lookup(key("nothing")); v.Write(key("nothing")); v.GetString(key("e")) }, []string{"keymiss nothing 0"}},
		{func() { listen(ClassNew | ClassString); v.SetString(key("new"), nil, 0) }, []string{"new new 0", "set new 0"}},
		{func() { v.SetString(key("new"), nil, 0) }, []string{"set new 0"}},
		{func() { v.AddMembers(key("set"), items("x")); v.AddMembers(key("set"), items("y")) }, []string{"new set 0"}},
		{func() { v.PushElements(key("list"), Back, items("x")) }, []string{"new list 0"}},
		{func() { v.SetFields(key("hash"), items("f", "v")) }, []string{"new hash 0"}},
		{func() { mustScores(setScores(v, key("scored"), 0, Scored{[]byte("x"), 1})) }, []string{"new scored 0"}},
		{func() { v.Rename(key("new"), key("set")) }, []string{"new set 0"}}, // over another one: new all the same
		{func() { n := v.NewSet(key("set")); n.Add([]byte("x")); v.StoreSet(n, EventSUnionStore) }, nil},
	} {
		got = nil
		step.do()
		if !slices.Equal(got, step.want) {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
}

// A shard takes whole cache lines, and what every command looks at lies in its first.
func TestShardLines(t *testing.T) {
	if invariants.Enabled {
		t.Skip("a shard's lock is larger with the tag invariants")
	}
	var sh shard
	if size := unsafe.Sizeof(sh); size%64 != 0 {
		t.Errorf("a shard takes %d bytes", size)
	}
	for name, size := range map[string]uintptr{
		"a database's table": unsafe.Sizeof(keyspace{}), "an arena": unsafe.Sizeof(arena.Arena{}), "tallies": 2 * unsafe.Sizeof(tally{}),
	} {
		if size%64 != 0 {
			t.Errorf("%s of a shard takes %d bytes, which are no cache lines", name, size)
		}
	}
	var s Store
	apart := func(name string, written, read uintptr) {
		if written/64 == read/64 {
			t.Errorf("%s is written in a cache line that every command reads", name)
		}
	}
	apart("expired", unsafe.Offsetof(s.expired), unsafe.Offsetof(s.hidesStale))
	apart("evicted", unsafe.Offsetof(s.evicted), unsafe.Offsetof(s.hidesStale))
	apart("expired", unsafe.Offsetof(s.expired), unsafe.Offsetof(s.leasing.most))
	if end := unsafe.Offsetof(sh.cut.sn) + unsafe.Offsetof(sh.cut) + unsafe.Sizeof(sh.cut.sn); end > 64 {
		t.Errorf("the first line ends in the cut's state, at %d", end)
	}
}
