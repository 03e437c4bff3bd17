package store

import (
	"slices"

	"github.com/larderkv/larder/store/arena"
)

// Intersections, unions and differences.
//
// An intersection needs no memory: the members of the smallest set are looked up
// in the others. What is stored under a key is collected in a NewSet, and so are
// unions and differences of small sets: Redis' replies, which for integers come
// sorted, are those of a set that was built. Those of large sets are visited without
// one (EachOfAny, EachOfFirst), since it would take as much memory as the
// reply, for which no room was made; a union looks each member up in the sets before
// its own, which is quadratic in the number of sets, so that many are collected.
//
// What is stored of large sets is found first and copied then. A name is hashed once, since all
// tables have the same seed: the hash serves for the lookups in the other sets, and for the result's
// table, which is made for as many members as were found. Members are looked up in groups, so that
// the waits for memory overlap, and come in the order of their hashes, so that the result's buckets
// are filled one after the other. The list takes 16 bytes of Go's memory for each member found.

// NewSet is a set under construction: it belongs to no key yet and is seen by
// nobody. It lives in the arena of its key's shard, as the only entry of a table
// of its own, so that it is built by the same code as any other set; being
// attached to the key moves one reference. It ends with StoreSet or Discard.
type NewSet struct {
	set Set
	t   *table
	n   int
}

// NewSet begins an empty set for k, whose shard is locked.
func (v *View) NewSet(k Key) *NewSet {
	return &NewSet{set: Set{Elements{v: v, k: k}}, t: newTable(v.shard(&k), v.Store.seed)}
}

// Len is the number of members.
func (n *NewSet) Len() int { return n.n }

// Add adds a member. The bytes may be those of any other set.
func (n *NewSet) Add(member []byte) {
	if n.n == 0 {
		first := [...][]byte{member}
		if n.set.create(n.t, first[:]) == 1 {
			n.n = 1
			return
		}
	}
	if n.set.add(member) {
		n.n++
	}
}

// Remove takes a member out.
func (n *NewSet) Remove(member []byte) {
	if n.n > 0 && n.set.remove(member) {
		n.n--
	}
}

// Each visits the members.
func (n *NewSet) Each(fn func(member []byte)) {
	if n.n == 0 {
		return
	}
	n.set.Each(func(member []byte) bool {
		fn(member)
		return true
	})
}

// Discard frees the set.
func (n *NewSet) Discard() {
	if n.n > 0 {
		n.set.e.drop()
		n.n = 0
	}
}

// StoreSet gives the new set its key, in place of whatever the key held; an
// empty one removes the key. ev is the event of the command. It returns the number of members.
func (v *View) StoreSet(n *NewSet, ev Event) int {
	if n.n == 0 {
		v.Delete(n.set.k)
		return 0
	}
	replaced := v.Vacate(n.set.k)
	n.set.e.attach(v, n.set.k, 0)
	v.stored(n.set.k, replaced, ev)
	return n.n
}

// Intersect visits the members that all sets have, until fn returns false. At
// least one set is given; the slice is sorted by size.
func Intersect(sets []Set, fn func(member []byte) bool) {
	slices.SortFunc(sets, func(a, b Set) int { return a.Len() - b.Len() })
	sets[0].Each(func(member []byte) bool {
		for i := 1; i < len(sets); i++ {
			if !sets[i].Has(member) {
				return true
			}
		}
		return fn(member)
	})
}

// hashedRef is a record of a member with the hash of its name.
type hashedRef struct {
	hash uint64
	ref  arena.Ref
}

// choose appends the members of a set with a table to list that all of the others have, or, unless
// has is true, none of them.
func (s *Set) choose(list []hashedRef, others []Set, has bool) []hashedRef {
	t := s.e.nested()
	var tables [fewSets]*table
	n := 0
	for i := range others {
		if others[i].isTable() && n < fewSets {
			tables[n] = others[i].e.nested()
			n++
		}
	}
	var group [groupSize]hashedRef
	held := 0
	flush := func() {
		for i := range group[:held] {
			el := &group[i]
			el.hash = t.hash(recordKey(t.mem, el.ref))
			for _, other := range tables[:n] {
				other.prefetchBucket(el.hash)
			}
		}
		for _, other := range tables[:n] {
			for i := range group[:held] {
				other.prefetchRecord(group[i].hash)
			}
		}
		for _, el := range group[:held] {
			if agree(others, el.hash, recordKey(t.mem, el.ref), has) {
				list = append(list, el)
			}
		}
		held = 0
	}
	t.eachRef(func(ref arena.Ref) bool {
		if s.dead(t, ref) {
			return true
		}
		group[held].ref = ref
		if held++; held == groupSize {
			flush()
		}
		return true
	})
	flush()
	return list
}

// agree reports whether all sets have the member, or none of them, as has says. h is its hash.
func agree(sets []Set, h uint64, member []byte, has bool) bool {
	for i := range sets {
		if sets[i].hasHashed(h, member) != has {
			return false
		}
	}
	return true
}

// fill adds the members of the records in a list, which are all different, to n, which is empty.
func (n *NewSet) fill(list []hashedRef) {
	v, k := n.set.v, n.set.k
	t := newTable(v.shard(&k), v.Store.seed)
	if int64(len(list)) <= v.smallSet() {
		for _, el := range list {
			n.Add(recordKey(t.mem, el.ref))
		}
		return
	}
	t.reserve(len(list))
	for i, el := range list {
		if i+sortAhead < len(list) {
			t.ar.Prefetch(list[i+sortAhead].ref.Off())
		}
		t.insert(el.hash, t.copyMember(el.ref), 0, 0)
	}
	n.set.e = v.newBodyEntry(n.t, k, TypeSet, t)
	n.n = len(list)
}

// Intersect adds the members that all sets have to n, which is empty. At least one set is given;
// the slice is sorted by size.
func (n *NewSet) Intersect(sets []Set) {
	slices.SortFunc(sets, func(a, b Set) int { return a.Len() - b.Len() })
	if sets[0].isTable() {
		n.fill(sets[0].choose(nil, sets[1:], true))
		return
	}
	Intersect(sets, func(member []byte) bool {
		n.Add(member)
		return true
	})
}

// fewSets is the number of sets up to which looking members up in all of them costs
// less than building a set.
const fewSets = 8

// EachOfAny visits the members of all sets, each member once. It reports false, and visits none, for
// sets that are to be collected in a NewSet. sets is sorted.
func (v *View) EachOfAny(sets []Set, fn func(member []byte)) bool {
	slices.SortFunc(sets, func(a, b Set) int { return b.Len() - a.Len() })
	if len(sets) == 0 || len(sets) > fewSets || int64(sets[0].Len()) <= v.Store.enc.SetMaxIntset.Load() {
		return false
	}
	for i := range sets {
		sets[i].eachNotIn(sets[:i], fn)
	}
	return true
}

// EachOfFirst visits the members of first that are in none of the others. It reports false like
// EachOfAny. others is sorted.
func (v *View) EachOfFirst(first *Set, others []Set, fn func(member []byte)) bool {
	if len(others) > fewSets || int64(first.Len()) <= v.Store.enc.SetMaxIntset.Load() {
		return false
	}
	slices.SortFunc(others, func(a, b Set) int { return b.Len() - a.Len() }) // the largest is the likeliest to have it
	first.eachNotIn(others, fn)
	return true
}

// eachNotIn visits the members that none of the others has.
func (s *Set) eachNotIn(others []Set, fn func(member []byte)) {
	s.Each(func(member []byte) bool {
		for i := range others {
			if others[i].Has(member) {
				return true
			}
		}
		fn(member)
		return true
	})
}

// Union adds the members of all sets to n, which is empty. sets is sorted if there is a large one.
func (n *NewSet) Union(sets []Set) {
	rest := sets
	if tables := n.largest(sets); tables > 0 {
		list := make([]hashedRef, 0, sets[0].Len())
		for i := range tables {
			list = sets[i].choose(list, sets[:i], false)
		}
		n.fill(list)
		rest = sets[tables:]
	}
	for i := range rest {
		rest[i].Each(func(member []byte) bool {
			n.Add(member)
			return true
		})
	}
}

// largest puts the largest sets in front and returns how many of them, fewSets at most, have tables,
// 0 if none is so large that the union has one in any case.
func (n *NewSet) largest(sets []Set) (tables int) {
	if !slices.ContainsFunc(sets, func(s Set) bool { return s.isTable() && int64(s.Len()) > n.set.v.smallSet() }) {
		return 0
	}
	slices.SortFunc(sets, func(a, b Set) int { return b.Len() - a.Len() })
	for tables < min(len(sets), fewSets) && sets[tables].isTable() {
		tables++
	}
	return tables
}

// Difference adds the members of first that are in none of the others to n,
// which is empty. others is sorted.
//
// Two ways, as in Redis: look each member of the first up in all others, or take
// all members of the others out of a copy of the first. The first way is
// preferred up to twice the steps, since it stops at the first set that has the
// member and copies nothing in vain.
func (n *NewSet) Difference(first *Set, others []Set) {
	lookups, removals := first.Len(), first.Len()
	for i := range others {
		lookups += first.Len()
		removals += others[i].Len()
	}
	if lookups/2 <= removals {
		n.lookUp(first, others)
	} else {
		n.takeOut(first, others)
	}
}

func (n *NewSet) lookUp(first *Set, others []Set) {
	// The largest is the likeliest to have the member.
	slices.SortFunc(others, func(a, b Set) int { return b.Len() - a.Len() })
	if first.isTable() {
		n.fill(first.choose(nil, others, false))
		return
	}
	first.eachNotIn(others, n.Add)
}

func (n *NewSet) takeOut(first *Set, others []Set) {
	if first.isTable() {
		n.fill(first.choose(nil, nil, false))
	} else {
		first.Each(func(member []byte) bool {
			n.Add(member)
			return true
		})
	}
	for i := range others {
		others[i].Each(func(member []byte) bool {
			n.Remove(member)
			return n.n > 0
		})
	}
}
