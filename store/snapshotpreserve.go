package store

import "github.com/larderkv/larder/store/arena"

// The writers' side of a snapshot (snapshot.go): what has to happen before a
// record that is not yet saved is changed or removed.

// cutState is a shard's part in the running snapshot. The shard's lock covers
// it.
type cutState struct {
	parity arena.Ref // parity bit of the slots whose records are saved
	sn     *Snapshot // nil when none runs
	shard  int32     // index of the shard
	epoch  uint32    // number of the last cut

	// pin is a big record that the walk reads without the lock. Its slot
	// is unsaved until it has been read, unless a writer took it away: lost.
	pin  arena.Ref
	lost bool

	queue queue
}

// cutMark is the part of a table of the keyspace, or of a body.
type cutMark struct {
	epoch  uint32 // number of the last cut whose snapshot has it, or after which it was made
	orphan bool   // removed before it was written; freed when it has been
}

// tableCut is a table's part.
type tableCut struct {
	cutMark
	db   int32 // database at the cut, or noDB
	kept queue // elements of a nested table that writers have handed over
}

// noDB is the database of nested tables.
const noDB = -1

// preserved is a record that a writer has handed over: it is in no table any
// more, and the snapshot frees it when it has been written.
type preserved struct {
	ref  arena.Ref
	db   int32
	n    int  // number of elements at the cut, of a value with a body
	body body // which may live on under another key

	first int64 // of the body: no element expires before
}

// queue is first in, first out. It grows by batches and not as a slice, whose
// growth would be copied under the lock.
type queue struct{ head, tail *batch }

type batch struct {
	n    int
	list [chunkRecords]preserved
	next *batch
}

// push adds a record and reports whether the queue was empty.
func (q *queue) push(p preserved) (first bool) {
	first = q.head == nil
	switch {
	case first:
		q.head = new(batch)
		q.tail = q.head
	case q.tail.n == chunkRecords:
		q.tail.next = new(batch)
		q.tail = q.tail.next
	}
	q.tail.list[q.tail.n] = p
	q.tail.n++
	return first
}

// pop takes the first batch of a queue that is not empty.
func (q *queue) pop() []preserved {
	b := q.head
	if q.head = b.next; q.head == nil {
		q.tail = nil
	}
	return b.list[:b.n]
}

func (q *queue) empty() bool { return q.head == nil }

// cutLocked begins the shard's part: with the parity turned, all records are
// unsaved.
func (sh *shard) cutLocked(sn *Snapshot, shard int) {
	c := &sh.cut
	c.parity ^= parityBit
	c.epoch++
	c.sn, c.shard = sn, int32(shard)
}

// unfinished reports whether the running snapshot has yet to finish a table or body.
func (sh *shard) unfinished(m *cutMark) bool { return sh.cut.sn != nil && m.epoch != sh.cut.epoch }

// makeOrphan leaves what was removed to the snapshot that has yet to write it: a body, or the table
// of a flushed database.
func (sh *shard) makeOrphan(b body) {
	b.mark().orphan = true
	sh.s.orphans.Add(b.size())
}

// finish notes that the snapshot has all of a table or body. It reports whether that is an orphan,
// which the caller makes garbage.
func (sh *shard) finish(b body) (orphan bool) {
	m := b.mark()
	m.epoch = sh.cut.epoch
	if m.orphan {
		sh.s.orphans.Add(-b.size())
	}
	return m.orphan
}

// unsaved reports whether the running snapshot has yet to write the record. It
// is false from the end of one snapshot to the next cut.
func (e *Entry) unsaved() bool {
	return e.sh.cut.sn != nil && e.t.bucketAt(e.p).parity(e.p.slot) != e.sh.cut.parity
}

// own lets the record be changed in place: an unsaved one is handed over, and
// the entry goes on with a copy. Of a big collection it is the key's record
// alone; with it the collection joins the queue.
func (e *Entry) own() {
	if e.sh.cut.sn != nil {
		e.detach()
	}
}

func (e *Entry) detach() {
	if e.unsaved() {
		e.move(e.rec.meta, e.rec.vlen, e.rec.size(), e.rec.encoding() == encRaw)
		if e.t.stock != nil { // the command may find that it has nothing to change
			e.sh.bookRecord(e.t, e.ref)
		}
	}
}

// renew gives the entry a new record in place of an unsaved one. value may
// alias the old one.
func (e *Entry) renew(meta uint32, value []byte, expire int64) {
	if e.rec.extra > 0 {
		e.sh.retainExtras(&e.rec)
	}
	e.become(e.t.newRecordWith(meta, e.name(), e.extras(), value, expire))
}

// become gives the entry another record of its key, and gives the old one up.
func (e *Entry) become(ref arena.Ref) {
	e.t.spare(&e.rec, -1)
	e.release()
	e.t.renew(e.p, ref)
	e.ref, e.rec = ref, readRecord(e.t.mem, ref)
	e.t.spare(&e.rec, +1)
}

// release gives up the entry's block, which its slot still refers to.
func (e *Entry) release() {
	if e.unsaved() {
		e.sh.handOver(e.t, e.ref)
		return
	}
	if e.rec.extra > 0 {
		e.sh.dropExtras(&e.rec)
	}
	e.t.free(e.ref)
}

// releaseRecord gives up a record that is no longer in its table, and what it
// owns. parity is that of the slot it had.
func (sh *shard) releaseRecord(t *table, r *record, ref, parity arena.Ref) {
	if !sh.owes(parity) {
		sh.freeRecord(t, r, ref)
		return
	}
	sh.handOver(t, ref)
	sh.dropBody(r)
}

// owes reports whether a snapshot has yet to write the record of a slot with this parity.
func (sh *shard) owes(parity arena.Ref) bool { return sh.cut.sn != nil && parity != sh.cut.parity }

// handOver gives the block of an unsaved record to the snapshot.
func (sh *shard) handOver(t *table, ref arena.Ref) {
	c := &sh.cut
	t.disown(ref)
	sh.owe(ref, +1)
	if ref == c.pin {
		c.lost = true
		return
	}
	if t.db == noDB {
		t.kept.push(preserved{ref: ref})
		return
	}
	p := preserved{ref: ref, db: t.db}
	r := readRecord(t.mem, ref)
	if p.body = sh.bodyOf(&r); p.body != nil {
		p.n, p.first = p.body.elements(), firstExpiry(p.body)
	}
	if c.queue.push(p) {
		c.sn.pending[c.shard>>6].Or(1 << (c.shard & 63))
	}
}

// owe counts a block that was handed over, or is freed.
func (sh *shard) owe(ref arena.Ref, sign int64) {
	sh.cut.sn.s.debt.Add(sign * int64(sh.ar.Footprint(ref)))
}
