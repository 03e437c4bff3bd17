package main

import "math/bits"

// tinyLFU is W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission
// Policy", 2017), sized in bytes: a window of 1 % that admits everything, and behind it a segmented
// LRU, which a candidate from the window enters only if the sketch has seen it more often than the
// victim it would replace; a big candidate has to win against one victim after the other.
type tinyLFU struct {
	t                      *trace
	capacity               int64
	windowSize, protectedS int64
	lists                  [3]list
	in                     []uint8 // by object: list + 1, 0 for none
	sketch                 *sketch
}

const (
	window = iota
	probation
	protected
)

func newTinyLFU(s setup) cache {
	c := &tinyLFU{t: s.trace, capacity: s.capacity, in: make([]uint8, len(s.trace.cost))}
	c.windowSize = max(s.capacity/100, 1)
	c.protectedS = (s.capacity - c.windowSize) * 8 / 10
	copy(c.lists[:], newLists(s.trace, 3))
	mean := max(s.trace.distinct/int64(max(s.trace.objects, 1)), 1)
	c.sketch = newSketch(int(s.capacity / mean))
	return c
}

func (c *tinyLFU) used() int64 {
	return c.lists[window].bytes + c.lists[probation].bytes + c.lists[protected].bytes
}

func (c *tinyLFU) access(_ int, id uint32) bool {
	c.sketch.add(id)
	switch c.in[id] {
	case window + 1:
		c.lists[window].toFront(id)
		return true
	case probation + 1:
		c.move(id, protected)
		for c.lists[protected].bytes > c.protectedS {
			c.move(c.lists[protected].tail, probation)
		}
		return true
	case protected + 1:
		c.lists[protected].toFront(id)
		return true
	}
	cost := int64(c.t.cost[id])
	if cost > c.capacity {
		return false
	}
	c.move(id, window)
	// A cache that is not full yet takes everything from the window, where one entry may always
	// stay.
	for c.lists[window].bytes > c.windowSize && c.lists[window].n > 1 || c.used() > c.capacity {
		candidate := c.lists[window].tail
		c.move(candidate, probation)
		c.admit(candidate)
	}
	return false
}

// admit makes room for a candidate among the entries of the main part, or drops it.
func (c *tinyLFU) admit(candidate uint32) {
	for c.used() > c.capacity {
		victim := c.lists[probation].tail
		if victim == candidate {
			if victim = c.lists[protected].tail; victim == none {
				c.remove(candidate)
				return
			}
		}
		if c.sketch.estimate(candidate) <= c.sketch.estimate(victim) {
			c.remove(candidate)
			return
		}
		c.remove(victim)
	}
}

func (c *tinyLFU) move(id uint32, to uint8) {
	c.remove(id)
	c.lists[to].push(id)
	c.in[id] = to + 1
}

func (c *tinyLFU) remove(id uint32) {
	if from := c.in[id]; from > 0 {
		c.lists[from-1].remove(id)
		c.in[id] = 0
	}
}

// sketch is a count-min sketch of four rows of 4-bit counters, one to a byte here; all of them are
// halved when it has counted ten times as much as the cache has entries.
type sketch struct {
	rows  [4][]uint8
	shift uint
	added int
	limit int
}

const sketchMax = 15

// newSketch is for a cache of about that many entries.
func newSketch(entries int) *sketch {
	width := 1 << bits.Len(uint(max(entries, 64)-1))
	s := &sketch{shift: uint(64 - bits.Len(uint(width-1))), limit: 10 * max(entries, 64)}
	for r := range s.rows {
		s.rows[r] = make([]uint8, width)
	}
	return s
}

// sketchSeeds are odd 64-bit numbers without a pattern.
var sketchSeeds = [4]uint64{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93}

func (s *sketch) at(row int, id uint32) *uint8 {
	h := (uint64(id) + 1) * sketchSeeds[row]
	return &s.rows[row][(h^h>>29)*sketchSeeds[(row+1)%4]>>s.shift]
}

func (s *sketch) add(id uint32) {
	grown := false
	for r := range s.rows {
		if n := s.at(r, id); *n < sketchMax {
			*n++
			grown = true
		}
	}
	if !grown {
		return
	}
	if s.added++; s.added >= s.limit {
		s.added /= 2
		for r := range s.rows {
			for i := range s.rows[r] {
				s.rows[r][i] >>= 1
			}
		}
	}
}

func (s *sketch) estimate(id uint32) uint8 {
	n := uint8(sketchMax)
	for r := range s.rows {
		n = min(n, *s.at(r, id))
	}
	return n
}
