package main

// lru is exact LRU.
type lru struct {
	t        *trace
	capacity int64
	list     list
	in       []bool
}

func newLRU(s setup) cache {
	return &lru{t: s.trace, capacity: s.capacity, list: newLists(s.trace, 1)[0], in: make([]bool, len(s.trace.cost))}
}

func (c *lru) used() int64 { return c.list.bytes }

func (c *lru) access(_ int, id uint32) bool {
	if c.in[id] {
		c.list.toFront(id)
		return true
	}
	cost := int64(c.t.cost[id])
	if cost > c.capacity {
		return false
	}
	for c.list.bytes+cost > c.capacity {
		c.in[c.list.pop()] = false
	}
	c.list.push(id)
	c.in[id] = true
	return false
}

func (c *lru) remove(id uint32) {
	if c.in[id] {
		c.in[id] = false
		c.list.remove(id)
	}
}
