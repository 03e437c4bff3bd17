package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/arena"
)

// Big collections. Their elements are records in a table of their own, in the
// arena of the key's shard. The key's record has a handle of four bytes, an
// index into the shard's list of tables.
//
// Freeing a table visits every record, so deleting a big collection only
// takes it off the list: it becomes garbage, which the maintenance frees a
// sub-table at a time.

// handleSize is the length of a handle in a record's value.
const handleSize = 4

// freeNow is the number of elements up to which a table is freed at once.
const freeNow = 64

// garbage is a detached table. A keyspace's records may own nested tables.
type garbage struct {
	t        *table
	keyspace bool
	epoch    uint32 // when it was detached: what was garbage at a cut is no part of the snapshot
	objects  int    // still to be freed, as Redis counts them: the keys of a keyspace, or the one collection
}

// newNested makes an empty table for a big collection and returns its handle.
func (sh *shard) newNested(t *table) (handle [handleSize]byte) {
	var i uint32
	if n := len(sh.freeNested); n > 0 {
		i = sh.freeNested[n-1]
		sh.freeNested = sh.freeNested[:n-1]
		sh.nested[i] = t
	} else {
		i = uint32(len(sh.nested))
		sh.nested = append(sh.nested, t)
	}
	binary.LittleEndian.PutUint32(handle[:], i)
	return handle
}

// nestedTable resolves a handle.
func (sh *shard) nestedTable(handle []byte) *table {
	return sh.nested[binary.LittleEndian.Uint32(handle)]
}

// dropNested gives a handle up; its table is freed now if small, else later,
// and not before a running snapshot has it.
func (sh *shard) dropNested(handle []byte) {
	i := binary.LittleEndian.Uint32(handle)
	t := sh.nested[i]
	sh.nested[i] = nil
	sh.freeNested = append(sh.freeNested, i)
	if sh.unfinished(t) {
		sh.makeOrphan(t)
		return
	}
	sh.discard(garbage{t: t, epoch: sh.cut.epoch})
}

// discard frees a detached table, now or later.
func (sh *shard) discard(g garbage) {
	if t := g.t; t.n > freeNow {
		sh.addGarbage(g)
		return
	}
	for i := range g.t.subs {
		sh.freeSub(g, i)
	}
}

// addGarbage leaves a detached table to the maintenance and to whoever needs
// memory.
func (sh *shard) addGarbage(g garbage) {
	g.objects = 1
	if g.keyspace {
		g.objects = g.t.n
	}
	sh.garbage = append(sh.garbage, g)
	sh.s.littered.set(sh.id)
}

// makeOrphan leaves a table that was removed to the snapshot that has yet to
// write it.
func (sh *shard) makeOrphan(t *table) {
	t.orphan = true
	sh.s.orphans.Add(t.bytes)
}

// freeRecord frees a record that is no longer in its table, and what it owns.
func (sh *shard) freeRecord(t *table, r *record, ref arena.Ref) {
	sh.dropOwned(r)
	t.free(ref)
}

// dropOwned gives up the nested table of a record that has one.
func (sh *shard) dropOwned(r *record) {
	if r.encoding() == encTable {
		v := r.value()
		sh.dropNested(sh.ar.Mem()[v : v+handleSize])
	}
}

// freeSub frees the records and buckets of one sub-table of garbage.
func (sh *shard) freeSub(g garbage, i int) {
	t := g.t
	s := &t.subs[i]
	t.eachSlot(s, func(b *bucket, i uint32, slot uint8, _ bool) {
		if slot == 0 {
			t.prefetchRefs(s, i+1)
		}
		ref := b.ref(slot)
		if !g.keyspace {
			t.free(ref)
			return
		}
		r := readRecord(t.mem, ref)
		if r.encoding() == encTable && g.epoch != sh.cut.epoch {
			sh.nestedTable(t.mem[r.value():]).epoch = sh.cut.epoch
		}
		sh.freeRecord(t, &r, ref)
	})
	t.freeArray(s.base, s.buckets)
	*s = subtable{}
}

// collectGarbage frees one sub-table. It reports whether there was one.
func (sh *shard) collectGarbage() bool {
	n := len(sh.garbage)
	if n == 0 {
		return false
	}
	g := sh.garbage[n-1]
	// Freeing a keyspace may append to the garbage, so the entry is looked
	// up by position and taken off first.
	last := len(g.t.subs) - 1
	if last < 0 {
		sh.freed += int64(g.objects)
		if sh.garbage = sh.garbage[:n-1]; n == 1 {
			sh.s.littered.clear(sh.id)
		}
		return true
	}
	if g.keyspace {
		keys := min(int(g.t.subs[last].count), g.objects)
		sh.garbage[n-1].objects -= keys
		sh.freed += int64(keys)
	}
	sh.freeSub(g, last)
	g.t.subs = g.t.subs[:last]
	return true
}

// cloneInto copies a table and its records into another shard's arena.
func (t *table) cloneInto(sh *shard, now int64) *table {
	c := newTable(sh, t.seed)
	t.each(func(ref arena.Ref) bool {
		r := readRecord(t.mem, ref)
		key := t.mem[r.key : r.key+uint64(r.klen)]
		v := r.value()
		nr := c.newRecord(r.meta, key, t.mem[v:v+uint64(r.vlen)], r.expire)
		c.insert(c.hash(key), nr, r.expire, now)
		return true
	})
	return c
}
