package store

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/tests/randtest"
)

// Under LHD the latest keys of a shard are among the candidates, no candidate is there twice, and
// there are nearly as many as without. Keys are deleted meanwhile, and come in several databases.
func TestLatestKeysAreCandidates(t *testing.T) {
	rng := randtest.New(t)
	s, e := evictStore(t, "allkeys-lhd", 1, 5)
	sh := &s.shards[0]
	var latest []string
	there, missed := 0, 0
	for i := range 20_000 {
		v := &View{Store: s, DB: rng.IntN(3), Now: evictStart + int64(i)}
		name := fmt.Sprint("key ", v.DB, " ", i)
		v.SetString(s.Key([]byte(name)), []byte("value"), 0)
		if latest = append(latest, name); len(latest) > eviction.LatestArrivals {
			latest = latest[1:]
		}
		if rng.IntN(4) == 0 {
			at := rng.IntN(len(latest))
			v.Delete(s.Key([]byte(latest[at]))) // perhaps one of another database
		}
		if i%50 != 49 {
			continue
		}
		e.follow(s.Meter())
		e.now, e.left = v.Now, searchSteps
		need := 20 + rng.IntN(60)
		e.gather(sh, e.evictable(sh), need)
		if e.found < min(need-need/latestPart, e.evictable(sh)) {
			t.Fatalf("%d candidates, %d were asked for", e.found, need)
		}
		names := map[string]bool{}
		for _, c := range e.near[:e.found] {
			p := &e.picks[c.pick]
			b := p.t.bucket(&p.t.subs[p.sub], uint32(p.bucket))
			if c.slot >= b.count() || p.t != sh.dbs[p.db] {
				t.Fatalf("candidate %+v of pick %+v is no record", c, *p)
			}
			name := string(recordKey(p.t.mem, b.ref(c.slot)))
			if names[name] {
				t.Fatalf("%s is a candidate twice", name)
			}
			names[name] = true
		}
		for _, name := range latest {
			for db := range 3 {
				if _, ok := (&View{Store: s, DB: db, Now: v.Now}).Peek(s.Key([]byte(name))); ok {
					if there++; !names[name] {
						missed++
					}
				}
			}
		}
	}
	// Those that were passed on to a bucket far away, or have the tag of a neighbour, may be missing.
	if missed > there/4 {
		t.Fatalf("%d of the latest %d keys were no candidates", missed, there)
	}
}

// Of a bucket the newest keys are the first candidates, which matters where ranks are equal.
func TestTheNewestOfABucketComeFirst(t *testing.T) {
	s, e := evictStore(t, "allkeys-lru", 1, 5)
	v := &View{Store: s, Now: evictStart}
	for i := range 500 {
		v.SetString(s.Key(fmt.Appendf(nil, "key:%d", i)), []byte("value"), 0)
	}
	e.now, e.left = v.Now, searchSteps
	e.follow(s.Meter())
	sh := &s.shards[0]
	e.gather(sh, e.evictable(sh), 80)
	pairs := 0
	for i := 1; i < e.found; i++ {
		if a, b := e.near[i-1], e.near[i]; a.pick == b.pick {
			if pairs++; a.slot <= b.slot {
				t.Fatalf("slot %d of a bucket comes before slot %d", a.slot, b.slot)
			}
		}
	}
	if pairs < 40 {
		t.Errorf("only %d of %d candidates share a bucket", pairs, e.found)
	}
}

// Under LFU a key that comes again begins with one more, once keys have been evicted: before, a cache
// without pressure shows the counters of Redis.
func TestReturningKeysCountUnderLFU(t *testing.T) {
	s, e := evictStore(t, "allkeys-lfu", 1, 5)
	v := &View{Store: s, Now: evictStart}
	k := s.Key([]byte("key"))
	counter := func(k Key) int64 {
		e, ok := v.Peek(k)
		if !ok {
			t.Fatal("no key")
		}
		return e.Frequency(v)
	}
	comesBack := func() int64 {
		v.SetString(k, []byte("value"), 0)
		v.Delete(k)
		v.SetString(k, []byte("value"), 0)
		return counter(k)
	}
	if f := comesBack(); f != 5 {
		t.Errorf("the counter is %d before anything is evicted", f)
	}
	v.SetString(s.Key([]byte("other")), []byte("value"), 0)
	e.burst(v.Now, 1)
	v.Delete(k)
	if f := comesBack(); f != 6 {
		t.Errorf("the counter of a key that comes again is %d", f)
	}
	v.SetString(s.Key([]byte("new")), []byte("value"), 0)
	if f := counter(s.Key([]byte("new"))); f != 5 {
		t.Errorf("the counter of a new key is %d", f)
	}
}

// Arrivals are noted while there is LHD, and what comes again begins with a count.
func TestArrivalsAreNotedUnderLHDAlone(t *testing.T) {
	s, _ := evictStore(t, "allkeys-lru", 1, 5)
	if s.arrivals.Load() != nil {
		t.Fatal("arrivals are noted under LRU")
	}
	v := &View{Store: s, Now: evictStart}
	k := s.Key([]byte("key"))
	s.SetMeter(s.Meter().Next(eviction.Policy{Rule: eviction.LHD}, eviction.Params{}))
	rank := func() uint64 {
		e, ok := v.Peek(k)
		if !ok {
			t.Fatal("no key")
		}
		return s.Meter().Rank(e.word(), 100, 0, v.Now)
	}
	v.SetString(k, []byte("value"), 0)
	first := rank()
	v.Delete(k)
	v.SetString(k, []byte("value"), 0)
	if again := rank(); again >= first {
		t.Errorf("a key that comes again has rank %d, a new one %d", again, first)
	}
	s.SetMeter(s.Meter().Next(eviction.Policy{Rule: eviction.LRU}, eviction.Params{}))
	if s.arrivals.Load() != nil {
		t.Error("arrivals are noted after LHD")
	}
}
