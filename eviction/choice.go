package eviction

import "math"

// Choice chooses the victims of a burst among its candidates, by rank. It
// belongs to one goroutine and allocates nothing after NewChoice.
//
// Taking the best k of each group of n candidates evicts a key of use where the
// group has no worse one, and spares a useless one where it has. So a bar is kept
// from burst to burst, about the rank that k of n reach, and what reaches it is
// chosen: as few as k/2 of a good group, as many as 1.5 k of a bad one. In simulation
// that is worth more than twice as many candidates under LRU and LFU, as much as
// Redis' pool, whose keys have to be looked up again later; and nothing is sorted.
type Choice struct {
	rule   Rule
	bar    float64 // 0: none yet
	turn   int
	best   *Pool[uint16]
	chosen []uint16
}

// The bar goes barStep of the way to the rank of a group's k-th best, where that is
// known: groups are sorted if the bar does not do, and one in sortEvery in any case.
const (
	barStep   = 1. / 4
	sortEvery = 8
)

// NewChoice returns a Choice of up to n victims in the mean, 0 < n. Reset must follow.
func NewChoice(n int) *Choice {
	return &Choice{best: NewPool[uint16](n + n/2), chosen: make([]uint16, 0, n+n/2)}
}

// Reset begins anew, with the ranks of another policy.
func (c *Choice) Reset(r Rule) { c.rule, c.bar = r, 0 }

// Of returns the indexes of the candidates to be evicted: about k in the mean, and
// none that has a lower rank than one that is left. 0 < k, and not above what
// NewChoice was told; there are fewer than 2^16 candidates. The result is valid until
// the next call. sorted reports that the victims come in falling
// order of their ranks.
func (c *Choice) Of(ranks []uint64, k int) (victims []uint16, sorted bool) {
	if c.rule == Random || len(ranks) <= k {
		return c.highest(ranks, k, k), true
	}
	least, most := max(k/2, 1), k+k/2
	at := c.around(ranks)
	c.turn++
	switch n := at.reach; {
	case n < least && n+at.highs >= k:
		// Many ranks are equal, where clocks are coarse or counters small.
		c.moveBar(at.high)
		return c.above(ranks, at.high, least), false
	case n > most && n-at.lows < k:
		c.moveBar(at.low)
		return c.above(ranks, at.low, most), false
	case n < least || n > most || c.turn%sortEvery == 0:
		return c.highest(ranks, k, min(max(n, least), most)), true
	}
	return c.chosen, false
}

// around is how the ranks lie around the bar.
type around struct {
	reach       int    // so many reach it
	low, high   uint64 // the lowest of those, the highest of the others
	lows, highs int    // so many are equal to these
}

// around chooses what reaches the bar, or the first of it.
func (c *Choice) around(ranks []uint64) (at around) {
	at.low = math.MaxUint64
	bar := uint64(math.Ceil(c.bar))
	c.chosen = c.chosen[:0]
	for i, rank := range ranks {
		switch {
		case rank >= bar:
			if at.reach++; at.reach <= cap(c.chosen) {
				c.chosen = append(c.chosen, uint16(i))
			}
			if rank < at.low {
				at.low, at.lows = rank, 0
			}
			if rank == at.low {
				at.lows++
			}
		case rank > at.high:
			at.high, at.highs = rank, 1
		case rank == at.high:
			at.highs++
		}
	}
	return at
}

// above chooses n candidates: all that are above a rank, which must be fewer, and for
// the rest some that have it.
func (c *Choice) above(ranks []uint64, bound uint64, n int) []uint16 {
	c.chosen = c.chosen[:0]
	for i, rank := range ranks {
		if rank > bound {
			c.chosen = append(c.chosen, uint16(i))
		}
	}
	for i, rank := range ranks {
		if len(c.chosen) == n {
			break
		}
		if rank == bound {
			c.chosen = append(c.chosen, uint16(i))
		}
	}
	return c.chosen
}

// moveBar moves the bar towards the rank of a group's k-th best. Expired entries, which
// outrank all others, leave it where it is.
func (c *Choice) moveBar(to uint64) {
	switch {
	case to == math.MaxUint64:
	case c.bar == 0:
		c.bar = float64(to)
	default:
		c.bar += (float64(to) - c.bar) * barStep
	}
}

// highest chooses the n highest ranks and moves the bar.
func (c *Choice) highest(ranks []uint64, k, n int) []uint16 {
	c.best.Limit(max(k, n))
	for i, rank := range ranks {
		c.best.Offer(rank, uint16(i))
	}
	c.chosen = c.chosen[:0]
	for taken := 1; c.best.Len() > 0; taken++ {
		i, _ := c.best.Take()
		if taken <= n {
			c.chosen = append(c.chosen, i)
		}
		if taken == k {
			c.moveBar(ranks[i])
		}
	}
	return c.chosen
}
