package store

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/larderkv/larder/store/heavy"
)

// Which prefixes have a slot once all are taken (prefixes.go).
//
// One in sampleEvery of the accesses to prefixes without a slot goes into a summary of the shard, by
// Space-Saving (package heavy). At the end of a window the maintenance puts the summaries together.
// The prefix that was used most without a slot then takes the slot of the tracked one that is used
// least, and so on, as long as it was used more than twice as much, and leastSamples times in the
// sample for certain. A tracked prefix is as much used as in the windows before in the mean, the
// last one counting for half.
//
// A flood of prefixes that come once each raises the counts of a summary, but not what Space-Saving
// says that each of them has had at least, which is what counts here. So it pushes nothing out,
// however long it is. It can only fill slots that are free.

const (
	prefixWindow  = 10_000 // milliseconds
	leastSamples  = 8      // in a window
	rarePrefixes  = 1024   // counters of a shard's summary
	clearlyAbove  = 2      // times
	mostHandOvers = 256    // slots that change hands at once
)

// prefixChoice is the state of the one goroutine that calls Maintain. SetPrefixes, which holds all
// locks, makes it anew with prefixing.mu held.
type prefixChoice struct {
	table *prefixTable
	until int64     // when the window ends
	shard int       // the next one to be looked at, while a window is being closed
	sums  []int64   // by slot, accesses up to now
	last  []int64   // and up to the end of the last window
	rates []float64 // by slot, accesses in a window
	parts []heavy.Part
}

// sample notes an access to a prefix without a slot.
func (sh *shard) sample(prefix []byte) {
	p := &sh.prefixes
	if p.rare == nil {
		p.rare = heavy.New(rarePrefixes, longestPrefix)
	}
	p.rare.Add(maphash.Bytes(sh.s.seed, prefix), prefix, 1)
}

// choosePrefixes closes the window when it is over, one shard at a time. It reports whether there
// was something to do.
func (s *Store) choosePrefixes(now int64) bool {
	t := s.prefixes.table.Load()
	if t == nil {
		return false
	}
	s.prefixes.mu.Lock()
	c := &s.prefixes.choice
	if c.table == nil {
		*c = prefixChoice{table: t, until: now + prefixWindow}
	}
	over := now >= c.until || c.until > now+prefixWindow
	shard := c.shard
	s.prefixes.mu.Unlock()
	if !over {
		return false
	}
	sums, part, ok := s.shards[shard].usedPrefixes()
	s.prefixes.mu.Lock()
	defer s.prefixes.mu.Unlock()
	if c.table == nil { // SetPrefixes has begun anew
		return false
	}
	if ok {
		c.gather(sums, part)
	}
	if c.shard++; c.shard < len(s.shards) {
		return true
	}
	to := c.choose(s.prefixes.table.Load())
	*c = prefixChoice{table: c.table, until: now + prefixWindow, last: c.sums, rates: c.rates, sums: nil}
	s.prefixes.handOver(to)
	return true
}

// usedPrefixes is how often each slot of a shard was used, and what its summary has found; not if
// the shard is occupied.
func (sh *shard) usedPrefixes() (sums []int64, part heavy.Part, ok bool) {
	if !sh.lock() {
		return nil, heavy.Part{}, false
	}
	defer sh.mu.Unlock()
	sh.follow()
	p := &sh.prefixes
	if !p.on {
		return nil, heavy.Part{}, false
	}
	sums = make([]int64, len(p.tallies))
	for slot := range p.tallies {
		a := &p.tallies[slot]
		sums[slot] = a.hits + a.misses + a.sets
	}
	if p.rare != nil {
		part = p.rare.Part()
		p.rare.Reset()
	}
	return sums, part, true
}

func (c *prefixChoice) gather(sums []int64, part heavy.Part) {
	for len(c.sums) < len(sums) {
		c.sums = append(c.sums, 0)
	}
	for slot, n := range sums {
		c.sums[slot] += n
	}
	if part.Total > 0 {
		c.parts = append(c.parts, part)
	}
}

// choose brings the rates up to date and says which slots go to which prefixes.
func (c *prefixChoice) choose(t *prefixTable) (to map[uint16]string) {
	var used []uint16
	for slot := range c.sums {
		n := c.sums[slot]
		if slot < len(c.last) && n >= c.last[slot] { // else the counts have been reset
			n -= c.last[slot]
		}
		if slot >= len(c.rates) {
			c.rates = append(c.rates, float64(n))
		} else {
			c.rates[slot] = (c.rates[slot] + float64(n)) / 2
		}
		if slot >= firstSlot {
			used = append(used, uint16(slot))
		}
	}
	if len(c.parts) == 0 || !t.full() {
		return nil
	}
	slices.SortFunc(used, func(a, b uint16) int { return cmp.Compare(c.rates[a], c.rates[b]) })
	found := heavy.Merge(c.parts, 2*mostHandOvers).Items
	slices.SortStableFunc(found, func(a, b heavy.Item) int { return cmp.Compare(b.Least(), a.Least()) })
	to = make(map[uint16]string)
	for i, it := range found[:min(len(found), len(used), mostHandOvers)] {
		rate := float64(it.Least() * sampleEvery)
		if it.Least() < leastSamples || rate <= clearlyAbove*c.rates[used[i]] {
			break
		}
		to[used[i]] = it.Name
		c.rates[used[i]], c.sums[used[i]] = rate, 0
	}
	return to
}
