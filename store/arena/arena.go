package arena

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/store/invariants"
)

// Arena allocates blocks for one shard. The shard's lock covers every method.
type Arena struct {
	h     *Heap
	id    uint16
	mem   []byte
	desc  []desc
	spans []list // by class

	// What is kept in the arena of another one's (cede.go) counts in both.
	used int64 // bytes of slots and large blocks in use
	held int64 // bytes of spans and large blocks taken from the heap
	told int64 // what the heap knows of used

	// floor is how many bytes of free slots the last compaction could not
	// gain, or less if they have been used since; gain is what there is
	// beyond it. Any goroutine may read gain.
	floor int64
	gain  atomic.Int64
	slack atomic.Int64 // bytes of free slots, to the same precision
	// marked is held, and what of it was free, when the last compaction began.
	marked struct{ held, free int64 }

	guard guard
	large []uint32 // first pages of large blocks, so that Reset finds them; under the heap's lock

	returned atomic.Uint64 // the last of the blocks that others have given back, see cede.go
	back     Ref           // those that are being freed
}

// list is an arena's spans of one class that have room, and counts of all.
type list struct {
	head, tail uint32 // page numbers, 0 is none; page 0 is never handed out
	live       uint64
	all        []uint32 // every span of the class, for Reset and compaction
}

// Bytes returns n bytes of the block r. The slice is valid until r is freed
// or moved, and only while the shard's lock is held.
func (a *Arena) Bytes(r Ref, n int) []byte {
	off := r.Off()
	return a.mem[off : off+uint64(n) : off+uint64(n)]
}

// Mem is the whole range, for code that computes offsets itself.
func (a *Arena) Mem() []byte { return a.mem }

// Prefetch asks the processor to load the cache line at an offset, without
// waiting for it.
func (a *Arena) Prefetch(off uint64) { prefetch(&a.mem[off]) }

// Prefetch is Arena.Prefetch for memory of the Go heap.
func Prefetch(p *byte) { prefetch(p) }

// PrefetchRange is Prefetch for all lines of n bytes, n > 0.
func (a *Arena) PrefetchRange(off uint64, n int) { prefetchRange(&a.mem[off], n) }

// Used is the number of bytes in use, counted in whole slots.
func (a *Arena) Used() int64 { return a.used }

// Untold is how much of it Heap.Used does not know of, less than 2 KiB either way.
func (a *Arena) Untold() int64 { return a.used - a.told }

// Held is the number of bytes of spans and large blocks the arena has.
func (a *Arena) Held() int64 { return a.held }

// tellAt is by how many bytes Used may differ from what the heap was told.
const tellAt = 2 << 10

// tell publishes how much is in use, and what compaction may gain.
func (a *Arena) tell() {
	a.h.used.Add(a.used - a.told)
	a.told = a.used
	slack := a.held - a.used
	a.floor = min(a.floor, slack)
	a.gain.Store(slack - a.floor)
	a.slack.Store(slack)
}

// Slack is Held without Used, to 2 KiB. Any goroutine may call it.
func (a *Arena) Slack() int64 { return a.slack.Load() }

// RoundUp is the capacity a block of n bytes would get.
func RoundUp(n int) int {
	if n > maxSmall {
		return largeRound(n)
	}
	return int(sizeClasses.class[sizeClasses.of[(n+unitSize-1)>>unitShift]].size)
}

func (a *Arena) kindOf(off uint64) int { return int(off >> a.h.rshift) }

// Alloc returns a block of at least n bytes, n > 0, with arbitrary contents.
// It panics with ErrExhausted when the address range is used up: the store
// refuses writes long before (Heap.Exhausted).
func (a *Arena) Alloc(n int) Ref {
	a.guard.check()
	if n > maxSmall {
		return a.allocLarge(n, largeRound(n))
	}
	c := sizeClasses.of[(n+unitSize-1)>>unitShift]
	page := a.spans[c].head
	if page == 0 {
		c, page = a.open(c)
	}
	cl := &sizeClasses.class[c]
	l := &a.spans[c]
	d := &a.desc[page]
	base := uint64(page) << descShift
	var slot uint64
	if d.free != 0 {
		slot = uint64(d.free - 1)
		off := base + slot*uint64(cl.size)
		d.free = binary.LittleEndian.Uint16(a.mem[off:])
	} else {
		slot = uint64(d.bump)
		d.bump++
	}
	d.live++
	l.live++
	if a.used += int64(cl.size); a.used-a.told > tellAt {
		a.tell()
	}
	if d.live == cl.slots {
		a.unlist(l, page)
	}
	a.prefetchNext(l, uint64(cl.size))
	return Ref((base + slot*uint64(cl.size)) >> unitShift)
}

// prefetchNext loads the block that the next Alloc from a list will return, if it was in
// use before: by then it has mostly left the caches.
func (a *Arena) prefetchNext(l *list, size uint64) {
	d := &a.desc[l.head] // that of page 0 is never used
	if d.free == 0 {
		return
	}
	off := uint64(l.head)<<descShift + uint64(d.free-1)*size
	prefetch(&a.mem[off])
	prefetch(&a.mem[off+min(size-1, 64)])
}

// AllocRoom is Alloc for a block that is expected to grow: where it costs no
// memory (large blocks), address space for room bytes is set aside.
func (a *Arena) AllocRoom(n, room int) Ref {
	if n > maxSmall {
		return a.allocLarge(n, largeRound(max(n, room)))
	}
	return a.Alloc(n)
}

// open finds a span with room for a block of class c, of which no span has
// any: one of the next classes if they have, else a new one.
func (a *Arena) open(c uint8) (class uint8, page uint32) {
	for _, w := range sizeClasses.class[c].wider {
		if page := a.spans[w].head; page != 0 {
			return w, page
		}
	}
	return c, a.grow(c)
}

func (a *Arena) grow(c uint8) uint32 {
	cl := &sizeClasses.class[c]
	page, err := a.h.takeSpan(cl.kind)
	if err != nil {
		panic(err)
	}
	l := &a.spans[c]
	a.desc[page] = desc{class: c, owner: a.id, index: uint32(len(l.all))}
	a.held += 1 << spanShift[cl.kind]
	l.all = append(l.all, page)
	a.listFirst(l, page)
	a.tell()
	return page
}

// Free returns a block. Its size is known from where it lies.
func (a *Arena) Free(r Ref) {
	a.guard.check()
	if invariants.Enabled {
		a.poison(r)
	}
	off := r.Off()
	kind := a.kindOf(off)
	if kind == kinds {
		a.freeLarge(r, uint32(off>>descShift))
		return
	}
	page := uint32(off >> spanShift[kind] << (spanShift[kind] - descShift))
	d := &a.desc[page]
	if d.owner != a.id {
		a.giveBack(r, d.owner)
		return
	}
	cl := &sizeClasses.class[d.class]
	l := &a.spans[d.class]
	if d.live == 0 {
		panic("BUG: arena: block freed twice")
	}
	a.used -= int64(cl.size)
	l.live--
	d.live--
	if d.live == 0 {
		a.release(l, page)
		a.tell()
		return
	}
	if a.told-a.used > tellAt {
		a.tell()
	}
	slot := uint32(off-uint64(page)<<descShift) / cl.size
	binary.LittleEndian.PutUint16(a.mem[off:], d.free)
	d.free = uint16(slot) + 1
	if d.flags&(flagListed|flagEvacuating) == 0 {
		a.listLast(l, page)
	}
}

// poisonMost is how many bytes of a block are overwritten: those of a large one may never have been
// touched, and would take memory by that.
const poisonMost = 64 << 10

// poison overwrites a block that is being freed.
func (a *Arena) poison(r Ref) {
	off, size := r.Off(), uint64(a.Footprint(r))
	if a.kindOf(off) == kinds {
		size -= off % largePage // a block that was accepted begins behind the page's beginning
	}
	a.overwrite(off, size)
}

func (a *Arena) overwrite(off, size uint64) {
	b := a.mem[off : off+min(size, poisonMost)]
	for i := range b {
		b[i] = invariants.Poison
	}
}

// release hands an empty span back to the heap.
func (a *Arena) release(l *list, page uint32) {
	d := &a.desc[page]
	cl := &sizeClasses.class[d.class]
	if d.flags&flagListed != 0 {
		a.unlist(l, page)
	}
	a.drop(&l.all, d.index)
	a.held -= 1 << spanShift[cl.kind]
	*d = desc{}
	a.h.giveSpans(cl.kind, page)
}

// drop takes entry i out of a list of pages; the last one gets its place.
func (a *Arena) drop(pages *[]uint32, i uint32) {
	last := pop(pages)
	if int(i) < len(*pages) {
		(*pages)[i] = last
		a.desc[last].index = i
	}
}

// Cap is the number of bytes the block r can hold.
func (a *Arena) Cap(r Ref) int {
	off := r.Off()
	kind := a.kindOf(off)
	if kind == kinds {
		return int(a.desc[off>>descShift].next)*largePage - int(off%largePage)
	}
	return int(sizeClasses.class[a.desc[off>>spanShift[kind]<<(spanShift[kind]-descShift)].class].size)
}

// Footprint is what the block r counts in Used.
func (a *Arena) Footprint(r Ref) int {
	off := r.Off()
	if a.kindOf(off) == kinds {
		return int(a.desc[off>>descShift].prev) << 12
	}
	return a.Cap(r)
}

func (a *Arena) allocLarge(n, size int) Ref {
	used := (n + 4095) >> 12
	page, pages, err := a.h.takeLarge(size, int64(used)<<12)
	if err != nil {
		panic(err)
	}
	d := &a.desc[page]
	d.next, d.prev = pages, uint32(used)
	a.charge(int64(used) << 12)
	a.enlist(page)
	return Ref(uint64(page) << descShift >> unitShift)
}

// enlist makes a large block one of the arena's.
func (a *Arena) enlist(page uint32) {
	a.h.mu.Lock()
	a.enlistLocked(page)
	a.h.mu.Unlock()
}

// enlistLocked is enlist with the heap's lock held.
func (a *Arena) enlistLocked(page uint32) {
	d := &a.desc[page]
	d.owner, d.index = a.id, uint32(len(a.large))
	a.large = append(a.large, page)
}

func (a *Arena) charge(bytes int64) {
	a.used += bytes
	a.held += bytes
	a.h.spanBytes.Add(bytes)
	a.tell()
}

// Resize reports that a large block now uses n bytes of its capacity. Memory
// past the end goes back to the system. For small blocks it does nothing.
func (a *Arena) Resize(r Ref, n int) {
	a.guard.check()
	off := r.Off()
	if a.kindOf(off) != kinds {
		return
	}
	d := &a.desc[off>>descShift]
	block, skipped := off&^(largePage-1), int(off%largePage) // see Accept
	used := uint32((skipped + n + 4095) >> 12)
	if used < d.prev {
		from, to := block+uint64(used)<<12, block+uint64(d.prev)<<12
		if unix.Madvise(a.mem[from:to], unix.MADV_DONTNEED) != nil {
			return // still resident, so still counted
		}
	}
	a.charge((int64(used) - int64(d.prev)) << 12)
	d.prev = used
}

func (a *Arena) freeLarge(r Ref, page uint32) {
	d := &a.desc[page]
	if d.owner != a.id {
		a.giveBack(r, d.owner)
		return
	}
	used := int64(d.prev) << 12
	a.used -= used
	a.held -= used
	a.h.mu.Lock()
	a.drop(&a.large, d.index)
	a.h.mu.Unlock()
	a.h.giveLarge(page, d.next, used)
	a.tell()
}

// Reset frees every block at once. It copies the numbers of the spans and leaves their descriptors to who
// takes them next: for two million blocks of 104 bytes that takes 20 to 110 us, and 160 to 230 if the
// descriptors are cleared. No other arena keeps a block of this one's, nor this one a block of theirs, or
// all are reset together.
func (a *Arena) Reset() {
	a.guard.check()
	for c := range a.spans {
		l := &a.spans[c]
		if len(l.all) == 0 {
			continue
		}
		if invariants.Enabled {
			for _, page := range l.all {
				a.overwrite(uint64(page)<<descShift, uint64(1)<<spanShift[sizeClasses.class[c].kind])
				a.desc[page] = desc{}
			}
		}
		a.h.giveSpans(sizeClasses.class[c].kind, l.all...)
		*l = list{}
	}
	for _, page := range a.large {
		if invariants.Enabled {
			a.overwrite(uint64(page)<<descShift, uint64(a.desc[page].prev)<<12)
		}
		a.h.giveLarge(page, a.desc[page].next, int64(a.desc[page].prev)<<12)
	}
	a.large = nil
	a.back = 0
	a.returned.Store(0)
	a.h.uncollected.Store(0) // all arenas that have any are reset
	a.used, a.held = 0, 0
	a.tell()
}

func (a *Arena) listFirst(l *list, page uint32) {
	d := &a.desc[page]
	d.flags |= flagListed
	d.prev, d.next = 0, l.head
	if l.head != 0 {
		a.desc[l.head].prev = page
	} else {
		l.tail = page
	}
	l.head = page
}

func (a *Arena) listLast(l *list, page uint32) {
	d := &a.desc[page]
	d.flags |= flagListed
	d.prev, d.next = l.tail, 0
	if l.tail != 0 {
		a.desc[l.tail].next = page
	} else {
		l.head = page
	}
	l.tail = page
}

func (a *Arena) unlist(l *list, page uint32) {
	d := &a.desc[page]
	d.flags &^= flagListed
	if d.prev != 0 {
		a.desc[d.prev].next = d.next
	} else {
		l.head = d.next
	}
	if d.next != 0 {
		a.desc[d.next].prev = d.prev
	} else {
		l.tail = d.prev
	}
	d.next, d.prev = 0, 0
}
