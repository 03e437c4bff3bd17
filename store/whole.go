package store

// What looks at the whole store: counts, walks, reports. As questions of a View, whose Held says
// whether every shard is locked, they serve commands by themselves, which lock one shard after the
// other, as well as those of a transaction, for which all are locked already. What INFO shows does not
// wait for occupied shards (occupied.go).

// eachShard calls fn for one shard after the other, with its lock held, unless v.Held.
func (v *View) eachShard(fn func(sh *shard)) {
	for i := range v.Store.shards {
		sh := &v.Store.shards[i]
		if v.Held {
			fn(sh)
			continue
		}
		v.await(sh)
		fn(sh)
		sh.mu.Unlock()
	}
}

// survey is eachShard for what is to be told soon rather than exactly: instead, known is called for
// an occupied shard. held: the caller holds all.
func (s *Store) survey(held bool, fn func(sh *shard), known func(o *occupation)) {
	for i := range s.shards {
		sh := &s.shards[i]
		if held {
			fn(sh)
			continue
		}
		sh.mu.Lock()
		if !sh.occupied {
			fn(sh)
		} else {
			known(sh.occupation)
		}
		sh.mu.Unlock()
	}
}

// Stats is Store.Stats.
func (v *View) Stats() Stats { return v.Store.stats(v.Held) }

// DBStats is Store.DB.
func (v *View) DBStats(db int) (st DBStats) {
	v.eachShard(func(sh *shard) {
		if t := sh.dbs[db]; t != nil {
			st.add(t)
		}
	})
	return st
}

// DBSurvey is DBStats, with what occupied shards had when that began.
func (v *View) DBSurvey(db int) (st DBStats) {
	v.Store.survey(v.Held, func(sh *shard) {
		if t := sh.dbs[db]; t != nil {
			st.add(t)
		}
	}, func(o *occupation) { st.addAll(&o.dbs[db]) })
	return st
}

// DBSurveys is DBSurvey of every database, at once.
func (v *View) DBSurveys() []DBStats {
	all := make([]DBStats, v.Store.nDBs)
	v.Store.survey(v.Held, func(sh *shard) {
		for db, t := range sh.dbs {
			if t != nil {
				all[db].add(t)
			}
		}
	}, func(o *occupation) {
		for db := range o.dbs {
			all[db].addAll(&o.dbs[db])
		}
	})
	return all
}

// Compaction is Store.Compaction.
func (v *View) Compaction() CompactionStats { return v.Store.compactionStats(v.Now, v.Held) }
