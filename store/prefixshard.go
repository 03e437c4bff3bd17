package store

import (
	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/heavy"
)

// A shard's part of the statistics by prefix (prefixes.go): its tallies, and the booking of keys
// and bytes. The shard's lock covers all of it.

// shardPrefixes is what a shard has.
type shardPrefixes struct {
	gen     uint16   // that of table
	on      bool     // something is counted
	pending bool     // there is a tally that waits for a walk
	walking walkKind // see prefixwalk.go
	owing   bool     // touched is not empty
	tallies []tally  // by slot; one that nobody reads while nothing is counted

	table   *prefixTable   // the newest one that the shard has followed
	epoch   uint32         // counts beginPrefixes: bills of another epoch are void
	rng     uint32         // state of a generator that decides what is sampled
	touched []body         // bodies that may have bytes to be booked
	rare    *heavy.Summary // what is seen of prefixes that are not tracked
	gone    departures
}

// tally is what a shard counts of a prefix: the first cache line on every command.
type tally struct {
	hits, misses, in, out, sets int64
	deletes, expired, evicted   int64

	missExpired, missEvicted, missDeleted int64

	state tallyState
	_     [7]byte
}

// tallyState says what is known of the keys of a prefix in a shard.
type tallyState uint8

const (
	stateExact    tallyState = iota // every key is in its stock
	statePending                    // keys that are older than the slot are in that of others
	stateCounting                   // and a walk is moving them
)

// stock is the keys of a prefix in a table of the keyspace, or a difference of two.
type stock struct {
	keys, bytes int64
	dated       int64 // keys with an expiry time
	until       int64 // the sum of those times, see datedUntil; it may wrap round
}

func (s *stock) add(d stock) {
	s.keys += d.keys
	s.bytes += d.bytes
	s.dated += d.dated
	s.until += d.until
}

func (s stock) negative() stock { return stock{-s.keys, -s.bytes, -s.dated, -s.until} }

// tableStock is what a table of the keyspace has of all prefixes.
type tableStock struct {
	bySlot []stock
	booked stock  // the table's sums when something was last booked
	cursor uint64 // what the running walk has yet to visit, in hash order, begins here
}

// walkedAll is the cursor of a table that no walk has anything left to do in.
const walkedAll = 1 << 48

// farthest is the time that later expiry times are taken for, in unix milliseconds: the year 2109.
// Differences of sums are exact even if the sums themselves wrap round.
const farthest = 1 << 42

// datedUntil is what an expiry time, 0 for none, adds to the sum of all.
func datedUntil(expire int64) int64 { return min(expire, farthest) }

// sums are the table's own counts.
func (t *table) sums() stock {
	return stock{int64(t.n), t.bytes - t.arrays, int64(t.ttls), t.until}
}

// isBooked reports whether a table's counts are those that were booked last. An operation on one key
// changes the number of keys with an expiry time only together with the sum of these times.
func (t *table) isBooked() bool {
	b := &t.stock.booked
	return t.bytes-t.arrays == b.bytes && int64(t.n) == b.keys && t.until == b.until
}

// of is the stock of a slot.
func (ts *tableStock) of(slot uint16) *stock {
	for int(slot) >= len(ts.bySlot) {
		ts.bySlot = append(ts.bySlot, stock{})
	}
	return &ts.bySlot[slot]
}

// beginPrefixes begins anew, with nothing counted yet, or stops counting. t is nil then.
func (sh *shard) beginPrefixes(t *prefixTable) {
	p := &sh.prefixes
	*p = shardPrefixes{epoch: p.epoch + 1, table: t, on: t != nil, tallies: make([]tally, 1), rng: p.rng | 1, gone: p.gone}
	if t != nil {
		p.gen = t.gen
		p.tallies = make([]tally, len(t.names))
	} else {
		p.gone = departures{}
	}
	for _, tb := range sh.dbs {
		if tb != nil {
			tb.stock = sh.newStock()
			if t != nil {
				tb.stock.booked, tb.stock.cursor = tb.sums(), 0
				p.walking = walkAll
			}
		}
	}
	sh.setInterest()
}

// newStock is the stock of a table without keys, nil while nothing is counted.
func (sh *shard) newStock() *tableStock {
	if !sh.prefixes.on {
		return nil
	}
	return &tableStock{cursor: walkedAll}
}

// tallyOf is that of a key's prefix. It brings k up to date.
func (sh *shard) tallyOf(k *Key) *tally {
	if p := &sh.prefixes; k.gen == p.gen && k.slot != otherSlot {
		return &p.tallies[k.slot]
	}
	return sh.otherTally(k)
}

// otherTally is tallyOf for a key whose slot is out of date, or which has none: an access to the
// latter may give its prefix one.
func (sh *shard) otherTally(k *Key) *tally {
	sh.locate(k)
	if k.slot == otherSlot {
		sh.notice(k)
	}
	return &sh.prefixes.tallies[k.slot]
}

// locate finds a key's slot in the newest table.
func (sh *shard) locate(k *Key) {
	if sh.prefixes.table != sh.s.prefixes.table.Load() {
		sh.follow()
	}
	p := &sh.prefixes
	switch {
	case k.gen == p.gen:
	case p.table == nil:
		k.slot, k.gen = noSlot, 0
	default:
		k.slot, k.gen = p.table.find(k.Name), p.gen
	}
}

// sampleEvery is one in how many accesses to prefixes that are not tracked is looked at.
const sampleEvery = 16

// notice is told of an access to a prefix without a slot.
func (sh *shard) notice(k *Key) {
	p := &sh.prefixes
	t := p.table
	if !t.full() {
		sh.s.prefixes.track(t, k.Name[:t.cut(k.Name)])
		sh.locate(k)
		return
	}
	p.rng ^= p.rng << 13
	p.rng ^= p.rng >> 17
	p.rng ^= p.rng << 5
	if p.rng%sampleEvery == 0 {
		sh.sample(k.Name[:t.cut(k.Name)])
	}
}

// follow goes on with the newest table of prefixes. A change of the rule, which begins anew, comes by
// beginPrefixes, so this one differs in more prefixes, or in some that have others' slots.
func (sh *shard) follow() {
	p := &sh.prefixes
	t := sh.s.prefixes.table.Load()
	if p.table == nil || t == nil {
		return
	}
	if t.changed > p.table.number {
		for slot := firstSlot; slot < len(p.tallies); slot++ {
			if t.names[slot].since > p.table.number {
				sh.vacateSlot(uint16(slot))
			}
		}
	}
	state := statePending
	if sh.stockOf(otherSlot).keys == 0 { // and nobody had the prefix until now
		state = stateExact
		if p.walking == walkAll {
			state = stateCounting
		}
	}
	for slot := len(p.tallies); slot < len(t.names); slot++ {
		p.tallies = append(p.tallies, tally{state: state})
		p.pending = p.pending || state == statePending
	}
	p.table, p.gen = t, t.gen
}

// vacateSlot adds what a slot has counted to the others, since another prefix has it now.
func (sh *shard) vacateSlot(slot uint16) {
	p := &sh.prefixes
	a, other := &p.tallies[slot], &p.tallies[otherSlot]
	other.addCounts(a)
	*a = tally{state: statePending}
	p.pending = true
	for _, t := range sh.dbs {
		if t != nil {
			from := t.stock.of(slot)
			t.stock.of(otherSlot).add(*from)
			*t.stock.of(slot) = stock{}
		}
	}
}

func (a *tally) addCounts(o *tally) {
	a.hits += o.hits
	a.misses += o.misses
	a.in += o.in
	a.out += o.out
	a.sets += o.sets
	a.deletes += o.deletes
	a.expired += o.expired
	a.evicted += o.evicted
	a.missExpired += o.missExpired
	a.missEvicted += o.missEvicted
	a.missDeleted += o.missDeleted
}

// stockOf sums the stock of a slot in all databases up.
func (sh *shard) stockOf(slot uint16) (sum stock) {
	for _, t := range sh.dbs {
		if t != nil && int(slot) < len(t.stock.bySlot) {
			sum.add(t.stock.bySlot[slot])
		}
	}
	return sum
}

// hit counts a lookup that has found its key.
func (v *View) hit(sh *shard, k *Key) {
	v.Hits++
	if v.Uncounted {
		return
	}
	if p := &sh.prefixes; k.gen == p.gen && k.slot != otherSlot {
		p.tallies[k.slot].hits++
		return
	}
	sh.otherTally(k).hits++
}

// miss counts one that has not. expired: the key is there, but its time has come.
func (v *View) miss(k *Key, expired bool) {
	v.Misses++
	sh := v.shard(k)
	if !sh.prefixes.on || v.Uncounted {
		return
	}
	a := sh.tallyOf(k)
	a.misses++
	reason := goneExpired
	if !expired {
		reason = sh.prefixes.gone.find(sh.s.departed(v.DB, k.hash))
	}
	switch reason {
	case goneExpired:
		a.missExpired++
	case goneEvicted:
		a.missEvicted++
	case goneDeleted:
		a.missDeleted++
	}
}

// place is locate, and gives the key's prefix a slot if one is free.
func (sh *shard) place(k *Key) {
	sh.locate(k)
	if k.slot == otherSlot && !sh.prefixes.table.full() {
		sh.notice(k)
	}
}

// Moved counts the bytes of a request and of its reply for a key, whose shard is locked.
func (s *Store) Moved(k *Key, in, out int) {
	sh := &s.shards[k.shard]
	sh.mustBeLocked()
	if p := &sh.prefixes; k.gen == p.gen && k.slot != otherSlot {
		p.tallies[k.slot].moved(in, out)
		return
	}
	sh.movedOther(k, in, out)
}

// movedOther is Moved for a key whose slot is out of date, or which has none. Inlined, it would have
// Moved keep its arguments on the stack in any case.
//
//go:noinline
func (sh *shard) movedOther(k *Key, in, out int) {
	sh.place(k) // it was neither read nor changed
	sh.prefixes.tallies[k.slot].moved(in, out)
}

func (a *tally) moved(in, out int) {
	a.in += int64(in)
	a.out += int64(out)
}

// Counted reports whether anything is counted by the prefix of the key.
func (k *Key) Counted() bool { return k.slot != noSlot }

// What an event is to the statistics.
const (
	eventNothing = iota
	eventSet
	eventDelete
	eventExpire
	eventEvict
)

// countedAs is by event. All that change a value and leave the key there are sets.
var countedAs = func() (kinds [1 << classShift]uint8) {
	for i := range kinds {
		kinds[i] = eventSet
	}
	for ev, kind := range map[Event]uint8{
		EventExpire: eventNothing, EventPersist: eventNothing, EventNew: eventNothing, EventKeyMiss: eventNothing,
		EventTag: eventNothing, EventInvalidated: eventDelete,
		EventDel: eventDelete, EventRenameFrom: eventDelete, EventMoveFrom: eventDelete,
		EventExpired: eventExpire, EventEvicted: eventEvict,
	} {
		kinds[ev&(1<<classShift-1)] = kind
	}
	return kinds
}()

// record counts an event of a key. It brings k up to date.
func (sh *shard) record(db int, k *Key, ev Event) {
	kind := countedAs[ev&(1<<classShift-1)]
	switch {
	case ev == EventNew: // a key that is booked to others keeps further prefixes from being exact
		sh.place(k)
		return
	case kind == eventNothing:
		sh.locate(k)
		return
	}
	a := sh.tallyOf(k)
	switch kind {
	case eventSet:
		a.sets++
	case eventDelete:
		a.deletes++
		sh.prefixes.gone.note(sh.s.departed(db, k.hash), goneDeleted, sh.s.departures())
	case eventExpire:
		a.expired++
		sh.prefixes.gone.note(sh.s.departed(db, k.hash), goneExpired, sh.s.departures())
	case eventEvict:
		a.evicted++
		sh.prefixes.gone.note(sh.s.departed(db, k.hash), goneEvicted, sh.s.departures())
	}
}

// booked books what has been done to a key, of which nobody is told otherwise.
func (v *View) booked(k Key) {
	if sh := v.shard(&k); sh.prefixes.on {
		if v.Loading {
			sh.locate(&k)
		} else {
			sh.place(&k)
		}
		sh.book(v.table(&k), k.slot, k.hash)
	}
}

// book books the difference between a table's counts and what is booked, which an operation on one
// key has made. slot is that of the key's prefix, in the shard's table of prefixes.
func (sh *shard) book(t *table, slot uint16, hash uint64) {
	p := &sh.prefixes
	if t != nil {
		now := t.sums()
		if b := &t.stock.booked; now != *b {
			d := stock{now.keys - b.keys, now.bytes - b.bytes, now.dated - b.dated, now.until - b.until}
			*b = now
			t.stock.of(sh.bookedTo(t, slot, hash)).add(d)
		}
	}
	if p.owing {
		sh.bookBodies(t, sh.bookedTo(t, slot, hash))
	}
}

// bookedTo is the slot whose stock has a key, or is to have one that is new. While a walk counts
// everything, what it has yet to visit is booked to noSlot, which nobody reads.
func (sh *shard) bookedTo(t *table, slot uint16, hash uint64) uint16 {
	p := &sh.prefixes
	if p.walking == noWalk && p.tallies[slot].state == stateExact {
		return slot
	}
	ahead := t != nil && hash>>16 >= t.stock.cursor
	switch {
	case p.walking == walkAll && ahead:
		return noSlot
	case p.tallies[slot].state == stateExact, p.tallies[slot].state == stateCounting && !ahead:
		return slot
	}
	return otherSlot
}

// flushed counts the keys of a table that is taken out of the keyspace.
func (sh *shard) flushed(t *table) {
	if t.stock == nil {
		return
	}
	for slot := range t.stock.bySlot {
		sh.prefixes.tallies[slot].deletes += t.stock.bySlot[slot].keys
	}
}

// count counts an event of a key in table t, which may be nil, and books what it has changed. It
// brings k up to date.
func (v *View) count(sh *shard, t *table, k *Key, ev Event) {
	p := &sh.prefixes
	switch {
	case v.Loading:
		sh.locate(k)
	case k.gen == p.gen && k.slot != otherSlot && countedAs[ev&(1<<classShift-1)] == eventSet:
		p.tallies[k.slot].sets++
	default:
		sh.record(v.DB, k, ev)
	}
	if p.owing || t != nil && !t.isBooked() {
		sh.book(t, k.slot, k.hash)
	}
}

// bookRecord books the bytes of a record that compaction has moved.
func (sh *shard) bookRecord(t *table, ref arena.Ref) {
	k := sh.s.Key(recordKey(t.mem, ref))
	sh.locate(&k)
	sh.book(t, k.slot, k.hash)
}
