package tree

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
)

// Searches.
//
// A list has no index of its elements, so LINSERT, LPOS and LREM look at all those of each leaf that
// a sieve does not spare them (sieve.go). What bounds that among entries is not the comparing but
// that an entry's length has to be read before it is known where the next begins: five cycles. An
// entry that is as long as what is looked for is therefore skipped by that length and not by the
// one that was read. The processor foresees the branch, where lengths are mostly alike, and is some
// entries ahead: a million elements of 20 bytes take 2.1 ms of processor time instead of 6.4.

// needle is what a search looks for. Strings are compared from the end, eight bytes at
// once, since those of one list tend to begin alike.
type needle struct {
	s    []byte
	word uint64 // the last eight bytes, if there are eight and one byte tells the length
	n    int    // the length, -1 if there is no word
}

func needleOf(s []byte) needle {
	d := needle{s: s, n: -1}
	if len(s) >= 8 && len(s) < 0x7F {
		d.n, d.word = len(s), binary.LittleEndian.Uint64(s[len(s)-8:])
	}
	return d
}

// find returns the first entry from off on that is equal to the needle, and how many stand before
// it; off is the run's length if there is none.
func (d *needle) find(run []byte, off int) (at, skipped int) {
	n := d.n
	for off < len(run) {
		if int(run[off]) == n {
			if binary.LittleEndian.Uint64(run[off+n-7:]) == d.word && string(run[off+1:off+1+n]) == string(d.s) {
				break
			}
			off += n + 2
		} else if n >= 0 {
			off = skipNext(run, off)
		} else if s, next := NextRun(run, off); string(s) == string(d.s) {
			break
		} else {
			off = next
		}
		skipped++
	}
	return off, skipped
}

// findBack returns where the last entry before off begins that is equal to the needle, and how many
// stand between; -1 if there is none.
func (d *needle) findBack(run []byte, off int) (at, skipped int) {
	n := d.n
	for off > 0 {
		if int(run[off-1]) == n+1 {
			at := off - n - 2
			if binary.LittleEndian.Uint64(run[off-9:]) == d.word && string(run[at+1:off-1]) == string(d.s) {
				return at, skipped
			}
			off = at
		} else if n >= 0 {
			off = skipPrev(run, off)
		} else if s, prev := PrevRun(run, off); string(s) == string(d.s) {
			return prev, skipped
		} else {
			off = prev
		}
		skipped++
	}
	return -1, skipped
}

// listSearch is a search under way: which leaf it is at, and which of the leaves below the same node
// may hold what is looked for.
type listSearch struct {
	l      *List
	d      needle
	p      path
	likely uint64
}

// Find returns the position of the first element equal to s from element i on, or of the last
// one up to element i if back is set; -1 if there is none.
func (l *List) Find(s []byte, i int, back bool) int {
	if i < 0 || i >= l.n {
		return -1
	}
	f := listSearch{l: l, d: needleOf(s)}
	l.seek(&f.p, i)
	f.enter()
	x := f.leaf()
	r := x.run()
	off := r.seek(int(x.n), f.p.at[l.height])
	if back {
		return f.findBack(r, r.skip(off))
	}
	for {
		at, skipped := r.find(&f.d, off)
		if at < len(r.b) {
			f.p.at[l.height] += skipped
			return l.position(&f.p)
		}
		if off == 0 {
			f.passed(r)
		}
		if !f.forward() {
			return -1
		}
		r, off = f.leaf().run(), 0
	}
}

// findBack is Find from the element of the path's leaf back that ends at off.
func (f *listSearch) findBack(r Run, off int) int {
	for {
		at, skipped := r.findBack(&f.d, off)
		if at >= 0 {
			f.p.at[f.l.height] -= skipped
			return f.l.position(&f.p)
		}
		if off == len(r.b) {
			f.passed(r)
		}
		if !f.backward() {
			return -1
		}
		r = f.leaf().run()
		off = len(r.b)
	}
}

func (f *listSearch) leaf() leaf { return f.l.leaf(f.p.ref[f.l.height]) }

// enter asks the sieve of the node above the path's leaf, if it has one.
func (f *listSearch) enter() {
	f.likely = math.MaxUint64
	if l := f.l; l.sieves.n > 0 && l.height > 0 {
		if x := l.inner(f.p.ref[l.height-1]); x.sieve != 0 {
			f.likely = l.sieve(x).likely(maphash.Bytes(l.sieves.seed, f.d.s))
		}
	}
}

// forward goes on to the next leaf that may hold what is looked for, at its first element. It
// returns false if there is none.
func (f *listSearch) forward() bool {
	l, up := f.l, f.l.height-1
	for up >= 0 {
		x, at := l.inner(f.p.ref[up]), f.p.at[up]
		if i := at + 1 + bits.TrailingZeros64(f.likely>>(at+1)); i < int(x.n) {
			l.sieves.passed += i - at
			l.toLeaf(&f.p, x, i)
			return true
		}
		l.sieves.passed += int(x.n) - 1 - at
		f.p.at[up] = int(x.n) - 1
		if !l.next(&f.p) {
			break
		}
		if f.enter(); f.likely&1 != 0 {
			return true
		}
	}
	return false
}

// backward goes back to the previous leaf that may, at its last element.
func (f *listSearch) backward() bool {
	l, up := f.l, f.l.height-1
	for up >= 0 {
		at := f.p.at[up]
		if i := bits.Len64(f.likely&(1<<at-1)) - 1; i >= 0 {
			l.sieves.passed += at - i
			l.toLeaf(&f.p, l.inner(f.p.ref[up]), i)
			f.p.at[up+1] = int(f.leaf().n) - 1
			return true
		}
		l.sieves.passed += at
		f.p.at[up] = 0
		if !l.previous(&f.p) {
			break
		}
		f.enter()
		if f.p.at[up+1] = int(f.leaf().n) - 1; f.likely>>f.p.at[up]&1 != 0 {
			return true
		}
	}
	return false
}

// passed takes the path's leaf, which was read in vain, into the sieve, unless its elements could
// be passed over without reading them.
func (f *listSearch) passed(r Run) {
	l, up := f.l, f.l.height-1
	if up < 0 || l.sieves.passed < sieveCost || r.width > 0 && r.width != len(f.d.s) {
		return
	}
	x, i := l.inner(f.p.ref[up]), f.p.at[up]
	if x.sieve == 0 && !l.addSieve(x) {
		return
	}
	if v := l.sieve(x); *v.known>>i&1 == 0 && 2*int(f.leaf().n) <= len(v.rows) {
		l.sieves.passed -= sieveCost
		v.learn(i, r, l.sieves.seed)
	}
}

// RemoveEqual removes elements equal to s, the first limit ones or the last if back is set,
// all if limit is 0. It returns how many. It is one pass over the list, and each leaf that
// loses elements is put together once.
func (l *List) RemoveEqual(s []byte, limit int, back bool) (removed int) {
	if limit == 0 {
		limit = l.n
	}
	i := 0
	if back {
		i = l.n - 1
	}
	for removed < limit {
		if i = l.Find(s, i, back); i < 0 {
			break
		}
		var k int
		k, i = l.removeIn(i, s, limit-removed, back)
		removed += k
	}
	return removed
}

// removeIn removes at most limit elements equal to s from the leaf of element i, which is one:
// from i on, or from i back. It returns how many, and where to look for more.
func (l *List) removeIn(i int, s []byte, limit int, back bool) (removed, next int) {
	var p path
	l.seek(&p, i)
	l.change(&p)
	x, at := l.leaf(p.ref[l.height]), p.at[l.height]
	first, n := i-at, int(x.n)
	keep := 0 // so many of the equal ones come first and stay
	from, to := at, n
	if back {
		from, to = 0, at+1
		keep = max(0, countEqual(x, s, to)-limit)
	}
	if l.shared(p.ref[l.height]) {
		ref, y := l.copyLeaf(x, 0, 0, 0, x.size(), false)
		l.drop(p.ref[l.height])
		l.link(&p, l.height, ref)
		x = y
	}
	removed = removeEqual(x, s, from, to, keep, limit)
	l.data -= int64(removed * EntrySize(len(s)))
	l.add(&p, -removed)
	if back {
		next = first - 1
	} else {
		next = first + n - removed
	}
	if x.n == 0 {
		l.removeWhole(&p)
		return removed, next
	}
	if tooLarge(x, x.size(), false) {
		l.splice(&p, 0, 0, 0, 0, false)
	}
	l.thinLeaf(&p)
	return removed, next
}

// countEqual counts the elements equal to s among the first to.
func countEqual(x leaf, s []byte, to int) (n int) {
	r := x.run()
	for off, i := 0, 0; i < to; i++ {
		var e []byte
		if e, off = r.Next(off); string(e) == string(s) {
			n++
		}
	}
	return n
}

// removeEqual removes from elements from to to-1 of a leaf those equal to s, without the first
// keep, and at most limit.
func removeEqual(x leaf, s []byte, from, to, keep, limit int) (removed int) {
	r := x.run()
	out := r.seek(int(x.n), from)
	off, kept := out, out // r.b[kept:off] stays and has yet to be moved to out
	flush := func() {
		out += copy(r.b[out:], r.b[kept:off])
	}
	for i := from; i < to && removed < limit; i++ {
		e, next := r.Next(off)
		if string(e) != string(s) {
			off = next
			continue
		}
		if keep > 0 {
			keep--
			off = next
			continue
		}
		flush()
		off, kept = next, next
		removed++
	}
	off = len(r.b)
	flush()
	x.end = x.start + uint32(out)
	x.n -= uint32(removed)
	return removed
}
