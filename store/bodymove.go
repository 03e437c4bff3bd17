package store

// Bodies that move to another shard.
//
// RENAME gives a value to a name that may be of another shard, whose arena is another one. A big
// body is not copied for that: its handle moves, and the account of its blocks (arena.Cede). Its
// blocks stay where they are, in the arena that it came from, and are read, changed and freed
// under the new shard's lock.
//
// They would be in the way of the old shard's compaction, and a shard could not be emptied in one
// go. So the maintenance goes through the bodies that have come, like a compaction, in steps of the
// same length, and moves their blocks into the shard's own arena: a million members of 16 bytes
// take it some hundred milliseconds in the background, in which memory for up to as much is taken
// anew before the old spans are empty. What the walk misses because the body changes meanwhile stays
// where it is, which is a free slot less for compaction and no more.
//
// While a snapshot has not finished the body, it would look for it, and for its records, under the
// old shard's lock: then it is copied, as are bodies below copyMost.

// copyMost is the size in bytes up to which a body is copied, which takes some tens of microseconds.
const copyMost = 16 << 10

// returnedBatch is how many blocks that another shard has given back are freed in one step.
const returnedBatch = 1024

// movedBody is a body that has come from another shard, on its way into the arena of this one.
type movedBody struct {
	body   body
	handle uint32 // it is gone again if that is not the body's any more
	walk   compaction
}

// movable reports whether the entry's body can be given to another shard as it is.
func (e *Entry) movable() bool {
	b := e.body()
	return b.size() > copyMost && !e.unsaved() && !e.sh.unfinished(b.mark())
}

// giveBody gives the body with a handle, which is movable, to another shard, where it gets a new
// handle. Both shards are locked.
func (sh *shard) giveBody(handle []byte, to *shard) [handleSize]byte {
	b := sh.takeHandle(handle)
	sh.ar.Cede(to.ar, b.size())
	b.moveTo(to)
	h := to.newHandle(b)
	to.moved = append(to.moved, movedBody{body: b, handle: handleIndex(h[:])})
	sh.s.mingled.Store(true)
	return h
}

// settle goes on with moving the blocks of a body that has come. It reports whether there was one.
func (sh *shard) settle() bool {
	n := len(sh.moved)
	if n == 0 || sh.cut.sn != nil { // a snapshot freezes trees and pins records
		return false
	}
	m := &sh.moved[n-1]
	there := sh.bodies[m.handle] == m.body
	done := !there || m.body.evacuate(&m.walk)
	if there {
		sh.settleBody(m.body)
	}
	if done {
		*m = movedBody{}
		sh.moved = sh.moved[:n-1]
	}
	return true
}

// collectReturned frees blocks that other shards have given back to one. It reports whether there
// were any. The caller holds no lock.
func (s *Store) collectReturned() bool {
	if s.heap.Uncollected() == 0 {
		return false
	}
	for i := range s.shards {
		sh := &s.shards[i]
		if !sh.lock() {
			continue
		}
		collected := sh.ar.Collect(returnedBatch)
		sh.mu.Unlock()
		if collected {
			return true
		}
	}
	return false
}
