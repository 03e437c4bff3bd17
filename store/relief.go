package store

// Counted is the number of bytes that count towards a memory limit: what records
// and tables use, without what only a running snapshot still keeps. It is some
// atomic loads.
func (s *Store) Counted(limit int64) int64 { return s.Memory() - s.Debt() }

// Evicted is the number of keys removed because memory was short.
func (s *Store) Evicted() int64 { return s.evicted.Load() }

// Relieve does one bounded step, some tens of microseconds, that brings Counted
// down. It takes shard locks one at a time; the caller holds none. now is in unix
// milliseconds, want the number of bytes to be gained if a step can, limit the
// memory limit in bytes. It returns false when nothing is left that may be
// evicted, freed or compacted.
func (e *Evictor) Relieve(now int64, want, limit int64) (progress bool) {
	for i := range e.s.shards {
		sh := &e.s.shards[i]
		sh.mu.Lock()
		progress = sh.collectGarbage()
		sh.mu.Unlock()
		if progress {
			return true
		}
	}
	return false
}
