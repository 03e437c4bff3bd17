package tree

import (
	"unsafe"

	"github.com/larderkv/larder/store/arena"
)

// Leaves of a list.
//
// A head, and a run somewhere in what follows, with free room on both sides: a push and a
// pop at either end touch a few bytes and move nothing.
//
// Most lists have elements of one length: numbers, hashes, records. As long as those of a leaf
// have, it holds them without lengths, which saves two bytes for each, finds one by
// multiplication and compares at the speed of memory. The first element of another length
// makes the run one of entries, for good; at an end of a list that only happens while there
// is room for it, and else begins a leaf.

// leafHead begins the block of a list's leaf. Offsets count from the block's start.
type leafHead struct {
	epoch      uint32
	n          uint32 // elements
	start, end uint32 // of the run
	cap        uint32 // bytes of the block that may be used
	width      uint32 // of each element; 0: they are entries
}

const leafHeadSize = 24

// leaf is a leaf, seen through its block.
type leaf struct {
	*leafHead
	block []byte
}

func (l *List) leaf(ref arena.Ref) leaf {
	off := ref.Off()
	h := (*leafHead)(unsafe.Pointer(&l.mem[off]))
	return leaf{h, l.mem[off : off+uint64(h.cap)]}
}

func (x leaf) run() Run      { return Run{x.bytes(), int(x.width)} }
func (x leaf) bytes() []byte { return x.block[x.start:x.end] }
func (x leaf) size() int     { return int(x.end - x.start) }

// sizeWith is the size of the run with one more element of n bytes.
func (x leaf) sizeWith(n int) int {
	if r := x.run(); r.takes(n) {
		return x.size() + r.sizeOf(n)
	}
	return x.run().asEntries(x.size()) + EntrySize(n)
}

// newLeaf allocates an empty leaf for a run of room bytes, more if the block has them and
// the limit allows it.
func (l *List) newLeaf(room int) (arena.Ref, leaf) {
	ref := l.alloc(leafHeadSize + room)
	h := (*leafHead)(unsafe.Pointer(&l.mem[ref.Off()]))
	cap := min(l.ar.Footprint(ref), max(leafHeadSize+l.room, leafHeadSize+room))
	*h = leafHead{epoch: l.epoch, start: leafHeadSize, end: leafHeadSize, cap: uint32(cap)}
	return ref, l.leaf(ref)
}

// copyLeaf makes a leaf for a run of room bytes out of another one, in which the cut bytes at
// off give way to add bytes to be filled. The run stands at the beginning, or else at the end,
// of the room.
func (l *List) copyLeaf(x leaf, off, cut, add, room int, toEnd bool) (arena.Ref, leaf) {
	ref, y := l.newLeaf(room)
	old := x.bytes()
	y.n, y.width = x.n, x.width
	if toEnd {
		y.start = y.cap - uint32(len(old)+add-cut)
	}
	y.end = y.start + uint32(len(old)+add-cut)
	copy(y.bytes(), old[:off])
	copy(y.bytes()[off+add:], old[off+cut:])
	return ref, y
}

// mix makes the run of the path's leaf one of entries, with so many bytes of room for more before
// or behind it. The path is writable but for the leaf.
func (l *List) mix(p *path, more int, front bool) leaf {
	ref := p.ref[l.height]
	x := l.leaf(ref)
	size := x.run().asEntries(x.size())
	mixed, y := l.newLeaf(size + more)
	y.n = x.n
	if front {
		y.start = y.cap - uint32(size)
	}
	y.end = y.start + uint32(size)
	x.run().putEntries(y.bytes())
	l.drop(ref)
	l.link(p, l.height, mixed)
	return y
}

// splice puts add bytes in place of the cut bytes at off in the run of the path's leaf, and
// returns them to be filled; dn is by how much the number of elements changes. The path is
// writable but for the leaf. A leaf that is popped at an end of the list keeps its block
// until a quarter of it is in use, others until the rest is a size class or two.
func (l *List) splice(p *path, off, cut, add, dn int, popped bool) []byte {
	ref := p.ref[l.height]
	x := l.leaf(ref)
	size := x.size() + add - cut
	if l.shared(ref) || leafHeadSize+size > int(x.cap) || cut >= add && tooLarge(x, size, popped) {
		room := size
		if popped {
			room = 2 * size
		}
		next, y := l.copyLeaf(x, off, cut, add, room, false)
		l.drop(ref)
		l.link(p, l.height, next)
		x = y
	} else {
		x.shift(off, cut, add)
	}
	x.n += uint32(dn)
	return x.bytes()[off : off+add]
}

// tooLarge reports whether a leaf's block is too large for a run of size bytes.
func tooLarge(x leaf, size int, popped bool) bool {
	need, cap := leafHeadSize+size, int(x.cap)
	if popped {
		return cap >= 512 && need*4 < cap
	}
	return need*5 <= cap*4 && arena.RoundUp(need)*5 <= cap*4
}

// shift makes room for add bytes in place of the cut bytes at off, moving the shorter side
// if there is room for that.
func (x leaf) shift(off, cut, add int) {
	before, after := off, x.size()-off-cut
	more := add - cut
	atStart, atEnd := int(x.start)-leafHeadSize, int(x.cap-x.end)
	b := x.block
	start, end := int(x.start), int(x.end)
	switch {
	case more <= atStart && (before < after || more > atEnd):
		copy(b[start-more:], b[start:start+before])
		x.start = uint32(start - more)
	case more <= atEnd:
		copy(b[end-after+more:], b[end-after:end])
		x.end = uint32(end + more)
	default: // both move, the part before off first: it goes where nothing else comes from
		copy(b[leafHeadSize:], b[start:start+before])
		copy(b[leafHeadSize+before+add:], b[end-after:end])
		x.start, x.end = leafHeadSize, uint32(leafHeadSize+before+add+after)
	}
}

// slide moves the run to the beginning or to the end of the block.
func (x leaf) slide(toEnd bool) {
	to, size := leafHeadSize, x.size()
	if toEnd {
		to = int(x.cap) - size
	}
	copy(x.block[to:], x.bytes())
	x.start, x.end = uint32(to), uint32(to+size)
}

// fits reports whether a leaf may take another element of n bytes, if need be as a run of
// entries. An element longer than the limit has a leaf of its own.
func (l *List) fits(x leaf, n int) bool {
	return int(x.n) < l.entries && x.sizeWith(n) <= l.room
}

// split makes two leaves of the path's, the second one beginning with element k. The path is
// writable but for the leaf, and not valid any more.
func (l *List) split(p *path, k, off int) {
	ref := p.ref[l.height]
	x := l.leaf(ref)
	size := x.size()
	a, y := l.copyLeaf(x, off, size-off, 0, off, false)
	b, z := l.copyLeaf(x, 0, off, 0, size-off, false)
	z.n -= uint32(k)
	y.n = uint32(k)
	l.drop(ref)
	l.insertLeaf(p, entry{kid: a, count: uint64(y.n)}, entry{kid: b, count: uint64(z.n)})
}

// cut chooses where to split a full leaf for an element of n bytes before element i, so that
// it fits afterwards: in the middle or, if it would not fit there, at i.
func (l *List) cut(x leaf, i, n int) (k, off int) {
	r := x.run()
	for k < int(x.n)-1 && (k == 0 || off < len(r.b)/2) {
		off = r.skip(off)
		k++
	}
	side := off
	if i >= k {
		side = len(r.b) - off
	}
	if !r.takes(n) {
		side = r.asEntries(side) + EntrySize(n)
	} else {
		side += r.sizeOf(n)
	}
	if side > l.room {
		return i, r.seek(int(x.n), i)
	}
	return k, off
}

// thinLeaf joins the path's leaf with a neighbour if it is less than a third full and both together
// fill three quarters at most. The path is writable but for the leaf, and not valid any more.
func (l *List) thinLeaf(p *path) {
	if l.height == 0 {
		return
	}
	x := l.leaf(p.ref[l.height])
	if x.size() >= l.room/3 {
		return
	}
	up := l.inner(p.ref[l.height-1])
	i := p.at[l.height-1]
	if i > 0 && l.joins(l.leaf(up.kid(i-1)), x) {
		i--
	} else if i+1 == int(up.n) || !l.joins(x, l.leaf(up.kid(i+1))) {
		return
	}
	a, b := up.kid(i), up.kid(i+1)
	ref, joined := l.join(l.leaf(a), l.leaf(b))
	l.dropSieve(up)
	up.set(i, entry{kid: ref, count: uint64(joined.n)})
	up.remove(i + 1)
	l.leaves--
	l.drop(a)
	l.drop(b)
	l.thin(p, l.height-1)
}

// joinedSize is the size of the runs of two leaves as one.
func joinedSize(x, y leaf) int {
	if x.width == y.width {
		return x.size() + y.size()
	}
	return x.run().asEntries(x.size()) + y.run().asEntries(y.size())
}

func (l *List) joins(x, y leaf) bool {
	return joinedSize(x, y) <= l.room*3/4 && int(x.n+y.n) <= l.entries
}

// join makes a leaf of the elements of two.
func (l *List) join(x, y leaf) (arena.Ref, leaf) {
	size := joinedSize(x, y)
	ref, z := l.newLeaf(size)
	z.n, z.end = x.n+y.n, z.start+uint32(size)
	if x.width == y.width {
		z.width = x.width
		copy(z.bytes()[copy(z.bytes(), x.bytes()):], y.bytes())
		return ref, z
	}
	x.run().putEntries(z.bytes())
	y.run().putEntries(z.bytes()[x.run().asEntries(x.size()):])
	return ref, z
}
