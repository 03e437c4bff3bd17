package store

import (
	"slices"

	"github.com/larderkv/larder/store/arena"
)

// A table as a body: the elements of a big hash or set are records whose key is the field or
// member.

func (t *table) elements() int   { return t.n }
func (t *table) size() int64     { return t.bytes }
func (t *table) members() *table { return t }
func (t *table) mark() *cutMark  { return &t.cutMark }

func (t *table) each(fn func(item, value []byte) bool) {
	t.eachRef(func(ref arena.Ref) bool {
		r := readRecord(t.mem, ref)
		v := r.value()
		end := v + uint64(r.vlen)
		return fn(t.mem[r.key:v:v], t.mem[v:end:end])
	})
}

// clone copies buckets as they are: no name is hashed or looked up.
func (t *table) clone(sh *shard, now int64) body {
	c := t.cloneBuckets(sh)
	if c.first != 0 {
		c.due = tickAt(now) | 1 // that of t is not of all sub-tables while a walk is under way
	}
	for i := range c.subs {
		s := &c.subs[i]
		for at := range uint32(s.buckets) {
			c.prefetchRecords(s, at+prefetchAhead)
			b := c.bucket(s, at)
			for slot := range b.count() {
				b.setRaw(slot, c.cut.parity|c.copyRecord(b.ref(slot)))
			}
		}
	}
	return c
}

// cloneBuckets copies a table without its records, to which the copy refers, too, until it gets
// copies of them. The seed is that of all tables, so that everything has the same place.
func (t *table) cloneBuckets(sh *shard) *table {
	c := newTable(sh, t.seed)
	c.depth, c.dir, c.subs = t.depth, slices.Clone(t.dir), slices.Clone(t.subs)
	c.n, c.ttls, c.until, c.first, c.widest = t.n, t.ttls, t.until, t.first, t.widest
	for i := range c.subs {
		s := &c.subs[i]
		s.base = c.newArray(int(s.buckets))
		if s.buckets > 0 {
			size := int(s.buckets) * bucketSize
			copy(c.ar.Bytes(arena.Ref(s.base>>3), size), t.ar.Bytes(arena.Ref(t.subs[i].base>>3), size))
		}
	}
	return c
}

// locate finds the slot that refers to a record, which the table has, by the hash of its key.
func (t *table) locate(h uint64, ref arena.Ref) (p pos) {
	p.sub = t.subOf(h)
	s := &t.subs[p.sub]
	i := s.home(s.position(h))
	for {
		b := t.bucket(s, i)
		for slot := range b.count() {
			if b.ref(slot) == ref {
				p.bucket, p.slot = uint16(i), slot
				return p
			}
		}
		p.guests++
		i = s.next(i)
	}
}

// copyRecord copies the record of another table.
func (t *table) copyRecord(ref arena.Ref) arena.Ref {
	r := readRecord(t.mem, ref)
	size := r.size()
	copied := t.alloc(size)
	copy(t.ar.Bytes(copied, size), t.mem[r.off:r.off+uint64(size)])
	return copied
}

func (t *table) moveTo(sh *shard) { t.ar, t.cut = sh.ar, &sh.cut }

// release frees one sub-table.
func (t *table) release() (done bool) {
	last := len(t.subs) - 1
	if last < 0 {
		return true
	}
	s := &t.subs[last]
	t.eachSlot(s, func(b *bucket, i uint32, slot uint8, _ bool) {
		if slot == 0 {
			t.prefetchRefs(s, i+1)
		}
		t.free(b.ref(slot))
	})
	t.freeArray(s.base, s.buckets)
	t.subs = t.subs[:last]
	return false
}

// collect takes the elements that writers have handed over, and the next of the table.
func (t *table) collect(c *chunk, w *bodyWalk, quiet bool) (done bool) {
	if !t.kept.empty() {
		c.preserved(t.kept.pop())
	}
	if !w.walked {
		w.walked = c.collect(t, &w.cursor, quiet)
	}
	return w.walked && t.kept.empty()
}
