package store

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

// locksetStore is an empty store of 8 shards.
func locksetStore(t *testing.T) *Store {
	s, err := Open(Options{Shards: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func locked(s *Store, grows bool, shards ...int) *Lockset {
	l := new(Lockset)
	for _, i := range shards {
		l.Add(i)
	}
	if grows {
		l.AddGrowth()
	}
	l.Lock(s)
	return l
}

// growTo is how the engine waits for a further shard.
func growTo(s *Store, l *Lockset, shard int) {
	for !l.Grow(s, shard) {
		runtime.Gosched()
	}
}

// awaitLink waits until the holder of a shard has said what comes next.
func awaitLink(t *testing.T, s *Store, shard, next int) {
	for deadline := time.Now().Add(time.Minute); s.shards[shard].next.Load() != int32(next)+1; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("nobody says that shard %d comes after %d", next, shard)
		}
	}
}

func TestGrowTakesAFreeShard(t *testing.T) {
	s := locksetStore(t)
	l := locked(s, true, 5)
	growTo(s, l, 2)
	growTo(s, l, 5)
	for _, i := range []int{2, 5} {
		if !l.Has(i) || s.shards[i].mu.TryLock() {
			t.Errorf("shard %d is not held", i)
		}
	}
	l.Unlock(s)
	locked(s, true, 2, 5).Unlock(s)
}

// A call that runs is waited for, and not robbed.
func TestGrowWaitsForOneThatRuns(t *testing.T) {
	s := locksetStore(t)
	running := locked(s, false, 2, 3)
	l := locked(s, true, 5)
	for range 100 {
		if l.Grow(s, 2) {
			t.Fatal("got a shard that somebody works on")
		}
	}
	running.Unlock(s)
	growTo(s, l, 2)
	l.Unlock(s)
}

// What a call holds that waits for the growing set, directly or behind another one, is lent.
func TestGrowBorrowsFromThoseBehind(t *testing.T) {
	s := locksetStore(t)
	l := locked(s, true, 6)
	var waiting sync.WaitGroup
	data := make([]int, 8) // of the shards
	behind := func(shards ...int) {
		waiting.Go(func() {
			m := locked(s, false, shards...)
			for _, i := range shards {
				data[i]++
			}
			m.Unlock(s)
		})
		awaitLink(t, s, shards[0], shards[1])
	}
	behind(4, 6)
	behind(1, 2, 4)
	for _, i := range []int{1, 2, 4} {
		if !l.Grow(s, i) {
			t.Fatalf("shard %d, whose holder is stuck, is not lent", i)
		}
		if data[i] != 0 {
			t.Fatalf("the holder of shard %d has run", i)
		}
		data[i] += 10
	}
	l.Unlock(s)
	waiting.Wait()
	if data[1] != 11 || data[2] != 11 || data[4] != 12 || data[6] != 1 {
		t.Errorf("data %v", data)
	}
	for i := range s.shards {
		if s.shards[i].next.Load() != 0 {
			t.Errorf("shard %d still says what comes next", i)
		}
	}
}

// Without the right to grow, which another one has, nothing is waited for.
func TestGrowWithoutTheRight(t *testing.T) {
	s := locksetStore(t)
	other := locked(s, true, 1)
	l := locked(s, false, 5)
	if l.Grow(s, 1) || l.Grows() {
		t.Error("grew over one that grows")
	}
	if !l.Grow(s, 2) {
		t.Error("a free shard was refused")
	}
	other.Unlock(s)
	l.Unlock(s)
}

// Calls of all kinds lock the same few shards. Each writes its number to what the shards protect
// when it gets them, and finds it there when it ends. Some want further shards in any order, in the
// middle. Some occupy what they have. All of them come to an end, and the race detector sees nobody
// use a shard that it does not hold.
func TestGrowthUnderContention(t *testing.T) {
	s := locksetStore(t)
	seed := randtest.Seed(t)
	shards := len(s.shards)
	owner, count := make([]int, shards), make([]int, shards)
	want := make([][]int, 8) // by goroutine
	var workers sync.WaitGroup
	for w := range want {
		want[w] = make([]int, shards)
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		workers.Go(func() {
			for n := range 2000 {
				id := w + n*len(want)
				var l Lockset
				var mine []int
				take := func(i int) {
					if !l.Has(i) {
						t.Error("not in the set")
					}
					owner[i] = id
					count[i]++
					want[w][i]++
					mine = append(mine, i)
				}
				for range 1 + rng.IntN(3) {
					l.Add(rng.IntN(shards))
				}
				grows := rng.IntN(3) == 0
				if grows {
					l.AddGrowth()
				} else if rng.IntN(50) == 0 {
					l.AddAll(s)
				}
				l.Await(s)
				if rng.IntN(40) == 0 {
					l.Occupy(s, id)
				}
				for i := range shards {
					if l.Has(i) {
						take(i)
					}
				}
				for range rng.IntN(5) {
					i := rng.IntN(shards)
					had := l.Has(i)
					if !grows && rng.IntN(4) != 0 {
						continue
					}
					if got := l.Grow(s, i); !got && !l.Grows() {
						continue // as it may not wait
					}
					growTo(s, &l, i)
					if !had {
						take(i)
					}
				}
				if rng.IntN(40) == 0 && l.by == nil {
					l.Occupy(s, id)
				}
				for _, i := range mine {
					if owner[i] != id {
						t.Errorf("%d found %d at work in its shard %d", id, owner[i], i)
					}
				}
				l.Unlock(s)
			}
		})
	}
	workers.Wait()
	if s.Occupied() || !s.TryLockAll() {
		t.Error("something is still occupied")
	} else {
		s.UnlockAll()
	}
	for i := range count {
		for w := range want {
			count[i] -= want[w][i]
		}
		if count[i] != 0 {
			t.Errorf("shard %d was counted %d times too often", i, count[i])
		}
	}
}

// TestSlots: a slot excludes its other users, whatever shards they have, and nobody else. All shards
// are not all slots.
func TestSlots(t *testing.T) {
	s := locksetStore(t)
	slots := func(shard int, slots ...int) *Lockset {
		l := new(Lockset)
		if shard >= 0 {
			l.Add(shard)
		}
		for _, i := range slots {
			l.AddSlot(s, i)
		}
		return l
	}
	first := slots(-1, 0, Slots-1)
	if !first.Shardless(s) || slots(7, 3).Shardless(s) {
		t.Error("a slot is taken for a shard, or a shard for a slot")
	}
	first.Lock(s)
	s.LockAll()
	s.UnlockAll()
	slots(3, 1).Lock(s)
	waiting := slots(2, 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if by := waiting.Lock(s); by != "first" {
			t.Errorf("who waited finds that the slot belongs to %v", by)
		}
	}()
	awaitLink(t, s, 2, s.Shards())
	growing := locked(s, true, 5)
	select {
	case <-done:
		t.Fatal("a slot was locked twice")
	default:
	}
	if growing.Grow(s, 2) {
		t.Error("a set has grown by a shard whose holder waits for somebody else")
	}
	first.Occupy(s, "first")
	<-done
	if by := waiting.Lock(s); by != "first" {
		t.Errorf("the slot belongs to %v", by)
	}
	first.Unlock(s)
	growing.Unlock(s)
	if by := waiting.Lock(s); by != nil {
		t.Errorf("the slot still belongs to %v", by)
	}
}

// TestShardSet walks over sets of every kind.
func TestShardSet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(randtest.Seed(t), 1))
	for range 1000 {
		var b shardSet
		want := map[int]bool{}
		for range rnd.IntN(10) {
			i := rnd.IntN(64 * len(b))
			b.add(i)
			want[i] = true
		}
		last, n := -1, 0
		for i := b.from(0); i >= 0; i = b.from(i + 1) {
			if i <= last || !want[i] {
				t.Fatalf("%d follows %d in %v", i, last, want)
			}
			last = i
			n++
		}
		if n != len(want) {
			t.Fatalf("%d members of %v", n, want)
		}
	}
}
