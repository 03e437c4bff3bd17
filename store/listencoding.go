package store

import (
	"math"

	"github.com/larderkv/larder/store/lex"
)

// What Redis calls a list. OBJECT ENCODING tells clients listpack or quicklist by the rules of
// Redis 7.4 (t_list.c), which go by the list's length as a listpack and not by how larder has it:
//
//   - A list begins as a listpack, and becomes a quicklist when what is about to be added takes
//     it past list-max-listpack-size. Redis counts the raw bytes of the new elements and decides
//     before it adds them, also when LINSERT finds no pivot then.
//   - A quicklist becomes a listpack again when elements have been removed, or one was replaced,
//     and it has one node left, of at most half the limit.
//
// The exact length of a listpack depends on each element, since it keeps integers in binary. It
// is needed only near a limit, so first it is estimated from the bytes that larder has for the
// elements: it is never more than a sixty-fourth above that (elements of 126 bytes) and never
// less than two fifths of it (numbers of three digits). Between the two, which for most lists is
// seldom, they are counted once and then kept count of while the list is a tree (listBody.exact).

// Bounds of a listpack.
const (
	listpackFrame  = 7       // bytes that an empty listpack has
	listpackSafe   = 8 << 10 // most bytes of a listpack where the limit is a number of elements
	listpackLevels = 5       // limits of 4, 8, 16, 32, 64 KB for -1 to -5
)

// listLimit is list-max-listpack-size: a number of elements, or if negative a level.
type listLimit int64

// bytes is the limit of a level in bytes.
func (limit listLimit) bytes() int { return 2 << 10 << min(-limit, listpackLevels) }

// entries is the limit in elements.
func (limit listLimit) entries() int { return int(min(max(limit, 1), math.MaxInt32)) }

// exceeded reports whether a listpack of so many bytes and elements is too large.
func (limit listLimit) exceeded(bytes, n int) bool {
	if limit < 0 {
		return bytes > limit.bytes()
	}
	return n > limit.entries() || bytes > listpackSafe
}

func (l *List) limit() listLimit { return listLimit(l.v.Store.enc.ListMaxSize.Load()) }

// listEncoding is OBJECT ENCODING's name for how a list is kept.
func listEncoding(e *Entry) string {
	l := List{e: *e}
	if l.resolve(); l.quick() {
		return "quicklist"
	}
	return "listpack"
}

// quick reports whether the list is a quicklist for the client.
func (l *List) quick() bool {
	if l.b != nil {
		return l.b.quick
	}
	return packedList(l.e.value()).quick()
}

func (l *List) setQuick(on bool) {
	if on == l.quick() {
		return
	}
	if l.b != nil {
		l.b.quick, l.b.exact = on, 0
	} else {
		l.e.value()[0] ^= 1
	}
}

// willGrow makes the list a quicklist if n elements of so many bytes together are too much for a
// listpack. It comes before they are added.
func (l *List) willGrow(bytes, n int) {
	if l.quick() {
		return
	}
	limit := l.limit()
	n += l.Len()
	if _, high := l.estimate(); limit.exceeded(high+bytes, n) && limit.exceeded(l.listpackBytes()+bytes, n) {
		l.setQuick(true)
	}
}

// loaded decides what a list is that was read from a file: what is small enough is a listpack.
func (l *List) loaded() {
	limit, n := l.limit(), l.Len()
	if low, high := l.estimate(); limit.exceeded(low, n) == limit.exceeded(high, n) {
		l.setQuick(limit.exceeded(low, n))
	} else {
		l.setQuick(limit.exceeded(l.listpackBytes(), n))
	}
}

// hasShrunk makes the list a listpack again if it has become small enough.
func (l *List) hasShrunk() {
	if !l.quick() || l.b != nil && l.b.tree.Leaves() != 1 {
		return
	}
	limit := l.limit()
	if limit >= 0 {
		l.setQuick(l.Len() > limit.entries()/2)
		return
	}
	low, high := l.estimate()
	if most := limit.bytes() / 2; high <= most || low <= most && l.listpackBytes() <= most {
		l.setQuick(false)
	}
}

// estimate is the least and the most that a listpack of the elements takes.
func (l *List) estimate() (low, high int) {
	size := 0
	if l.b != nil {
		size = int(l.b.tree.DataBytes())
	} else {
		size = l.packedSize()
	}
	return listpackFrame + size*2/5, listpackFrame + size + size/64 + 1
}

// listpackBytes is what a listpack of the elements takes.
func (l *List) listpackBytes() int {
	if l.b != nil && l.b.exact > 0 {
		return l.b.exact
	}
	size := listpackFrame
	l.Range(0, l.Len(), func(element []byte) bool {
		size += listpackEntry(element)
		return true
	})
	if l.b != nil {
		l.b.exact = size
	}
	return size
}

// listpackEntry is the number of bytes of an element in a listpack.
func listpackEntry(s []byte) int {
	n := len(s)
	if i, ok := lex.ParseInt(s); ok {
		return listpackInteger(i) + 1
	}
	switch {
	case n < 1<<6:
		n++
	case n < 1<<12:
		n += 2
	default:
		n += 5
	}
	back := 1
	for most := 1 << 7; back < 5 && n >= most; most <<= 7 {
		back++
	}
	return n + back
}

// listpackInteger is the number of bytes of an integer without its backward length.
func listpackInteger(i int64) int {
	switch {
	case 0 <= i && i < 1<<7:
		return 1
	case -1<<12 <= i && i < 1<<12:
		return 2
	case math.MinInt16 <= i && i <= math.MaxInt16:
		return 3
	case -1<<23 <= i && i < 1<<23:
		return 4
	case math.MinInt32 <= i && i <= math.MaxInt32:
		return 5
	}
	return 9
}
