package store

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// waitingClient is a waiter that notes that it was told.
type waitingClient struct {
	Waiter
	name string
	told int
}

func (w *waitingClient) Ready() { w.told++ }

func newWaiting(name string, t Type) *waitingClient {
	w := &waitingClient{name: name, Waiter: Waiter{Type: t}}
	w.Owner = w
	return w
}

// TestWaiters: the first in the queue is told, once, and the next when it has answered.
func TestWaiters(t *testing.T) {
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 1}
	k, other := s.Key([]byte("k")), s.Key([]byte("other"))
	var all []*waitingClient
	for i, keys := range [][]Key{{k, other, k}, {k}, {other}} {
		w := newWaiting(fmt.Sprint(i), TypeList)
		v.Wait(keys, &w.Waiter)
		all = append(all, w)
	}
	told := func(want ...int) {
		t.Helper()
		for i, w := range all {
			if w.told != want[i] {
				t.Fatalf("%s was told %d times, want %d", w.name, w.told, want[i])
			}
		}
	}
	push := func(k Key) {
		t.Helper()
		if _, err := v.PushElements(k, Back, [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.AwaitedKeys(); n != 2 {
		t.Errorf("%d keys are waited for", n)
	}
	push(k)
	push(k)
	told(1, 0, 0)
	v.Stay(&all[0].Waiter) // the key still has something
	told(2, 0, 0)
	push(other) // the same one is the first there, too
	told(3, 0, 0)
	v.Leave(&all[0].Waiter)
	told(3, 1, 1)
	v.Delete(k)
	v.Stay(&all[1].Waiter) // in vain
	told(3, 1, 1)
	push(k)
	told(3, 2, 1)
	v.Leave(&all[1].Waiter)
	v.Leave(&all[2].Waiter)
	if n := v.AwaitedKeys(); n != 0 || all[0].Memory() != 0 {
		t.Errorf("%d keys are waited for by nobody", n)
	}
	for i := range s.shards {
		if s.shards[i].interest != 0 {
			t.Errorf("shard %d still tells", i)
		}
	}
}

// TestWaitersByType: who waits for another type is passed over, and what is not there any more
// wakes nobody.
func TestWaitersByType(t *testing.T) {
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 10}
	k := s.Key([]byte("k"))
	list, zset := newWaiting("list", TypeList), newWaiting("zset", TypeZset)
	v.Wait([]Key{k}, &zset.Waiter)
	v.Wait([]Key{k}, &list.Waiter)
	v.SetString(k, []byte("v"), 0)
	v.SetExpire(k, 20)
	v.Delete(k)
	if list.told+zset.told != 0 {
		t.Fatal("a string has woken somebody")
	}
	if _, err := v.PushElements(k, Back, [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	if list.told != 1 || zset.told != 0 {
		t.Errorf("list %d, sorted set %d", list.told, zset.told)
	}
	v.SetExpire(k, 5) // it has expired
	v.Stay(&list.Waiter)
	if list.told != 1 {
		t.Error("an expired key has woken somebody")
	}
	var through []string
	v.Ready = func(w *Waiter) { through = append(through, w.Owner.(*waitingClient).name) }
	v.Delete(k)
	_, _ = v.AddScored(k, [][]byte{[]byte("m"), make([]byte, 8)})
	v.Leave(&list.Waiter)
	v.Leave(&zset.Waiter)
	if list.told != 1 || zset.told != 0 || len(through) != 1 || through[0] != "zset" {
		t.Errorf("told %d and %d, and through the view %q", list.told, zset.told, through)
	}
}

// TestWaitersForElements: who waits for a number of elements is passed over until there are so many.
func TestWaitersForElements(t *testing.T) {
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 10}
	k := s.Key([]byte("k"))
	three, one := newWaiting("three", TypeList), newWaiting("one", TypeList)
	three.Least = 3
	v.Wait([]Key{k}, &three.Waiter)
	push := func() {
		t.Helper()
		if _, err := v.PushElements(k, Back, [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	push()
	push()
	if three.told != 0 {
		t.Fatal("too few elements have woken somebody")
	}
	v.Wait([]Key{k}, &one.Waiter)
	push()
	if three.told != 1 || one.told != 0 {
		t.Fatalf("told %d and %d times", three.told, one.told)
	}
	if _, err := v.PopElement(k, Front, func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	v.Stay(&three.Waiter) // somebody was faster, and what is left is enough for the other
	if three.told != 1 || one.told != 1 {
		t.Fatalf("told %d and %d times", three.told, one.told)
	}
	v.Leave(&one.Waiter)
	if three.told != 1 {
		t.Fatal("too few elements have woken somebody")
	}
	v.Leave(&three.Waiter)
}

// TestWaitersStillReady: of several keys only those count that the waiter was told of.
func TestWaitersStillReady(t *testing.T) {
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 10}
	a, b := s.Key([]byte("a")), s.Key([]byte("b"))
	before, both := newWaiting("before", TypeList), newWaiting("both", TypeList)
	v.Wait([]Key{b}, &before.Waiter)
	v.Wait([]Key{b, a}, &both.Waiter)
	want := func(ready bool) {
		t.Helper()
		if both.told != 1 || v.StillReady(&both.Waiter) != ready {
			t.Fatalf("told %d times, ready %v; want 1, %v", both.told, !ready, ready)
		}
	}
	for _, k := range []Key{a, b} {
		if _, err := v.PushElements(k, Back, [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	want(true)
	v.SetExpire(a, 5)
	want(false)
	v.Delete(a)
	want(false)
	v.SetString(a, []byte("v"), 0)
	want(false)
	v.Stay(&both.Waiter)
	v.Leave(&before.Waiter) // now it is the first at b
	if both.told != 2 || !v.StillReady(&both.Waiter) {
		t.Errorf("told %d times", both.told)
	}
	v.Leave(&both.Waiter)
}

// TestWaitersOfSwappedDatabases: what comes by SWAPDB counts like a push.
func TestWaitersOfSwappedDatabases(t *testing.T) {
	s := openStore(t, Options{})
	v, there := &View{Store: s, Now: 1}, &View{Store: s, DB: 1, Now: 1}
	k := s.Key([]byte("k"))
	w := newWaiting("w", TypeList)
	v.Wait([]Key{k}, &w.Waiter)
	if _, err := there.PushElements(k, Back, [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	if w.told != 0 {
		t.Fatal("told of another database")
	}
	v.SwapLocked(0, 1)
	if w.told != 1 {
		t.Errorf("told %d times", w.told)
	}
	v.Leave(&w.Waiter)
}

// TestWaitersInvariant checks after random steps that a key with something for somebody has told
// one of them, who is the first of his type.
func TestWaitersInvariant(t *testing.T) {
	rng := randtest.New(t)
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 1}
	var in []*waitingClient
	key := func() Key { return s.Key(fmt.Append(nil, "key", rng.IntN(4))) }
	for step := range 20_000 {
		switch rng.IntN(8) {
		case 0, 1:
			if len(in) < 30 {
				w := newWaiting(fmt.Sprint(step), []Type{TypeList, TypeZset}[rng.IntN(2)])
				found := false
				keys := []Key{key(), key(), key()}[:1+rng.IntN(3)]
				for _, k := range keys {
					e, ok := v.Peek(k)
					found = found || ok && e.Type() == w.Type
				}
				if !found { // else it would not wait
					v.Wait(keys, &w.Waiter)
					in = append(in, w)
				}
			}
		case 2:
			_, _ = v.PushElements(key(), Back, [][]byte{[]byte("x")}) // or the key holds another type
		case 3:
			_, _ = v.AddScored(key(), [][]byte{[]byte("m"), make([]byte, 8)})
		case 4:
			v.Delete(key())
		case 5:
			v.Rename(key(), key())
		default:
			if len(in) > 0 {
				i := rng.IntN(len(in))
				if rng.IntN(2) == 0 {
					v.Stay(&in[i].Waiter)
				} else {
					v.Leave(&in[i].Waiter)
					in = append(in[:i], in[i+1:]...)
				}
			}
		}
		checkWaiters(t, v)
	}
}

func checkWaiters(t *testing.T, v *View) {
	t.Helper()
	for i := range v.Store.shards {
		for wk, q := range v.Store.shards[i].waiting {
			e, ok := v.Peek(v.Store.Key([]byte(wk.name)))
			var first *waitPlace
			for p := q.first; p != nil; p = p.next {
				if p.next != nil && p.next.prev != p || p.next == nil && q.last != p {
					t.Fatalf("%s: the queue is torn", wk.name)
				}
				if first == nil && ok && p.w.Type == e.Type() {
					first = p
				}
			}
			if q.first == nil || first != nil && q.told == nil {
				t.Fatalf("%s: somebody waits for what is there, and nobody was told", wk.name)
			}
		}
	}
}
