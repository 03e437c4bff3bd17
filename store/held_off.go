//go:build !invariants

package store

import "sync"

// shardMutex is a shard's lock. See held_on.go for what it is with the tag invariants. It is an
// alias and not a struct around the mutex, whose Lock and Unlock would no longer be inlined.
type shardMutex = sync.Mutex

func (sh *shard) mustBeLocked() {}

// RequireLocks has everything panic from now on that uses a shard without its lock: with the tag
// invariants alone, see held_on.go.
func (s *Store) RequireLocks() {}
