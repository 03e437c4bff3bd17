package store

import "github.com/larderkv/larder/store/arena"

// Garbage: bodies of removed keys, and tables of flushed databases. To free one takes a visit to
// every block, so removing a big key or flushing a database merely takes it off its list. It
// becomes garbage, which the maintenance and whoever needs memory free in steps.

// freeNow is the number of elements up to which a body is freed at once.
const freeNow = 64

// garbage is a detached body, or the table of a flushed database: the records of that may have
// bodies of their own.
type garbage struct {
	body     body
	keyspace *table // nil, or the table in place of a body
	epoch    uint32 // when it was detached: what was garbage at a cut is no part of the snapshot
	objects  int    // still to be freed, as Redis counts them: the keys of a keyspace, or the one value
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
	// Freeing a keyspace may append to the garbage, so the entry is looked up by position and what
	// is counted is counted before.
	if t := sh.garbage[n-1].keyspace; t != nil && len(t.subs) > 0 {
		last := len(t.subs) - 1
		keys := min(int(t.subs[last].count), sh.garbage[n-1].objects)
		sh.garbage[n-1].objects -= keys
		sh.freed += int64(keys)
		sh.freeKeys(t, last, sh.garbage[n-1].epoch)
		t.subs = t.subs[:last]
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

// freeKeys frees the records and buckets of one sub-table of a keyspace that was detached after the
// cut with the number epoch.
func (sh *shard) freeKeys(t *table, i int, epoch uint32) {
	t.freeSub(i, func(ref arena.Ref) {
		r := readRecord(t.mem, ref)
		if b := sh.bodyOf(&r); b != nil && epoch != sh.cut.epoch {
			b.mark().epoch = sh.cut.epoch
		}
		sh.dropBody(&r)
		if r.extra > 0 {
			sh.endLinks(r.extras(t.mem).links(), false, 0)
		}
		t.free(ref)
	})
}

// freeRecord frees a record that is no longer in its table, and what it owns.
func (sh *shard) freeRecord(t *table, r *record, ref arena.Ref) {
	sh.dropBody(r)
	if r.extra > 0 {
		sh.dropExtras(r)
	}
	t.free(ref)
}
