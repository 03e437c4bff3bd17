package store

import (
	"cmp"
	"math"
	"slices"
)

// Intersections, unions and differences of sorted sets, and whatever else makes a new one.
//
// Inputs may be sets, too: their members have the score 1. The result is collected in a NewZset,
// a table of members that is sorted once, when it is complete. To keep an order while scores are
// still being summed up would sort every member as often as inputs have it.

// Aggregate is how the scores of a member in several inputs become one.
type Aggregate uint8

// The aggregates.
const (
	AggregateSum Aggregate = iota
	AggregateMin
	AggregateMax
	AggregateCount // the sum of the weights of the inputs that have the member
)

// of combines the score x so far with that of one more input, as Redis does: a sum that is no
// number is 0, and a y that is none neither falls below x nor passes it. x is a number.
func (a Aggregate) of(x, y float64) float64 {
	switch a {
	case AggregateMin:
		if y < x {
			return y
		}
		return x
	case AggregateMax:
		if y > x {
			return y
		}
		return x
	case AggregateSum, AggregateCount:
	}
	return zeroForNaN(x + y)
}

func zeroForNaN(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f
}

// ScoredSource is an input: a sorted set, or a set.
type ScoredSource struct {
	Weight float64 // scores are multiplied by it
	zset   Zset
	set    Set
	isSet  bool
	flat   bool // every member counts as one of score 1
}

// ReadScored finds an input for reading. Its Weight is 1.
func (v *View) ReadScored(k Key) (src ScoredSource, ok bool, err error) {
	src.Weight = 1
	e, ok := v.Read(k)
	if !ok {
		return src, false, nil
	}
	switch e.Type() {
	case TypeZset:
		src.zset = Zset{v: v, k: k, e: e}
		return src, true, nil
	case TypeSet:
		src.set, src.isSet = Set{Elements{v: v, k: k, e: e}}, true
		return src, true, nil
	}
	return src, false, ErrWrongType
}

// Len is the number of members, at least 1.
func (s *ScoredSource) Len() int {
	if s.isSet {
		return s.set.Len()
	}
	return s.zset.Len()
}

// weighted is a score as the input gives it. 0 times infinity is 0, as in Redis.
func (s *ScoredSource) weighted(score float64) float64 { return zeroForNaN(s.Weight * score) }

// each visits the members with their weighted scores, until fn returns false.
func (s *ScoredSource) each(fn func(member []byte, score float64) bool) {
	if s.isSet {
		score := s.weighted(1)
		s.set.Each(func(member []byte) bool { return fn(member, score) })
		return
	}
	s.zset.eachUnordered(func(member []byte, score float64) bool {
		if s.flat {
			score = 1
		}
		return fn(member, s.weighted(score))
	})
}

// find returns a member's score times the weight. Unlike each it leaves 0 times infinity NaN, for
// Redis makes that 0 only in an intersection's first input; in the others it goes to the aggregate.
func (s *ScoredSource) find(member []byte) (score float64, ok bool) {
	if s.isSet {
		return s.Weight, s.set.Has(member)
	}
	if score, ok = s.zset.Score(member); s.flat {
		score = 1
	}
	return s.Weight * score, ok
}

// arrange sorts inputs, the smallest first, and has them give the scores that are aggregated. The order
// of equal sizes stays, since it decides on how sums are rounded.
func arrange(sources []ScoredSource, how Aggregate) {
	for i := range sources {
		sources[i].flat = how == AggregateCount
	}
	slices.SortStableFunc(sources, func(a, b ScoredSource) int { return cmp.Compare(a.Len(), b.Len()) })
}

// IntersectScored visits the members that all inputs have, in no order, until fn returns false. At
// least one input is given; they are sorted by size.
func IntersectScored(sources []ScoredSource, how Aggregate, fn func(member []byte, score float64) bool) {
	arrange(sources, how)
	sources[0].each(func(member []byte, score float64) bool {
		for i := 1; i < len(sources); i++ {
			other, ok := sources[i].find(member)
			if !ok {
				return true
			}
			score = how.of(score, other)
		}
		return fn(member, score)
	})
}

// NewZset is a sorted set under construction: it belongs to no key yet and is seen by nobody. It
// lives in the arena of its key's shard, and ends with StoreZset or Discard.
type NewZset struct {
	v       *View
	k       Key
	body    *zsetBody // its tree is built in the end
	longest int       // bytes of the longest member
}

// NewZset begins an empty sorted set for k, whose shard is locked.
func (v *View) NewZset(k Key) *NewZset {
	return &NewZset{v: v, k: k, body: newZsetBody(v.shard(&k), v)}
}

// Reserve makes room for about so many members in n, which is empty.
func (n *NewZset) Reserve(members int) {
	if int64(members) > n.v.Store.enc.ZsetMaxEntries.Load() {
		n.body.reserve(members)
	}
}

// Len is the number of members.
func (n *NewZset) Len() int { return n.body.n }

// Add adds a member that is not there. The bytes may be those of any other collection.
func (n *NewZset) Add(member []byte, score float64) {
	n.body.addMember(n.body.hash(member), member, score)
	n.longest = max(n.longest, len(member))
}

// Union adds the members of all inputs, which it sorts by size, to n, which is empty.
func (n *NewZset) Union(sources []ScoredSource, how Aggregate) {
	arrange(sources, how)
	t := &n.body.table
	if len(sources) > 0 {
		n.Reserve(sources[len(sources)-1].Len())
	}
	for i := range sources {
		sources[i].each(func(member []byte, score float64) bool {
			if i > 0 {
				if _, ref, known := t.find(t.hash(member), member); known {
					value := recordValue(t.mem, ref)
					sum := floatBytes(how.of(bytesFloat(value), score))
					copy(value, sum[:])
					return true
				}
			}
			n.Add(member, score)
			return true
		})
	}
}

// Intersect adds the members that all inputs have to n, which is empty; see IntersectScored.
func (n *NewZset) Intersect(sources []ScoredSource, how Aggregate) {
	arrange(sources, how)
	n.Reserve(estimate(&sources[0], sources[1:], true))
	IntersectScored(sources, how, func(member []byte, score float64) bool {
		n.Add(member, score)
		return true
	})
}

// estimated is the number of members that an estimate looks at. Where half of a million or more are
// found, it is right within a few per cent, and a table is as full as others by chance.
const estimated = 1024

// estimate guesses how many members of first are in all of the others, or, unless has is true, in
// none of them. A table is visited in the order of hashes, so that the first members that come are
// as good as any others.
func estimate(first *ScoredSource, others []ScoredSource, has bool) int {
	visited, found := 0, 0
	first.each(func(member []byte, _ float64) bool {
		agree := true
		for i := 0; i < len(others) && agree; i++ {
			_, ok := others[i].find(member)
			agree = ok == has
		}
		if visited++; agree {
			found++
		}
		return visited < estimated
	})
	return first.Len() * found / visited
}

// Difference adds the members of first that none of the others has to n, which is empty.
func (n *NewZset) Difference(first *ScoredSource, others []ScoredSource) {
	n.Reserve(estimate(first, others, false))
	first.each(func(member []byte, score float64) bool {
		for i := range others {
			if _, ok := others[i].find(member); ok {
				return true
			}
		}
		n.Add(member, score)
		return true
	})
}

// Each visits the members in order.
func (n *NewZset) Each(fn func(member []byte, score float64)) {
	for _, s := range n.body.inOrder() {
		fn(recordKey(n.body.mem, s.ref), s.score)
	}
}

// Discard frees the sorted set.
func (n *NewZset) Discard() { n.v.shard(&n.k).discard(n.body) }

// StoreZset gives the new sorted set its key, in place of whatever the key held; an empty one
// removes the key. ev is the event of the command. It returns the number of members.
func (v *View) StoreZset(n *NewZset, ev Event) int {
	count := n.Len()
	if count == 0 {
		v.Delete(n.k)
		return 0
	}
	replaced := v.Vacate(n.k)
	n.attach()
	v.stored(n.k, replaced, ev)
	return count
}

// attach makes the key, which is absent.
func (n *NewZset) attach() {
	v, b, enc, list := n.v, n.body, n.v.Store.enc, n.body.inOrder()
	t := v.tableForWrite(&n.k)
	size := lenSize(2 * len(list))
	for _, s := range list {
		size += packedSize(len(recordKey(b.mem, s.ref))) + packedScore(s.score)
	}
	if int64(len(list)) > enc.ZsetMaxEntries.Load() ||
		int64(n.longest) > enc.ZsetMaxValue.Load() || size > packMaxSize {
		b.arrange(list)
		v.newBodyEntry(t, n.k, TypeZset, b)
		return
	}
	e := v.insertCollection(t, n.k, v.newMeta(&n.k, TypeZset, encPack), size)
	w := newPackWriter(e.value(), len(list))
	for _, s := range list {
		w.add(recordKey(b.mem, s.ref), s.score)
	}
	n.Discard()
}
