package store

import "encoding/binary"

// Bodies. A small value is bytes inside its key's record. A big one has a body: blocks of its own
// in an arena, that of the key's shard unless it has just come from another one (bodymove.go), so
// that one element can be found, changed or removed without touching the others. The key's record
// then has a handle of four bytes, an index into the shard's list of bodies.
//
// The keyspace knows of a body what stands in the interface below, and no more: which kinds there
// are is the affair of the types. A table is the body of hashes and sets.
//
// Whatever takes time in proportion to the elements is done in steps of some tens of
// microseconds, for the shard's lock is held meanwhile: freeing (garbage.go), the walk of a
// snapshot (snapshotwalk.go), compaction (compact.go). A copy alone is made in one go.

// body is what a big value has outside its key's record. The shard's lock covers it.
type body interface {
	// elements is the number of fields, members or list elements.
	elements() int
	// size is the number of bytes that the body's blocks take in the arena, in whole slots.
	size() int64
	// members is the table of the elements by name, nil if they have none.
	members() *table
	// each visits the elements, in order if there is one, until fn returns false. value is what
	// belongs to the element, if anything does. Both alias the arena.
	each(fn func(item, value []byte) bool)

	// clone copies the body into the arena of another shard, or the same.
	clone(sh *shard, now int64) body
	// moveTo makes the body, as it is, one of another shard (bodymove.go). No snapshot has yet to
	// write it.
	moveTo(sh *shard)
	// release frees some blocks of a body that is no longer in use. It is done when none is left.
	release() (done bool)
	// evacuate moves blocks that lie in spans marked for compaction, from the walk's place on. It
	// is done when it has come to the end.
	evacuate(c *compaction) (done bool)

	// mark is the body's part in the running snapshot.
	mark() *cutMark
	// billed says to which prefix the body's bytes are booked (prefixbody.go).
	billed() *billing
	// collect takes elements, as they were at the cut, that the snapshot has yet to write. It is
	// done when there are no more. quiet ends the body's part in the snapshot without taking any.
	collect(c *chunk, w *bodyWalk, quiet bool) (done bool)
}

// handleSize is the length of a handle in a record's value.
const handleSize = 4

// newHandle takes a body into the shard's list and returns its handle.
func (sh *shard) newHandle(b body) (handle [handleSize]byte) {
	var i uint32
	if n := len(sh.freeHandles); n > 0 {
		i = sh.freeHandles[n-1]
		sh.freeHandles = sh.freeHandles[:n-1]
		sh.bodies[i] = b
	} else {
		i = uint32(len(sh.bodies))
		sh.bodies = append(sh.bodies, b)
	}
	binary.LittleEndian.PutUint32(handle[:], i)
	sh.arrive(b)
	return handle
}

func handleIndex(handle []byte) uint32 { return binary.LittleEndian.Uint32(handle) }

// body resolves a handle.
func (sh *shard) body(handle []byte) body { return sh.bodies[handleIndex(handle)] }

// takeHandle takes a body out of the shard's list.
func (sh *shard) takeHandle(handle []byte) body {
	i := handleIndex(handle)
	b := sh.bodies[i]
	sh.depart(b)
	sh.bodies[i] = nil
	sh.freeHandles = append(sh.freeHandles, i)
	return b
}

// bodyOf is the body of a record, nil if it has none.
func (sh *shard) bodyOf(r *record) body {
	if r.encoding() != encBody {
		return nil
	}
	v := r.value()
	return sh.body(sh.ar.Mem()[v : v+handleSize])
}

// dropBody gives up the body of a record that has one: it is freed now if small, else later, and
// not before a running snapshot has it.
func (sh *shard) dropBody(r *record) {
	if r.encoding() != encBody {
		return
	}
	b := sh.takeHandle(sh.ar.Mem()[r.value():])
	if sh.unfinished(b.mark()) {
		sh.makeOrphan(b)
		return
	}
	sh.discard(b)
}

// body is the body of an entry that has one.
func (e *Entry) body() body {
	b := e.sh.body(e.value())
	e.sh.touch(b)
	return b
}

// nested is the table of an entry whose body is one.
func (e *Entry) nested() *table { return e.body().(*table) }

// newBodyEntry adds a record to t, which is the keyspace or a table of one detached collection,
// whose value is the handle of a new body.
func (v *View) newBodyEntry(t *table, k Key, typ Type, b body) Entry {
	e := v.insertCollection(t, k, v.newMeta(&k, typ, encBody), handleSize)
	handle := e.sh.newHandle(b)
	copy(e.value(), handle[:])
	return e
}

// rebuildShare decides how much is removed from a big value at once: if less than one in
// rebuildShare of what is removed is to stay, what stays is copied into a new body and the old one
// is thrown away, which garbage.go frees in steps: the shard's lock is held for what stays, and not
// for what goes. Else elements are removed one by one, as copying would take as long and need more
// memory.
const rebuildShare = 5

// fewStay reports whether a body is better rebuilt than deprived of so many elements.
func fewStay(staying, removed int) bool { return removed > freeNow && staying*rebuildShare <= removed }

// rebody makes b the entry's body in place of the one that it has. The entry is the view's own.
func (e *Entry) rebody(b body) {
	e.sh.dropBody(&e.rec)
	e.embody(b)
}

// embody makes b the entry's value in place of a packed one.
func (e *Entry) embody(b body) {
	handle := e.sh.newHandle(b)
	e.replaceValue(handle[:], encBody)
	if e.t.stock != nil { // the command may find that it has nothing to change
		e.sh.bookRecord(e.t, e.ref)
	}
}
