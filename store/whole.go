package store

// What looks at the whole store: counts, walks, reports. As questions of a View, whose Held says
// whether every shard is locked, they serve commands by themselves, which lock one shard after the
// other, as well as those of a transaction, for which all are locked already.

// eachShard calls fn for one shard after the other, with its lock held. held: the caller holds all.
func (s *Store) eachShard(held bool, fn func(sh *shard)) {
	for i := range s.shards {
		sh := &s.shards[i]
		if held {
			fn(sh)
			continue
		}
		sh.mu.Lock()
		fn(sh)
		sh.mu.Unlock()
	}
}

// Stats is Store.Stats.
func (v *View) Stats() Stats { return v.Store.stats(v.Held) }

// DBStats is Store.DB.
func (v *View) DBStats(db int) DBStats { return v.Store.dbStats(db, v.Held) }

// Compaction is Store.Compaction.
func (v *View) Compaction() CompactionStats { return v.Store.compactionStats(v.Now, v.Held) }
