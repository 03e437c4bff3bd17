package store

import (
	"math/bits"
	"sync"
)

// Sets of locks.
//
// A call locks the shards of its keys before it does anything: by ascending index, so that two
// calls never wait for each other, and until it has ended, so that others see all of it or nothing.
//
// # Sets that grow
//
// A script may touch keys that it has not declared, and which these are shows only while it runs. To
// lock every shard for it would be simple, and would stop everybody else for the time of a script
// that touches two. To start it again under more locks would mean to take back what it has written
// and what others have heard of that. Instead its set grows: it takes the further lock when it needs
// it, in whatever order, and keeps it to its end like the others. It can wait for that lock with
// others held, without a deadlock, by two rules:
//
//  1. One set at a time may grow. Who might want that holds Store.growth, in front of all shards. So
//     two calls that have already done something never wait for each other.
//  2. All others wait only before they have done anything, and say so. A call that holds shard 3 and
//     waits for shard 5 has published that 5 comes next after 3. Should a script that holds 5 want
//     3, there is no need to wait: whoever holds 3 has changed nothing, will have to wait until the
//     script has ended, and until then nobody else can get at 3. The script uses the shard under the
//     lock of that other call; it is "lent".
//
// If it is not stuck behind the script, a shard's holder is running, or waits for one that is: then it
// will be done, and polling ends (TryLock alone does not jump a queue, but takes its chance among
// those who are woken).
//
// # What is published
//
// shard.next is set by the shard's holder: the next shard in its set, which it holds too, or waits
// for. It is published when a call begins to wait, for all that it holds, and taken back when it has
// all of its locks; who need not wait publishes nothing, and a single lock never does. While it is
// set, the holder of the one shard is therefore the holder of the other, or waits for it. So a shard
// is stuck behind a set if its next one is held by the set, or is stuck itself. Links lead upwards,
// so a chain has an end.
//
// The links of a chain are read one after the other, and the first may be out of date when the last
// is read. Hence each is read again on the way back, when what lies behind it is known to be stuck:
// a link that is there at that moment has been published by the present holder, who cannot go on
// past what is stuck, so that nothing changes any more until the set is unlocked.
//
// Nobody who has published a link may let go of the shard before it has all of its locks.
//
// # Slots
//
// Some calls exclude each other though they share no key: those of one library of functions, whose
// variables they share. They put a slot into their sets: a lock like that of a shard, and behind all
// of them in order, that has no keys. So all that is true of shards is true of slots: a call has both
// before it does anything, and a slot is occupied rather than held for long. A set does not grow by
// slots, and all shards are not all slots: who walks over the keys excludes no such call.

// Lockset collects shards, and locks them by ascending index. The zero value
// is empty; it allocates nothing.
type Lockset struct {
	has   shardSet
	lent  shardSet // those of has that a call holds that waits for this one
	grows bool     // Store.growth is in the set
	by    any      // who occupies the shards, see occupied.go; nil: their mutexes are held
}

// growth is the right to grow a locked set.
type growth struct {
	sync.Mutex
	by any // under Mutex: who has it for long; nil: nobody
}

// Slots is the number of slots.
const Slots = 64

// shardSet has a bit for each shard and, behind those that there are, for each slot.
type shardSet [(MaxShards + Slots) / 64]uint64

func (b *shardSet) add(shard int)      { b[shard>>6] |= 1 << (shard & 63) }
func (b *shardSet) has(shard int) bool { return b[shard>>6]>>(shard&63)&1 != 0 }

// from is the first member from i on, or -1.
func (b *shardSet) from(i int) int {
	if i>>6 >= len(b) {
		return -1
	}
	word := b[i>>6] >> (i & 63) << (i & 63)
	for i >>= 6; word == 0; word = b[i] {
		if i++; i == len(b) {
			return -1
		}
	}
	return i<<6 + bits.TrailingZeros64(word)
}

// Reset empties the set.
func (l *Lockset) Reset() { *l = Lockset{} }

// Add puts a shard into the set; twice is once.
func (l *Lockset) Add(shard int) { l.has.add(shard) }

// AddAll puts every shard of s into the set.
func (l *Lockset) AddAll(s *Store) {
	for i := range s.shards {
		l.has.add(i)
	}
}

// AddSlot puts a slot into the set.
func (l *Lockset) AddSlot(s *Store, slot int) { l.has.add(len(s.shards) + slot) }

// AddSlots puts every slot into the set.
func (l *Lockset) AddSlots(s *Store) {
	for i := range Slots {
		l.AddSlot(s, i)
	}
}

// AddGrowth puts the right to grow into the set.
func (l *Lockset) AddGrowth() { l.grows = true }

// Shardless reports whether no shard is in the set, whatever slots are.
func (l *Lockset) Shardless(s *Store) bool {
	first := l.has.from(0)
	return first < 0 || first >= len(s.shards)
}

// Has reports whether a shard is in the set.
func (l *Lockset) Has(shard int) bool { return l.has.has(shard) }

// Grows reports whether the right to grow is in the set.
func (l *Lockset) Grows() bool { return l.grows }

// Lock takes the locks of the set. If something of it is occupied it takes none, and returns who
// has it (occupied.go).
func (l *Lockset) Lock(s *Store) (occupier any) {
	if l.grows {
		if s.growth.Lock(); s.growth.by != nil {
			defer s.growth.Unlock()
			return s.growth.by
		}
	}
	waited := false
	for i := l.has.from(0); i >= 0; i = l.has.from(i + 1) {
		if !s.locks[i].mu.TryLock() {
			l.wait(s, i)
			waited = true
		}
		if o := s.locks[i].occupation; s.locks[i].occupied {
			l.letGo(s, i)
			return o.by
		}
	}
	if !waited {
		return nil
	}
	for i := l.has.from(0); i >= 0; i = l.has.from(i + 1) {
		if o := s.locks[i].occupation; s.locks[i].occupied { // it was lent meanwhile
			l.letGo(s, len(s.locks)-1)
			return o.by
		}
		s.locks[i].next.Store(0)
	}
	return nil
}

// letGo unlocks those of the set up to the last.
func (l *Lockset) letGo(s *Store, last int) {
	for i := l.has.from(0); i >= 0 && i <= last; i = l.has.from(i + 1) {
		s.locks[i].next.Store(0)
		s.locks[i].mu.Unlock()
	}
	if l.grows {
		s.growth.Unlock()
	}
}

// wait takes the lock of a shard that somebody else holds. Those of the set below it are held.
func (l *Lockset) wait(s *Store, shard int) {
	last := -1
	for i := l.has.from(0); i >= 0 && i <= shard; i = l.has.from(i + 1) {
		if last >= 0 {
			s.locks[last].next.Store(int32(i) + 1)
		}
		last = i
	}
	s.locks[shard].mu.Lock()
}

// Unlock releases them.
func (l *Lockset) Unlock(s *Store) {
	if l.by != nil {
		l.vacate(s)
		return
	}
	for i := l.has.from(0); i >= 0; i = l.has.from(i + 1) {
		if !l.lent.has(i) {
			s.locks[i].mu.Unlock()
		}
	}
	if l.grows {
		s.growth.Unlock()
	}
}

// Grow tries to take a further shard into the set, which is locked, and reports whether it is in the
// set. If not, whoever has the right to grow can try again until it is. Others must not wait: they
// get the shard, or that right, if it is free, or neither.
func (l *Lockset) Grow(s *Store, shard int) bool {
	switch {
	case l.has.has(shard):
	case s.locks[shard].tryLock():
		if l.by != nil {
			s.locks[shard].occupy(l.by)
			s.locks[shard].mu.Unlock()
		}
	case l.by == nil && l.stuck(s, shard):
		l.lent.add(shard)
	default:
		l.grows = l.grows || l.mayGrow(s)
		return false
	}
	l.has.add(shard)
	return true
}

// mayGrow takes the right to grow, if it is free.
func (l *Lockset) mayGrow(s *Store) bool {
	if !s.growth.TryLock() {
		return false
	}
	free := s.growth.by == nil
	if l.by != nil && free {
		s.growth.by = l.by
	}
	if l.by != nil || !free {
		s.growth.Unlock()
	}
	return free
}

// stuck reports whether the holder of a shard cannot go on before the set is unlocked.
func (l *Lockset) stuck(s *Store, shard int) bool {
	next := s.locks[shard].next.Load()
	if next == 0 {
		return false
	}
	behind := int(next) - 1
	return (l.has.has(behind) || l.stuck(s, behind)) && s.locks[shard].next.Load() == next
}

// LockAll takes all locks, in order, however long a shard is occupied: for goroutines with nothing
// else to do.
func (s *Store) LockAll() {
	var l Lockset
	l.AddAll(s)
	l.Await(s)
}

// TryLockAll takes all locks, and reports whether it has: not if a shard is occupied.
func (s *Store) TryLockAll() bool {
	var l Lockset
	l.AddAll(s)
	return l.Lock(s) == nil
}

// UnlockAll releases all locks.
func (s *Store) UnlockAll() {
	for i := range s.shards {
		s.shards[i].mu.Unlock()
	}
}
