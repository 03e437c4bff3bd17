package store

import "github.com/larderkv/larder/store/arena"

// Garbage: bodies of removed keys, and tables of flushed databases. To free one takes a visit to
// every block, so removing a big key or flushing a database merely takes it off its list. It
// becomes garbage, which the maintenance and whoever needs memory free in steps.

const (
	// freeNow is the number of elements up to which a body is freed at once.
	freeNow = 64
	// freeUnit is how many keys of the usual kind are freed at once. One more is counted for each tag of a
	// key, and freeBody more for a body, whose elements may be freed with it.
	freeUnit, freeBody = 256, 8
)

// garbage is a detached body, or the table of a flushed database: the records of that may have
// bodies of their own.
type garbage struct {
	body     body
	keyspace *table // nil, or the table in place of a body
	epoch    uint32 // when it was detached: what was garbage at a cut is no part of the snapshot
	objects  int    // still to be freed, as Redis counts them: the keys of a keyspace, or the one value
	buckets  int    // of the last sub-table of a keyspace, which are still to be freed; 0: it is whole
}

// discard frees a detached body, now or later.
func (sh *shard) discard(b body) {
	if b.elements() > freeNow {
		sh.addGarbage(garbage{body: b, objects: 1})
		return
	}
	for !b.release() {
	}
}

// discardKeyspace leaves the table of a flushed database to be freed.
func (sh *shard) discardKeyspace(t *table) {
	sh.addGarbage(garbage{keyspace: t, objects: t.n})
}

func (sh *shard) addGarbage(g garbage) {
	g.epoch = sh.cut.epoch
	sh.garbage = append(sh.garbage, g)
	sh.s.littered.set(sh.id)
}

// collectGarbage does one step. It reports whether there was something to do.
func (sh *shard) collectGarbage() bool {
	n := len(sh.garbage)
	if n == 0 {
		return false
	}
	if t := sh.garbage[n-1].keyspace; t != nil && len(t.subs) > 0 {
		sh.freeKeys(t, n-1)
		return true
	} else if t == nil && !sh.garbage[n-1].body.release() {
		return true
	}
	sh.freed += int64(sh.garbage[n-1].objects)
	if sh.garbage = sh.garbage[:n-1]; n == 1 {
		sh.s.littered.clear(sh.id)
	}
	return true
}

// freeKeys frees some records of the last sub-table of a keyspace, which is the piece of garbage at an
// index, from the last bucket on; with all of them, the sub-table.
func (sh *shard) freeKeys(t *table, at int) {
	last := len(t.subs) - 1
	s, epoch, left := &t.subs[last], sh.garbage[at].epoch, sh.garbage[at].buckets
	if left == 0 {
		left = int(s.buckets)
	}
	keys := 0
	for cost := 0; left > 0 && cost < freeUnit; {
		left--
		t.prefetchRefs(s, uint32(left-1))
		b := t.bucket(s, uint32(left))
		for slot := range b.count() {
			cost += sh.freeKey(t, b.ref(slot), epoch)
			keys++
		}
		*b = bucket{}
	}
	s.count -= uint16(keys)
	g := &sh.garbage[at] // not before: what was freed may have left garbage behind this piece
	keys = min(keys, g.objects)
	g.objects -= keys
	sh.freed += int64(keys)
	if g.buckets = left; left == 0 {
		t.freeArray(s.base, s.buckets)
		t.subs = t.subs[:last]
	}
}

// freeKey frees a record of a keyspace that was detached after the cut with the number epoch, and returns
// for how many keys it counts.
func (sh *shard) freeKey(t *table, ref arena.Ref, epoch uint32) (cost int) {
	cost = 1
	r := readRecord(t.mem, ref)
	if b := sh.bodyOf(&r); b != nil {
		cost += freeBody
		if epoch != sh.cut.epoch {
			b.mark().epoch = sh.cut.epoch
		}
	}
	sh.dropBody(&r)
	if r.extra > 0 {
		links := r.extras(t.mem).links()
		cost += len(links) / linkSize
		sh.endLinks(links, false, 0)
	}
	t.free(ref)
	return cost
}

// freeRecord frees a record that is no longer in its table, and what it owns.
func (sh *shard) freeRecord(t *table, r *record, ref arena.Ref) {
	sh.dropBody(r)
	if r.extra > 0 {
		sh.dropExtras(r)
	}
	t.free(ref)
}
