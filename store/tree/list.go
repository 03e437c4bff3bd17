package tree

import "github.com/larderkv/larder/store/arena"

// List is a sequence of byte strings. Elements count from 0, and a position that an
// operation is given exists. Bytes that come out alias the arena and are valid until the next
// change of any tree or table of the shard; bytes that go in must not alias the tree.
type List struct {
	tree
	room    int   // longest run of a leaf, in bytes
	entries int   // most elements of a leaf
	data    int64 // bytes of all elements as entries
	near    near
}

// near is the leaf that At came to last, until the list is changed or a leaf is moved: who asks for
// one position asks for the next, or for the same again.
type near struct {
	from, n int // its elements; n is 0 if there is no such leaf
	ref     arena.Ref
}

// DefaultLeaf is the size of a full leaf, in bytes.
const DefaultLeaf = 8 << 10

// maxLeaf and maxEntries bound what SetLimit is given.
const (
	minLeaf    = 256
	maxLeaf    = 64 << 10
	maxEntries = 1 << 16
	firstRoom  = 128 // of the first leaf's run, if that is enough
)

// NewList is an empty list, which has no block.
func NewList(ar *arena.Arena) *List {
	l := &List{tree: tree{ar: ar, mem: ar.Mem(), arrays: listArrays, fanout: listFanout}}
	l.SetLimit(DefaultLeaf, maxEntries)
	return l
}

// SetLimit bounds leaves that grow from now on: bytes with all that belongs to a leaf, at most
// 64 KiB, and elements. An element longer than that has a leaf of its own.
func (l *List) SetLimit(bytes, entries int) {
	l.room = min(max(bytes, minLeaf), maxLeaf) - leafHeadSize
	l.entries = min(max(entries, 1), maxEntries)
}

// DataBytes is the number of bytes of the elements as entries of one run (EntrySize).
func (l *List) DataBytes() int64 { return l.data }

// At returns an element.
func (l *List) At(i int) []byte {
	if uint(i-l.near.from) >= uint(l.near.n) {
		l.approach(i)
	}
	x := l.leaf(l.near.ref)
	r := x.run()
	s, _ := r.Next(r.seek(int(x.n), i-l.near.from))
	return s
}

// approach makes the leaf of element i the near one.
func (l *List) approach(i int) {
	var p path
	l.seek(&p, i)
	ref := p.ref[l.height]
	l.near = near{from: i - p.at[l.height], n: int(l.leaf(ref).n), ref: ref}
}

// Evacuate is that of trees; the near leaf may be among what moves.
func (l *List) Evacuate(c *Cursor, budget int64) (moved int64, blocks, left int, done bool) {
	l.near.n = 0
	return l.tree.Evacuate(c, budget)
}

// PushFront adds an element before the first one.
func (l *List) PushFront(s []byte) { l.push(s, true) }

// PushBack adds an element behind the last one.
func (l *List) PushBack(s []byte) { l.push(s, false) }

// push adds an element at an end. Mostly there is nothing to be done but to count it and to copy it
// into the leaf, and then no path is kept.
func (l *List) push(s []byte, front bool) {
	if l.n == 0 {
		l.first(s)
		return
	}
	l.data += int64(EntrySize(len(s)))
	counted := l.plain()
	if counted && l.pushEven(l.countEnd(front, 1), s, front) {
		return
	}
	l.pushOdd(s, front, counted)
}

// pushOdd is push where pushEven is not enough, into a list whose nodes count the element already
// or do not.
func (l *List) pushOdd(s []byte, front, counted bool) {
	var p path
	if front {
		l.seekFirst(&p)
	} else {
		l.seekLast(&p)
	}
	if !counted {
		l.change(&p)
		l.add(&p, 1)
	}
	x, ok := l.roomAtEnd(&p, len(s), front)
	if !ok {
		l.addLeaf(&p, s, front)
		return
	}
	x.n++
	r := x.run()
	size := uint32(r.sizeOf(len(s)))
	if front {
		x.start -= size
		r.put(x.block[x.start:], s)
		return
	}
	r.put(x.block[x.end:], s)
	x.end += size
}

// plain reports whether elements may come and go at the ends without a thought of what is frozen or
// in sieves.
func (l *List) plain() bool {
	l.near.n = 0
	return l.frozen == nil && l.sieves.n == 0
}

// pushEven adds an element to the leaf of an end where nothing has to be made way for: the elements
// of the leaf are all as long as s, and there is room at that end.
func (l *List) pushEven(ref arena.Ref, s []byte, front bool) bool {
	x, size := l.leaf(ref), uint32(len(s))
	if x.width != size || size == 0 || int(x.n) >= l.entries {
		return false
	}
	switch {
	case front && x.start >= leafHeadSize+size:
		x.start -= size
		copy(x.block[x.start:], s)
	case !front && x.cap-x.end >= size:
		copy(x.block[x.end:], s)
		x.end += size
	default:
		return false
	}
	x.n++
	return true
}

// change makes a path ready for a change of its leaf, but for the leaf itself.
func (l *List) change(p *path) {
	l.near.n = 0
	l.own(p)
	l.forget(p)
}

// first makes the first leaf.
func (l *List) first(s []byte) {
	l.data = int64(EntrySize(len(s)))
	l.setRoot(l.only(s, firstRoom), 1)
}

// only makes a leaf of one element, with room for so many bytes if the limit allows it.
func (l *List) only(s []byte, room int) arena.Ref {
	ref, x := l.newLeaf(max(EntrySize(len(s)), min(room, l.room)))
	x.n, x.width = 1, uint32(len(s)) // an empty one is an entry
	r := x.run()
	x.end = x.start + uint32(r.sizeOf(len(s)))
	r.put(x.bytes(), s)
	return ref
}

// roomAtEnd makes room for an element of n bytes before or behind the run of the path's leaf.
// A block that has no room there but is half empty (a queue's, whose other end is popped) has
// its run moved, one below the limit gets twice the size. It returns false if the leaf is full.
func (l *List) roomAtEnd(p *path, n int, front bool) (x leaf, ok bool) {
	x = l.leaf(p.ref[l.height])
	if !x.run().takes(n) && l.fits(x, n) {
		x = l.mix(p, EntrySize(n), front)
	}
	free := int(x.cap - x.end)
	if front {
		free = int(x.start) - leafHeadSize
	}
	ref, size := p.ref[l.height], x.run().sizeOf(n)
	shared := l.shared(ref)
	if x.run().takes(n) && size <= free && int(x.n) < l.entries && !shared {
		return x, true
	}
	if !l.fits(x, n) {
		return x, false
	}
	need, room := x.size()+size, int(x.cap)-leafHeadSize
	switch {
	case !shared && (need <= room/2 || need <= room*3/4 && room >= l.room):
		x.slide(front)
	case !shared && room >= l.room:
		return x, false
	default:
		var next arena.Ref
		next, x = l.copyLeaf(x, 0, 0, 0, min(max(need, 2*x.size()), l.room), front)
		l.drop(ref)
		l.link(p, l.height, next)
	}
	return x, true
}

// addLeaf makes a leaf for s before or behind the path's. The path is writable, and counts s
// already.
func (l *List) addLeaf(p *path, s []byte, before bool) {
	old := p.ref[l.height]
	ref := l.only(s, 0)
	left, right := entry{kid: old, count: uint64(l.leaf(old).n)}, entry{kid: ref, count: 1}
	if before {
		left, right = right, left
	}
	l.insertLeaf(p, left, right)
}

// Insert puts s before element i; i may be Len.
func (l *List) Insert(i int, s []byte) {
	if i == 0 || i == l.n {
		l.push(s, i == 0)
		return
	}
	for {
		var p path
		l.seek(&p, i)
		l.change(&p)
		x, at := l.leaf(p.ref[l.height]), p.at[l.height]
		if l.fits(x, len(s)) {
			l.insertAt(&p, at, s)
			return
		}
		if at == 0 {
			l.insertBefore(&p, s)
			return
		}
		k, off := l.cut(x, at, len(s))
		l.split(&p, k, off)
	}
}

// insertAt puts s before element i of the path's leaf, where it fits.
func (l *List) insertAt(p *path, i int, s []byte) {
	l.add(p, 1)
	x := l.leaf(p.ref[l.height])
	if !x.run().takes(len(s)) {
		x = l.mix(p, EntrySize(len(s)), false)
	}
	r := x.run()
	r.put(l.splice(p, r.seek(int(x.n), i), 0, r.sizeOf(len(s)), 1, false), s)
	l.data += int64(EntrySize(len(s)))
}

// insertBefore puts s before the first element of the path's leaf, which is full: behind the last
// one of the leaf before, if that stands below the same node and has room, or else into a
// leaf of its own.
func (l *List) insertBefore(p *path, s []byte) {
	h := l.height
	if h > 0 && p.at[h-1] > 0 {
		before := l.inner(p.ref[h-1]).kid(p.at[h-1] - 1)
		if x := l.leaf(before); l.fits(x, len(s)) {
			p.at[h-1]--
			p.ref[h] = before
			l.forget(p)
			l.insertAt(p, int(x.n), s)
			return
		}
	}
	l.add(p, 1)
	l.data += int64(EntrySize(len(s)))
	l.addLeaf(p, s, true)
}

// Set replaces element i.
func (l *List) Set(i int, s []byte) {
	var p path
	l.seek(&p, i)
	x, at := l.leaf(p.ref[l.height]), p.at[l.height]
	r := x.run()
	off := r.seek(int(x.n), at)
	old, _ := r.Next(off)
	was, is := len(old), len(s)
	if x.n > 1 && x.sizeWith(is)-r.asEntries(r.sizeOf(was)) > l.room {
		l.Delete(i, 1)
		l.Insert(i, s)
		return
	}
	l.change(&p)
	l.data += int64(EntrySize(is) - EntrySize(was))
	if !r.takes(is) && x.n == 1 {
		ref := p.ref[l.height]
		l.link(&p, l.height, l.only(s, 0))
		l.drop(ref)
		return
	}
	if !r.takes(is) {
		x = l.mix(&p, EntrySize(is), false)
		r = x.run()
		off = r.seek(int(x.n), at)
	}
	r.put(l.splice(&p, off, r.sizeOf(was), r.sizeOf(is), 0, false), s)
}

// End is the first or the last element of a list that has one.
func (l *List) End(front bool) []byte {
	x := l.leaf(l.endLeaf(front))
	r, s := x.run(), []byte(nil)
	if front {
		s, _ = r.Next(0)
	} else {
		s, _ = r.prev(len(r.b))
	}
	return s
}

// Pop removes the first or the last element of a list that has one.
func (l *List) Pop(front bool) {
	if l.plain() {
		if l.popEven(l.countEnd(front, -1), front) {
			return
		}
		l.countEnd(front, 1)
	}
	i := 0
	if !front {
		i = l.n - 1
	}
	l.Delete(i, 1)
}

// Delete removes n elements from element i on.
func (l *List) Delete(i, n int) {
	popped := i == 0 || i+n == l.n
	for n > 0 {
		var p path
		l.seek(&p, i)
		l.change(&p)
		x, at := l.leaf(p.ref[l.height]), p.at[l.height]
		k := min(n, int(x.n)-at)
		n -= k
		l.add(&p, -k)
		if k == int(x.n) {
			l.removeWhole(&p)
			continue
		}
		r := x.run()
		off := r.seek(int(x.n), at)
		end := off
		if at+k == int(x.n) {
			end = len(r.b)
		} else if k == 1 {
			end = r.skip(off)
		} else {
			end = r.seek(int(x.n), at+k)
		}
		l.data -= int64(r.asEntries(end - off))
		l.splice(&p, off, end-off, 0, -k, popped)
		l.thinLeaf(&p)
	}
}

// popEven removes the first or the last element of an end leaf where nothing has to follow: the
// elements are all as long, and enough of them stay for the leaf to stay as it is.
func (l *List) popEven(ref arena.Ref, front bool) bool {
	x := l.leaf(ref)
	if left := x.size() - int(x.width); x.width == 0 || left < l.room/3 || left*4 < int(x.cap) {
		return false
	}
	if front {
		x.start += x.width
	} else {
		x.end -= x.width
	}
	x.n--
	l.data -= int64(EntrySize(int(x.width)))
	return true
}

// removeWhole removes the path's leaf. Its elements no longer count.
func (l *List) removeWhole(p *path) {
	ref := p.ref[l.height]
	x := l.leaf(ref)
	l.data -= int64(x.run().asEntries(x.size()))
	l.drop(ref)
	l.removeLeaf(p)
}

// Each calls fn with the elements from element from on, ascending, until it returns false. fn
// must not change the list.
func (l *List) Each(from int, fn func(i int, s []byte) bool) {
	if from >= l.n {
		return
	}
	var p path
	l.seek(&p, from)
	for more := true; more; more = l.next(&p) {
		x := l.leaf(p.ref[l.height])
		r := x.run()
		for off := r.seek(int(x.n), p.at[l.height]); off < len(r.b); from++ {
			var s []byte
			if s, off = r.Next(off); !fn(from, s) {
				return
			}
		}
	}
}

// EachBack calls fn with the elements from element from on, descending.
func (l *List) EachBack(from int, fn func(i int, s []byte) bool) {
	if from < 0 || l.n == 0 {
		return
	}
	var p path
	l.seek(&p, from)
	x := l.leaf(p.ref[l.height])
	r := x.run()
	off := r.skip(r.seek(int(x.n), p.at[l.height]))
	for {
		for ; off > 0; from-- {
			var s []byte
			if s, off = r.prev(off); !fn(from, s) {
				return
			}
		}
		if !l.previous(&p) {
			return
		}
		r = l.leaf(p.ref[l.height]).run()
		off = len(r.b)
	}
}

// Leaf returns the elements of one leaf from element i on, and their number.
func (l *List) Leaf(i int) (r Run, n int) {
	var p path
	l.seek(&p, i)
	return l.rest(&p)
}

// rest is what the path's leaf holds from the path's element on.
func (l *List) rest(p *path) (r Run, n int) {
	x, at := l.leaf(p.ref[l.height]), p.at[l.height]
	r = x.run()
	r.b = r.b[r.seek(int(x.n), at):]
	return r, int(x.n) - at
}
