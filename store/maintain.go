package store

import "github.com/larderkv/larder/store/arena"

// Maintenance: what has to happen without a command asking for it. Expired
// keys are removed, garbage is freed, sparse spans are emptied, free memory
// goes back to the system.
//
// All of it is cut into units of at most a sub-table (about a thousand
// records, some tens of microseconds, at worst a few hundred when every
// record is out of the caches). A unit holds one shard's lock. The caller of
// Maintain decides how much of a processor it gets; a client waits for one
// unit at most.

// maintenance is the state of the one goroutine that calls Maintain.
type maintenance struct {
	shard    int
	idle     int   // shards in a row that had nothing to do
	expireAt []int // by shard, the database whose turn it is
	last     Work
	swept    bool // the last unit was one of the tags' sweep
}

// Maintain does one unit of work and reports whether there may be more. It
// returns false once it has gone round all shards without finding any. One
// goroutine calls it. now is in unix milliseconds.
func (s *Store) Maintain(now int64) (more bool, err error) {
	m := &s.maint
	if m.expireAt == nil {
		m.expireAt = make([]int, len(s.shards))
	}
	if m.shard == 0 && m.idle == 0 && s.heap.Plenty() || s.heap.Overdue() {
		if _, err := s.heap.Scavenge(); err != nil {
			return false, err
		}
	}
	if m.shard == 0 && s.choosePrefixes(now) {
		m.idle = 0
	}
	if m.shard == 0 && s.sizeStep(now) {
		m.idle = -1 // so that a round of idle shards does not end the work
	}
	if m.swept = !m.swept && s.sweepTags(); m.swept { // in turn with everything else
		m.last, m.idle = Freeing, 0
		return true, nil
	}
	sh := &s.shards[m.shard]
	m.last = Looking
	if sh.lock() {
		m.last = sh.maintain(s, &m.expireAt[m.shard], now)
		sh.mu.Unlock()
	}
	if m.last != Looking {
		m.idle = 0
	} else {
		m.idle++
	}
	m.shard = (m.shard + 1) % len(s.shards)
	if m.idle < len(s.shards) {
		return true, nil
	}
	m.idle = 0
	if !s.heap.Excess() {
		return false, nil
	}
	_, err = s.heap.Scavenge()
	return true, err
}

// Work is what a unit of the maintenance did.
type Work uint8

// The kinds of work.
const (
	Looking  Work = iota // for work, in vain
	Expiring             // removing expired keys
	Freeing              // what was removed before
	Compacting
	Counting // keys of prefixes that are tracked since
)

// Maintained says what the last call of Maintain has done in its shard. Only for
// who calls Maintain.
func (s *Store) Maintained() Work { return s.maint.last }

// maintain does one unit for a shard, the most urgent.
func (sh *shard) maintain(s *Store, at *int, now int64) Work {
	switch {
	case sh.leaseStep(now):
		return Expiring
	case s.activeExpire.Load() && !s.still.Load() && sh.expireStep(s, at, now):
		return Expiring
	case sh.collectGarbage(), sh.ar.Collect(returnedBatch), sh.trackingStep(now):
		return Freeing
	case sh.settle():
		return Compacting
	case sh.compactStep(s, now):
		return Compacting
	case sh.prefixStep():
		return Counting
	}
	return Looking
}

// expireStep sweeps one sub-table that is due. Databases and sub-tables are visited
// in turn, so that one with many keys about to expire does not hide the others.
func (sh *shard) expireStep(s *Store, db *int, now int64) bool {
	for range len(sh.dbs) + 1 {
		if *db >= len(sh.dbs) {
			*db = 0
		}
		if t := sh.dbs[*db]; t != nil {
			if sub, ok := t.nextDue(now); ok {
				sh.sweep(s, *db, t, sub, now)
				return true
			}
		}
		*db++
	}
	return false
}

func (sh *shard) sweep(s *Store, db int, t *table, sub uint32, now int64) {
	t.sweep(sub, now, func(raw arena.Ref, emptied bool) {
		r := readRecord(t.mem, raw&^parityBit)
		if emptied {
			sh.removed(db, t, &r, raw, EventDel, true)
			return
		}
		sh.removed(db, t, &r, raw, EventExpired, true)
		s.expired.Add(1)
	}, func(p pos, ref arena.Ref) (next int64, emptied bool) {
		stale := int64(0)
		if r := readRecord(t.mem, ref); r.extra > 0 {
			stale = sh.staleStep(&r, now)
		}
		next, emptied = sh.expireElements(db, t, p, ref, now)
		if next == 0 || stale != 0 && stale < next {
			next = stale
		}
		return next, emptied
	})
}

// removed tells everybody that the store itself removes a key, and gives up its
// record, which is no longer in its table. raw is what its slot referred to. background says that
// no command waits for it.
func (sh *shard) removed(db int, t *table, r *record, raw arena.Ref, ev Event, background bool) {
	k := sh.s.Key(r.name(t.mem))
	sh.removedKey(db, t, r, raw, &k, ev, background)
}

// removedKey is removed for who knows the Key.
func (sh *shard) removedKey(db int, t *table, r *record, raw arena.Ref, k *Key, ev Event, background bool) {
	owed := sh.owes(raw & parityBit)
	if r.extra > 0 {
		t.spare(r, -1)
		sh.endLinks(r.extras(t.mem).links(), owed, 0)
	}
	sh.removedBare(db, t, r, raw, k, ev, background)
	if sh.prefixes.on {
		sh.book(t, k.slot, k.hash)
	}
}

// told is who is told of what the store does by itself, in the background or for a command.
func (s *Store) told(background bool) (Listener, Forgetter) {
	if background && s.background != nil {
		return s.background, s.tracking.background
	}
	return s.listener, s.tracking.forgetter
}

// removedBare is removedKey for who has ended the record's links, if it has any, and books what he removes.
func (sh *shard) removedBare(db int, t *table, r *record, raw arena.Ref, k *Key, ev Event, background bool) {
	sh.announceRemoval(db, t, k, ev, background)
	if sh.prefixes.on {
		sh.record(db, k, ev)
	}
	if ref := raw &^ parityBit; sh.owes(raw & parityBit) {
		sh.handOver(t, ref)
		sh.dropBody(r)
	} else {
		sh.dropBody(r)
		t.free(ref)
	}
}

// announceRemoval tells everybody of the event of a key that a removal by the store causes.
func (sh *shard) announceRemoval(db int, t *table, k *Key, ev Event, background bool) {
	if sh.interest&ev.Class() == 0 {
		return
	}
	listener, forgetter := sh.s.told(background)
	sh.s.announce(listener, db, k.Name, ev)
	if len(sh.watched) > 0 { // a key that goes wakes nobody, so those who wait are not asked
		sh.touchWatched(watchKey{db, string(k.Name)}, t, *k)
	}
	if len(sh.leases.byKey) > 0 {
		sh.touchLease(watchKey{db, string(k.Name)}, ev)
	}
	if sh.tracks() || sh.s.tracking.broadcasts.Load() > 0 { // a Key is copied by a call
		sh.publishTracked(forgetter, *k, ev)
	}
}
