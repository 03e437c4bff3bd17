package main

import (
	"math/bits"
	"math/rand/v2"
)

// belady is Belady's MIN: the victim is the entry whose next use is farthest away, and what just
// came may be its own victim, for a bound that holds for policies with admission too. What has no
// next use before it expires is dropped at once. With sizes it is not optimal: finding the optimum
// is NP-hard, and a big entry used soon may cost more hits than it brings.
type belady struct {
	t        *trace
	capacity int64
	bytes    int64
	when     []uint32 // by object: its next use, 0 when it is not there
	until    []uint32 // by object that is there: the request from which it has expired
	due      *bitset  // the next uses of everything that is there
}

func newBelady(s setup) cache {
	n := len(s.trace.cost)
	return &belady{t: s.trace, capacity: s.capacity, when: make([]uint32, n), until: make([]uint32, n), due: newBitset(len(s.trace.ids))}
}

func (c *belady) used() int64 { return c.bytes }

func (c *belady) access(i int, id uint32) bool {
	next := c.t.next[i]
	if c.when[id] != 0 {
		c.due.clear(i)
		if next >= c.until[id] {
			c.when[id] = 0
			c.bytes -= int64(c.t.cost[id])
			return true
		}
		c.when[id] = next
		c.due.set(int(next))
		return true
	}
	until := c.t.lifetime(i, id)
	if next >= until || int64(c.t.cost[id]) > c.capacity {
		return false
	}
	c.until[id] = until
	c.when[id] = next
	c.due.set(int(next))
	c.bytes += int64(c.t.cost[id])
	for c.bytes > c.capacity {
		c.remove(c.t.ids[c.due.last()])
	}
	return false
}

func (c *belady) remove(id uint32) {
	if c.when[id] == 0 {
		return
	}
	c.due.clear(int(c.when[id]))
	c.when[id] = 0
	c.bytes -= int64(c.t.cost[id])
}

// bitset is a set of numbers below a limit that knows its largest one: each level says which words
// of the level below are not zero.
type bitset struct{ levels [][]uint64 }

func newBitset(limit int) *bitset {
	b := &bitset{}
	for n := limit; ; {
		n = (n + 63) / 64
		b.levels = append(b.levels, make([]uint64, max(n, 1)))
		if n <= 1 {
			return b
		}
	}
}

func (b *bitset) set(i int) {
	for _, l := range b.levels {
		word := &l[i/64]
		filled := *word != 0
		*word |= 1 << (i % 64)
		if filled {
			return
		}
		i /= 64
	}
}

func (b *bitset) clear(i int) {
	for _, l := range b.levels {
		word := &l[i/64]
		if *word &^= 1 << (i % 64); *word != 0 {
			return
		}
		i /= 64
	}
}

// last is the largest number of a set that is not empty.
func (b *bitset) last() int {
	i := 0
	for level := len(b.levels) - 1; level >= 0; level-- {
		i = i*64 + bits.Len64(b.levels[level][i]) - 1
	}
	return i
}

// beladySize looks at the bytes an entry holds until its next use: of some entries drawn at random
// the one with the largest size x time is the victim. Big objects are hardly worth their room when
// hits are counted.
type beladySize struct {
	t        *trace
	capacity int64
	bytes    int64
	rng      *rand.Rand
	when     []uint32 // by object: its next use, 0 when it is not there
	until    []uint32 // by object that is there: the request from which it has expired
	place    []uint32 // by object: where it is in all
	all      []uint32
}

// beladySamples is how many entries are compared.
const beladySamples = 64

func newBeladySize(s setup) cache {
	n := len(s.trace.cost)
	return &beladySize{
		t: s.trace, capacity: s.capacity, rng: s.rng, when: make([]uint32, n), until: make([]uint32, n), place: make([]uint32, n),
	}
}

func (c *beladySize) used() int64 { return c.bytes }

func (c *beladySize) access(i int, id uint32) bool {
	next := c.t.next[i]
	if c.when[id] != 0 {
		if next >= c.until[id] {
			c.remove(id)
		} else {
			c.when[id] = next
		}
		return true
	}
	until := c.t.lifetime(i, id)
	if next >= until || int64(c.t.cost[id]) > c.capacity {
		return false
	}
	c.until[id] = until
	c.when[id] = next
	c.place[id] = uint32(len(c.all))
	c.all = append(c.all, id)
	c.bytes += int64(c.t.cost[id])
	for c.bytes > c.capacity {
		c.remove(c.victim(i, id))
	}
	return false
}

// victim compares the object that came, if it is still there, with some others.
func (c *beladySize) victim(i int, came uint32) uint32 {
	worst, most := came, uint64(0)
	if c.when[came] != 0 {
		most = c.room(i, came)
	}
	for range beladySamples {
		id := c.all[c.rng.IntN(len(c.all))]
		if r := c.room(i, id); r > most {
			worst, most = id, r
		}
	}
	return worst
}

// room is the bytes times requests that an entry takes until its next use.
func (c *beladySize) room(i int, id uint32) uint64 {
	return uint64(c.t.cost[id]) * uint64(c.when[id]-uint32(i))
}

func (c *beladySize) remove(id uint32) {
	if c.when[id] == 0 {
		return
	}
	c.when[id] = 0
	c.bytes -= int64(c.t.cost[id])
	last := len(c.all) - 1
	moved := c.all[last]
	c.all[c.place[id]] = moved
	c.place[moved] = c.place[id]
	c.all = c.all[:last]
}
