package store

import (
	"math/bits"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tags"
)

// The sweep removes in the background the keys whose tag was invalidated.
//
// The directory of tags says where keys may be, some hundred places at a time and in no order. They are
// sorted by shard, and those of a shard are done under one lock in three passes, so that the waits for
// memory of all of them overlap: the first begins to load their buckets and what remembers departures,
// the second the record that is likely to be meant. The third makes sure by its links and by the hash of
// its name, and removes it. What keys have in common is done once at the end: bytes are booked when the
// prefix changes, the tag's references dropped together, and sub-tables give up buckets.
//
// A lock is held for sweepGroup keys of the usual kind, some 10 us. Those that take longer to be removed
// count for several. Places that were taken before the tags were reset stand for nothing (resets).
//
// BenchmarkSweep, of keys that have left the caches: 1,690 instructions for a key. With each key looked up
// twice and booked by itself it took 2,350; with a lock of its own besides, and its buckets given up as
// soon as might be, 3,340.

const (
	// sweepPlaces is how many places are taken at a time: with the usual eight shards, enough for each to
	// have a whole group of them.
	sweepPlaces = 512
	// sweepGroup is how many keys are removed under one lock, and sweepUnit in one unit of the
	// maintenance, at most.
	sweepGroup, sweepUnit = 32, 128
	// A key with a body, whose elements may be freed at once, counts for so many more, and one more is
	// counted for so many links.
	sweepBody, sweepLinks = 8, 4
)

// tagSweep is where the sweep is. Only the maintenance uses it.
type tagSweep struct {
	job    tags.Job
	places [sweepPlaces]tags.Place // by shard
	n, at  int                     // how many there are, and which one is next
	taken  [sweepPlaces]tags.Place // as they were taken
	resets uint32                  // of the store's tags, when they were

	guesses [sweepGroup]guess
}

// sweptKey is a key that has been found at a place.
type sweptKey struct {
	at    pos
	ref   arena.Ref
	rec   record
	links []byte
	hash  uint64
	stamp uint64 // of its link to the tag
}

func shardOf(p tags.Place) int { return int(p.At() & 0xFF) }

// hashOf is as much of the hash of a key at a place as the place has.
func hashOf(p tags.Place) uint64 { return p.At() >> 8 << 24 }

// sweepTags does one unit of the sweep and reports whether there was anything to do. A shard that a
// script occupies is waited for: nothing else can be swept meanwhile, and what is to be removed is
// hidden.
func (s *Store) sweepTags() bool {
	w := &s.tagSweep
	if w.at == w.n {
		if !s.tags.Pending() {
			return false
		}
		first := &s.shards[0] // any, so that tags are not reset meanwhile
		if !first.lock() {
			return false
		}
		w.take(s)
		first.mu.Unlock()
	}
	for end := min(w.n, w.at+sweepUnit); w.at < end; {
		sh := &s.shards[shardOf(w.places[w.at])]
		if !sh.lock() {
			return false
		}
		if w.resets != s.tagResets { // there is nothing any more at these places
			w.at, end = w.n, 0
		} else {
			w.at += sh.sweepPlaces(w, w.group())
		}
		sh.mu.Unlock()
	}
	return true
}

// take takes the next places and sorts them by shard.
func (w *tagSweep) take(s *Store) {
	w.job, w.n = s.tags.Sweep(w.taken[:])
	w.at, w.resets = 0, s.tagResets
	var ends [MaxShards + 1]uint16 // first, where the places of a shard begin
	for _, p := range w.taken[:w.n] {
		ends[shardOf(p)+1]++
	}
	for i := range MaxShards {
		ends[i+1] += ends[i]
	}
	for _, p := range w.taken[:w.n] {
		end := &ends[shardOf(p)]
		w.places[*end] = p
		*end++
	}
}

// group is the next places of one shard.
func (w *tagSweep) group() []tags.Place {
	rest := w.places[w.at:min(w.n, w.at+sweepGroup)]
	for i, p := range rest {
		if shardOf(p) != shardOf(rest[0]) {
			return rest[:i]
		}
	}
	return rest
}

// sweepPlaces looks at the keys at places in the shard. It returns with how many of them it is done, at
// least one.
func (sh *shard) sweepPlaces(w *tagSweep, places []tags.Place) (done int) {
	db, ok := sh.s.marked(sh.s.tags.Mark(w.job.Ref))
	if !ok { // the database was flushed
		sh.s.tags.Lose(w.job.Ref)
		return len(places)
	}
	t := sh.dbs[db]
	if t == nil {
		return len(places)
	}
	for i, p := range places {
		h := hashOf(p)
		w.guesses[i] = t.home(h)
		if sh.prefixes.on {
			sh.prefixes.gone.prefetch(sh.s.departed(db, h))
		}
	}
	for i := range places {
		t.guess(&w.guesses[i])
	}
	g := sweptGroup{
		sh: sh, t: t, db: db, tag: w.job.Ref,
		gone: sh.s.tags.Gone(w.job.Ref), prefixes: sh.s.prefixes.table.Load(),
	}
	for cost := 0; done < len(places) && cost < sweepGroup; done++ {
		cost += 1 + g.sweep(&w.guesses[done], places[done])
	}
	g.end()
	for i := range done {
		if sub := w.guesses[i].at.sub; t.subs[sub].sparse(rarely) {
			t.shrinkRarely(sub)
		}
	}
	return done
}

// marked is the database with a mark.
func (s *Store) marked(mark uint32) (db int, ok bool) {
	for db := range s.tagMarks {
		if s.mark(db) == mark {
			return db, true
		}
	}
	return 0, false
}

// sweptGroup is the keys of a tag that are swept under one lock.
type sweptGroup struct {
	sh       *shard
	t        *table
	db       int
	tag      tags.Ref
	gone     uint64       // links with a stamp below are gone
	prefixes *prefixTable // nil, or what finds the prefix of a name
	key      sweptKey     // the one that is at hand
	freed    int          // references to the tag that are to be dropped
	slot     uint16       // of the prefix whose keys have been removed, but not been booked yet
	hash     uint64       // of one of them
	owing    bool         // there are any
}

// sweep looks for the key at a place, first where it is likely to be, and removes it if it is gone. It
// returns for how many keys more than one that counts.
func (g *sweptGroup) sweep(guess *guess, place tags.Place) (cost int) {
	sh, t, k := g.sh, g.t, &g.key
	b := guess.bucket
	if k.at, k.ref = guess.at, guess.ref; !b.stillHas(k.at.slot, k.ref) || !t.isLinked(k, g.tag, place) {
		if b = t.findLinked(k, g.tag, place); b == nil {
			return 0
		}
	}
	gone, stale := k.stamp < g.gone, false
	if !gone {
		gone, stale = sh.s.tags.Relist(g.tag, place, k.stamp)
	}
	if !gone && !(stale && sh.tracks()) {
		return 0
	}
	key := Key{Name: k.rec.name(t.mem), hash: k.hash, shard: uint32(sh.id)}
	if g.prefixes != nil {
		key.slot, key.gen = g.prefixes.find(key.Name), g.prefixes.gen
	}
	if !gone {
		sh.untrack(sh.s.tracking.background, key, changed)
		return 0
	}
	if g.owing && (key.slot != g.slot || key.slot == otherSlot || key.gen != sh.prefixes.gen) {
		g.book()
	}
	raw := b.raw(k.at.slot)
	t.unlinkFrom(b, k.at, k.rec.expire)
	owed := sh.owes(raw & parityBit)
	if !owed {
		g.freed++
	}
	t.spare(&k.rec, -1)
	sh.endLinks(k.links, owed, g.tag)
	sh.removedBare(g.db, t, &k.rec, raw, &key, EventInvalidated, true)
	if sh.prefixes.on {
		if g.slot, g.hash, g.owing = key.slot, k.hash, true; sh.prefixes.owing || sh.prefixes.walking != noWalk {
			g.book()
		}
	}
	cost = len(k.links) / (sweepLinks * linkSize)
	if k.rec.encoding() == encBody {
		cost += sweepBody
	}
	return cost
}

// book books what has been removed.
func (g *sweptGroup) book() {
	g.sh.book(g.t, g.slot, g.hash)
	g.owing = false
}

// end does what is put off for all keys of a group.
func (g *sweptGroup) end() {
	if g.owing {
		g.book()
	}
	g.sh.s.tags.DropMany(g.tag, g.freed)
}

// guess is where the key at a place may be: in its home bucket the first record whose tag fits.
type guess struct {
	bucket *bucket // nil: the sub-table has none
	at     pos
	tag    uint8
	ref    arena.Ref // 0: no tag fits
}

// home begins to load the home bucket of a hash.
func (t *table) home(h uint64) (g guess) {
	g.at.sub = t.subOf(h)
	if s := &t.subs[g.at.sub]; s.buckets > 0 {
		position := s.position(h)
		i := s.home(position)
		g.bucket, g.at.bucket, g.tag = t.bucket(s, i), uint16(i), uint8(position)
		arena.Prefetch(&g.bucket[0])
	}
	return g
}

// guess finds the record, and begins to load it.
func (t *table) guess(g *guess) {
	if g.bucket == nil {
		return
	}
	if m := g.bucket.match(g.tag); m != 0 {
		g.at.slot = uint8(bits.TrailingZeros64(m))
		g.ref = g.bucket.ref(g.at.slot)
		off := g.ref.Off()
		t.ar.Prefetch(off)
		t.ar.Prefetch(off + bucketSize)
	}
}

// stillHas reports whether a record is where it was: others may have left its bucket.
func (b *bucket) stillHas(slot uint8, ref arena.Ref) bool {
	return ref != 0 && slot < b.count() && b.ref(slot) == ref
}

// isLinked reports whether a record has a link to a tag whose stamp has the lower bits of a place's, and
// a hash with the bits that the place has. k is valid if it is so.
func (t *table) isLinked(k *sweptKey, tag tags.Ref, place tags.Place) bool {
	k.rec = record{}
	k.rec.decode(t.mem, k.ref)
	if k.rec.extra == 0 {
		return false
	}
	k.links = k.rec.extras(t.mem).links()
	if _, k.stamp = findLink(k.links, tag); k.stamp == 0 || uint16(k.stamp) != place.Stamp() {
		return false
	}
	k.hash = t.hash(k.rec.name(t.mem))
	return k.hash>>24 == hashOf(place)>>24
}

// findLinked finds the bucket of the record that isLinked, nil if there is none.
func (t *table) findLinked(k *sweptKey, tag tags.Ref, place tags.Place) *bucket {
	h := hashOf(place)
	p := pos{sub: t.subOf(h)}
	s := &t.subs[p.sub]
	if s.buckets == 0 {
		return nil
	}
	position := s.position(h)
	i := s.home(position)
	for {
		b := t.bucket(s, i)
		p.bucket = uint16(i)
		for m := b.match(uint8(position)); m != 0; m &= m - 1 {
			p.slot = uint8(bits.TrailingZeros64(m))
			if k.at, k.ref = p, b.ref(p.slot); t.isLinked(k, tag, place) {
				return b
			}
		}
		p.guests++
		if b.overflow() == 0 || int(p.guests) >= int(s.buckets) {
			return nil
		}
		i = s.next(i)
	}
}
