package store

import "github.com/larderkv/larder/store/arena"

// What the walk of a snapshot takes out of tables and queues at a time. The
// functions here run under the shard's lock, unless they say otherwise.

const (
	// What is copied while a lock is held: as many records, or as many bytes
	// (one record more), or as many buckets looked at.
	chunkRecords = 64
	chunkBytes   = 32 << 10
	chunkBuckets = 256

	// pinAt is the size from which a record is not copied but pinned. It is
	// well above what compaction moves.
	pinAt = 256 << 10

	// prefetchAhead is how many buckets the prefetching of records is ahead.
	prefetchAhead = 3

	// keepBuffer is the longest buffer that is kept from chunk to chunk.
	keepBuffer = 1 << 20
)

// chunk is what one hold of a lock has brought.
type chunk struct {
	sh     *shard
	buf    []byte
	items  []item
	blocks []arena.Ref // handed over by writers, freed when they have been written
	pinned *table      // nil, or the table of the record that is pinned
}

// item is a key or an element.
type item struct {
	rec   record // its offsets lead into what chunk.mem returns
	place place
	db    int32
	n     int    // elements at the cut
	body  body   // nil, or of a big value
	first int64  // of the body: no element expires before, see table
	run   []byte // inRun: an element
	more  []byte // copied: the key's extras, by Extras.Append
	gone  bool   // copied: a tag of it was invalidated
}

// place says where an item's bytes are.
type place uint8

const (
	copied  place = iota // in the chunk's buffer
	inArena              // at the offsets of the record
	inRun                // in the item's run, which is the key of its record
)

func (c *chunk) begin(sh *shard) {
	c.sh = sh
	if c.items == nil {
		c.items = make([]item, 0, chunkRecords)
	}
	c.items = c.items[:0]
	if c.buf = c.buf[:0]; cap(c.buf) > keepBuffer {
		c.buf = nil
	}
}

// mem is what the item's offsets lead into.
func (c *chunk) mem(it *item) []byte {
	switch it.place {
	case inArena:
		return c.sh.ar.Mem()
	case inRun:
		return it.run
	case copied:
		return c.buf
	}
	panic("BUG: store: item without a place")
}

// holds reports whether something waits to be freed.
func (c *chunk) holds() bool { return len(c.blocks) > 0 || c.pinned != nil }

// reclaim frees the blocks that writers had handed over and lets go of the
// record that was pinned. The shard is locked.
func (c *chunk) reclaim() {
	for _, ref := range c.blocks {
		c.sh.forget(ref)
	}
	c.blocks = c.blocks[:0]
	if c.pinned != nil {
		c.sh.unpin(c.pinned)
		c.pinned = nil
	}
}

// forget frees a block that was handed over.
func (sh *shard) forget(ref arena.Ref) {
	sh.owe(ref, -1)
	if r := readRecord(sh.ar.Mem(), ref); r.extra > 0 {
		sh.dropExtras(&r)
	}
	sh.ar.Free(ref)
}

// unpin marks the pinned record as saved, or frees it if a writer has taken it
// out of its table meanwhile.
func (sh *shard) unpin(t *table) {
	c := &sh.cut
	if c.lost {
		sh.forget(c.pin)
	} else {
		key := recordKey(t.mem, c.pin)
		p, ref, ok := t.find(t.hash(key), key)
		if !ok || ref != c.pin {
			panic("BUG: store: pinned record is not in its table")
		}
		t.bucketAt(p).setParity(p.slot, c.parity)
	}
	c.pin, c.lost = 0, false
}

// preserved takes what writers have handed over. The blocks are the snapshot's,
// so it needs no lock.
func (c *chunk) preserved(list []preserved) {
	mem := c.sh.ar.Mem()
	for _, p := range list {
		c.items = append(c.items,
			item{rec: readRecord(mem, p.ref), place: inArena, db: p.db, n: p.n, body: p.body, first: p.first})
		c.blocks = append(c.blocks, p.ref)
	}
}

// collect takes unsaved records from the cursor on, until the chunk is full,
// and moves the cursor to the first bucket that may have more. It returns true
// at the end of the table. quiet marks records and takes values with bodies only.
func (c *chunk) collect(t *table, cursor *uint64, quiet bool) (done bool) {
	for n := 0; n < chunkBuckets; n++ {
		s, i := t.bucketAtCursor(*cursor)
		if s.buckets > 0 {
			if n == 0 || i == 0 {
				for ahead := range uint32(prefetchAhead) {
					t.prefetchRecords(s, i+ahead)
				}
			}
			t.prefetchRecords(s, i+prefetchAhead)
			if !c.takeBucket(t, s, i, quiet) {
				return false
			}
		}
		if *cursor = s.cursorAfter(i); *cursor == 0 {
			return true
		}
	}
	return false
}

// takeBucket takes the unsaved records whose home a bucket is. It takes the
// others with them that lie in the bucket or among the guests of the following
// ones: they are marked, so it does no harm that they come early.
func (c *chunk) takeBucket(t *table, s *subtable, home uint32, quiet bool) bool {
	b := t.bucket(s, home)
	if !c.takeSlots(t, b, 0, quiet) {
		return false
	}
	for i, passed := home, 1; b.overflow() > 0 && passed < int(s.buckets); passed++ {
		i = s.next(i)
		b = t.bucket(s, i)
		if !c.takeSlots(t, b, b.count()-b.guests(), quiet) {
			return false
		}
	}
	return true
}

func (c *chunk) takeSlots(t *table, b *bucket, from uint8, quiet bool) bool {
	parity := c.sh.cut.parity
	for slot := from; slot < b.count(); slot++ {
		if b.parity(slot) == parity {
			continue
		}
		if !c.take(t, b.ref(slot), quiet) {
			return false
		}
		b.setParity(slot, parity)
	}
	return true
}

// take takes a record, or returns false to leave it unsaved: because the chunk
// is full, or because it is pinned. The item is made where it stays, since
// copying one costs as much as all the rest.
func (c *chunk) take(t *table, ref arena.Ref, quiet bool) bool {
	n := len(c.items)
	if n == chunkRecords {
		return false
	}
	it := &c.items[:n+1][n]
	it.rec, it.place, it.db, it.more, it.gone, it.first = readRecord(t.mem, ref), copied, t.db, nil, false, 0
	r := &it.rec
	if it.body = c.sh.bodyOf(r); it.body != nil {
		it.n, it.first = it.body.elements(), firstExpiry(it.body)
	} else if quiet {
		return true
	}
	size := r.klen + r.extra + r.vlen
	if n > 0 && len(c.buf)+size > chunkBytes {
		return false
	}
	if size > pinAt && it.body == nil {
		it.place = inArena
		c.items = c.items[:n+1]
		c.pinned, c.sh.cut.pin = t, ref
		return false
	}
	key := r.key
	r.key = uint64(len(c.buf))
	c.buf = append(c.buf, t.mem[key:key+uint64(size)]...)
	if r.extra > 0 { // now, since the tags may be freed with the record
		at := len(c.buf)
		c.buf, it.gone = c.sh.saveExtras(c.buf, r.extras(c.buf))
		it.more = c.buf[at:]
	}
	c.items = c.items[:n+1]
	return true
}
