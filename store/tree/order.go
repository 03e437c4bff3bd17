package tree

import (
	"bytes"

	"github.com/larderkv/larder/store/arena"
)

// Order is the order of a sorted set: pairs of a score and the record of a member, ascending
// by score and, where scores are equal, by the members' bytes. A member is there once.
// Positions count from 0. There are infinities but no NaN; -0 and 0 are equal, and each
// comes back as it was.
//
// An order looks at records only where scores are equal. A record that moves must be
// reported at once (Moved): the order may refer to it in two places.
type Order struct {
	tree
	member func(ref arena.Ref) []byte
}

// NewOrder is an empty order, which has no block. member returns the member in a record,
// valid until member is called twice more.
func NewOrder(ar *arena.Arena, member func(ref arena.Ref) []byte) *Order {
	return &Order{tree{ar: ar, mem: ar.Mem(), arrays: orderArrays, fanout: orderFanout}, member}
}

// target is a pair that is looked for.
type target struct {
	lo, hi uint64 // its score
	ref    arena.Ref
	name   []byte // the member, if it is known
}

func targetOf(score float64, ref arena.Ref) (g target) {
	g.lo, g.hi = keysOf(score)
	g.ref = ref
	return g
}

// compare compares the member in a record with the one that is looked for.
func (o *Order) compare(ref arena.Ref, g *target) int {
	if ref == g.ref {
		return 0
	}
	if g.name == nil {
		g.name = o.member(g.ref)
	}
	return bytes.Compare(o.member(ref), g.name)
}

// descend finds the leaf where the target is, or belongs, and its place there.
func (o *Order) descend(p *path, g *target) (found bool) {
	ref := o.root
	for l := range o.height {
		x := o.inner(ref)
		i, j := within(x.keys(), g.lo, g.hi)
		for i < j { // fences with the same score
			m := int(uint(i+j) / 2)
			if o.compare(arena.Ref(x.fences()[m]), g) <= 0 {
				i = m + 1
			} else {
				j = m
			}
		}
		i = max(i-1, 0)
		p.ref[l], p.at[l] = ref, i
		ref = x.kid(i)
		if l+1 == o.height {
			o.prefetchLeaf(ref, int(x.counts()[i]))
		}
	}
	p.ref[o.height] = ref
	p.at[o.height], found = o.place(o.pairs(ref), g)
	return found
}

// place is the number of pairs of a leaf before the target, and whether it is the next one.
func (o *Order) place(x pairs, g *target) (i int, found bool) {
	i, j := within(x.keys, g.lo, g.hi)
	for i < j {
		m := int(uint(i+j) / 2)
		c := o.compare(x.ref(m), g)
		if c == 0 {
			return m, true
		}
		if c < 0 {
			i = m + 1
		} else {
			j = m
		}
	}
	return i, false
}

// rank is the position that a path leads to.
func (o *Order) rank(p *path) int {
	r := uint64(p.at[o.height])
	total := uint64(o.n)
	for l := range o.height {
		counts := o.inner(p.ref[l]).counts()
		i := p.at[l]
		if i < len(counts)/2 {
			for _, c := range counts[:i] {
				r += c
			}
		} else {
			r += total
			for _, c := range counts[i:] {
				r -= c
			}
		}
		total = counts[i]
	}
	return int(r)
}

// Rank returns the position of a pair, and false if it is not there.
func (o *Order) Rank(score float64, ref arena.Ref) (int, bool) {
	if o.n == 0 {
		return 0, false
	}
	var p path
	g := targetOf(score, ref)
	if !o.descend(&p, &g) {
		return 0, false
	}
	return o.rank(&p), true
}

// At returns the pair at a position that exists.
func (o *Order) At(i int) (score float64, ref arena.Ref) {
	var p path
	o.seek(&p, i)
	x, at := o.pairs(p.ref[o.height]), p.at[o.height]
	return scoreOf(x.keys[at]), x.ref(at)
}

// LowerBound is the number of pairs whose score is less than score, or with orEqual less or equal.
func (o *Order) LowerBound(score float64, orEqual bool) int {
	if o.n == 0 {
		return 0
	}
	key, hi := keysOf(score)
	if orEqual {
		key = hi + 1
	}
	var p path
	ref := o.root
	for l := range o.height {
		x := o.inner(ref)
		p.ref[l], p.at[l] = ref, max(below(x.keys(), key)-1, 0)
		ref = x.kid(p.at[l])
		if l+1 == o.height {
			o.prefetchLeaf(ref, int(x.counts()[p.at[l]]))
		}
	}
	p.at[o.height] = below(o.pairs(ref).keys, key)
	return o.rank(&p)
}

// LowerBoundLex is the number of pairs whose member is less than member, or with orEqual less or
// equal, where all scores are equal.
func (o *Order) LowerBoundLex(member []byte, orEqual bool) int {
	if o.n == 0 {
		return 0
	}
	most := -1 // of a comparison with what is counted
	if orEqual {
		most = 0
	}
	var p path
	ref := o.root
	for l := range o.height {
		x := o.inner(ref)
		i := search(int(x.n),
			func(i int) bool { return bytes.Compare(o.member(arena.Ref(x.fences()[i])), member) > most })
		p.ref[l], p.at[l] = ref, max(i-1, 0)
		ref = x.kid(p.at[l])
	}
	x := o.pairs(ref)
	p.at[o.height] = search(int(x.n), func(i int) bool { return bytes.Compare(o.member(x.ref(i)), member) > most })
	return o.rank(&p)
}

// search returns the first of n for which is, which then holds for all that follow.
func search(n int, is func(i int) bool) (i int) {
	for n > i {
		if m := int(uint(i+n) / 2); is(m) {
			n = m
		} else {
			i = m + 1
		}
	}
	return i
}

// Each calls fn with the pairs from position from on, ascending, until it returns false. fn
// must not change the order.
func (o *Order) Each(from int, fn func(i int, score float64, ref arena.Ref) bool) {
	if from >= o.n {
		return
	}
	var p path
	o.seek(&p, from)
	for more := true; more; more = o.next(&p) {
		o.prefetchLeaf(p.ref[o.height], maxPairs)
		x := o.pairs(p.ref[o.height])
		for i := p.at[o.height]; i < int(x.n); i++ {
			if !fn(from, scoreOf(x.keys[i]), x.ref(i)) {
				return
			}
			from++
		}
	}
}

// EachBack calls fn with the pairs from position from on, descending.
func (o *Order) EachBack(from int, fn func(i int, score float64, ref arena.Ref) bool) {
	if from < 0 || o.n == 0 {
		return
	}
	var p path
	o.seek(&p, from)
	i := p.at[o.height]
	for {
		o.prefetchLeaf(p.ref[o.height], maxPairs)
		x := o.pairs(p.ref[o.height])
		for ; i >= 0; i-- {
			if !fn(from, scoreOf(x.keys[i]), x.ref(i)) {
				return
			}
			from--
		}
		if !o.previous(&p) {
			return
		}
		i = int(o.pairs(p.ref[o.height]).n) - 1
	}
}

// prefetchLeaf loads a leaf of at most n pairs, all lines at once: a search or a walk would wait
// for one after the other.
func (o *Order) prefetchLeaf(leaf arena.Ref, n int) {
	o.ar.PrefetchRange(leaf.Off(), pairsSize(n+n/16))
}
