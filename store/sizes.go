package store

import (
	"cmp"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/larderkv/larder/store/arena"
)

// How large values are: counts by size for each database and type, and the largest keys of each
// type.
//
// The maintenance walks over all keys, some hundred at a time under one shard's lock, counts their
// values' sizes and keeps the largest. At the end of a round the counts take the place of those
// of the round before, and the walk rests for roundRest times as long as it took: about half a percent
// of a processor. So counts are as old as a round and a rest at most. Of a store with few keys they
// are made anew for each question, which takes less than a millisecond.
//
// The largest keys of the last round are looked up once more when somebody asks: what is gone is not
// told, and sizes are those of the moment. A key that has become large since is found by the next
// round.
//
// Rejected: counts that each write brings up to date, as in Redis 8. Every operation on a collection
// would have to know the size before and after; to find both again costs a write several percent.

// The figures of walks.
const (
	sizeUnit    = 256            // keys that a unit looks at, or buckets
	countAtOnce = 10_000         // keys up to which counts are made when they are asked for
	roundRest   = 50             // of the maintenance, which has a quarter of a processor as a rule
	shortRest   = 10_000         // milliseconds
	longRest    = 10 * 60 * 1000 // milliseconds
	bigListed   = 50             // keys of each type
	bigLongest  = 4096           // bytes; a key with a longer name is not listed
)

// SizeCounts counts values by size: the first those of size 0, number i those from 1<<(i-1) up to
// twice as much.
type SizeCounts [64]int64

// LeastSize is the smallest size that number i of SizeCounts counts.
func LeastSize(i int) int64 {
	if i == 0 {
		return 0
	}
	return 1 << (i - 1)
}

// Sizes is the sizes of all values. That of a string is its bytes, of others their elements.
type Sizes struct {
	Counted int64 // when they were, in unix milliseconds; 0: they have not been yet
	DBs     map[int]*[NumTypes]SizeCounts
	Sums    [NumTypes]int64    // of all sizes
	big     [NumTypes][]BigKey // the largest first, found by size in bytes
}

// BigKey is one of the largest keys of its type.
type BigKey struct {
	DB    int
	Name  string
	Bytes int64 // as Entry.Memory counts them
	Size  int64 // as in Sizes
}

// sizeWalk is the maintenance's walk.
type sizeWalk struct {
	off   atomic.Bool
	last  atomic.Pointer[Sizes] // nil before the end of the first round
	shard atomic.Int32          // where the walk is

	// Of the goroutine that calls Maintain.
	running    *Sizes
	db         int
	cursor     uint64
	began, due int64 // unix milliseconds
}

func newSizes() *Sizes { return &Sizes{DBs: make(map[int]*[NumTypes]SizeCounts)} }

// sizeStep does one unit of the walk, and reports whether it has.
func (s *Store) sizeStep(now int64) bool {
	w := &s.sizes
	if w.off.Load() {
		w.running = nil
		return false
	}
	if w.running == nil {
		if now < w.due && w.due-now <= longRest { // else somebody has set the clock
			return false
		}
		w.running, w.db, w.cursor, w.began = newSizes(), 0, 0, now
		w.shard.Store(0)
	}
	at := w.shard.Load()
	sh := &s.shards[at]
	if !sh.lock() {
		return false
	}
	done := sh.countSizes(w, now)
	sh.mu.Unlock()
	if !done {
		return true
	}
	w.db, w.cursor = 0, 0
	w.shard.Store(at + 1)
	if int(at+1) < len(s.shards) {
		return true
	}
	w.running.Counted = now
	w.last.Store(w.running)
	w.running = nil
	w.due = now + min(max(shortRest, roundRest*(now-w.began)), longRest)
	return true
}

// countSizes does one unit in a shard, and reports whether it was the last.
func (sh *shard) countSizes(w *sizeWalk, now int64) (done bool) {
	for seen := 0; w.db < len(sh.dbs); w.db++ {
		t := sh.dbs[w.db]
		if t == nil {
			continue
		}
		for {
			seen++
			w.cursor = t.scan(w.cursor, func(ref arena.Ref) {
				seen++
				w.running.add(sh, w.db, t, ref, now)
			})
			if w.cursor == 0 {
				break
			}
			if seen >= sizeUnit {
				return false
			}
		}
	}
	return true
}

// add counts a record.
func (z *Sizes) add(sh *shard, db int, t *table, ref arena.Ref, now int64) {
	e := Entry{sh: sh, t: t, ref: ref, rec: readRecord(t.mem, ref)}
	if sh.ended(&e.rec, now) {
		return
	}
	counts := z.DBs[db]
	if counts == nil {
		counts = new([NumTypes]SizeCounts)
		z.DBs[db] = counts
	}
	size, typ := e.size(), e.Type()
	counts[typ][bits.Len64(uint64(size))]++
	z.Sums[typ] += size
	big := z.big[typ]
	bytes := e.Memory()
	if len(big) == bigListed && bytes <= big[len(big)-1].Bytes || e.rec.klen > bigLongest {
		return
	}
	at, _ := slices.BinarySearchFunc(big, bytes, func(k BigKey, bytes int64) int { return cmp.Compare(bytes, k.Bytes) })
	if len(big) == bigListed {
		big = big[:bigListed-1]
	}
	z.big[typ] = slices.Insert(big, at, BigKey{db, string(recordKey(t.mem, ref)), bytes, size})
}

// size is the bytes of a string, or the elements of another value.
func (e *Entry) size() int64 {
	if b := e.sh.bodyOf(&e.rec); b != nil {
		return int64(b.elements())
	}
	return int64(typeRows[e.rec.typ()].count(e.value(), e.rec.encoding()))
}

// Sizes is how large all values are: by the last round, or if there are few, now. It does not wait for
// occupied shards, and then leaves out what they have.
func (v *View) Sizes() *Sizes {
	z := v.Store.sizes.last.Load()
	if v.Store.sizes.off.Load() {
		return newSizes()
	}
	keys := 0
	for _, st := range v.DBSurveys() {
		keys += st.Keys
	}
	if keys > countAtOnce {
		if z == nil {
			return newSizes()
		}
		return z
	}
	z = newSizes()
	v.Store.survey(v.Held, func(sh *shard) {
		for db, t := range sh.dbs {
			if t != nil {
				t.eachRef(func(ref arena.Ref) bool { z.add(sh, db, t, ref, v.Now); return true })
			}
		}
	}, func(*occupation) {})
	z.Counted = v.Now
	return z
}

// Big is the largest keys of each type, the largest first, as far as they are still there. It locks one
// shard after the other, and leaves out what lies in one that is occupied.
func (v *View) Big(z *Sizes) (types [NumTypes][]BigKey) {
	for typ := range z.big {
		for i := range z.big[typ] {
			k := z.big[typ][i]
			if v.measure(&k, Type(typ)) {
				types[typ] = append(types[typ], k)
			}
		}
		slices.SortStableFunc(types[typ], func(a, b BigKey) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	return types
}

// measure brings a key's sizes up to date, and reports whether it is still there.
func (v *View) measure(k *BigKey, typ Type) (ok bool) {
	key := v.Store.Key([]byte(k.Name))
	sh := &v.Store.shards[key.shard]
	if !v.Held {
		if !sh.lock() {
			return false
		}
		defer sh.mu.Unlock()
	}
	in := View{Store: v.Store, DB: k.DB, Now: v.Now, NoTouch: true}
	e, ok := in.Peek(key)
	if !ok || e.Type() != typ {
		return false
	}
	k.Bytes, k.Size = e.Memory(), e.size()
	return true
}

// SizeRound is how much of the running or the last round is done, 0 to 1.
func (s *Store) SizeRound() float64 { return float64(s.sizes.shard.Load()) / float64(len(s.shards)) }

// CountSizes switches all this on or off; it begins on.
func (s *Store) CountSizes(on bool) {
	s.sizes.off.Store(!on)
	if !on {
		s.sizes.last.Store(nil)
	}
}

// CountsSizes reports whether it is on.
func (s *Store) CountsSizes() bool { return !s.sizes.off.Load() }
