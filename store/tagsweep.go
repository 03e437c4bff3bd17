package store

import (
	"math/bits"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tags"
)

// The sweep removes in the background the keys whose tag was invalidated.
//
// The directory of tags says where keys may be, some hundred places at a time and in no order. They are
// sorted by shard, and those of a shard are done under one lock in four passes, so that the waits for
// memory of all of them overlap: the first begins to load their buckets, the second their records. The
// third knows by their links which of them are meant, hashes each name once, and begins to load what
// remembers departures. The last one removes. A sub-table gives up buckets at the end, once for all keys
// that have left it.
//
// A lock is held for sweepGroup keys of the usual kind, some 10 us. Those that take longer to be removed
// count for several. Places that were taken before the tags were reset stand for nothing (resets).
//
// BenchmarkSweep, of keys that have left the caches: 2,350 instructions for a key, and 260 ns on a busy
// machine of two cores. One key after the other, each with a lock of its own and its buckets given up as
// soon as might be, took 3,340 and 610.

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
	keys   [sweepGroup]sweptKey
}

// sweptKey is a key that has been found at a place.
type sweptKey struct {
	rec   record
	ref   arena.Ref
	hash  uint64
	stamp uint64 // of its link to the tag
	at    pos
	place tags.Place
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
	for _, p := range places {
		t.prefetchBucket(hashOf(p))
	}
	for _, p := range places {
		t.prefetchRecord(hashOf(p))
	}
	keys, cost := w.keys[:0], 0
	for _, p := range places {
		if cost >= sweepGroup {
			break
		}
		done++
		cost++
		k := &w.keys[len(keys)]
		if !t.findLinked(k, w.job.Ref, p) {
			continue
		}
		keys = w.keys[:len(keys)+1]
		if sh.prefixes.on {
			sh.prefixes.gone.prefetch(sh.s.departed(db, k.hash))
		}
		cost += k.rec.extra / (sweepLinks * linkSize)
		if k.rec.encoding() == encBody {
			cost += sweepBody
		}
	}
	freed := 0
	for i := range keys {
		if sh.sweepKey(db, t, w.job.Ref, &keys[i]) {
			freed++
		}
	}
	sh.s.tags.DropMany(w.job.Ref, freed)
	for i := range keys {
		t.shrinkRarely(keys[i].at.sub)
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

// sweepKey removes a key if it is gone. It reports whether a reference to the tag is to be dropped.
func (sh *shard) sweepKey(db int, t *table, tag tags.Ref, k *sweptKey) (freed bool) {
	raw, ok := t.slotOf(&k.at, k.ref)
	if !ok { // it was at two places
		return false
	}
	gone, stale := sh.s.tags.Relist(tag, k.place, k.stamp)
	if !gone && !(stale && sh.tracks()) {
		return false
	}
	key := sh.keyOf(k.rec.name(t.mem), k.hash)
	if !gone {
		sh.untrack(sh.s.tracking.background, key, changed)
		return false
	}
	t.unlink(k.at, k.rec.expire)
	if freed = !sh.owes(raw & parityBit); freed {
		sh.stripLinks(&k.rec, tag)
	}
	sh.removedKey(db, t, &k.rec, raw, &key, EventInvalidated, true)
	return freed
}

// stripLinks is unlinkTags and dropExtras at once for a record that is about to be freed. The reference to
// one tag, which has invalidated it, is left to the caller.
func (sh *shard) stripLinks(r *record, but tags.Ref) {
	x := r.extras(sh.ar.Mem())
	links := x.links()
	if len(links) > linkSize {
		for i := range len(links) / linkSize {
			if ref, stamp := linkAt(links, i); ref != but {
				sh.s.tags.Unlink(ref, stamp)
				sh.s.tags.Drop(ref)
			}
		}
	}
	sh.countLinked(links, -1)
	x[2] &^= hasLinks
}

// slotOf brings a position up to date, whose bucket others may have left since. The record is no longer
// in its table if ok is false.
func (t *table) slotOf(at *pos, ref arena.Ref) (raw arena.Ref, ok bool) {
	b := t.bucketAt(*at)
	n := b.count()
	if at.slot < n {
		if raw = b.raw(at.slot); raw&^parityBit == ref {
			return raw, true
		}
	}
	for slot := range n {
		if raw = b.raw(slot); raw&^parityBit == ref {
			at.slot = slot
			return raw, true
		}
	}
	return 0, false
}

// findLinked finds the record with a link to a tag whose stamp has the lower bits of a place's, among
// those whose hash has the bits that the place has. k is valid if there is one.
func (t *table) findLinked(k *sweptKey, tag tags.Ref, place tags.Place) bool {
	h, low := hashOf(place), place.Stamp()
	p := pos{sub: t.subOf(h)}
	s := &t.subs[p.sub]
	if s.buckets == 0 {
		return false
	}
	position := s.position(h)
	i := s.home(position)
	for {
		b := t.bucket(s, i)
		for m := b.match(uint8(position)); m != 0; m &= m - 1 {
			slot := uint8(bits.TrailingZeros64(m)) >> 2
			ref := b.ref(slot)
			k.rec = record{}
			k.rec.decode(t.mem, ref)
			if k.rec.extra == 0 {
				continue
			}
			if _, k.stamp = findLink(k.rec.extras(t.mem).links(), tag); k.stamp == 0 || uint16(k.stamp) != low {
				continue
			}
			if k.hash = t.hash(k.rec.name(t.mem)); k.hash>>24 == h>>24 {
				p.bucket, p.slot = uint16(i), slot
				k.at, k.ref, k.place = p, ref, place
				return true
			}
		}
		p.guests++
		if b.overflow() == 0 || int(p.guests) >= int(s.buckets) {
			return false
		}
		i = s.next(i)
	}
}
