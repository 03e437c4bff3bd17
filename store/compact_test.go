package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// sparse fills a store with keys of one size, and takes share in a hundred of them
// away again, all over the store.
func sparse(t *testing.T, shards, keys, share int) (*Store, *View) {
	t.Helper()
	s, _ := evictStore(t, "noeviction", shards, 5)
	v := &View{Store: s, Now: evictStart}
	value := make([]byte, 70)
	for i := range keys {
		v.SetString(s.Key(fmt.Append(nil, "key:", i)), value, 0)
	}
	removeShare(s, v, keys, share)
	return s, v
}

func removeShare(s *Store, v *View, keys, share int) {
	for i := range keys {
		if i*7919%100 < share {
			v.Delete(s.Key(fmt.Append(nil, "key:", i)))
		}
	}
}

// compactAll does units until no walk gains anything, and returns how many.
func compactAll(t *testing.T, s *Store) (units int) {
	t.Helper()
	for s.compactUnit(evictStart) {
		if units++; units > 1e5 {
			t.Fatal("no end")
		}
	}
	return units
}

// The maintenance walks where a quarter of the slots of a size are free, or where
// CompactionParams ask for it, and nowhere else.
func TestCompactionByMaintenance(t *testing.T) {
	for _, c := range []struct {
		name   string
		share  int // percent of the keys removed
		params CompactionParams
		walks  bool
	}{
		{"nothing removed", 0, CompactionParams{}, false},
		{"too little", 12, CompactionParams{}, false},
		{"a mass deletion", 50, CompactionParams{}, true},
		{"nearly all", 95, CompactionParams{}, true},
		{"asked for", 15, CompactionParams{Percent: 10}, true},
		{"asked for above some bytes", 15, CompactionParams{Percent: 10, Ignore: 1 << 30}, false},
		{"asked for, and dense enough", 15, CompactionParams{Percent: 40}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, v := sparse(t, 2, 30_000, c.share)
			s.SetCompaction(c.params)
			want := dump(s)
			before := s.Memory()
			maintain(t, s, v.Now)
			st := s.Compaction(v.Now)
			if walks := st.Records > 0; walks != c.walks {
				t.Errorf("%.1f %% fragmented, moved: %+v", s.FragmentationPercent(), st)
			}
			if st.Running {
				t.Error("a walk goes on when all is done")
			}
			if gone := before - s.Memory(); c.walks && (gone < before*int64(c.share)/200 || st.Freed < gone/2) {
				t.Errorf("%d of %d bytes were given back, %d of them by walks", gone, before, st.Freed)
			}
			if again := s.Compaction(v.Now); maintainAgain(t, s, v.Now) != again.Records {
				t.Error("the maintenance compacts again what it has compacted")
			}
			compare(t, dump(s), want)
			checkAtRest(t, s)
		})
	}
}

// maintainAgain does another round and returns how many records have ever been moved.
func maintainAgain(t *testing.T, s *Store, now int64) int64 {
	t.Helper()
	maintain(t, s, now)
	return s.Compaction(now).Records
}

// Under a limit a walk begins in the shard with the most to gain, and none for less
// than pressingAtLeast, or again before more has become free.
func TestCompactUnit(t *testing.T) {
	s, v := sparse(t, 4, 40_000, 0)
	compactAll(t, s)
	removeShare(s, v, 40_000, 1) // 100 keys per shard, about 10 KB
	if s.compactUnit(v.Now) {
		t.Error("a walk begins for next to nothing")
	}
	// One shard becomes sparse.
	for i := range 40_000 {
		if k := s.Key(fmt.Append(nil, "key:", i)); k.Shard() == 2 && i%3 > 0 {
			v.Delete(k)
		}
	}
	if at := int(s.mostToGain()) - 1; at != 2 {
		t.Errorf("shard %d is where a walk gains most", at)
	}
	if !s.compactUnit(v.Now) {
		t.Fatal("no unit")
	}
	for i := range s.shards {
		if walked := s.shards[i].compact.active; walked != (i == 2) {
			t.Errorf("shard %d is walked: %v", i, walked)
		}
	}
	held := s.shards[2].ar.Held()
	compactAll(t, s)
	if now := s.shards[2].ar.Held(); now > held*6/10 {
		t.Errorf("%d bytes are held of %d with a third of the keys left", now, held)
	}
	if s.compactUnit(v.Now) {
		t.Error("a walk begins again although nothing has become free since")
	}
	removeShare(s, v, 40_000, 30)
	if !s.compactUnit(v.Now) {
		t.Error("no walk begins although more has become free")
	}
	compactAll(t, s)
	checkAtRest(t, s)
}

// A unit is bounded: it moves no more than unitBytes and one record.
func TestCompactUnitIsBounded(t *testing.T) {
	s, _ := evictStore(t, "noeviction", 1, 5)
	v := &View{Store: s, Now: evictStart}
	const keys = 4000
	for i := range keys {
		v.SetString(s.Key(fmt.Append(nil, "key:", i)), make([]byte, 4000), 0)
	}
	removeShare(s, v, keys, 60)
	moved, most := int64(0), int64(0)
	for s.compactUnit(v.Now) {
		now := s.Compaction(v.Now).Moved
		most, moved = max(most, now-moved), now
	}
	if moved == 0 || most > unitBytes+slots*4200+maxBuckets*bucketSize {
		t.Errorf("%d bytes moved, up to %d in one unit", moved, most)
	}
}

// Several goroutines compact, as writers under a limit do, while others change keys
// they know, the maintenance goes round and snapshots are written.
func TestCompactUnderConcurrency(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	var now atomic.Int64
	now.Store(evictStart)
	var stop atomic.Bool
	var background, workers sync.WaitGroup
	for range 3 {
		background.Go(func() {
			for i := 0; !stop.Load(); i++ {
				if s.compactUnit(now.Load()); i%16 == 0 {
					// However little there is to gain.
					sh := &s.shards[rand.IntN(len(s.shards))]
					sh.mu.Lock()
					if !sh.compact.active {
						sh.beginWalk(s, 0, 1, now.Load())
					}
					sh.mu.Unlock()
					s.pressed.Store(sh.id + 1)
				}
			}
		})
	}
	background.Go(func() {
		for !stop.Load() {
			if _, err := s.Maintain(now.Add(1)); err != nil {
				t.Error(err)
				return
			}
			s.Compaction(now.Load())
		}
	})
	background.Go(func() {
		for !stop.Load() {
			s.LockAll()
			sn, err := s.CutLocked(now.Load())
			s.UnlockAll()
			if err == nil {
				err = sn.Run(new(nullSink))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 3 {
		seed := rng.Uint64()
		workers.Go(func() { stress(t, s, i, &now, rand.New(rand.NewPCG(seed, 3))) })
	}
	workers.Wait()
	stop.Store(true)
	background.Wait()
	if st := s.Compaction(now.Load()); st.Records == 0 || st.Arrays == 0 {
		t.Errorf("nothing was moved: %+v", st)
	}
	for i := range s.shards {
		if sh := &s.shards[i]; sh.compact.active {
			for sh.walk(s, now.Load()) {
			}
		}
	}
	if st := s.Compaction(now.Load()); st.Running || s.walks.n != 0 {
		t.Errorf("%d walks go on: %+v", s.walks.n, st)
	}
	checkAtRest(t, s)
}

// A snapshot during which everything is moved is the state at its cut.
func TestCompactDuringSnapshot(t *testing.T) {
	s, v := sparse(t, 2, 30_000, 60)
	for i := range 3 {
		var pairs [][]byte
		for j := range 4000 {
			pairs = append(pairs, fmt.Append(nil, "field:", j), make([]byte, 50))
		}
		k := s.Key(fmt.Append(nil, "hash:", i))
		if _, err := v.SetFields(k, pairs); err != nil {
			t.Fatal(err)
		}
		h, _, _ := v.WriteHash(k)
		for j := 0; j < 8000; j += 2 {
			if j%10 > 0 {
				h.Delete(pairs[j : j+1])
			}
		}
	}
	want := dump(s)
	sn := cutNow(t, s)
	c := &collector{t: t, keys: map[string]string{}}
	sn.sink = c
	for steps := 0; sn.step(); steps++ {
		for range 4 {
			s.compactUnit(v.Now)
		}
		if steps%50 == 0 {
			checkAccounts(t, s)
		}
	}
	if st := s.Compaction(v.Now); st.Records < 1000 || st.Freed == 0 {
		t.Errorf("hardly anything was moved: %+v", st)
	}
	compare(t, c.keys, want)
	compare(t, dump(s), want)
	checkAtRest(t, s)
}

// Values whose sizes go up and down, one at a time and in random order, leave no
// memory behind: after each turn the store is as compact as one that was just filled,
// within a tenth, and what it does not need has gone back to the system.
func TestCompactionSoak(t *testing.T) {
	rng := randtest.New(t)
	const keys = 20_000
	s, e := evictStore(t, "noeviction", 8, 5)
	v := &View{Store: s, Now: evictStart}
	fresh := map[int]int64{}
	for _, size := range []int{100, 1000, 300} {
		f, _ := evictStore(t, "noeviction", 8, 5)
		fv := &View{Store: f, Now: evictStart}
		for i := range keys {
			fv.SetString(f.Key(fmt.Append(nil, "key:", i)), make([]byte, size), 0)
		}
		fresh[size] = f.Memory()
	}
	for _, size := range []int{100, 1000, 100, 300, 1000, 300, 100} {
		limit := fresh[size] * 5 / 4
		for n, i := range rng.Perm(keys) {
			v.SetString(s.Key(fmt.Append(nil, "key:", i)), make([]byte, size), 0)
			if n%16 == 0 {
				maintainOnce(t, s, v.Now)
				e.Relieve(v.Now, 1, limit)
			}
		}
		for e.Relieve(v.Now, 1, 1) {
		}
		maintain(t, s, v.Now)
		if held := s.Memory(); held > fresh[size]*11/10 {
			t.Errorf("values of %d bytes hold %d bytes, just filled in %d", size, held, fresh[size])
		}
		if st := s.Stats(); st.Pending != 0 || st.Resident > st.Held+st.Held/32+1<<20 {
			t.Errorf("values of %d bytes: %+v", size, st)
		}
		checkAtRest(t, s)
	}
}

func maintainOnce(t *testing.T, s *Store, now int64) {
	t.Helper()
	if _, err := s.Maintain(now); err != nil {
		t.Fatal(err)
	}
}
