package store

import (
	"context"

	"github.com/larderkv/larder/store/arena"
)

// Report says how memory is laid out.
func (v *View) Report() *arena.Report {
	r := v.Store.heap.Report()
	v.Store.survey(v.Held, func(sh *shard) { sh.ar.AddTo(r) }, func(*occupation) {})
	v.Store.tags.AddTo(r)
	return r
}

// Purge gives the memory that is free now back to the system, until ctx ends. It
// takes no shard's lock.
func (s *Store) Purge(ctx context.Context) error { return s.heap.Purge(ctx) }
