package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/larderkv/larder/eviction"
)

// Dirty grows as server.dirty of Redis 7 does, which INFO shows as
// rdb_changes_since_last_save: the numbers were read there.
func TestDirty(t *testing.T) {
	s := testStore(t)
	now := int64(1_700_000_000_000)
	v := &View{Store: s, Now: now}
	other := &View{Store: s, DB: 1, Now: now}
	key := func(name string) Key { return s.Key([]byte(name)) }
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	hash := func(name string, fn func(h *Hash)) {
		if h, ok, err := v.WriteHash(key(name)); ok && err == nil {
			fn(&h)
		}
	}
	set := func(name string, fn func(s *Set)) {
		if s, ok, err := v.WriteSet(key(name)); ok && err == nil {
			fn(&s)
		}
	}
	store := func(dst string, from ...string) {
		n := v.NewSet(key(dst))
		for _, name := range from {
			set(name, func(s *Set) { n.Union([]Set{*s}) })
		}
		v.StoreSet(n, EventSUnionStore)
	}
	scored := func(member string, score float64) Scored { return Scored{[]byte(member), score} }
	zset := func(name string, fn func(z *Zset)) {
		if z, ok, err := v.WriteZset(key(name)); ok && err == nil {
			fn(&z)
		}
	}
	union := func(dst string, from ...string) {
		n := v.NewZset(key(dst))
		for _, name := range from {
			src, _, err := v.ReadScored(key(name))
			must(nil, err)
			n.Union([]ScoredSource{src}, AggregateSum)
		}
		v.StoreZset(n, EventZUnionStore)
	}
	s.LockAll()
	defer s.UnlockAll()
	for i, step := range []struct {
		what string
		want int64
		do   func()
	}{
		{"SET", 1, func() { v.SetString(key("a"), []byte("1"), 0) }},
		{"SET of the same", 1, func() { v.SetString(key("a"), []byte("1"), KeepTTL) }},
		{"SET EX", 1, func() { v.SetString(key("a"), []byte("1"), now+5000) }},
		{"APPEND of nothing", 1, func() { must(v.Append(key("a"), nil, testMaxLen)) }},
		{"APPEND to nothing", 1, func() { must(v.Append(key("new"), []byte("x"), testMaxLen)) }},
		{"SETRANGE", 1, func() { must(v.SetRange(key("new"), 3, []byte("y"), testMaxLen)) }},
		{"SETRANGE of a new key", 1, func() { must(v.SetRange(key("newer"), 3, []byte("y"), testMaxLen)) }},
		{"INCR of a new key", 1, func() { must(v.IncrBy(key("n"), 1)) }},
		{"INCRBY 0", 1, func() { must(v.IncrBy(key("n"), 0)) }},
		{"INCRBYFLOAT", 1, func() { must(nil, v.SetText(key("n"), []byte("1.5"))) }},
		{"EXPIRE", 1, func() { v.SetExpire(key("n"), now+1000) }},
		{"EXPIRE of nothing", 0, func() { v.SetExpire(key("nothing"), now+1000) }},
		{"PERSIST", 1, func() { v.Persist(key("n")) }},
		{"PERSIST again", 0, func() { v.Persist(key("n")) }},
		{"DEL", 1, func() { v.Delete(key("n")) }},
		{"DEL again", 0, func() { v.Delete(key("n")) }},
		{"RENAME", 1, func() { v.Rename(key("new"), key("newer")) }},
		{"RENAME to itself", 0, func() { v.Rename(key("newer"), key("newer")) }},
		{"RENAME of nothing", 0, func() { v.Rename(key("new"), key("newer")) }},
		{"COPY", 1, func() { v.Copy(key("newer"), other, key("copy")) }},
		{"COPY over", 1, func() { v.Copy(key("newer"), other, key("copy")) }},
		{"MOVE", 1, func() { v.Move(key("newer"), other) }},
		{"MOVE of nothing", 0, func() { v.Move(key("newer"), other) }},
		{"HSET of three with two fields", 3, func() { must(v.SetFields(key("h"), bytesOf([]string{"f", "1", "g", "2", "f", "3"}))) }},
		{"HSET of the same", 1, func() { must(v.SetFields(key("h"), bytesOf([]string{"f", "3"}))) }},
		{"HINCRBY", 1, func() { hash("h", func(h *Hash) { h.Set([]byte("f"), []byte("4"), EventHSet) }) }},
		{"HDEL", 2, func() { hash("h", func(h *Hash) { h.Delete(bytesOf([]string{"f", "nothing", "g"})) }) }},
		{"HDEL of nothing", 0, func() { hash("h", func(h *Hash) { h.Delete(bytesOf([]string{"f"})) }) }},
		{"SADD", 3, func() { must(v.AddMembers(key("s"), bytesOf([]string{"1", "2", "2", "3"}))) }},
		{"SADD of the same", 0, func() { must(v.AddMembers(key("s"), bytesOf([]string{"1", "2"}))) }},
		{"SREM", 1, func() { set("s", func(s *Set) { s.Remove(bytesOf([]string{"1", "9"})) }) }},
		{"SPOP", 1, func() { set("s", func(s *Set) { s.Pop(1, func([]byte) {}) }) }},
		{"SUNIONSTORE", 1, func() { store("d", "s") }},
		{"SUNIONSTORE over", 1, func() { store("d", "s") }},
		{"SUNIONSTORE of nothing over", 1, func() { store("d") }},
		{"SUNIONSTORE of nothing", 0, func() { store("d") }},
		{"ZADD", 3, func() { must(setScores(v, key("z"), 0, scored("a", 1), scored("b", 1), scored("b", 2))) }},
		{"ZADD of the same", 0, func() { must(setScores(v, key("z"), 0, scored("a", 1))) }},
		{"ZADD NX", 1, func() { must(setScores(v, key("z"), OnlyNew, scored("a", 7), scored("c", 3))) }},
		{"ZINCRBY 0", 0, func() { must(setScores(v, key("z"), Increment, scored("a", 0))) }},
		{"ZINCRBY", 1, func() { must(setScores(v, key("z"), Increment, scored("a", 1))) }},
		{"ZREM", 1, func() { zset("z", func(z *Zset) { z.Remove(bytesOf([]string{"a", "nothing"})) }) }},
		{"ZUNIONSTORE", 1, func() { union("u", "z") }},
		{"ZUNIONSTORE of nothing over", 1, func() { union("u") }},
		{"ZUNIONSTORE of nothing", 0, func() { union("u") }},
		{"ZPOPMIN 2", 2, func() { zset("z", func(z *Zset) { z.Pop(2, false, func([]byte, float64) {}) }) }},
		{"reading", 0, func() { v.Read(key("s")) }},
	} {
		before := v.Dirty
		step.do()
		if got := v.Dirty - before; got != step.want {
			t.Errorf("step %d, %s: %d changes, want %d", i, step.what, got, step.want)
		}
	}
	if other.Dirty != 0 {
		t.Errorf("the other view counts %d", other.Dirty)
	}
}

// Whatever removes an expired key says so first, and counts no change; nothing
// does while a file is loaded.
func TestRemovals(t *testing.T) {
	s := testStore(t)
	var told []string
	note := func(by string) func(int, []byte, Event) {
		return func(db int, key []byte, why Event) {
			told = append(told, fmt.Sprint(by, " ", db, " ", string(key), " ", why))
		}
	}
	s.Listen(ClassExpired|ClassEvicted, note("store"))
	v := &View{Store: s, DB: 2, Now: 1000}
	key := func(name string) Key { return s.Key([]byte(name)) }
	for _, name := range []string{"a", "b", "c", "d"} {
		v.SetString(key(name), []byte("x"), 5000)
	}
	v.Dirty, v.Now, v.Loading = 0, 6000, true
	if _, ok := v.Write(key("a")); !ok || len(told) != 0 {
		t.Errorf("while loading: there %v, told %q", ok, told)
	}
	v.Loading = false
	v.Write(key("a"))
	v.Listener = note("view")
	v.Delete(key("b"))
	v.SetString(key("c"), nil, 0)
	if v.Dirty != 1 {
		t.Errorf("%d changes", v.Dirty)
	}
	maintain(t, s, 6000)
	want := []string{"store 2 a expired", "view 2 b expired", "view 2 c expired", "store 2 d expired"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// meterOf makes the Meter of a policy's name with Redis' parameters.
func meterOf(policy string) *eviction.Meter {
	p, ok := eviction.ParsePolicy(policy)
	if !ok {
		panic(policy)
	}
	return eviction.NewMeter(p, eviction.Params{LogFactor: 10, DecayTime: 1})
}

func TestSetEvictionWord(t *testing.T) {
	s, err := Open(Options{Shards: 1, Meter: meterOf("allkeys-lru")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := &View{Store: s, Now: 1_700_000_000_000}
	k := s.Key([]byte("k"))
	v.SetString(k, nil, 0)
	v.SetIdle(k, 77)
	v.SetFrequency(k, 9)
	v.SetIdle(s.Key([]byte("nothing")), 1)
	if e, _ := v.Peek(k); e.IdleSeconds(v) != 77 {
		t.Errorf("idle for %d seconds", e.IdleSeconds(v))
	}
	s.SetMeter(meterOf("allkeys-lfu"))
	v.SetFrequency(k, 200)
	v.SetIdle(k, 5)
	if e, _ := v.Peek(k); e.Frequency(v) != 200 {
		t.Errorf("frequency %d", e.Frequency(v))
	}
}

// Under NoTouch reads and writes leave the word alone; LRM notes changes all the same.
func TestNoTouch(t *testing.T) {
	for policy, want := range map[string]int64{"allkeys-lru": 9, "allkeys-lrm": 0} {
		s := testStore(t)
		s.SetMeter(meterOf(policy))
		v := &View{Store: s, Now: 1_700_000_000_000}
		k := s.Key([]byte("k"))
		v.SetString(k, []byte("1"), 0)
		v.Now += 9000
		v.NoTouch = true
		v.Read(k)
		if e, _ := v.Peek(k); e.IdleSeconds(v) != 9 {
			t.Errorf("%s: idle for %d seconds after a read", policy, e.IdleSeconds(v))
		}
		v.SetExpire(k, v.Now+1000)
		if e, _ := v.Peek(k); e.IdleSeconds(v) != want {
			t.Errorf("%s: idle for %d seconds after a change, want %d", policy, e.IdleSeconds(v), want)
		}
	}
}

// A snapshot tells idle times and frequencies as they were at the cut.
func TestSnapshotEviction(t *testing.T) {
	s, err := Open(Options{Shards: 1, Meter: meterOf("allkeys-lru")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := &View{Store: s, Now: 1_700_000_000_000}
	for _, name := range []string{"used", "idle"} {
		v.SetString(s.Key([]byte(name)), nil, 0)
	}
	v.Now += 50_000
	for _, lfu := range []bool{false, true} {
		s.SetMeter(meterOf(map[bool]string{false: "allkeys-lru", true: "allkeys-lfu"}[lfu]))
		v.SetFrequency(s.Key([]byte("idle")), 33)
		sn, err := s.CutLocked(v.Now)
		if err != nil {
			t.Fatal(err)
		}
		if !lfu {
			(&View{Store: s, Now: v.Now + 9000}).Read(s.Key([]byte("used")))
		}
		words := wordSink{}
		if err := sn.RunLocked(words); err != nil {
			t.Fatal(err)
		}
		if lfu {
			if words["idle"] != [2]int64{-1, 33} {
				t.Errorf("under LFU: %v", words)
			}
		} else if words["idle"] != [2]int64{50, -1} || words["used"] != [2]int64{0, -1} {
			t.Errorf("under LRU: %v", words)
		}
	}
}

// wordSink notes idle times and frequencies.
type wordSink map[string][2]int64

func (w wordSink) Key(k *SnapshotKey, _ *Value) error {
	w[string(k.Name)] = [2]int64{k.Idle, int64(k.Freq)}
	return nil
}
func (wordSink) Begin(*SnapshotKey, int) error      { return nil }
func (wordSink) Element(_, _ []byte, _ int64) error { return nil }
func (wordSink) End() error                         { return nil }
