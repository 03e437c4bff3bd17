package main

// gdsf is GreedyDual-Size-Frequency with a cost of one per miss (Cherkasova, "Improving WWW Proxies
// Performance with Greedy-Dual-Size-Frequency Caching Policy", 1998): the victim has the lowest age
// + frequency / size, where age is the priority of the last victim when the entry was last used.
type gdsf struct {
	t        *trace
	capacity int64
	bytes    int64
	age      float64
	heap     []ranked // lowest priority first
	at       []uint32 // by object: place in the heap + 1, 0 for none
	freq     []uint32 // by object: accesses since it came
}

type ranked struct {
	priority float64
	id       uint32
}

func newGDSF(s setup) cache {
	return &gdsf{t: s.trace, capacity: s.capacity, at: make([]uint32, len(s.trace.cost)), freq: make([]uint32, len(s.trace.cost))}
}

func (c *gdsf) used() int64 { return c.bytes }

func (c *gdsf) access(_ int, id uint32) bool {
	if at := c.at[id]; at > 0 {
		c.freq[id]++
		c.heap[at-1].priority = c.priority(id)
		c.down(int(at - 1))
		return true
	}
	cost := int64(c.t.cost[id])
	if cost > c.capacity {
		return false
	}
	for c.bytes+cost > c.capacity {
		c.age = c.heap[0].priority
		c.remove(c.heap[0].id)
	}
	c.freq[id] = 1
	c.bytes += cost
	c.heap = append(c.heap, ranked{c.priority(id), id})
	c.up(len(c.heap) - 1)
	return false
}

func (c *gdsf) priority(id uint32) float64 { return c.age + float64(c.freq[id])/float64(c.t.cost[id]) }

func (c *gdsf) remove(id uint32) {
	if c.at[id] == 0 {
		return
	}
	i, last := int(c.at[id]-1), len(c.heap)-1
	c.at[id] = 0
	c.bytes -= int64(c.t.cost[id])
	moved := c.heap[last]
	c.heap = c.heap[:last]
	if i < last {
		c.heap[i] = moved
		c.up(i)
		c.down(int(c.at[moved.id] - 1))
	}
}

func (c *gdsf) up(i int) {
	moved := c.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if c.heap[parent].priority <= moved.priority {
			break
		}
		c.put(i, c.heap[parent])
		i = parent
	}
	c.put(i, moved)
}

func (c *gdsf) down(i int) {
	moved := c.heap[i]
	for {
		child := 2*i + 1
		if child >= len(c.heap) {
			break
		}
		if child+1 < len(c.heap) && c.heap[child+1].priority < c.heap[child].priority {
			child++
		}
		if moved.priority <= c.heap[child].priority {
			break
		}
		c.put(i, c.heap[child])
		i = child
	}
	c.put(i, moved)
}

func (c *gdsf) put(i int, r ranked) {
	c.heap[i] = r
	c.at[r.id] = uint32(i + 1)
}
