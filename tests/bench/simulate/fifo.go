package main

// s3fifo is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", 2023), sized
// in bytes.
type s3fifo struct {
	t        *trace
	capacity int64
	lists    [3]list // small, main, ghost
	in       []uint8 // by object: list + 1, 0 for none
	freq     []uint8 // by object: accesses since it came, up to 3
}

const (
	smallQueue = iota
	mainQueue
	ghostQueue

	s3Small     = 0.1 // share of the small queue
	s3Frequency = 3   // two bits
	s3Move      = 2   // accesses in the small queue that lead to the main one
)

func newS3FIFO(s setup) cache {
	c := &s3fifo{t: s.trace, capacity: s.capacity, in: make([]uint8, len(s.trace.cost)), freq: make([]uint8, len(s.trace.cost))}
	copy(c.lists[:], newLists(s.trace, 3))
	return c
}

func (c *s3fifo) used() int64 { return c.lists[smallQueue].bytes + c.lists[mainQueue].bytes }

func (c *s3fifo) access(_ int, id uint32) bool {
	in := c.in[id]
	if in == smallQueue+1 || in == mainQueue+1 {
		c.freq[id] = min(c.freq[id]+1, s3Frequency)
		return true
	}
	cost := int64(c.t.cost[id])
	if cost > c.capacity {
		return false
	}
	for c.used()+cost > c.capacity {
		if c.lists[mainQueue].n == 0 || float64(c.lists[smallQueue].bytes) >= s3Small*float64(c.capacity) {
			c.evictSmall()
		} else {
			c.evictMain()
		}
	}
	// The ghost may have been forgotten meanwhile: what counts is that it was there when it was
	// asked for.
	if in == ghostQueue+1 {
		c.move(id, mainQueue)
	} else {
		c.move(id, smallQueue)
	}
	c.freq[id] = 0
	return false
}

// evictSmall evicts one entry of the small queue, or moves all of them to the main one.
func (c *s3fifo) evictSmall() {
	for c.lists[smallQueue].n > 0 {
		id := c.lists[smallQueue].tail
		if c.freq[id] >= s3Move {
			c.freq[id] = 0
			c.move(id, mainQueue)
			continue
		}
		c.move(id, ghostQueue)
		for float64(c.lists[ghostQueue].bytes) > (1-s3Small)*float64(c.capacity) {
			c.drop(c.lists[ghostQueue].tail)
		}
		return
	}
}

func (c *s3fifo) evictMain() {
	for {
		id := c.lists[mainQueue].tail
		if c.freq[id] == 0 {
			c.drop(id)
			return
		}
		c.freq[id]--
		c.move(id, mainQueue)
	}
}

func (c *s3fifo) move(id uint32, to uint8) {
	c.drop(id)
	c.lists[to].push(id)
	c.in[id] = to + 1
}

func (c *s3fifo) drop(id uint32) {
	if from := c.in[id]; from > 0 {
		c.lists[from-1].remove(id)
		c.in[id] = 0
	}
}

func (c *s3fifo) remove(id uint32) {
	if c.in[id] != ghostQueue+1 {
		c.drop(id)
	}
}

// sieve is SIEVE (Zhang et al., "SIEVE is simpler than LRU", 2024).
type sieve struct {
	t        *trace
	capacity int64
	list     list
	hand     uint32  // the next to be judged, none for the oldest
	state    []uint8 // by object
}

const (
	absent = iota
	present
	visited
)

func newSieve(s setup) cache {
	return &sieve{
		t: s.trace, capacity: s.capacity, list: newLists(s.trace, 1)[0], hand: none, state: make([]uint8, len(s.trace.cost)),
	}
}

func (c *sieve) used() int64 { return c.list.bytes }

func (c *sieve) access(_ int, id uint32) bool {
	if c.state[id] != absent {
		c.state[id] = visited
		return true
	}
	cost := int64(c.t.cost[id])
	if cost > c.capacity {
		return false
	}
	for c.list.bytes+cost > c.capacity {
		c.evict()
	}
	c.list.push(id)
	c.state[id] = present
	return false
}

// evict moves the hand towards the newest entry until it meets one that was not visited.
func (c *sieve) evict() {
	if c.hand == none {
		c.hand = c.list.tail
	}
	for c.state[c.hand] == visited {
		c.state[c.hand] = present
		if c.hand = c.list.links[c.hand].prev; c.hand == none {
			c.hand = c.list.tail
		}
	}
	c.remove(c.hand)
}

func (c *sieve) remove(id uint32) {
	if c.state[id] == absent {
		return
	}
	if c.hand == id {
		c.hand = c.list.links[id].prev
	}
	c.state[id] = absent
	c.list.remove(id)
}
