package store

import "time"

// Occupied shards.
//
// A lock is held for microseconds, as a rule, so whoever wants it waits. A script may keep its
// shards for seconds, and nobody may wait for that who has other things to do: an event loop with
// its clients, the background work with the other shards. A mutex cannot be waited for with a
// limit. So the holder of a set of locks that takes long gives the mutexes back and has its shards
// occupied instead (Lockset.Occupy): whoever takes the mutex of such a shard finds that somebody
// has it, lets go again and does whatever is right for it. Those who had already been waiting find
// the same as soon as they wake up, so that there is no moment in which one gets stuck.
//
// So a mutex is never held for long, and to have locked a shard is two things: its mutex, and that
// occupied is nil. Occupied is written under the mutex by whoever occupies, and read under it; the
// occupier uses the shard without it. What others do on finding a shard occupied:
//
//	Lockset.Lock, Store.Lock      say so, with none of the set held: the engine keeps the request
//	                              and runs it later
//	maintenance, eviction         go on with another shard
//	snapshots, loads              wait (shard.await): they have a goroutine of their own
//	what is told of a shard       is what it was when the occupation began (occupation)
//	to leave queues and watches   is done by the occupier, at its end (shard.later)
//	a walk over all shards        waits, by View.Stall: the engine has kept those back that it could
//
// # Sets that grow
//
// A set may use a shard under the lock of a call that is stuck behind it (lockset.go). When it
// begins to occupy, that call will wake up and let go of what it holds, so the lent shard is
// occupied before anything else is released. Such a call looks at all of its shards once more when
// it has waited, since one may have been lent before it got the last. An occupying set that grows
// further is lent nothing: who waits for a mutex then will let go soon.

// occupation says who has a shard for long, and what the shard had when that began.
type occupation struct {
	by       any
	stats    Stats
	compact  CompactionStats
	dbs      []DBStats
	awaited  int
	prefixes prefixCopy
	deferred []func() // what is to be done to the shard when it ends
}

// Occupy gives the mutexes of a locked set back, and keeps its shards for whoever by is until
// Unlock.
func (l *Lockset) Occupy(s *Store, by any) {
	l.by = by
	for i := l.has.from(0); i >= 0; i = l.has.from(i + 1) {
		s.locks[i].occupy(by)
	}
	if l.grows {
		s.growth.by = by
	}
	s.occupied.Add(1)
	for i := l.has.from(0); i >= 0; i = l.has.from(i + 1) {
		if !l.lent.has(i) {
			s.locks[i].mu.Unlock()
		}
	}
	l.lent = shardSet{}
	if l.grows {
		s.growth.Unlock()
	}
}

// vacate ends what Occupy has begun.
func (l *Lockset) vacate(s *Store) {
	for i := l.has.from(0); i >= 0; i = l.has.from(i + 1) {
		sh := &s.locks[i]
		sh.mu.Lock()
		deferred := sh.occupation.deferred
		sh.occupied, sh.occupation = false, nil
		for _, f := range deferred {
			f()
		}
		sh.mu.Unlock()
	}
	if l.grows {
		s.growth.Lock()
		s.growth.by = nil
		s.growth.Unlock()
	}
	l.by = nil
	s.occupied.Add(-1)
}

// occupy notes that a shard or slot, which is locked, belongs to by until vacate.
func (sh *shard) occupy(by any) {
	o := &occupation{by: by}
	if sh.s != nil { // else it is a slot
		sh.note(o)
	}
	sh.occupied, sh.occupation = true, o
}

// note keeps what is to be told of the shard while it is occupied.
func (sh *shard) note(o *occupation) {
	o.dbs, o.awaited = make([]DBStats, len(sh.dbs)), len(sh.waiting)
	sh.addStatsLocked(&o.stats)
	o.prefixes = sh.copyPrefixes()
	sh.compact.addTo(&o.compact)
	for db, t := range sh.dbs {
		if t != nil {
			o.dbs[db].add(t)
		}
	}
}

// Occupier is who occupies a shard, whose lock is held and is of no use then; nil: nobody.
func (s *Store) Occupier(shard int) any {
	if sh := &s.shards[shard]; sh.occupied {
		return sh.occupation.by
	}
	return nil
}

// Occupied reports whether there are occupied shards. One atomic load.
func (s *Store) Occupied() bool { return s.occupied.Load() != 0 }

// lock takes the lock of a shard, and reports whether it has: not if the shard is occupied.
func (sh *shard) lock() bool {
	sh.mu.Lock()
	if !sh.occupied {
		return true
	}
	sh.mu.Unlock()
	return false
}

// tryLock is lock without waiting for anybody.
func (sh *shard) tryLock() bool {
	if !sh.mu.TryLock() {
		return false
	}
	if !sh.occupied {
		return true
	}
	sh.mu.Unlock()
	return false
}

// awaitPause is how long who waits for an occupied shard sleeps between two looks.
const awaitPause = time.Millisecond

// await takes the lock of a shard, however long it is occupied. For goroutines with nothing else to
// do, and no lock.
func (sh *shard) await() {
	for !sh.lock() {
		time.Sleep(awaitPause)
	}
}

// Await takes the locks of the set, however long a shard of it is occupied. For goroutines with
// nothing else to do, and no lock.
func (l *Lockset) Await(s *Store) {
	for l.Lock(s) != nil {
		time.Sleep(awaitPause)
	}
}

// later has something done to the shard when it is not occupied any more, by the occupier and under
// the lock. The caller holds the mutex.
func (sh *shard) later(f func()) { sh.occupation.deferred = append(sh.occupation.deferred, f) }

// await takes the lock of a shard for a walk over all of them that is in the middle of its work.
func (v *View) await(sh *shard) {
	for !sh.lock() {
		if v.Stall != nil {
			v.Stall()
		} else {
			time.Sleep(awaitPause)
		}
	}
}
