package store

import "github.com/larderkv/larder/store/arena"

// The walk that counts keys which are older than the tracking of their prefix (prefixes.go). It goes
// through the tables of a shard in hash order, some buckets at a time, as part of the maintenance.
// Between two steps clients go on: an operation on a key that the walk has visited is booked to the
// key's prefix, one on a key that it has yet to visit as if there were no walk. So every key is
// counted once, as it is when the walk gets there.
//
//	walkAll    begins with nothing counted: statistics have been switched on, or their rule has
//	           changed. What is not visited yet is booked to noSlot, which nobody reads.
//	walkSome   moves the keys of prefixes that have got a slot from the stock of the others. Prefixes
//	           that get one meanwhile wait for the next walk.

// walkKind is the walk that is under way.
type walkKind uint8

const (
	noWalk walkKind = iota
	walkAll
	walkSome
)

// walkBuckets is how many buckets a step visits. With seven or eight keys in each of them, out of
// the processor's caches, that takes some 50 microseconds.
const walkBuckets = 64

// prefixStep does one step. It reports whether there was something to do.
func (sh *shard) prefixStep() bool {
	p := &sh.prefixes
	if !p.on {
		return false
	}
	sh.follow()
	if p.walking == noWalk {
		if !p.pending {
			return false
		}
		sh.beginWalkSome()
	}
	for _, t := range sh.dbs {
		if t != nil && t.stock.cursor != walkedAll {
			sh.walkTable(t)
			return true
		}
	}
	sh.endPrefixWalk()
	return true
}

func (sh *shard) beginWalkSome() {
	p := &sh.prefixes
	p.walking, p.pending = walkSome, false
	for i := range p.tallies {
		if p.tallies[i].state == statePending {
			p.tallies[i].state = stateCounting
		}
	}
	for _, t := range sh.dbs {
		if t != nil {
			t.stock.cursor = 0
		}
	}
}

func (sh *shard) endPrefixWalk() {
	p := &sh.prefixes
	p.walking = noWalk
	for i := range p.tallies {
		if p.tallies[i].state == stateCounting {
			p.tallies[i].state = stateExact
		}
	}
	for _, t := range sh.dbs {
		if t != nil {
			*t.stock.of(noSlot) = stock{}
		}
	}
}

// walkTable visits the next buckets of a table.
func (sh *shard) walkTable(t *table) {
	ts := t.stock
	for range walkBuckets {
		// A record that another one's removal or a larger array has moved to an earlier bucket
		// is not visited twice, since its hash says where the walk has met it.
		from := ts.cursor
		next := t.scan(from, func(ref arena.Ref) { sh.visit(t, ref, from) })
		if next == 0 {
			ts.cursor = walkedAll
			return
		}
		ts.cursor = next
	}
}

// visit counts a key whose hash is not before the cursor.
func (sh *shard) visit(t *table, ref arena.Ref, from uint64) {
	r := readRecord(t.mem, ref)
	k := Key{Name: t.mem[r.key : r.key+uint64(r.klen) : r.key+uint64(r.klen)]}
	if k.hash = t.hash(k.Name); k.hash>>16 < from {
		return
	}
	p := &sh.prefixes
	if sh.locate(&k); k.slot == otherSlot && !p.table.full() {
		sh.notice(&k)
	}
	to := k.slot
	if state := p.tallies[to].state; state == statePending {
		to = otherSlot
	} else if state == stateExact && p.walking == walkSome {
		return // it is there already
	}
	key := stock{keys: 1, bytes: int64(t.ar.Footprint(ref)), until: datedUntil(r.expire)}
	if r.expire != 0 {
		key.dated = 1
	}
	if p.walking == walkSome {
		if to == otherSlot {
			return
		}
		t.stock.of(otherSlot).add(key.negative())
	}
	t.stock.of(to).add(key)
	if b := sh.bodyOf(&r); b != nil {
		sh.depart(b)
		sh.bill(b, t, to)
	}
}
