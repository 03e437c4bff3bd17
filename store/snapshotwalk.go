package store

import (
	"fmt"

	"github.com/larderkv/larder/eviction"
)

// The reading side of a snapshot (snapshot.go).

// drainAt is the debt in bytes from which the queues come before the walk.
const drainAt = 256 << 10

// cutTable is a table of the keyspace that existed at the cut.
type cutTable struct {
	sh *shard
	t  *table
}

// snapshotWalk is what Run works with.
type snapshotWalk struct {
	sink   Sink
	locked bool            // the caller of Run holds the locks
	err    error           // the first one; from then on records are marked and not written
	meter  *eviction.Meter // reads the eviction words

	at     int    // place in the list of tables
	cursor uint64 // and in the table
	out    chunk  // keys
	next   int    // the first of them that is not yet written
	turn   int    // the shard whose queue was looked at last

	big bodyWalk // through one of them
	in  chunk    // its elements

	key    SnapshotKey
	extras []byte // of a key that is read where it is
	value  Value
}

// bodyWalk is the walk through a body.
type bodyWalk struct {
	sh     *shard
	body   body // nil: none
	paired bool // the elements have values
	left   int  // elements not yet written

	// The place is the body's to keep.
	cursor uint64
	walked bool
}

// step does one unit of work: what one hold of a lock brings is written. It
// returns false when the snapshot is over.
func (sn *Snapshot) step() (more bool) {
	if sn.err == nil && sn.aborted.Load() {
		sn.err = ErrAborted
	}
	switch {
	case sn.big.body != nil:
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
		sh.await()
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
		if ct.sh.finish(ct.t) {
			ct.sh.discardKeyspace(ct.t)
		}
		sn.at, sn.cursor = sn.at+1, 0
	}
	sn.unlock(ct.sh)
	return true
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

// write writes the collected keys, up to one with a body, which it begins.
func (sn *Snapshot) write() {
	c := &sn.out
	keys := int64(0)
	for sn.next < len(c.items) && sn.big.body == nil {
		it := &c.items[sn.next]
		sn.next++
		keys++
		if sn.err == nil {
			sn.err = sn.writeKey(it, c.mem(it))
		}
		if it.body != nil {
			sn.big = bodyWalk{sh: c.sh, body: it.body, paired: typeRows[it.rec.typ()].paired, left: it.n}
		}
	}
	sn.done.Add(keys)
}

func (sn *Snapshot) writeKey(it *item, mem []byte) error {
	r, v, k := &it.rec, it.rec.value(), &sn.key
	k.DB, k.Name, k.Type, k.ExpireAt, k.FirstExpiry = int(it.db), r.name(mem), r.typ(), r.expire, it.first
	more, gone := it.more, it.gone
	if r.extra > 0 && it.place == inArena {
		sn.extras, gone = sn.out.sh.saveExtras(sn.extras[:0], r.extras(mem))
		more = sn.extras
	}
	if k.Extras = more; gone {
		k.ExpireAt = 1 // whoever loads it takes it for expired
	}
	if word := r.meta >> wordShift; sn.meter.Policy().Rule == eviction.LFU {
		k.Idle, k.Freq = -1, int(sn.meter.Frequency(word, sn.now))
	} else {
		k.Idle, k.Freq = sn.meter.Idle(word, sn.now), -1 // 0 for an access after the cut
	}
	if it.body != nil {
		return sn.sink.Begin(k, it.n)
	}
	end := v + uint64(r.vlen)
	sn.value.typ, sn.value.enc, sn.value.data = r.typ(), r.encoding(), mem[v:end:end]
	return sn.sink.Key(k, &sn.value)
}

// stepBig writes elements of the body that has been begun.
func (sn *Snapshot) stepBig() {
	w, c := &sn.big, &sn.in
	sn.lock(w.sh)
	c.reclaim()
	c.begin(w.sh)
	done := w.body.collect(c, w, sn.err != nil)
	w.sh.settleBody(w.body)
	if done && w.sh.finish(w.body) {
		w.sh.addGarbage(garbage{body: w.body, objects: 1})
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
	if !sn.big.paired {
		return sn.sink.Element(mem[r.key:v:v], nil, r.expire)
	}
	end := v + uint64(r.vlen)
	return sn.sink.Element(mem[r.key:v:v], mem[v:end:end], r.expire)
}

func (sn *Snapshot) endBig() {
	left := sn.big.left
	sn.big = bodyWalk{}
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
	sn.tables, sn.snapshotWalk = nil, snapshotWalk{err: sn.err} // whoever keeps the Snapshot keeps no table
	sn.s.snapshot.Store(nil)
}
