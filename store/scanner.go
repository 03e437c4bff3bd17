package store

import (
	"fmt"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store/arena"
)

// The reading side of a snapshot (snapshot.go).

const (
	// What is copied while a lock is held: as many records, or as many bytes
	// (one record more), or as many buckets looked at.
	chunkRecords = 64
	chunkBytes   = 32 << 10
	chunkBuckets = 256

	// pinAt is the size from which a record is not copied but pinned. It is
	// well above what compaction moves.
	pinAt = 256 << 10

	// drainAt is the debt from which the queues come before the walk.
	drainAt = 256 << 10

	// prefetchAhead is how many buckets the prefetching of records is ahead.
	prefetchAhead = 3

	// keepBuffer is the longest buffer that is kept from chunk to chunk.
	keepBuffer = 1 << 20
)

// cutTable is a table of the keyspace that existed at the cut.
type cutTable struct {
	sh *shard
	t  *table
}

// scanner is what Run works with.
type scanner struct {
	sink   Sink
	locked bool  // the caller of Run holds the locks
	err    error // the first one; from then on records are marked and not written
	lfu    bool  // how the eviction words are to be read

	at     int    // place in the list of tables
	cursor uint64 // and in the table
	out    chunk  // keys
	next   int    // the first of them that is not yet written
	turn   int    // the shard whose queue was looked at last

	big bigWalk // through one of them
	in  chunk   // its elements

	key   SnapshotKey
	value Value
}

// bigWalk is the walk through a big collection.
type bigWalk struct {
	sh     *shard
	t      *table // nil: none
	typ    Type
	left   int // elements not yet written
	cursor uint64
	walked bool
}

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
	rec    record // its offsets lead into the chunk's buffer
	place  place
	db     int32
	n      int    // elements at the cut
	nested *table // of a big collection
}

// place tells where an item's bytes are.
type place bool

const (
	copied  place = false
	inArena place = true
)

// step does one unit of work: what one hold of a lock brings is written. It
// returns false when the snapshot is over.
func (sn *Snapshot) step() (more bool) {
	if sn.err == nil && sn.aborted.Load() {
		sn.err = ErrAborted
	}
	switch {
	case sn.big.t != nil:
		sn.stepBig()
	case sn.in.holds():
		sn.reclaim(&sn.in)
	case sn.next < len(sn.out.items):
		sn.write()
	case sn.out.holds():
		sn.reclaim(&sn.out)
	case sn.s.debt.Load() >= drainAt && sn.drain():
	case sn.walk():
	case sn.drain():
	default:
		sn.end()
		return false
	}
	return true
}

func (sn *Snapshot) lock(sh *shard) {
	if !sn.locked {
		sh.mu.Lock()
	}
}

func (sn *Snapshot) unlock(sh *shard) {
	if !sn.locked {
		sh.mu.Unlock()
	}
}

// walk collects the next keys of the tables in order. It returns false behind
// the last.
func (sn *Snapshot) walk() bool {
	if sn.at == len(sn.tables) {
		return false
	}
	ct := sn.tables[sn.at]
	sn.lock(ct.sh)
	sn.out.begin(ct.sh)
	sn.next = 0
	if sn.out.collect(ct.t, &sn.cursor, sn.err != nil) {
		ct.sh.finish(garbage{t: ct.t, keyspace: true})
		sn.at, sn.cursor = sn.at+1, 0
	}
	sn.unlock(ct.sh)
	return true
}

// finish notes that the snapshot has all records of a table.
func (sh *shard) finish(g garbage) {
	g.epoch = sh.cut.epoch
	g.t.epoch = g.epoch
	if g.t.orphan {
		sh.garbage = append(sh.garbage, g)
	}
}

// drain takes what writers have handed over to one shard. It returns false if
// there is none.
func (sn *Snapshot) drain() bool {
	sh := sn.pendingShard()
	if sh == nil {
		return false
	}
	c := &sn.out
	c.begin(sh)
	sn.next = 0
	sn.lock(sh)
	list := sh.cut.queue.pop()
	if sh.cut.queue.empty() {
		sn.pending[sh.cut.shard>>6].And(^uint64(1 << (sh.cut.shard & 63)))
	}
	sn.unlock(sh)
	c.preserved(list)
	return true
}

// pendingShard is the next shard with a queue, nil if there is none.
func (sn *Snapshot) pendingShard() *shard {
	for range sn.s.shards {
		sn.turn = (sn.turn + 1) % len(sn.s.shards)
		if sn.pending[sn.turn>>6].Load()>>(sn.turn&63)&1 != 0 {
			return &sn.s.shards[sn.turn]
		}
	}
	return nil
}

// reclaim frees what has been written.
func (sn *Snapshot) reclaim(c *chunk) {
	sn.lock(c.sh)
	c.reclaim()
	sn.unlock(c.sh)
}

// write writes the collected keys, up to a big collection, which it begins.
func (sn *Snapshot) write() {
	c := &sn.out
	keys := int64(0)
	for sn.next < len(c.items) && sn.big.t == nil {
		it := &c.items[sn.next]
		sn.next++
		keys++
		if sn.err == nil {
			sn.err = sn.writeKey(it, c.mem(it))
		}
		if it.nested != nil {
			sn.big = bigWalk{sh: c.sh, t: it.nested, typ: it.rec.typ(), left: it.n}
		}
	}
	sn.done.Add(keys)
}

func (sn *Snapshot) writeKey(it *item, mem []byte) error {
	r, v, k := &it.rec, it.rec.value(), &sn.key
	k.DB, k.Name, k.Type, k.ExpireAt = int(it.db), mem[r.key:v:v], r.typ(), r.expire
	if word := r.meta >> wordShift; sn.lfu {
		k.Idle, k.Freq = -1, int(sn.s.evict.lfu().Frequency(word, sn.now))
	} else {
		k.Idle, k.Freq = idleAt(word, sn.now), -1
	}
	if it.nested != nil {
		return sn.sink.Begin(k, it.n)
	}
	end := v + uint64(r.vlen)
	sn.value.typ, sn.value.enc, sn.value.data = r.typ(), r.encoding(), mem[v:end:end]
	return sn.sink.Key(k, &sn.value)
}

// idleAt is the idle time at the cut; the last access may have been after it.
func idleAt(word uint32, cut int64) int64 {
	idle := eviction.Idle(word, cut)
	if idle >= 1<<(eviction.WordBits-1) {
		return 0
	}
	return idle
}

// stepBig writes elements of the collection that has been begun: those that
// writers have handed over, and the next of the table.
func (sn *Snapshot) stepBig() {
	w, c := &sn.big, &sn.in
	sn.lock(w.sh)
	c.reclaim()
	c.begin(w.sh)
	if !w.t.kept.empty() {
		c.preserved(w.t.kept.pop())
	}
	if !w.walked {
		w.walked = c.collect(w.t, &w.cursor, sn.err != nil)
	}
	done := w.walked && w.t.kept.empty()
	if done {
		w.sh.finish(garbage{t: w.t})
	}
	sn.unlock(w.sh)
	for i := range c.items {
		if sn.err == nil {
			sn.err = sn.writeElement(&c.items[i], c.mem(&c.items[i]))
		}
	}
	w.left -= len(c.items)
	if done {
		sn.endBig()
	}
}

func (sn *Snapshot) writeElement(it *item, mem []byte) error {
	r, v := &it.rec, it.rec.value()
	if sn.big.typ == TypeSet {
		return sn.sink.Element(mem[r.key:v:v], nil)
	}
	end := v + uint64(r.vlen)
	return sn.sink.Element(mem[r.key:v:v], mem[v:end:end])
}

func (sn *Snapshot) endBig() {
	left := sn.big.left
	sn.big = bigWalk{}
	switch {
	case sn.err != nil:
	case left != 0:
		sn.err = fmt.Errorf("BUG: store: snapshot of %q misses %d elements", sn.key.Name, left)
	default:
		sn.err = sn.sink.End()
	}
}

// end closes the snapshot shard by shard. All records are saved, so nothing
// can be handed over any more.
func (sn *Snapshot) end() {
	for i := range sn.s.shards {
		sh := &sn.s.shards[i]
		sn.lock(sh)
		if !sh.cut.queue.empty() || sh.cut.pin != 0 {
			panic("BUG: store: snapshot ended with records left")
		}
		sh.cut.sn = nil
		sn.unlock(sh)
	}
	sn.s.snapshot.Store(nil)
}

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
	if it.place == inArena {
		return c.sh.ar.Mem()
	}
	return c.buf
}

// holds tells whether something waits to be freed.
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
		c.items = append(c.items, item{rec: readRecord(mem, p.ref), place: inArena, db: p.db, n: p.n, nested: p.nested})
		c.blocks = append(c.blocks, p.ref)
	}
}

// collect takes unsaved records from the cursor on, until the chunk is full,
// and moves the cursor to the first bucket that may have more. It returns true
// at the end of the table. quiet marks records and takes big collections only.
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
		if i++; i == uint32(s.buckets) {
			i = 0
		}
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
	it.rec, it.place, it.db = readRecord(t.mem, ref), copied, t.db
	r := &it.rec
	if r.encoding() == encTable {
		it.nested = c.sh.nestedTable(t.mem[r.value():])
		it.n = it.nested.n
	} else if it.nested = nil; quiet {
		return true
	}
	size := r.klen + r.vlen
	if n > 0 && len(c.buf)+size > chunkBytes {
		return false
	}
	if size > pinAt && it.nested == nil {
		it.place = inArena
		c.items = c.items[:n+1]
		c.pinned, c.sh.cut.pin = t, ref
		return false
	}
	key := r.key
	r.key = uint64(len(c.buf))
	c.buf = append(c.buf, t.mem[key:key+uint64(size)]...)
	c.items = c.items[:n+1]
	return true
}
