package store

import (
	"bytes"
	"math/rand/v2"

	"github.com/larderkv/larder/store/arena"
)

// Ranges of a sorted set. Whatever a command asks for, by rank, by score or by name, becomes a
// half-open range of ranks first: from <= rank < to. What is done with it (returned, counted,
// removed, copied) is then the same for all.

// ScoreRange is a range of scores, for ZCOUNT and its relatives.
type ScoreRange struct {
	Min, Max         float64
	MinExcl, MaxExcl bool
}

// LexRange is a range of names, for sorted sets whose scores are all the same.
type LexRange struct{ Min, Max LexBound }

// LexBound is one end of a LexRange.
type LexBound struct {
	Name []byte
	Excl bool
	Inf  int8 // -1: before all names, 1: behind all names, 0: it is Name
}

// below reports whether a name lies below the range's lower bound.
func (r *LexRange) below(name []byte) bool {
	if r.Min.Inf != 0 {
		return r.Min.Inf > 0
	}
	c := bytes.Compare(name, r.Min.Name)
	return c < 0 || c == 0 && r.Min.Excl
}

// above reports whether a name lies above the range's upper bound.
func (r *LexRange) above(name []byte) bool {
	if r.Max.Inf != 0 {
		return r.Max.Inf < 0
	}
	c := bytes.Compare(name, r.Max.Name)
	return c > 0 || c == 0 && r.Max.Excl
}

// empty reports whether no name can be in the range.
func (r *LexRange) empty() bool {
	if r.Min.Inf > 0 || r.Max.Inf < 0 {
		return true
	}
	if r.Min.Inf < 0 || r.Max.Inf > 0 {
		return false
	}
	c := bytes.Compare(r.Min.Name, r.Max.Name)
	return c > 0 || c == 0 && (r.Min.Excl || r.Max.Excl)
}

// ByScore returns the ranks of the members whose scores are in the range.
func (z *Zset) ByScore(r ScoreRange) (from, to int) {
	if z.isPack() {
		from, to = z.countBelow(r.Min, r.MinExcl), z.countBelow(r.Max, !r.MaxExcl)
	} else {
		order := z.body().order
		from, to = order.LowerBound(r.Min, r.MinExcl), order.LowerBound(r.Max, !r.MaxExcl)
	}
	return from, max(from, to)
}

// countBelow counts the members of a packed sorted set with scores below a bound, or up to it.
func (z *Zset) countBelow(bound float64, upTo bool) (n int) {
	p := pack(z.e.value())
	for off := p.first(); off < len(p); n++ {
		score, end := p.score(p.skip(off))
		if score > bound || score == bound && !upTo {
			break
		}
		off = end
	}
	return n
}

// ByName returns the ranks of the members whose names are in the range, if all scores are the
// same. If they are not, a small sorted set gives what Redis gives: the first stretch of names
// that are in the range, or the last if the walk is to be from the end; of a large one the result
// is any range, as in Redis.
func (z *Zset) ByName(r *LexRange, last bool) (from, to int) {
	if r.empty() {
		return 0, 0
	}
	if z.isPack() {
		return z.byNamePacked(r, last)
	}
	order, n := z.body().order, z.Len()
	to = n
	if r.Min.Inf == 0 {
		from = order.LowerBoundLex(r.Min.Name, r.Min.Excl)
	}
	if r.Max.Inf == 0 {
		to = order.LowerBoundLex(r.Max.Name, !r.Max.Excl)
	}
	return from, max(from, to)
}

// byNamePacked does as Redis does with a listpack. It looks at both ends first: at the lowest score
// must be no name above the range, and at the highest none below it. Then it skips what is outside,
// from one end, and counts what is within up to the next name that is not.
func (z *Zset) byNamePacked(r *LexRange, last bool) (from, to int) {
	p := pack(z.e.value())
	lowest, _ := p.next(p.first())
	highest, _ := p.next(p.last())
	if r.above(lowest) || r.below(highest) {
		return 0, 0
	}
	within := false
	if last {
		from, to = z.Len(), z.Len()
		z.eachPackedBack(to-1, func(name []byte, _ float64) bool {
			switch {
			case !within && r.above(name):
				to--
			case r.below(name):
				return false
			default:
				within = true
			}
			from--
			return true
		})
		return from, to
	}
	z.eachPacked(0, func(name []byte, _ float64) bool {
		switch {
		case !within && r.below(name):
			from++
		case r.above(name):
			return false
		default:
			within = true
		}
		to++
		return true
	})
	return from, to
}

// Each visits n members from a rank on, in order, or from there down if back is set. So many there
// must be.
func (z *Zset) Each(from, n int, back bool, fn func(member []byte, score float64)) {
	if n <= 0 {
		return
	}
	if !z.isPack() {
		z.body().eachScored(from, n, back, fn)
		return
	}
	visit := func(member []byte, score float64) bool {
		fn(member, score)
		n--
		return n > 0
	}
	if back {
		z.eachPackedBack(from, visit)
	} else {
		z.eachPacked(from, visit)
	}
}

// RemoveRange removes the members of a range of ranks, from < to, and says ev of it. The handle is
// spent if none is left.
func (z *Zset) RemoveRange(from, to int, ev Event) {
	z.take(from, to, false, nil)
	z.v.Dirty += int64(to - from)
	z.e.changed(z.v, z.k, ev)
}

// take removes the members of a range of ranks, from < to, each of which is passed to fn, unless it
// is nil, before it goes: the last one first if back is set.
func (z *Zset) take(from, to int, back bool, fn func(member []byte, score float64)) {
	n := to - from
	all := n == z.Len()
	rebuild := !all && !z.isPack() && fewStay(z.Len()-n, n)
	if !all && !z.isPack() && !rebuild {
		z.takeLarge(from, to, back, fn)
		return
	}
	switch {
	case fn == nil:
	case back:
		z.Each(to-1, n, true, fn)
	default:
		z.Each(from, n, false, fn)
	}
	switch {
	case all:
		z.e.drop() // a large one is freed in the background
		return
	case rebuild:
		z.rebuildWithout(from, to)
		return
	}
	p := pack(z.e.value())
	off := p.nth(2 * from)
	end := off
	for range 2 * (to - from) {
		end = p.skip(end)
	}
	z.cutPacked(p, off, end, to-from)
}

// Pop removes the n members with the lowest scores, 0 < n <= Len, or those with the highest,
// highest first. Each is passed to fn before it goes. The handle is spent if none is left.
func (z *Zset) Pop(n int, highest bool, fn func(member []byte, score float64)) {
	if size := z.Len(); highest {
		z.take(size-n, size, true, fn)
	} else {
		z.take(0, n, false, fn)
	}
	z.v.Dirty += int64(n)
	z.e.changed(z.v, z.k, popEvent(highest))
}

func popEvent(highest bool) Event {
	if highest {
		return EventZPopMax
	}
	return EventZPopMin
}

// Scan visits about count members from a cursor on and returns the cursor to go on with, 0 at the
// end. A member that is there throughout is visited at least once. A small sorted set is visited
// whole.
func (z *Zset) Scan(cursor uint64, count int, fn func(member []byte, score float64)) (next uint64) {
	if z.isPack() {
		z.eachPacked(0, func(member []byte, score float64) bool {
			fn(member, score)
			return true
		})
		return 0
	}
	b := z.body()
	return b.scanTable(cursor, count, func(ref arena.Ref) { fn(recordKey(b.mem, ref), b.scoreAt(ref)) })
}

// Packed reports whether the sorted set is a small one.
func (z *Zset) Packed() bool { return z.isPack() }

// Repeat makes n independent draws, until fn returns false.
func (z *Zset) Repeat(n int, fn func(member []byte, score float64) bool) {
	if z.isPack() {
		p := pack(z.e.value())
		offsets := p.offsets(2)
		for ; n > 0; n-- {
			if member, score, _ := p.scored(int(offsets[rand.IntN(len(offsets))])); !fn(member, score) {
				return
			}
		}
		return
	}
	b := z.body()
	for ; n > 0; n-- {
		if ref := b.random(); !fn(recordKey(b.mem, ref), b.scoreAt(ref)) {
			return
		}
	}
}

// Sample draws n distinct members, n <= Len, until fn returns false. Of a small sorted set they
// come in its order.
func (z *Zset) Sample(n int, fn func(member []byte, score float64) bool) {
	if !z.isPack() {
		b := z.body()
		b.sample(n, func(ref arena.Ref) bool { return fn(recordKey(b.mem, ref), b.scoreAt(ref)) })
		return
	}
	s := selection{need: n, left: z.Len()}
	z.eachPacked(0, func(member []byte, score float64) bool {
		return !s.take() || fn(member, score) && s.need > 0
	})
}

// eachUnordered visits all members in the order that costs least, until fn returns false.
func (z *Zset) eachUnordered(fn func(member []byte, score float64) bool) {
	if z.isPack() {
		z.eachPacked(0, fn)
		return
	}
	b := z.body()
	b.eachRef(func(ref arena.Ref) bool { return fn(recordKey(b.mem, ref), b.scoreAt(ref)) })
}
