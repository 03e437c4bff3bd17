package store

import (
	"math"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store/arena"
)

// gather finds at least need candidates of the shard, if it has as many.
func (e *Evictor) gather(sh *shard, keys, need int) {
	e.found, e.n, e.latest = 0, 0, 0
	if all := e.s.arrivals.Load(); all != nil && e.policy.Rule == eviction.LHD {
		latest := (*all)[sh.id].Latest()
		e.gatherLatest(sh, latest)
		need += e.found - min(len(latest), need/latestPart)
	}
	// Databases have their chance by the number of their keys.
	db, skip := 0, int(e.rng.Uint64()%uint64(keys))
	for ; ; db++ {
		if t := sh.dbs[db]; t != nil {
			if skip -= e.evictableOf(t); skip < 0 {
				break
			}
		}
	}
	for range sh.dbs {
		if t := sh.dbs[db]; t != nil && e.evictableOf(t) > 0 {
			if e.gatherFrom(sh, int32(db), t, need); e.found >= need {
				return
			}
		}
		if db++; db == len(sh.dbs) {
			db = 0
		}
	}
}

// gatherFrom is gather for one table.
func (e *Evictor) gatherFrom(sh *shard, db int32, t *table, need int) {
	single := e.any && t.n > fewCandidates
	if e.any && !single {
		need = min(e.found+t.n, maxSamples)
	}
	w := newTour(t, e.rng.Uint64(), e.policy.Volatile)
	var ahead [pickAhead]pick
	first, n, coming := 0, 0, 0 // the ring of buckets that are ahead, and what they have
	for e.found < need && e.n < maxPicks {
		for n < pickAhead && e.found+coming < need && e.left > 0 {
			sub, i, ok := w.next(&e.left)
			if !ok {
				break
			}
			s := &t.subs[sub]
			t.prefetchRefs(s, i)
			ahead[(first+n)%pickAhead] = pick{t: t, db: db, sub: sub, bucket: uint16(i)}
			n++
			coming += int(t.bucket(s, i).count())
		}
		if n == 0 {
			return
		}
		p := &ahead[first]
		first, n = (first+1)%pickAhead, n-1
		coming -= int(t.bucket(&t.subs[p.sub], uint32(p.bucket)).count())
		e.consider(sh, p, single)
	}
}

// consider adds what a bucket has to the candidates, and the bucket to the picks if it has any;
// single: what one of its slots has, full or not, so that the keys of full buckets have the same
// chance as others. The last slots, which have the newest keys, come first: of equal ranks the Choice
// takes the first ones.
func (e *Evictor) consider(sh *shard, p *pick, single bool) {
	b := p.t.bucket(&p.t.subs[p.sub], uint32(p.bucket))
	at, known := e.n, uint16(0) // its pick, and the slots that are candidates already
	if e.latest != 0 {
		at, known = e.latestIn(p)
	}
	first, end := uint8(0), b.count()
	if single {
		first = uint8(e.rng.Uint64() % slots)
		end = min(end, first+1)
	}
	before := e.found
	for slot := end; slot > first && e.found < maxCandidates; {
		slot--
		e.left--
		rank, ok := e.rankAt(sh, b.ref(slot))
		if !ok || known>>slot&1 != 0 {
			continue
		}
		e.near[e.found], e.ranks[e.found] = near{uint8(at), slot}, rank
		e.found++
	}
	switch {
	case e.found > before && at == e.n:
		e.picks[at] = *p
		e.n++
	case e.found == before && e.policy.Volatile && !dated(sh, b):
		b.setHint(0)
	}
}

// dated reports whether a bucket has a record with an expiry time: one that is never to be evicted.
func dated(sh *shard, b *bucket) bool {
	for slot := range b.count() {
		if r := readRecord(sh.ar.Mem(), b.ref(slot)); r.expire != 0 {
			return true
		}
	}
	return false
}

// rankAt is the rank of the record at ref; ok is false for one that the policy
// spares. Where the word is enough nothing else is read.
func (e *Evictor) rankAt(sh *shard, ref arena.Ref) (rank uint64, ok bool) {
	if e.byWord {
		if meta := recordMeta(sh.ar.Mem(), ref); meta&flagExpire == 0 {
			return e.meter.Rank(meta>>wordShift, 0, 0, e.now), true
		}
	}
	r := readRecord(sh.ar.Mem(), ref)
	if !e.mayEvict(sh, &r) {
		return 0, false
	}
	return e.rank(sh, &r, sh.weight(&r)), true
}

// mayEvict reports whether the policy, and the key's own mark, let it be evicted.
func (e *Evictor) mayEvict(sh *shard, r *record) bool {
	if r.extra > 0 && r.extras(sh.ar.Mem()).noEvict() {
		return sh.ended(r, e.now)
	}
	return !e.policy.Volatile || r.expire != 0
}

// rank is the Meter's, below that of every entry that is none any more.
func (e *Evictor) rank(sh *shard, r *record, size int64) uint64 {
	if sh.ended(r, e.now) {
		return math.MaxUint64
	}
	if e.policy.Rule == eviction.Random {
		return e.rng.Uint64() >> 1
	}
	return min(e.meter.Rank(r.meta>>wordShift, size, r.expire, e.now), math.MaxUint64-1)
}

// weight is what a record and the collection it owns take, in bytes, but for the
// rounding to whole slots, which would need another cache line.
func (sh *shard) weight(r *record) int64 {
	size := int64(r.size())
	if b := sh.bodyOf(r); b != nil {
		size += b.size()
	}
	return size
}

// tour goes once through the buckets of a table, from one of them on and round.
// The table must not change meanwhile.
type tour struct {
	t        *table
	volatile bool   // pass over buckets without records that expire
	start    uint32 // sub-table where it began
	first    uint32 // and bucket
	sub      uint32 // the next bucket
	bucket   uint32
	round    bool // back in the sub-table where it began
	empty    bool // no bucket of this sub-table, seen from its first on, has a hint
}

// newTour begins at the home of a hash.
func newTour(t *table, h uint64, volatile bool) tour {
	sub := t.subOf(h)
	w := tour{t: t, volatile: volatile, start: sub, sub: sub}
	if s := &t.subs[sub]; s.buckets > 0 {
		w.first = s.home(s.position(h))
		w.bucket = w.first
	}
	return w
}

// next returns the next bucket, and false at the end or when steps are used up.
func (w *tour) next(steps *int) (sub, bucket uint32, ok bool) {
	for ; *steps > 0; *steps-- {
		s := &w.t.subs[w.sub]
		end := uint32(s.buckets)
		if w.round {
			end = min(end, w.first)
		}
		if w.volatile && s.due == 0 {
			end = 0
		}
		if w.bucket < end {
			bucket = w.bucket
			w.bucket++
			if w.volatile && w.t.bucket(s, bucket).hint() == 0 {
				continue
			}
			w.empty = false
			return w.sub, bucket, true
		}
		if w.round {
			return 0, 0, false
		}
		if w.volatile && w.empty {
			s.due = 0 // it was left over
		}
		if w.sub++; int(w.sub) == len(w.t.subs) {
			w.sub = 0
		}
		w.bucket, w.empty, w.round = 0, true, w.sub == w.start
	}
	return 0, 0, false
}
