// Package tree keeps long sequences outside the Go heap: lists, and the order of sorted
// sets.
//
// # Problem
//
// A list of a million elements needs its five hundred thousandth one, and an insertion
// beside it, in the time of a few cache misses; a sorted set needs the rank of a score
// and the score of a rank. Redis walks a linked list of blobs for the first and keeps a
// skip list of about 50 bytes per element for the second. Here both are one B+ tree whose
// inner nodes hold the number of elements below each child: a position is found by adding
// counts up, a score by searching keys, and both in the same descent.
//
// # Layout
//
// All nodes are blocks of a shard's arena, named by references; nothing in them points
// into the Go heap, which has one small object per tree. Inner nodes (node.go) are the same
// for both uses. A List's leaf is a run of byte strings (run.go), an Order's leaf is an
// array of scores and one of references to the members' records.
//
// Nodes know neither their parent nor their neighbours. So a node is moved, by compaction
// (evacuate.go), or copied, for a frozen version (frozen.go), by changing one reference. The
// price is that an operation remembers its path from the root, a few words on the stack.
//
// # Fill
//
// The bytes per element decide what a cache holds, so a node's block has the size that
// the node needs, rounded up to a size class of the arena, and grows and shrinks class by
// class. Thus a node that has just been split in halves takes half the memory, and full
// nodes are not what saves memory: neighbours are joined only when they are few (a third),
// to bound height and heads, and nothing is ever borrowed from a neighbour.
//
// # Limits
//
// Not safe for concurrent use: the shard's lock covers it.
package tree

import "github.com/larderkv/larder/store/arena"

// tree is what List and Order have in common: the inner nodes, and the accounts.
type tree struct {
	ar     *arena.Arena
	mem    []byte // the arena's range
	root   arena.Ref
	height int // levels of inner nodes
	arrays int // in an inner node
	fanout int // most children of one
	n      int // elements
	leaves int
	bytes  int64  // of all blocks, in whole slots, retired ones included
	epoch  uint32 // number of the last freeze

	frozen  *version // nil if no version is frozen
	retired *batch   // blocks that only the frozen version had, or still has
}

// Len is the number of elements.
func (t *tree) Len() int { return t.n }

// Bytes is what the tree takes in the arena, to the byte: whole slots, and with what a
// frozen version has left.
func (t *tree) Bytes() int64 { return t.bytes }

// Leaves is the number of leaves.
func (t *tree) Leaves() int { return t.leaves }

// Every block is taken and given up by the following methods, so that bytes is their sum.
// What the arena counts in whole slots is read from the arena's own count.

func (t *tree) alloc(n int) arena.Ref {
	before := t.ar.Used()
	ref := t.ar.Alloc(n)
	t.bytes += t.ar.Used() - before
	return ref
}

func (t *tree) free(ref arena.Ref) {
	before := t.ar.Used()
	t.ar.Free(ref)
	t.bytes += t.ar.Used() - before
}

// drop gives up a block that the tree no longer has, though a frozen version may.
func (t *tree) drop(ref arena.Ref) {
	if t.frozen != nil && (*head)(t.at(ref)).epoch != t.epoch {
		t.retire(ref)
		return
	}
	t.free(ref)
}

// Release frees about max blocks and returns done when none is left. From the first call on
// only Release and Bytes may be called. No version is frozen.
func (t *tree) Release(max int) (done bool) {
	if !t.freeRetired(&max) {
		return false
	}
	for ; max > 0 && t.root != 0; max-- {
		t.releaseLast()
	}
	if t.root != 0 {
		return false
	}
	t.n, t.leaves, t.height = 0, 0, 0
	return true
}

// releaseLast frees the last leaf and the nodes that have no other. Counts are left behind.
func (t *tree) releaseLast() {
	var p path
	t.seekLast(&p)
	t.free(p.ref[t.height])
	for l := t.height - 1; l >= 0; l-- {
		if x := t.inner(p.ref[l]); x.n > 1 {
			x.n--
			return
		}
		t.free(p.ref[l])
	}
	t.root = 0
}
