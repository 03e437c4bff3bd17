package tree

import (
	"unsafe"

	"github.com/larderkv/larder/store/arena"
)

// Inner nodes.
//
// A block of 64-bit words: the head, then one array after the other, each as long as the
// node's capacity.
//
//	counts  elements below each child
//	kids    references of the children
//	keys    (Order only) score of the child's first element, in ordered bits
//	fences  (Order only) record of the child's first element
//
// A fence is exactly the first element below its child, not merely something between
// two children. So it never refers to a record that is gone, and whoever moves a record
// knows where the second reference to it stands.

const (
	listArrays, orderArrays = 2, 4

	// The most children of a node. A full node has one of the arena's sizes, with hardly a
	// byte left: 1 KiB, and the size of a full leaf of an order, since nodes of two nearly
	// equal sizes take each other's slots.
	listFanout, orderFanout = 63, 51

	maxWords = max(listArrays*listFanout, orderArrays*orderFanout)

	headSize = 8
	wordSize = 8

	innerHeadSize = headSize + wordSize
)

// A node of fewer children than sparse is joined with a neighbour if both together have joined
// at most, so that the result can grow before it splits again.
func (t *tree) sparse() int { return t.fanout / 3 }
func (t *tree) joined() int { return t.fanout * 3 / 4 }

// head begins every block of a tree, inner node or leaf, with the number of the freeze
// after which it was made. What follows differs: this is the head of inner nodes, and of the
// leaves of an order.
type head struct {
	epoch uint32
	n     uint16 // children
	cap   uint16
}

// innerHead is the whole head of an inner node.
type innerHead struct {
	head
	sieve arena.Ref // what searches know of its leaves (sieve.go); 0: nothing
}

// inner is an inner node, seen through its block.
type inner struct {
	*innerHead
	words []uint64
}

// entry is what a node says of one child.
type entry struct {
	count uint64
	kid   arena.Ref
	key   uint64
	fence arena.Ref
}

// at is the address of a block, whose first word must lie inside the arena.
func (t *tree) at(ref arena.Ref) unsafe.Pointer { return unsafe.Pointer(&t.mem[ref.Off()]) }

func (t *tree) inner(ref arena.Ref) inner {
	p := t.at(ref)
	h := (*innerHead)(p)
	return inner{h, (*[maxWords]uint64)(unsafe.Add(p, innerHeadSize))[:int(h.cap)*t.arrays]}
}

func (x inner) keys() []uint64   { return x.words[:x.n] }
func (x inner) counts() []uint64 { return x.words[len(x.words)-2*int(x.cap):][:x.n] }
func (x inner) kids() []uint64   { return x.words[len(x.words)-int(x.cap):][:x.n] }
func (x inner) fences() []uint64 { return x.words[x.cap:][:x.n] }

func (x inner) kid(i int) arena.Ref { return arena.Ref(x.kids()[i]) }

// hasKeys reports whether the node belongs to an order.
func (x inner) hasKeys() bool { return len(x.words) > listArrays*int(x.cap) }

func (x inner) entry(i int) (e entry) {
	e.count, e.kid = x.counts()[i], x.kid(i)
	if x.hasKeys() {
		e.key, e.fence = x.keys()[i], arena.Ref(x.fences()[i])
	}
	return e
}

func (x inner) set(i int, e entry) {
	x.counts()[i], x.kids()[i] = e.count, uint64(e.kid)
	if x.hasKeys() {
		x.keys()[i], x.fences()[i] = e.key, uint64(e.fence)
	}
}

// insert makes room for child i; the node has room.
func (x inner) insert(i int, e entry) {
	x.n++
	for a := 0; a < len(x.words); a += int(x.cap) {
		array := x.words[a:][:x.n]
		copy(array[i+1:], array[i:])
	}
	x.set(i, e)
}

func (x inner) remove(i int) {
	for a := 0; a < len(x.words); a += int(x.cap) {
		array := x.words[a:][:x.n]
		copy(array[i:], array[i+1:])
	}
	x.n--
}

// appendFrom adds children i to j of another node; the node has room.
func (x inner) appendFrom(y inner, i, j int) {
	at := int(x.n)
	x.n += uint16(j - i)
	for a := range len(x.words) / int(x.cap) {
		copy(x.words[a*int(x.cap)+at:], y.words[a*int(y.cap)+i:a*int(y.cap)+j])
	}
}

// total is the number of elements below the node.
func (x inner) total() (sum uint64) {
	for _, c := range x.counts() {
		sum += c
	}
	return sum
}

// find returns the child that holds element pos of the node's total, and the element's
// place in the child. It adds up from the nearer end.
func (x inner) find(pos, total uint64) (i int, rest uint64) {
	counts := x.counts()
	if pos < total/2 {
		for i, c := range counts {
			if pos < c {
				return i, pos
			}
			pos -= c
		}
	}
	for i := len(counts) - 1; i >= 0; i-- {
		if total -= counts[i]; pos >= total {
			return i, pos - total
		}
	}
	panic("BUG: tree: counts do not add up")
}

// newInner allocates a node for n children, which has none yet.
func (t *tree) newInner(n int) (arena.Ref, inner) {
	ref := t.alloc(innerHeadSize + n*t.arrays*wordSize)
	h := (*innerHead)(t.at(ref))
	room := (t.ar.Cap(ref) - innerHeadSize) / (t.arrays * wordSize)
	*h = innerHead{head: head{epoch: t.epoch, cap: uint16(min(room, t.fanout))}}
	return ref, t.inner(ref)
}

// summary is what a parent says of the inner node ref.
func (t *tree) summary(ref arena.Ref) entry {
	x := t.inner(ref)
	e := x.entry(0)
	e.kid, e.count = ref, x.total()
	return e
}
