package tree

import (
	"hash/maphash"
	"math/bits"
	"unsafe"
)

// Sieves.
//
// A list has no index of its elements, so LINSERT, LPOS and LREM look for theirs from an end. In the
// middle of a million elements of 64 bytes that is 32 MB to be read, 2.2 ms at the speed of memory.
// So a node above leaves can have a sieve, which says in which of its leaves a value may be: a Bloom
// filter for each leaf, turned on its side. It is a block of rows, each a word with one bit for
// each leaf. A value's hash names three rows, and has its leaf's bit in all of them. The leaves that
// may hold a value are those whose bits are set in the three rows of its hash: 63 leaves, half
// a megabyte, for three words.
//
// # Size
//
// A sieve has some eight rows for each element of a leaf (about one byte per element in a node of 63
// leaves) and at most 2046, 16 KiB. Of the leaves without a value it leaves 3 % with 127 elements in
// each (64 bytes), 9 % with 409 (20 bytes), 43 % with a thousand. It takes 1.6 % of what a full
// node's leaves take, 3.2 % at most; a node of less than sieveLeaves leaves has none, since there is
// little to save and the sieve would be large beside them.
//
// # Who pays
//
// Only searches make sieves, so a list that nobody searches, which is most of them, has none, and a
// push learns that from one word of the List. A leaf that a search has read in vain gets its column
// then, which takes as long again or twice as long: so it is paid for by passing sieveCost leaves,
// by reading or otherwise. So a search never takes much more than twice what reading the list takes,
// even where all leaves change between two of them, and a list that does not change is known after
// four. A million elements of 64 bytes are searched in 0.06 ms instead of 4.5, of 20 bytes in 0.08
// instead of 4.1 and backwards in 0.25 instead of 8; while a search learns a quarter of the leaves
// it takes 5 to 10 ms. LINSERT before the middle one of a million of 64 bytes takes 60 us of
// processor time instead of 2200.
//
// A change of a leaf makes its column unknown: the leaf is read then, whatever the sieve says. A
// change of a node's children takes the node's sieve away, since all columns would have to move:
// that comes once in a hundred changes of a leaf, and costs the next search half a megabyte.
//
// A sieve belongs to the present version of a list and may be changed where the node itself is
// frozen: the frozen version is not searched. Compaction does not move a sieve, but takes it away.
//
// # Rejected
//
// A byte of hash per element, in the leaf: 5 % more memory for elements of 20 bytes, for every list,
// each push pays for it, and the search still reads a line of each leaf. A filter in each leaf's
// block, or one word of it in the node: the same lines, or one word for a hundred elements.

const (
	sieveLeaves = 16   // least children of a node with a sieve
	sieveBytes  = 2048 // least size of a leaf, on average
	sieveRows   = 2048 // most rows, with the two words before them
	sieveCost   = 4    // leaves to be passed for each that is taken into a sieve
)

// sieve is a node's sieve, seen through its block.
type sieve struct {
	known *uint64  // the leaves whose columns are true
	held  *uint64  // those whose columns have bits, true or not
	rows  []uint64 // of leaf i: bit i
}

// sieve is the sieve of a node that has one. Its block tells its size.
func (t *tree) sieve(x inner) sieve {
	words := (*[sieveRows]uint64)(t.at(x.sieve))[:t.ar.Cap(x.sieve)/wordSize]
	return sieve{&words[0], &words[1], words[2:]}
}

// row is the j-th of the three rows of a hash, j < 3.
func (v sieve) row(hash uint64, j int) *uint64 {
	return &v.rows[(hash>>(16*j)&0xFFFF)*uint64(len(v.rows))>>16]
}

// likely is the leaves that may hold a value of that hash.
func (v sieve) likely(hash uint64) uint64 {
	return *v.row(hash, 0)&*v.row(hash, 1)&*v.row(hash, 2) | ^*v.known
}

// learn makes the column of leaf i that of the strings of a run.
func (v sieve) learn(i int, r Run, seed maphash.Seed) {
	bit := uint64(1) << i
	if *v.held&bit != 0 { // take away all that is not true, at once
		for j := range v.rows {
			v.rows[j] &= *v.known
		}
		*v.held = *v.known
	}
	for off := 0; off < len(r.b); {
		var s []byte
		s, off = r.Next(off)
		hash := maphash.Bytes(seed, s)
		*v.row(hash, 0) |= bit
		*v.row(hash, 1) |= bit
		*v.row(hash, 2) |= bit
	}
	*v.known |= bit
	*v.held |= bit
}

// sieves is what a tree keeps of its sieves.
type sieves struct {
	n      int // nodes that have one
	seed   maphash.Seed
	passed int // leaves that searches have passed and that have not paid for a column
}

// addSieve gives a node an empty sieve, if it is to have one. It reports whether it has.
func (t *tree) addSieve(x inner) bool {
	if int(x.n) < sieveLeaves || t.bytes/int64(t.leaves) < sieveBytes {
		return false
	}
	rows := 1 << bits.Len(uint(8*t.n/t.leaves-1))
	ref := t.alloc(min(rows, sieveRows) * wordSize)
	if t.sieves.n == 0 {
		t.sieves.seed = maphash.MakeSeed()
	}
	t.sieves.n++
	x.sieve = ref
	clear(unsafe.Slice((*byte)(t.at(ref)), t.ar.Cap(ref)))
	return true
}

// dropSieve takes the sieve of a node away if it has one.
func (t *tree) dropSieve(x inner) {
	if x.sieve != 0 {
		t.free(x.sieve)
		x.sieve = 0
		t.sieves.n--
	}
}

// forget makes the column of the path's leaf unknown, which is about to be changed.
func (t *tree) forget(p *path) {
	if t.sieves.n > 0 && t.height > 0 {
		if x := t.inner(p.ref[t.height-1]); x.sieve != 0 {
			*t.sieve(x).known &^= 1 << p.at[t.height-1]
		}
	}
}
