package store

import "slices"

// How many members a union or a difference has, without making it: SUNIONCARD and SDIFFCARD.
//
// A member that several sets have must count once. Of few sets each member is looked up in those
// before its own, which takes no memory. That is quadratic in the number of sets, so of many sets the
// members that count are collected.

// counting is a count that ends at a limit, 0 for none.
type counting struct {
	n, limit int
	seen     *NewSet // nil: members are looked up in the other sets
}

// full reports whether the limit has been reached.
func (c *counting) full() bool { return c.limit > 0 && c.n >= c.limit }

// add counts a member that is in none of the sets before its own.
func (c *counting) add(member []byte, before []Set) {
	switch {
	case c.seen != nil:
		n := c.seen.Len()
		c.seen.Add(member)
		c.n += c.seen.Len() - n
	case !slices.ContainsFunc(before, func(s Set) bool { return s.Has(member) }):
		c.n++
	}
}

// begin makes memory for many sets, in the shard of k. end gives it back.
func (c *counting) begin(v *View, k Key, sets []Set) {
	if len(sets) > fewSets {
		c.seen = v.NewSet(k)
	}
}

func (c *counting) end() {
	if c.seen != nil {
		c.seen.Discard()
	}
}

// CountUnion counts the members that any of the sets has, up to a limit unless that is 0. sets is
// sorted. The shard of k is locked.
func (v *View) CountUnion(k Key, sets []Set, limit int) int {
	if len(sets) == 0 {
		return 0
	}
	slices.SortFunc(sets, func(a, b Set) int { return b.Len() - a.Len() })
	largest := &sets[0]
	c := counting{n: largest.LiveLen(), limit: limit}
	c.begin(v, k, sets)
	defer c.end()
	for i := 1; i < len(sets) && !c.full(); i++ {
		sets[i].Each(func(member []byte) bool {
			if !largest.Has(member) {
				c.add(member, sets[1:i])
			}
			return !c.full()
		})
	}
	if limit > 0 {
		return min(c.n, limit)
	}
	return c.n
}

// CountDifference counts the members of first that none of the others has, up to a limit unless that
// is 0. others is sorted. The shard of k is locked.
//
// Either the members of first are looked up in the others, or, if that is less work, those of the
// others in first.
func (v *View) CountDifference(k Key, first *Set, others []Set, limit int) int {
	visits := 0
	for i := range others {
		visits += others[i].Len()
	}
	slices.SortFunc(others, func(a, b Set) int { return b.Len() - a.Len() }) // the largest is the likeliest to have it
	if first.Len()*len(others)/2 <= visits {
		c := counting{limit: limit}
		first.Each(func(member []byte) bool {
			c.add(member, others)
			return !c.full()
		})
		return c.n
	}
	var gone counting
	gone.begin(v, k, others)
	defer gone.end()
	for i := range others {
		others[i].Each(func(member []byte) bool {
			if first.Has(member) {
				gone.add(member, others[:i])
			}
			return true
		})
	}
	n := first.LiveLen() - gone.n
	if limit > 0 {
		n = min(n, limit)
	}
	return n
}
