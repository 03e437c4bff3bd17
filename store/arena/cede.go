package arena

import "encoding/binary"

// Blocks that change hands.
//
// A value that moves from one shard to another would have to be copied, block by block, if each
// arena's blocks were only ever kept by the arena's own shard. So blocks may lie in one arena and
// be kept by another: Cede passes the account of them from the one to the other, in one step
// whatever their number, and no block is looked at. From then on the keeper reads, writes and
// frees them under its own lock.
//
// Only two things about a block are its owner's, the slot in the span and the entry in the list of
// large blocks, and both are touched when the block is freed. So a keeper frees what is not its
// own by giving it back: the block is pushed to a stack at the owner, without the owner's lock, and
// the owner frees it for good in its next Collect. The link of the stack is in the block.
//
// The keeper is to have its blocks in spans of its own in the end, or the owner could not empty its
// spans. Evacuating is true of them, so that a walk as for compaction brings them home. A large
// block stays where it is and becomes the keeper's by Adopt.
//
// Used and Held of an arena are accounts of what it keeps: to the byte, at any moment. A block that
// was given back is in no arena's account until it is collected, but in Heap.Uncollected.

// Cede passes blocks of so many bytes, in whole slots, to another arena. The locks of both shards
// are held.
func (a *Arena) Cede(to *Arena, bytes int64) {
	a.guard.check()
	to.guard.check()
	a.used -= bytes
	a.held -= bytes
	to.used += bytes
	to.held += bytes
	a.tell()
	to.tell()
}

// giveBack returns a block to the arena whose it is.
func (a *Arena) giveBack(r Ref, owner uint16) {
	size := int64(a.Footprint(r))
	a.used -= size
	a.held -= size
	a.h.uncollected.Add(size)
	if a.told-a.used > tellAt {
		a.tell()
	}
	stack, link := &a.h.arenas[owner].returned, a.mem[r.Off():]
	for {
		last := stack.Load()
		binary.LittleEndian.PutUint64(link, last)
		if stack.CompareAndSwap(last, uint64(r)) {
			return
		}
	}
}

// Uncollected is the number of bytes that were given back and that their arenas have not collected
// yet. It is one atomic load.
func (h *Heap) Uncollected() int64 { return h.uncollected.Load() }

// Collect frees up to max blocks that others have given back. It reports whether there were any.
func (a *Arena) Collect(max int) bool {
	a.guard.check()
	for n := range max {
		if a.back == 0 {
			if a.back = Ref(a.returned.Swap(0)); a.back == 0 {
				return n > 0
			}
		}
		r := a.back
		a.back = Ref(binary.LittleEndian.Uint64(a.mem[r.Off():]))
		size := int64(a.Footprint(r))
		a.used += size
		a.held += size
		a.h.uncollected.Add(-size)
		a.Free(r)
	}
	return true
}

// Adopt makes a large block the arena's that keeps it. It does nothing for other blocks.
func (a *Arena) Adopt(r Ref) {
	off := r.Off()
	page := uint32(off >> descShift)
	if d := &a.desc[page]; a.kindOf(off) == kinds && d.owner != a.id {
		a.h.mu.Lock()
		owner := a.h.arenas[d.owner]
		owner.drop(&owner.large, d.index)
		a.enlistLocked(page)
		a.h.mu.Unlock()
	}
}
