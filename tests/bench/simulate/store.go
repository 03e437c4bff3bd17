package main

import (
	"math"
	"slices"

	"github.com/larderkv/larder/eviction"
)

// words keeps the words of entries and ranks them, as eviction.Meter does.
type words interface {
	New(again bool, nowMs int64) uint32
	Entries(n int)
	Read(word uint32, nowMs int64) uint32
	Rank(word uint32, size, expireMs, nowMs int64) uint64
	Evicted(word uint32, size, nowMs int64)
}

// The store's numbers, from store/evict.go.
const (
	storeShards = 64

	burstVictims    = 16      // of one burst, at most
	burstBytes      = 4 << 10 // that a burst frees,
	burstPart       = 256     // or this part of the cache if it is less
	burstCandidates = 256     // of one burst, at most
	burstSpare      = 2       // a burst frees up to so many times what it should
	candidateBytes  = 256     // a victim of this many bytes is chosen from two candidates at least, and so on
	fewCandidates   = 64      // up to these
	instead         = 5       // one in so many candidates is one of the latest keys instead

	// Buckets of the store's tables have 10 slots, are 68 to 85 per cent full, and grow by steps of
	// about a sixth.
	bucketFull   = 8.5
	bucketGrowth = 1.2

	// shardEntries is how many entries a shard of the simulated cache has at least. A cache of the
	// size that is simulated would leave a few dozen to each of the store's shards, where a cache
	// of a size worth having has tens of thousands.
	shardEntries = 512
)

// store is larder's store as far as eviction goes: shards with tables of buckets; when an entry
// needs room, whole buckets of one shard are candidates, some for each victim, and the best of them
// (eviction.Choice) are evicted in one burst. Where a shard has too few, the next one gives the
// rest.
type store struct {
	s       setup
	m       words
	samples int
	bytes   int64
	n       int
	words   []uint32
	expire  []int64 // by object, unix milliseconds, 0 for never; nil without TTLs
	in      []bool
	shards  []dict
	arrived []eviction.Arrivals // by shard; nil but for LHD and LFU
	latest  bool                // the latest keys are candidates
	turn    int
	choice  *eviction.Choice
	drawn   []uint32
	ranks   []uint64
}

// newStore returns a store that draws at least so many candidates per victim.
func newStore(s setup, m words, samples int, r eviction.Rule) *store {
	n := len(s.trace.cost)
	c := &store{
		s: s, m: m, samples: samples, words: make([]uint32, n), in: make([]bool, n), choice: eviction.NewChoice(burstVictims),
	}
	if s.trace.ttl != nil {
		c.expire = make([]int64, n)
	}
	mean := max(s.trace.distinct/int64(max(s.trace.objects, 1)), 1)
	shards := storeShards
	for shards > 1 && s.capacity/mean/int64(shards) < shardEntries {
		shards /= 2
	}
	next := make([]uint32, n)
	c.shards = make([]dict, shards)
	for i := range c.shards {
		c.shards[i] = newDict(next, 1, bucketFull, bucketGrowth)
		c.shards[i].slots = true
	}
	c.turn = s.rng.IntN(shards)
	c.choice.Reset(r)
	c.latest = r == eviction.LHD
	if c.latest || r == eviction.LFU {
		c.arrived = make([]eviction.Arrivals, shards)
	}
	return c
}

func (c *store) used() int64 { return c.bytes }

func (c *store) shardOf(id uint32) int { return int(hash(id)) & (len(c.shards) - 1) }

func (c *store) access(i int, id uint32) bool {
	now := c.s.now(i)
	cost := int64(c.s.trace.cost[id])
	if c.in[id] {
		c.words[id] = c.m.Read(c.words[id], now)
		return true
	}
	if cost > c.s.capacity {
		return false
	}
	for c.bytes+cost > c.s.capacity {
		c.evict(c.bytes+cost-c.s.capacity, now)
	}
	c.in[id] = true
	c.n++
	c.bytes += cost
	shard := c.shardOf(id)
	c.shards[shard].add(id)
	c.words[id] = c.m.New(c.arrived != nil && c.arrived[shard].Note(uint64(id), 0, c.shards[shard].n), now)
	if c.expire != nil {
		c.expire[id] = 0
		if until := c.s.trace.lifetime(i, id); until != never {
			c.expire[id] = c.s.now(int(until))
		}
	}
	return false
}

// evict is one burst: of as many victims as make want bytes, or burstBytes if that is more.
func (c *store) evict(want, now int64) {
	want = max(want, min(burstBytes, c.bytes/burstPart))
	size := c.bytes / int64(c.n)
	each := max(c.samples, int(min(size/candidateBytes, fewCandidates)))
	victims := max(1, min(int(want/size)+1, burstVictims, burstCandidates/each))
	c.m.Entries(c.n)
	c.draw(each*victims, now)
	chosen, sorted := c.choice.Of(c.ranks, min(victims, max(1, len(c.ranks)/each)))
	if !sorted {
		want *= burstSpare
	}
	for _, i := range chosen {
		if want <= 0 {
			break
		}
		id := c.drawn[i]
		cost := int64(c.s.trace.cost[id])
		c.m.Evicted(c.words[id], cost, now)
		c.remove(id)
		want -= cost
	}
}

// draw collects at least n candidates, if there are so many.
func (c *store) draw(n int, now int64) {
	c.drawn, c.ranks = c.drawn[:0], c.ranks[:0]
	for visited := 0; n > 0 && visited < len(c.shards); visited++ {
		d := &c.shards[c.turn]
		latest := 0
		if c.latest {
			n -= c.drawLatest(c.turn, n, now)
			latest = len(c.drawn)
		}
		c.turn = (c.turn + 1) & (len(c.shards) - 1)
		at := c.s.rng.IntN(len(d.buckets))
		for range d.buckets {
			for id := d.buckets[at]; id != none; id = d.next[id] {
				if slices.Contains(c.drawn[:latest], id) {
					continue
				}
				c.drawn, c.ranks = append(c.drawn, id), append(c.ranks, c.rank(id, now))
				n--
			}
			if n <= 0 {
				return
			}
			if at++; at == len(d.buckets) {
				at = 0
			}
		}
	}
}

// drawLatest has the last keys of a shard take the place of some of n candidates that would be drawn,
// and returns of how many.
func (c *store) drawLatest(shard, n int, now int64) int {
	latest := c.arrived[shard].Latest()
	for _, a := range latest {
		if id := uint32(a.Hash); c.in[id] && !slices.Contains(c.drawn, id) {
			c.drawn, c.ranks = append(c.drawn, id), append(c.ranks, c.rank(id, now))
		}
	}
	return min(len(latest), n/instead)
}

func (c *store) rank(id uint32, now int64) uint64 {
	var expire int64
	if c.expire != nil {
		if expire = c.expire[id]; expire != 0 && expire <= now {
			return math.MaxUint64
		}
	}
	return c.m.Rank(c.words[id], int64(c.s.trace.cost[id]), expire, now)
}

func (c *store) remove(id uint32) {
	if c.in[id] {
		c.in[id] = false
		c.n--
		c.bytes -= int64(c.s.trace.cost[id])
		c.shards[c.shardOf(id)].remove(id)
	}
}
