package tree

import (
	"encoding/binary"
	"unsafe"

	"github.com/larderkv/larder/store/arena"
)

// Leaves of an order.
//
//	head    8 bytes, as in inner nodes
//	keys    8 bytes per pair there is room for
//	refs    5 bytes per pair
//	3 bytes, so that a reference is read as a word
//
// Two arrays, since a search by score reads keys alone: eight to a cache line, not five.

const (
	maxPairs = 127
	pairSize = 8 + refSize
	refSize  = 5
	pairsPad = 3
	refMask  = 1<<40 - 1
)

// pairs is a leaf of an order, seen through its block.
type pairs struct {
	*head
	keys []uint64 // as many as there are pairs
	refs []byte   // all of the array, and what stands behind it
}

func (t *tree) pairs(ref arena.Ref) pairs {
	p := t.at(ref)
	h := (*head)(p)
	return pairs{
		h, (*[maxPairs]uint64)(unsafe.Add(p, headSize))[:h.n],
		(*[maxPairs*refSize + pairsPad]byte)(unsafe.Add(p, headSize+8*int(h.cap)))[:refSize*int(h.cap)+pairsPad],
	}
}

// pairsSize is the size of a leaf with room for n pairs.
func pairsSize(n int) int { return headSize + n*pairSize + pairsPad }

func (x pairs) ref(i int) arena.Ref {
	return arena.Ref(binary.LittleEndian.Uint64(x.refs[refSize*i:]) & refMask)
}

func (x pairs) setRef(i int, ref arena.Ref) {
	binary.LittleEndian.PutUint32(x.refs[refSize*i:], uint32(ref))
	x.refs[refSize*i+4] = byte(ref >> 32)
}

// newPairs allocates an empty leaf for n pairs, more if the block has room.
func (t *tree) newPairs(n int) (arena.Ref, pairs) {
	ref := t.alloc(pairsSize(n))
	room := (t.ar.Cap(ref) - headSize - pairsPad) / pairSize
	*(*head)(t.at(ref)) = head{epoch: t.epoch, cap: uint16(min(room, maxPairs))}
	return ref, t.pairs(ref)
}

// copyPairs makes a leaf with room for n pairs that has pairs i to j of another.
func (t *tree) copyPairs(x pairs, i, j, n int) arena.Ref {
	ref, y := t.newPairs(n)
	y.n = uint16(j - i)
	y = t.pairs(ref)
	copy(y.keys, x.keys[i:j])
	copy(y.refs, x.refs[refSize*i:refSize*j])
	return ref
}

// insert puts a pair before pair i; there is room.
func (x *pairs) insert(i int, key uint64, ref arena.Ref) {
	n := int(x.n)
	x.n++
	x.keys = x.keys[:n+1]
	copy(x.keys[i+1:], x.keys[i:n])
	copy(x.refs[refSize*(i+1):], x.refs[refSize*i:refSize*n])
	x.keys[i] = key
	x.setRef(i, ref)
}

// remove takes pairs i to j out.
func (x *pairs) remove(i, j int) {
	n := int(x.n)
	copy(x.keys[i:], x.keys[j:])
	copy(x.refs[refSize*i:], x.refs[refSize*j:refSize*n])
	x.n -= uint16(j - i)
	x.keys = x.keys[:n-(j-i)]
}

// summary is what the parent of a leaf says of it.
func (x pairs) summary(ref arena.Ref) entry {
	return entry{count: uint64(x.n), kid: ref, key: x.keys[0], fence: x.ref(0)}
}
