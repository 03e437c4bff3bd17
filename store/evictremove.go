package store

import (
	"math/bits"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store/arena"
)

// evictNear removes the best candidates, about as many victims, until they are want
// bytes.
func (e *Evictor) evictNear(sh *shard, victims int, want int64) {
	chosen, sorted := e.choice.Of(e.ranks[:e.found], victims)
	if !sorted {
		want *= spare
	}
	for _, i := range chosen {
		if want <= 0 {
			break
		}
		c := e.near[i]
		p := &e.picks[c.pick]
		r := readRecord(p.t.mem, p.t.bucket(&p.t.subs[p.sub], uint32(p.bucket)).ref(c.slot))
		want -= sh.weight(&r)
		p.victims |= 1 << c.slot
	}
	e.removeWatched(sh)
	for i := range e.picks[:e.n] { // while the keys of guests are in the cache
		e.picks[i].t.bringHome(e.picks[i].sub, uint32(e.picks[i].bucket))
	}
	for i := range e.picks[:e.n] {
		if p := &e.picks[i]; p.victims != 0 {
			p.t.shrink(p.sub)
		}
	}
	e.count()
}

// removeWatched is removeChosen, of which Watch is told.
func (e *Evictor) removeWatched(sh *shard) {
	if e.Watch == nil {
		e.removeChosen(sh)
		return
	}
	e.Watch(func() { e.removeChosen(sh) })
}

// removeChosen removes the victims that the picks name.
func (e *Evictor) removeChosen(sh *shard) {
	for i := range e.picks[:e.n] {
		e.removeVictims(sh, &e.picks[i])
	}
}

// count adds the step's victims to the store's count.
func (e *Evictor) count() {
	e.s.evicted.Add(e.evicted)
	e.evicted = 0
}

// removeVictims removes the victims in a bucket, from the last slot to the first,
// since a removal moves later ones into the gap.
func (e *Evictor) removeVictims(sh *shard, p *pick) {
	for left := p.victims; left != 0; {
		slot := uint8(bits.Len16(left) - 1)
		left &^= 1 << slot
		e.remove(sh, p, slot)
	}
}

// remove removes the key in a slot. The sub-table does not shrink yet.
func (e *Evictor) remove(sh *shard, at *pick, slot uint8) {
	t := at.t
	s := &t.subs[at.sub]
	b := t.bucket(s, uint32(at.bucket))
	raw := b.raw(slot)
	r := readRecord(t.mem, raw&^parityBit)
	ev := EventEvicted
	if sh.ended(&r, e.now) {
		ev = e.s.endedBy(&r, e.now)
	} else {
		e.meter.Evicted(r.meta>>wordShift, sh.weight(&r), e.now)
		e.evicted++
	}
	p := pos{sub: at.sub, bucket: at.bucket, slot: slot}
	if slot >= b.count()-b.guests() {
		p.guests = t.guestsAt(s, &r, uint32(at.bucket))
	}
	t.unlink(p, r.expire)
	sh.removed(int(at.db), t, &r, raw, ev, e.Background)
}

// carry offers the candidates of a shard to the far pool.
func (e *Evictor) carry(sh *shard) {
	for i, rank := range e.ranks[:e.found] {
		if !e.far.Admits(rank) {
			continue
		}
		c := e.near[i]
		p := &e.picks[c.pick]
		ref := p.t.bucket(&p.t.subs[p.sub], uint32(p.bucket)).ref(c.slot)
		e.far.Offer(rank, far{rank: rank, hash: p.t.hash(recordKey(p.t.mem, ref)), ref: ref, shard: sh.id, db: p.db})
	}
}

// evictFar removes the best of the far pool: as many victims at most, and want
// bytes. What has changed since it was ranked is left alone.
func (e *Evictor) evictFar(victims int, want int64) {
	for victims > 0 && want > 0 {
		c, ok := e.far.Take()
		if !ok {
			return
		}
		sh := &e.s.shards[c.shard]
		if !sh.lock() {
			continue
		}
		if size, ok := e.evictAgain(sh, c); ok {
			want -= size
			victims--
		}
		sh.mu.Unlock()
	}
}

// evictAgain removes a candidate whose shard was unlocked meanwhile, if it is as
// good a victim as before. It returns what it took.
func (e *Evictor) evictAgain(sh *shard, c far) (size int64, ok bool) {
	t := sh.dbs[c.db]
	if t == nil {
		return 0, false
	}
	p, ok := t.findRef(c.hash, c.ref)
	if !ok {
		return 0, false
	}
	r := readRecord(t.mem, c.ref)
	size = sh.weight(&r)
	if !e.mayEvict(sh, &r) || e.policy.Rule != eviction.Random && e.rank(sh, &r, size) < c.rank {
		return 0, false
	}
	e.picks[0], e.n = pick{t: t, db: c.db, sub: p.sub, bucket: p.bucket, victims: 1 << p.slot}, 1
	e.removeWatched(sh)
	t.shrink(p.sub)
	e.count()
	return size, true
}

// findRef finds the slot that refers to a record whose key has the hash h.
func (t *table) findRef(h uint64, ref arena.Ref) (p pos, ok bool) {
	p.sub = t.subOf(h)
	s := &t.subs[p.sub]
	if s.buckets == 0 {
		return p, false
	}
	for i := s.home(s.position(h)); int(p.guests) < int(s.buckets); p.guests++ {
		b := t.bucket(s, i)
		for slot := range b.count() {
			if b.ref(slot) == ref {
				p.bucket, p.slot = uint16(i), slot
				return p, true
			}
		}
		if b.overflow() == 0 {
			break
		}
		i = s.next(i)
	}
	return p, false
}

// guestsAt is how many buckets from home a record is that lies in bucket i.
func (t *table) guestsAt(s *subtable, r *record, i uint32) uint8 {
	home := s.home(s.position(t.hash(t.mem[r.key : r.key+uint64(r.klen)])))
	return uint8((i + uint32(s.buckets) - home) % uint32(s.buckets))
}
