//go:build invariants

package store

import (
	"sync"
	"sync/atomic"
)

// shardMutex is a shard's lock that knows whether it is held. It does not know by whom: that
// somebody else holds it in this very moment is the one mistake that mustBeLocked cannot see, and
// the race detector can.
type shardMutex struct {
	sync.Mutex
	held     atomic.Bool
	required bool   // see RequireLocks
	shard    *shard // to be looked at before it is unlocked; nil: it is a slot
}

// RequireLocks has everything panic from now on that uses a shard without its lock: with the tag
// invariants, and for a store that several goroutines share. Tests of this package, with one
// goroutine, mostly do without locks. It is called before the store is used.
func (s *Store) RequireLocks() {
	for i := range s.shards {
		s.shards[i].mu.required, s.shards[i].mu.shard = true, &s.shards[i]
	}
}

// Lock implements sync.Locker.
func (m *shardMutex) Lock() {
	m.Mutex.Lock()
	m.held.Store(true)
}

// TryLock is Mutex.TryLock.
func (m *shardMutex) TryLock() bool {
	if !m.Mutex.TryLock() {
		return false
	}
	m.held.Store(true)
	return true
}

// Unlock implements sync.Locker.
func (m *shardMutex) Unlock() {
	if m.shard != nil && !m.shard.occupied {
		m.shard.checkBooked()
	}
	m.held.Store(false)
	m.Mutex.Unlock()
}

// mustBeLocked panics unless somebody holds the lock that the shard requires.
func (sh *shard) mustBeLocked() {
	if sh.mu.required && !sh.mu.held.Load() && !sh.occupied {
		panic("BUG: store: a shard is used without its lock")
	}
}

// checkBooked panics if something has been done to a key and not been booked.
func (sh *shard) checkBooked() {
	if !sh.prefixes.on {
		return
	}
	for _, t := range sh.dbs {
		if t != nil && t.sums() != t.stock.booked {
			panic("BUG: store: a change is not booked")
		}
	}
	for _, b := range sh.prefixes.touched {
		if l := b.billed(); l.epoch == sh.prefixes.epoch && (l.fresh || l.owner != nil && b.size() != l.bytes) {
			panic("BUG: store: bytes of a big value are not booked")
		}
	}
}
