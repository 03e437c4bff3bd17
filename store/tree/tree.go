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
// A list is searched for a value leaf by leaf, but for those of which sieves say that they do not
// hold it (sieve.go).
//
// # Fill
//
// The bytes per element decide what a cache holds, so a node's block has the size that
// the node needs, rounded up to a size class of the arena, and grows and shrinks class by
// class. A node that has just been split in halves takes half the memory, so full
// nodes are not what saves memory: neighbours are joined only when one is less than a third
// full, to bound height and heads, and nothing is ever borrowed from a neighbour. At the ends
// of the sequence a node splits off a single child: what grows there has full nodes.
//
// # Numbers
//
// Processor time on a virtual machine of two cores at 3 GHz that others kept busy, with a million
// elements of 20 bytes, or pairs whose scores are random:
//
//	bytes per element   list 20.1 appended, 22.4 grown at random places, 23.4 after random deletions
//	                    order 13.4 appended, 14.8 grown at random scores, 16.1 after random deletions
//	list                push 36 ns and pop 57 ns with fresh memory, both 60 in a queue of a hundred;
//	                    element at a position 0.11 us, 0.8 where lengths differ, Insert and Delete
//	                    there 0.7 us each, Each of 100 from there 0.65 us, Find in sieve.go
//	order               Rank 0.6 us, At 0.3, Delete and Insert 0.9, Update within a leaf 0.6,
//	                    Each of 100 0.8, the lowest pair removed 0.12; Insert that makes it 0.3
//	ranges              a million elements are deleted in 0.3 ms, a million pairs in 1.2
//
// An order's time is that of cache misses: more than half of Rank was the wait for the leaf, a
// quarter that for inner nodes. Loading all of a leaf when its address is known, before it is
// searched, took 25 % off Rank, 20 % off Delete and Insert, and a third off Each.
//
// # Rejected
//
// Leaves of an order with 77, 97 or 156 pairs instead of 127: 15.0, 14.9 and 14.5 bytes per pair
// grown at random, and no difference in time beyond the noise. With nodes of 2 KiB beside leaves of
// 1664 bytes the leaves went into the nodes' free slots when theirs had none, and appended pairs
// took 14.2 bytes: hence the odd fanout of an order.
//
// A binary search without branches: the same time, since the lines have been loaded before. Loading
// leaves for a group of 16 operations ahead, as the store does with buckets: a tenth slower, since
// what was loaded first was gone when its turn came. Loading the leaf to which Update moves a pair,
// and in Find the next leaf of a list: no faster.
//
// Not tried: the first and the last leaf of a list in the Go object, their counts brought up to
// date later. It would save a push the descent, less than 10 ns, and every other operation would
// have to know of counts that are not up to date.
//
// # Limits
//
// Not safe for concurrent use: the shard's lock covers it. An element has less than 4 GiB. Delete
// and DeleteRange free what they remove at once; only Release works in steps.
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

	sieves sieves
}

// Len is the number of elements.
func (t *tree) Len() int { return t.n }

// Bytes is what the tree takes in the arena, to the byte: whole slots, and with what a
// frozen version has left.
func (t *tree) Bytes() int64 { return t.bytes }

// Leaves is the number of leaves.
func (t *tree) Leaves() int { return t.leaves }

// SetArena has new blocks come from another arena, which keeps the present ones from now on
// (arena.Cede). No version is frozen.
func (t *tree) SetArena(ar *arena.Arena) { t.ar = ar }

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

// dropInner is drop for an inner node.
func (t *tree) dropInner(ref arena.Ref) {
	t.dropSieve(t.inner(ref))
	t.drop(ref)
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
		t.dropInner(p.ref[l])
	}
	t.root = 0
}
