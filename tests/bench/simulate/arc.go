package main

// arc is ARC (Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", 2003) with
// bytes in place of pages: the lists, the target p and its steps are measured in costs. With equal
// costs it is the paper's algorithm, step by step.
type arc struct {
	t        *trace
	capacity int64
	p        float64 // target of t1
	lists    [4]list // t1, t2, b1, b2
	in       []uint8 // by object: list + 1, 0 for none
}

const (
	t1 = iota // seen once recently
	t2        // seen more than once
	b1        // ghosts of t1
	b2        // ghosts of t2
)

func newARC(s setup) cache {
	c := &arc{t: s.trace, capacity: s.capacity, in: make([]uint8, len(s.trace.cost))}
	copy(c.lists[:], newLists(s.trace, 4))
	return c
}

func (c *arc) used() int64 { return c.lists[t1].bytes + c.lists[t2].bytes }

// move takes an object from the list it is in to another, t1 to b2.
func (c *arc) move(id uint32, to uint8) {
	c.drop(id)
	c.lists[to].push(id)
	c.in[id] = to + 1
}

func (c *arc) drop(id uint32) {
	if from := c.in[id]; from > 0 {
		c.lists[from-1].remove(id)
		c.in[id] = 0
	}
}

func (c *arc) access(_ int, id uint32) bool {
	cost := int64(c.t.cost[id])
	if cost > c.capacity {
		return false
	}
	small, large := float64(c.lists[b1].bytes), float64(c.lists[b2].bytes)
	switch c.in[id] {
	case t1 + 1, t2 + 1:
		c.move(id, t2)
		return true
	case b1 + 1:
		c.p = min(float64(c.capacity), c.p+max(1, large/small)*float64(cost))
		c.makeRoom(cost, false)
		c.move(id, t2)
	case b2 + 1:
		c.p = max(0, c.p-max(1, small/large)*float64(cost))
		c.makeRoom(cost, true)
		c.move(id, t2)
	default:
		c.forget(cost)
		c.makeRoom(cost, false)
		c.move(id, t1)
	}
	return false
}

// forget bounds t1 and its ghosts to the capacity, and everything to twice that, before a new
// object comes.
func (c *arc) forget(cost int64) {
	for c.lists[t1].bytes+c.lists[b1].bytes+cost > c.capacity {
		if c.lists[b1].n > 0 {
			c.drop(c.lists[b1].tail)
		} else {
			c.drop(c.lists[t1].tail)
		}
	}
	for c.lists[b2].n > 0 && c.lists[t1].bytes+c.lists[t2].bytes+c.lists[b1].bytes+c.lists[b2].bytes+cost > 2*c.capacity {
		c.drop(c.lists[b2].tail)
	}
}

// makeRoom is the paper's REPLACE, as often as it takes.
func (c *arc) makeRoom(cost int64, inB2 bool) {
	for c.used()+cost > c.capacity {
		first := float64(c.lists[t1].bytes)
		if c.lists[t1].n > 0 && (first > c.p || inB2 && first == c.p || c.lists[t2].n == 0) {
			c.move(c.lists[t1].tail, b1)
		} else {
			c.move(c.lists[t2].tail, b2)
		}
	}
}

func (c *arc) remove(id uint32) {
	if in := c.in[id]; in == t1+1 || in == t2+1 {
		c.drop(id)
	}
}
