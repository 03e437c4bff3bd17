package store

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// inShard is a key of a shard.
func inShard(s *Store, shard int) Key {
	for i := 0; ; i++ {
		if k := s.Key([]byte{'k', byte(i), byte(i >> 8)}); k.Shard() == shard {
			return k
		}
	}
}

// TestOccupy: whoever waits for a shard when it becomes occupied, or comes later, is told by whom and
// holds nothing then.
func TestOccupy(t *testing.T) {
	s := locksetStore(t)
	l := locked(s, true, 2, 5)
	found := make(chan any, 3)
	var waiting sync.WaitGroup
	for _, shards := range [][]int{{1, 5}, {2}, {3, 4, 5, 6}} {
		waiting.Go(func() {
			m := new(Lockset)
			for _, i := range shards {
				m.Add(i)
			}
			found <- m.Lock(s)
		})
	}
	awaitLink(t, s, 1, 5)
	awaitLink(t, s, 4, 5)
	l.Occupy(s, "script")
	waiting.Wait()
	for range 3 {
		if by := <-found; by != "script" {
			t.Errorf("found %v", by)
		}
	}
	var growing, all Lockset
	growing.AddGrowth()
	if by := growing.Lock(s); by != "script" {
		t.Errorf("growing beside one that may: %v", by)
	}
	all.AddAll(s)
	if s.Occupier(5) != "script" || s.Occupier(4) != nil || !s.Occupied() || s.TryLockAll() || all.Lock(s) != "script" {
		t.Error("the shards do not seem to be occupied")
	}
	locked(s, false, 0, 1, 3, 4, 6, 7).Unlock(s)
	growTo(s, l, 0)
	if s.Occupier(0) != "script" {
		t.Error("what the set has grown by is not occupied")
	}
	waiting.Go(func() { all.Await(s); all.Unlock(s) })
	l.Unlock(s)
	waiting.Wait()
	locked(s, true, 0, 2, 5).Unlock(s)
	if s.Occupied() {
		t.Error("still occupied")
	}
}

// TestOccupyLent: a shard that was lent is the borrower's when it occupies, whatever its holder gets
// first: the rest of its locks, or the news.
func TestOccupyLent(t *testing.T) {
	s := locksetStore(t)
	l := locked(s, true, 6)
	var waiting sync.WaitGroup
	found := make(chan any, 2)
	for _, shards := range [][]int{{4, 6}, {1, 4}} {
		waiting.Go(func() {
			m := new(Lockset)
			for _, i := range shards {
				m.Add(i)
			}
			found <- m.Lock(s)
		})
		awaitLink(t, s, shards[0], shards[1])
	}
	if !l.Grow(s, 1) || !l.Grow(s, 4) {
		t.Fatal("nothing is lent")
	}
	l.Occupy(s, "script")
	waiting.Wait()
	if a, b := <-found, <-found; a != "script" || b != "script" {
		t.Errorf("found %v and %v", a, b)
	}
	for _, i := range []int{1, 4, 6} {
		if s.Occupier(i) != "script" {
			t.Errorf("shard %d is not occupied", i)
		}
	}
	for i := range s.shards {
		if s.shards[i].next.Load() != 0 {
			t.Errorf("shard %d still says what comes next", i)
		}
	}
	l.Unlock(s)
	locked(s, true, 1, 4, 6).Unlock(s)
}

// TestOccupiedGrowsByItself: one that occupies is lent nothing, since who waits will let go.
func TestOccupiedGrowsByItself(t *testing.T) {
	s := locksetStore(t)
	l := locked(s, true, 6)
	l.Occupy(s, "script")
	s.shards[6].mu.Lock()
	done := make(chan any)
	go func() {
		m := new(Lockset)
		m.Add(3)
		m.Add(6)
		done <- m.Lock(s)
	}()
	awaitLink(t, s, 3, 6)
	if l.Grow(s, 3) {
		t.Error("lent a shard whose holder is about to let go")
	}
	s.shards[6].mu.Unlock()
	growTo(s, l, 3)
	if by := <-done; by != "script" {
		t.Errorf("found %v", by)
	}
	l.Unlock(s)
}

// TestOccupiedIsPassedOver: what works on all shards goes on with the others, and what counts them
// knows what an occupied one had.
func TestOccupiedIsPassedOver(t *testing.T) {
	s, e := evictStore(t, "allkeys-random", 8, 5)
	v := View{Store: s, Now: 1000}
	keys := make([]Key, 8)
	for i := range keys {
		keys[i] = inShard(s, i)
		v.SetString(keys[i], make([]byte, 5000), 1500)
	}
	used := s.Stats()
	l := locked(s, false, 3)
	l.Occupy(s, "script")
	v.SetString(keys[3], make([]byte, 9000), 1500)
	if st := v.DBSurvey(0); st.Keys != 8 || st.Expires != 8 {
		t.Errorf("%+v", st)
	}
	if st := s.Stats(); st.Bodies != used.Bodies || st.Garbage != used.Garbage {
		t.Errorf("%+v, want %+v", st, used)
	}
	v.AverageTTL(0)
	v.Compaction()
	s.Rest(time.UnixMilli(1000), time.Second)
	s.compactUnit(1000)
	s.collectReturned()
	s.Prefetch(0, keys, nil)
	for evicted := 0; evicted < 7; evicted++ {
		if !e.Relieve(1000, 1, 1<<20) {
			t.Fatalf("nothing to evict after %d", evicted)
		}
		if v.DBSurvey(0).Keys == 1 {
			break
		}
	}
	if e.Relieve(1000, 1, 1<<20) && v.DBSurvey(0).Keys != 1 {
		t.Error("evicted from the occupied shard")
	}
	for more := true; more; {
		var err error
		if more, err = s.Maintain(10_000); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := v.Peek(keys[3]); !ok {
		t.Error("the occupied shard has lost its key")
	}
	l.Unlock(s)
}

// TestLeaveOccupied: to leave a queue, or to stop watching, is not waited for, and done at the end.
func TestLeaveOccupied(t *testing.T) {
	s := locksetStore(t)
	v := View{Store: s, Now: 1000}
	a, b := inShard(s, 3), inShard(s, 4)
	owner := make(told, 10)
	first, second := &Waiter{Type: TypeList, Owner: owner}, &Waiter{Type: TypeList, Owner: make(told, 10)}
	var w Watcher
	v.Wait([]Key{a}, first)
	v.Wait([]Key{a, b}, second)
	v.Watch(a, &w)
	v.Watch(b, &w)
	l := locked(s, false, 3)
	l.Occupy(s, "script")
	if _, err := v.PushElements(a, Back, [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	if len(owner) != 1 {
		t.Error("the first was not told")
	}
	if !v.StillReady(second) {
		t.Error("one that looks at an occupied shard is sure that there is nothing")
	}
	v.Stay(second)
	v.Leave(first)
	s.Unwatch(&w)
	v.Broadcast(1)
	if n := len(s.shards[3].watched) + len(s.shards[4].watched); n != 1 {
		t.Errorf("%d keys are watched, want the one of the occupied shard", n)
	}
	if n := v.AwaitedKeys(); n != 2 {
		t.Errorf("%d keys are awaited", n)
	}
	l.Unlock(s)
	if len(s.shards[3].watched) != 0 {
		t.Error("still watched")
	}
	if len(second.Owner.(told)) != 1 {
		t.Error("the next in line was not told")
	}
	if s.shards[3].interest != AllClasses|waitClasses {
		t.Error("the shard does not know of the broadcast")
	}
	v.Broadcast(-1)
	v.Leave(second)
	if n := v.AwaitedKeys(); n != 0 {
		t.Errorf("%d keys are awaited", n)
	}
}

// told counts how often a waiter's owner is told.
type told chan struct{}

func (c told) Ready() { c <- struct{}{} }

// TestWalkStalls: a walk over all shards waits for an occupied one, and says so.
func TestWalkStalls(t *testing.T) {
	s := locksetStore(t)
	l := locked(s, false, 3)
	l.Occupy(s, "script")
	stalled := 0
	v := View{Store: s, Now: 1000, Stall: func() {
		if stalled++; stalled == 3 {
			l.Unlock(s)
		}
		runtime.Gosched()
	}}
	if v.DBStats(0); stalled != 3 {
		t.Errorf("stalled %d times", stalled)
	}
	l = locked(s, false, 5)
	l.Occupy(s, "script")
	stalled = 2
	if next := v.Scan(0, 10, func(*Entry, []byte) {}); next != 0 || stalled != 3 {
		t.Errorf("next %d, stalled %d times", next, stalled)
	}
}
