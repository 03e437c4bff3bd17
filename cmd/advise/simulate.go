package advise

import (
	"math/rand/v2"

	"github.com/larderkv/larder/eviction"
)

// candidatesEach are candidates per victim: the default of maxmemory-samples is 5, and Redis' pool
// of candidates and larder's bar (eviction.Choice) are each worth about twice as many.
const (
	candidatesEach = 5
	victimsAtOnce  = 8
)

// simulated is what a policy makes of a trace.
type simulated struct {
	reads, hits int  // once the cache had been full
	full        bool // it was, at some time
}

func (s simulated) hitRate() float64 { return share(s.hits, s.reads) }

// simulate replays a trace through a cache of so many bytes, with the arithmetic of package eviction,
// by which larder's store works, and Redis' LRU and LFU, too. Reads count once the cache has been
// full. What is missed is filled if its size is known.
func simulate(t *trace, p eviction.Policy, capacity int64) simulated {
	rng := rand.New(rand.NewPCG(1, 2)) // the same draw for all policies, and for every run
	m := eviction.NewMeter(p, eviction.Params{LogFactor: 10, DecayTime: 1, Random: rng})
	c := &cache{t: t, m: m, rng: rng, capacity: capacity,
		at: make([]int32, len(t.keys)), choice: eviction.NewChoice(victimsAtOnce)}
	c.choice.Reset(p.Rule)
	for i := range c.at {
		c.at[i] = -1
	}
	var s simulated
	for _, a := range t.accesses {
		now := epochMs + a.at/1000
		there := c.there(a.key, now)
		switch {
		case a.kind == remove:
			c.remove(a.key)
		case a.kind == read && there:
			e := &c.entries[c.at[a.key]]
			e.word = m.Read(e.word, now)
		case there:
			e := &c.entries[c.at[a.key]]
			e.word = m.Write(e.word, now)
			e.until(a, now)
		default:
			c.insert(a, now)
		}
		if a.kind == read && c.evicted {
			s.reads++
			if there {
				s.hits++
			}
		}
	}
	s.full = c.evicted
	return s
}

// epochMs is when a trace begins: any time will do.
const epochMs = 1_700_000_000_000

// cache is a cache in which every entry is as likely a candidate as any other.
type cache struct {
	t        *trace
	m        *eviction.Meter
	rng      *rand.Rand
	capacity int64
	used     int64
	entries  []entry
	at       []int32 // of a key, -1 if it is not there
	evicted  bool
	choice   *eviction.Choice
	drawn    []uint32
	ranks    []uint64
}

type entry struct {
	key     uint32
	word    uint32
	expires int64 // unix ms, 0 for never
}

func (e *entry) until(a access, now int64) {
	if a.kind == write && a.ttl >= 0 {
		if e.expires = 0; a.ttl > 0 {
			e.expires = now + a.ttl
		}
	}
}

func (c *cache) there(key uint32, now int64) bool {
	i := c.at[key]
	if i >= 0 && c.entries[i].expires != 0 && c.entries[i].expires <= now {
		c.remove(key)
		return false
	}
	return i >= 0
}

func (c *cache) insert(a access, now int64) {
	size := c.t.keys[a.key].size
	if size == 0 || size > c.capacity {
		return
	}
	for c.used+size > c.capacity {
		c.evict(now)
	}
	e := entry{key: a.key, word: c.m.New(false, now)}
	e.until(a, now)
	c.at[a.key] = int32(len(c.entries))
	c.entries = append(c.entries, e)
	c.used += size
}

func (c *cache) remove(key uint32) {
	i := c.at[key]
	if i < 0 {
		return
	}
	last := len(c.entries) - 1
	c.entries[i] = c.entries[last]
	c.at[c.entries[i].key] = i
	c.entries, c.at[key] = c.entries[:last], -1
	c.used -= c.t.keys[key].size
}

// evict evicts a few of the entries that it draws.
func (c *cache) evict(now int64) {
	c.evicted = true
	c.m.Entries(len(c.entries))
	victims := max(1, min(victimsAtOnce, len(c.entries)/64))
	c.drawn, c.ranks = c.drawn[:0], c.ranks[:0]
	for range min(len(c.entries), candidatesEach*victims) {
		e := c.entries[c.rng.IntN(len(c.entries))]
		c.drawn = append(c.drawn, e.key)
		c.ranks = append(c.ranks, c.m.Rank(e.word, c.t.keys[e.key].size, e.expires, now))
	}
	chosen, _ := c.choice.Of(c.ranks, min(victims, len(c.ranks)))
	for _, i := range chosen {
		key := c.drawn[i]
		if at := c.at[key]; at >= 0 { // not drawn twice
			c.m.Evicted(c.entries[at].word, c.t.keys[key].size, now)
			c.remove(key)
		}
	}
}
