package store

// Statistics by prefix: what others read of them. prefixes.go says what a prefix is and how they
// are kept.

// PrefixStats is what is known of the keys whose names begin with one prefix, in all databases.
// Counts of what happened are since the start or the last ResetPrefixes; Keys, Bytes, Dated and
// TTL are those of the moment.
type PrefixStats struct {
	Name  string // without the delimiter behind it; "" is that of keys without a delimiter
	Other bool   // the row of all prefixes that are not tracked; it has no name

	Hits, Misses int64 // lookups by commands that read, as keyspace_hits and _misses count them
	Reasons      MissReasons
	Sets         int64 // changes of values, by whatever command, that left the key there
	Deletes      int64 // keys that commands removed, renamed, moved or flushed
	Expired      int64 // keys that went because their time had come
	Evicted      int64 // keys that went because memory was short
	In, Out      int64 // bytes of requests and of replies of commands on these keys

	Keys  int64 // expired ones that are not yet removed included
	Bytes int64 // as Entry.Memory counts them
	Dated int64 // keys with a time to live
	TTL   int64 // milliseconds that those have left in the mean, at least 0

	// Counting says that keys which are older than the tracking of their prefix are still being
	// counted, so that Keys, Bytes, Dated and TTL are too low.
	Counting bool
}

// MissReasons says why lookups found nothing. Their sum is the number of misses.
type MissReasons struct {
	Never   int64 // the key was never there, or went so long ago that it is forgotten
	Expired int64 // it went because its time had come
	Evicted int64 // it went because memory was short
	Deleted int64 // a command removed, renamed or moved it
}

// Prefixes is what is known of every tracked prefix, in no order, and last of all others together.
// It locks one shard after the other, so that one row may be some commands ahead of another. now is
// in unix milliseconds. It is nil where nothing is counted by prefix.
func (s *Store) Prefixes(now int64) []PrefixStats {
	v := View{Store: s, Now: now}
	return v.Prefixes()
}

// Prefixes is Store.Prefixes.
func (v *View) Prefixes() []PrefixStats {
	if v.Store.prefixes.table.Load() == nil {
		return nil
	}
	var sum prefixSum
	v.Store.survey(v.Held, func(sh *shard) { sum.add(sh.copyPrefixes()) }, func(o *occupation) { sum.add(o.prefixes) })
	return sum.rows(v.Now)
}

// ResetPrefixes begins counting what happens anew. What there is stays.
func (v *View) ResetPrefixes() {
	v.eachShard(func(sh *shard) {
		for slot := range sh.prefixes.tallies {
			a := &sh.prefixes.tallies[slot]
			*a = tally{state: a.state}
		}
	})
}

// prefixCopy is what a shard has counted.
type prefixCopy struct {
	table   *prefixTable // nil: nothing
	tallies []tally
	stock   []stock
	all     bool // a walk has yet to count everything
}

// copyPrefixes copies a thousand prefixes in some tens of microseconds.
func (sh *shard) copyPrefixes() prefixCopy {
	p := &sh.prefixes
	if !p.on {
		return prefixCopy{}
	}
	sh.follow()
	c := prefixCopy{table: p.table, all: p.walking == walkAll}
	c.tallies = append(c.tallies, p.tallies...)
	c.stock = make([]stock, len(c.tallies))
	for _, t := range sh.dbs {
		if t == nil {
			continue
		}
		for slot := range min(len(t.stock.bySlot), len(c.stock)) {
			c.stock[slot].add(t.stock.bySlot[slot])
		}
	}
	return c
}

// prefixSum adds shards up, by slot if they agree on the table, as they nearly always do.
type prefixSum struct {
	at     map[string]int // of names in list
	bySlot []int          // places in list of the slots of table
	table  *prefixTable
	list   []prefixRow
	other  prefixRow
}

type prefixRow struct {
	name     string
	counts   tally
	stock    stock
	counting bool
}

func (s *prefixSum) add(c prefixCopy) {
	if c.table == nil {
		return
	}
	if c.table != s.table {
		s.follow(c.table)
	}
	for slot := otherSlot; slot < len(c.tallies); slot++ {
		row := &s.other
		if slot >= firstSlot {
			row = &s.list[s.bySlot[slot]]
		}
		row.counts.addCounts(&c.tallies[slot])
		row.stock.add(c.stock[slot])
		row.counting = row.counting || c.all || c.tallies[slot].state != stateExact
	}
}

// follow finds the rows of a table's prefixes by their names.
func (s *prefixSum) follow(t *prefixTable) {
	if s.at == nil {
		s.at = make(map[string]int, len(t.names))
	}
	s.table, s.bySlot = t, make([]int, len(t.names))
	for slot := firstSlot; slot < len(t.names); slot++ {
		name := t.names[slot].name
		i, ok := s.at[name]
		if !ok {
			i = len(s.list)
			s.at[name] = i
			s.list = append(s.list, prefixRow{name: name})
		}
		s.bySlot[slot] = i
	}
}

func (s *prefixSum) rows(now int64) []PrefixStats {
	list := make([]PrefixStats, 0, len(s.list)+1)
	for i := range s.list {
		list = append(list, s.list[i].stats(now))
	}
	other := s.other.stats(now)
	other.Other = true
	return append(list, other)
}

func (r *prefixRow) stats(now int64) PrefixStats {
	a := &r.counts
	st := PrefixStats{
		Name: r.name, Hits: a.hits, Misses: a.misses, Sets: a.sets, Deletes: a.deletes, Expired: a.expired,
		Evicted: a.evicted, In: a.in, Out: a.out, Keys: r.stock.keys, Bytes: r.stock.bytes, Dated: r.stock.dated,
		Counting: r.counting,
		Reasons:  MissReasons{Expired: a.missExpired, Evicted: a.missEvicted, Deleted: a.missDeleted},
	}
	st.Reasons.Never = st.Misses - st.Reasons.Expired - st.Reasons.Evicted - st.Reasons.Deleted
	if st.Dated > 0 {
		st.TTL = max(0, (r.stock.until-st.Dated*now)/st.Dated)
	}
	return st
}
