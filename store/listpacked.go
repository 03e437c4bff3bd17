package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/tree"
)

// The packed list: a small list as a run of bytes in its key's record.
//
//	head uvarint | element | element | ...
//
// The head is twice the number of elements, plus one if Redis would call the list a quicklist
// (listencoding.go). An element has its length in front and its size behind, as in a leaf of the
// tree (package tree), so that the list can be walked from either end, and becomes a leaf as it
// stands. Adding or removing at an end moves the bytes behind it once, which for packedListMax
// bytes takes some tens of nanoseconds, less than the hash lookup of the key.
//
// Where positions are given, they are within bounds: that is the business of List.
type packedList []byte

// packedListMax is how many bytes the elements of a packed list may have; a longer list is a
// tree. One that has shrunk to packedAgain bytes is packed again: a queue that is drained now and
// then should neither keep its tree for ever nor change back and forth.
const (
	packedListMax = 1024
	packedAgain   = packedListMax / 4
)

// elementSize is the number of bytes that an element of n bytes takes.
func elementSize(n int) int { return tree.EntrySize(n) }

// elementSizes is the number of bytes of several elements: their own, and what they take.
func elementSizes(elements [][]byte) (bytes, size int) {
	for _, s := range elements {
		bytes += len(s)
		size += elementSize(len(s))
	}
	return bytes, size
}

// packedHead is the head of a list of n elements.
func packedHead(n int, quick bool) int {
	if quick {
		return n<<1 | 1
	}
	return n << 1
}

func (p packedList) count() int                       { return pack(p).count() >> 1 }
func (p packedList) quick() bool                      { return p[0]&1 != 0 }
func (p packedList) first() int                       { return pack(p).first() }
func (p packedList) next(off int) (s []byte, end int) { return tree.NextRun(p, off) }
func (p packedList) prev(end int) (s []byte, off int) { return tree.PrevRun(p, end) }

// seek is the offset of element i, and that of the list's end if i is the number of elements.
func (p packedList) seek(i int) (off int) {
	n := p.count()
	if i <= n/2 {
		for off = p.first(); i > 0; i-- {
			_, off = p.next(off)
		}
		return off
	}
	for off = len(p); i < n; i++ {
		_, off = p.prev(off)
	}
	return off
}

// putElements writes elements that are pushed at an end into b, which is as long as they need.
func putElements(b []byte, end End, elements [][]byte) {
	b = b[:0:len(b)]
	if end == Back {
		for _, s := range elements {
			b = tree.AppendRun(b, s)
		}
		return
	}
	for i := len(elements) - 1; i >= 0; i-- {
		b = tree.AppendRun(b, elements[i])
	}
}

// newList makes a list of elements that are pushed at an end, in t, which is the keyspace or a
// table of one detached list. The key is absent.
func (v *View) newList(t *table, k Key, end End, elements [][]byte) List {
	l := List{v: v, k: k}
	limit := l.limit()
	bytes, size := elementSizes(elements)
	quick := limit.exceeded(listpackFrame+bytes, len(elements))
	if size <= packedListMax {
		head := packedHead(len(elements), quick)
		l.e = v.insertCollection(t, k, v.newMeta(&k, TypeList, encPack), lenSize(head)+size)
		b := l.e.value()
		putElements(b[binary.PutUvarint(b, uint64(head)):], end, elements)
		return l
	}
	sh := v.shard(&k)
	l.b = newListBody(sh, tree.NewList(sh.ar), limit)
	l.b.quick = quick
	l.b.push(end, elements)
	l.e = v.newBodyEntry(t, k, TypeList, l.b)
	return l
}

// packedSize is the number of bytes of the elements of a packed list.
func (l *List) packedSize() int {
	p := packedList(l.e.value())
	return len(p) - p.first()
}

// edit changes a packed list: cut bytes at off make room for add bytes, and n elements are left.
// The add bytes at the returned offset are the caller's to fill.
func (l *List) edit(off, cut, add, n int) (b []byte, at int) {
	quick := packedList(l.e.value()).quick()
	return l.e.editPack(packEdit{off: off, cut: cut, add: add, count: packedHead(n, quick)})
}

func (l *List) pushPacked(end End, elements [][]byte, size int) {
	p := packedList(l.e.value())
	off := len(p)
	if end == Front {
		off = p.first()
	}
	b, at := l.edit(off, 0, size, p.count()+len(elements))
	putElements(b[at:at+size], end, elements)
}

func (l *List) insertPacked(i int, element []byte, size int) {
	p := packedList(l.e.value())
	b, at := l.edit(p.seek(i), 0, size, p.count()+1)
	tree.AppendRun(b[at:at:at+size], element)
}

// setPacked reports whether the list is still small enough to be packed with the new element; if
// not nothing was done.
func (l *List) setPacked(i int, element []byte) bool {
	p := packedList(l.e.value())
	off := p.seek(i)
	_, end := p.next(off)
	size := elementSize(len(element))
	if l.packedSize()-(end-off)+size > packedListMax {
		return false
	}
	b, at := []byte(p), off
	if end-off != size {
		b, at = l.edit(off, end-off, size, p.count())
	}
	tree.AppendRun(b[at:at:at+size], element)
	return true
}

// cutPacked removes n elements from position i on; at least one is left.
func (l *List) cutPacked(i, n int) {
	p := packedList(l.e.value())
	from, to := p.seek(i), p.seek(i+n)
	l.edit(from, to-from, 0, p.count()-n)
}

// removePacked removes up to most elements that equal s. If that is all of them the packed list is
// no longer one, and the caller drops it.
func (l *List) removePacked(s []byte, from End, most int) (removed int) {
	p := packedList(l.e.value())
	n, skip := p.count(), 0
	if from == Back { // those beyond the last most are to stay
		l.Positions(s, Back, 0, func(int) bool {
			skip++
			return true
		})
		skip = max(0, skip-most)
	}
	used := p.first()
	for off := used; off < len(p); {
		element, end := p.next(off)
		switch {
		case removed == most || string(element) != string(s):
			used += copy(p[used:], p[off:end])
		case skip > 0:
			skip--
			used += copy(p[used:], p[off:end])
		default:
			removed++
		}
		off = end
	}
	if removed > 0 && removed < n {
		l.edit(used, len(p)-used, 0, n-removed)
	}
	return removed
}

// embody turns a packed list into a tree.
func (l *List) embody() {
	p := packedList(l.e.value())
	l.b = newListBody(l.e.sh, tree.FromRun(l.e.sh.ar, p[p.first():], p.count()), l.limit())
	l.b.quick = p.quick()
	l.e.embody(l.b)
}

// pack turns a tree that has become small into a packed list.
func (l *List) pack() {
	var room [packedAgain + binary.MaxVarintLen32]byte
	b := binary.AppendUvarint(room[:0], uint64(packedHead(l.b.tree.Len(), l.b.quick)))
	l.b.tree.Each(0, func(_ int, s []byte) bool {
		b = tree.AppendRun(b, s)
		return true
	})
	l.e.sh.dropBody(&l.e.rec)
	l.e.replaceValue(b, encPack)
	l.b = nil
}

// eachListed visits the elements of a packed list that a codec looks at.
func eachListed(v *Value, fn func(item, value []byte) bool) {
	p := packedList(v.data)
	for off := p.first(); off < len(p); {
		var s []byte
		if s, off = p.next(off); !fn(s, nil) {
			return
		}
	}
}
