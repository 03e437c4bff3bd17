package store

import (
	"context"

	"github.com/larderkv/larder/store/arena"
)

// Report tells how memory is laid out; it locks one shard after the other.
func (s *Store) Report() *arena.Report {
	r := s.heap.Report()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.ar.AddTo(r)
		sh.mu.Unlock()
	}
	return r
}

// ReportLocked is Report for a caller that holds all locks.
func (s *Store) ReportLocked() *arena.Report {
	r := s.heap.Report()
	for i := range s.shards {
		s.shards[i].ar.AddTo(r)
	}
	return r
}

// Purge gives the memory that is free now back to the system, until ctx ends. It
// takes no shard's lock.
func (s *Store) Purge(ctx context.Context) error { return s.heap.Purge(ctx) }
