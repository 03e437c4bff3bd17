// Package arena keeps the bytes of keys and values outside the Go heap.
//
// # Problem
//
// A cache holds millions of small byte strings. As Go objects each of them
// would be marked by every collection and rounded to the runtime's classes.
// Here they live in memory from mmap that the collector never looks into,
// addressed by 39-bit references which fit a hash table without pointers.
//
// # Layout
//
// A Heap reserves one range of addresses, a few terabytes that cost nothing
// until they are touched, and divides it into four regions of equal length:
// one for each kind of span (classes.go) and one for blocks above 16 KiB.
// A Ref is the byte offset from the start of the range divided by eight. So a
// reference becomes a slice with one addition, no page table of ours, and a
// wrong index is out of the slice's range instead of somebody else's memory.
//
// An Arena is the allocator of one shard. It takes whole spans from the Heap
// and cuts them into slots; it needs no lock of its own, the shard's lock
// covers it. The Heap is shared and has a mutex, taken once per span and not
// once per slot. Span sizes are small so that 16 shards with 40 classes in
// use, each with half an open span, stay below 1 % of a gigabyte.
//
// The free slots of a span are chained through their first two bytes. A
// descriptor of 24 bytes per 8 KiB (0.3 %) lies in a second mapping.
//
// # Giving memory back
//
// A span whose last slot is freed goes back to the Heap at once, still
// resident, and is taken again before any fresh one. Scavenge returns what
// exceeds a small reserve to the system with MADV_DONTNEED, neighbouring
// spans in one call, from the maintenance goroutine and without a shard lock.
// Freed large blocks are returned the same way, a slice at a time, because
// unmapping half a gigabyte in one go takes tens of milliseconds.
//
// Spans do not empty by themselves when survivors are spread over them: see
// Arena.BeginCompaction.
//
// # Rejected
//
// Coalescing free runs of pages (as tcmalloc does): with four separate
// regions of virtual addresses nothing ever has to be merged, only released.
package arena

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ref names a block in a Heap: the block's offset in units of eight bytes.
// It needs RefBits bits. Zero is no block.
type Ref uint64

// RefBits is the width of a Ref; owners may keep flags above it.
const RefBits = 39

// The longest range that is reserved fits a Ref.
const _ = uint64(1<<RefBits - maxReserve>>unitShift)

// Off is the byte offset of the block from the start of the heap.
func (r Ref) Off() uint64 { return uint64(r) << unitShift }

const (
	descShift = 13 // one descriptor per 8 KiB
	descSize  = int(unsafe.Sizeof(desc{}))
	largePage = 8 << 10

	maxReserve = 4 << 40 // as far as RefBits reach
	minReserve = 4 << 30

	// keepResident spans stay mapped for reuse: this many bytes plus 1/32
	// of what is in use, or what SetReserve says if that is less.
	keepResident = 1 << 20

	// largeMargin of the range is left for the write that was admitted last: a
	// value of 512 MB, and as much room to grow.
	largeMargin = 1 << 30

	releaseSlice = 1 << 20 // bytes given back per step of a large block
	reuseAmong   = 8       // freed blocks that are looked at before a fresh one is taken
	releaseBatch = 128     // free spans given back per step
)

// desc describes the span (or large block) that begins at its page. Interior
// pages of a span are unused: a block's region tells the span size, which
// tells where its span begins.
type desc struct {
	next, prev uint32 // list of spans with free slots; large: size in pages, bytes used in 4 KiB
	index      uint32 // place in the arena's list of all spans of the class, or of large blocks
	free       uint16 // first free slot + 1
	bump       uint16 // slots never used yet begin here
	live       uint16
	owner      uint16 // id of the arena that the span or large block is of
	class      uint8
	flags      uint8
}

const (
	flagListed     = 1 << iota // on its arena's list of spans with room
	flagEvacuating             // being emptied: no new slots from here
	flagFree                   // the first page of free address space, see extents
	flagFreeEnd                // and the last
)

// ErrExhausted means that the reserved range has no room left.
var ErrExhausted = errors.New("arena: address range exhausted")

// Heap is the memory of one store. Its methods are safe for concurrent use.
type Heap struct {
	mem    []byte
	desc   []desc
	region uint64 // length of each of the four regions, a power of two
	rshift uint

	arenas []*Arena // by id; complete before any is used

	mu      sync.Mutex        // also protects the arenas' lists of large blocks
	bump    [kinds + 1]uint64 // first offset never used, per region
	dirty   [kinds][]uint32   // free spans that are resident (offset >> descShift)
	clean   [kinds][]uint32   // free spans given back to the system
	large   extents           // free large blocks
	pending []freed           // large blocks waiting to be given back

	exhausted  atomic.Bool
	reserve    atomic.Int64 // see SetReserve
	dirtyBytes atomic.Int64 // of free spans that are resident
	pendBytes  atomic.Int64 // of pending that are resident
	spanBytes  atomic.Int64 // bytes of spans and large blocks handed out
	used       atomic.Int64 // bytes in use in them, as far as arenas have told
	lent       atomic.Int64 // bytes of address space that is lent

	uncollected atomic.Int64 // see Uncollected
}

// freed is a large block that is no longer in use. Its first used bytes are
// resident, in units of 4 KiB.
type freed struct {
	page, pages uint32
	used        int64
}

// NewHeap reserves the address range. It asks for 4 TiB and is content with
// less where the system limits address space.
func NewHeap() (*Heap, error) {
	var err error
	for size := uint64(maxReserve); size >= minReserve; size >>= 1 {
		var h *Heap
		if h, err = reserve(size); err == nil {
			return h, nil
		}
	}
	return nil, fmt.Errorf("arena: cannot reserve %d bytes of address space: %w", uint64(minReserve), err)
}

func reserve(size uint64) (*Heap, error) {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_ANON | unix.MAP_PRIVATE | unix.MAP_NORESERVE
	mem, err := unix.Mmap(-1, 0, int(size), prot, flags)
	if err != nil {
		return nil, err
	}
	descs := size >> descShift
	raw, err := unix.Mmap(-1, 0, int(descs)*descSize, prot, flags)
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(mem))
	}
	h := &Heap{
		mem:    mem,
		desc:   unsafe.Slice((*desc)(unsafe.Pointer(&raw[0])), descs),
		region: size / (kinds + 1),
	}
	h.large.desc = h.desc
	for 1<<h.rshift < h.region {
		h.rshift++
	}
	for i := range h.bump {
		h.bump[i] = uint64(i) * h.region
	}
	h.bump[0] += 1 << spanShift[0] // Ref 0 is no block
	return h, nil
}

// Close unmaps the heap. Every slice into it becomes invalid.
func (h *Heap) Close() error {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&h.desc[0])), len(h.desc)*descSize)
	err := errors.Join(unix.Munmap(h.mem), unix.Munmap(raw))
	h.mem, h.desc = nil, nil
	return err
}

// NewArena makes an empty allocator that draws on h. All are made before the first is used.
func (h *Heap) NewArena() *Arena {
	a := &Arena{h: h, id: uint16(len(h.arenas)), mem: h.mem, desc: h.desc, spans: make([]list, len(sizeClasses.class))}
	h.arenas = append(h.arenas, a)
	return a
}

// Used is the number of bytes in use, counted in whole slots. It is one atomic
// load; the error is at most 2 KiB for each arena.
func (h *Heap) Used() int64 { return h.used.Load() }

// Stats says how a heap's memory is used, in bytes.
type Stats struct {
	Spans    int64 // handed out to arenas, large blocks and what is lent included
	Pending  int64 // freed large blocks that have not been given back yet
	Resident int64 // Spans, Pending, and free spans that have not been given back
}

// Stats reads the counters. It takes no lock.
func (h *Heap) Stats() Stats {
	s, p := h.spanBytes.Load(), h.pendBytes.Load()
	return Stats{Spans: s, Pending: p, Resident: s + p + h.dirtyBytes.Load()}
}

// SetReserve bounds the free memory that stays mapped for reuse, in bytes. It is 1
// MiB and 1/32 of what is in use anyway; 0 leaves it at that.
func (h *Heap) SetReserve(bytes int64) { h.reserve.Store(bytes) }

// keep is how many bytes of free spans stay mapped.
func (h *Heap) keep() int64 {
	keep := keepResident + h.spanBytes.Load()/32
	if r := h.reserve.Load(); r > 0 {
		return min(keep, r)
	}
	return keep
}

// Overdue reports that twice as much free memory is resident as should be: more is
// freed than the maintenance gives back, so whoever frees should call Scavenge.
func (h *Heap) Overdue() bool { return h.dirtyBytes.Load()+h.pendBytes.Load() > 2*h.keep() }

// Plenty reports that it is worth it to call Scavenge in the middle of other work: there is a large
// block, or half as much again is resident as should be. The more free spans there are, the more of
// them are neighbours, which go in one call to the system: 300 calls where it was 880 as soon as there
// was any excess, for 100,000 keys of a tag.
func (h *Heap) Plenty() bool {
	keep := h.keep()
	return h.pendBytes.Load() > 0 || h.dirtyBytes.Load() > keep+keep/2
}

// takeSpan hands out one span of a kind; it returns its first page.
func (h *Heap) takeSpan(kind uint8) (uint32, error) {
	size := uint64(1) << spanShift[kind]
	h.mu.Lock()
	defer h.mu.Unlock()
	var page uint32
	switch {
	case len(h.dirty[kind]) > 0:
		page = pop(&h.dirty[kind])
		h.dirtyBytes.Add(-int64(size))
	case len(h.clean[kind]) > 0:
		page = pop(&h.clean[kind])
	case h.bump[kind]+size > uint64(kind+1)*h.region:
		return 0, ErrExhausted
	default:
		page = uint32(h.bump[kind] >> descShift)
		h.bump[kind] += size
		h.noteExhausted()
		h.listRoom(kind)
	}
	h.spanBytes.Add(int64(size))
	return page, nil
}

// listRoom has the list of free spans of a kind, which is empty, be long enough for all there are: who gives
// back tens of thousands at once holds all of the store's locks, and is not to wait for longer and longer
// lists. It takes 4 to 8 bytes for a span.
func (h *Heap) listRoom(kind uint8) {
	if n := int((h.bump[kind] - uint64(kind)*h.region) >> spanShift[kind]); n > cap(h.dirty[kind]) {
		h.dirty[kind] = make([]uint32, 0, 2*n)
	}
}

// giveSpans takes spans of one kind back.
func (h *Heap) giveSpans(kind uint8, pages ...uint32) {
	bytes := int64(len(pages)) << spanShift[kind]
	h.mu.Lock()
	h.dirty[kind] = append(h.dirty[kind], pages...)
	if h.exhausted.Load() {
		h.noteExhausted()
	}
	h.mu.Unlock()
	h.dirtyBytes.Add(bytes)
	h.spanBytes.Add(-bytes)
}

// takeLarge hands out a large block of the given virtual size, of which used bytes
// are going to be touched, in units of 4 KiB. The block may be longer.
func (h *Heap) takeLarge(size int, used int64) (page, pages uint32, err error) {
	pages = uint32(size / largePage)
	if f, ok := h.reuse(pages, used); ok {
		return f.page, f.pages, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if page = h.large.take(pages); page != 0 {
		return page, pages, nil
	}
	if h.bump[kinds]+uint64(size) > (kinds+1)*h.region {
		return 0, 0, ErrExhausted
	}
	page = uint32(h.bump[kinds] >> descShift)
	h.bump[kinds] += uint64(size)
	h.noteExhausted()
	return page, pages, nil
}

// reuse finds a freed block whose memory has not been given back yet and that is
// as long as wanted, or up to an eighth longer: to give memory back and take the
// same amount anew costs a page fault per 4 KiB.
func (h *Heap) reuse(pages uint32, used int64) (f freed, ok bool) {
	if h.pendBytes.Load() == 0 {
		return f, false
	}
	h.mu.Lock()
	for i := len(h.pending) - 1; i >= max(0, len(h.pending)-reuseAmong) && !ok; i-- {
		f = h.pending[i]
		if ok = f.pages >= pages && f.pages-pages <= pages/8 && f.used <= used+max(releaseSlice, used/8); ok {
			h.pending[i] = h.pending[len(h.pending)-1]
			h.pending = h.pending[:len(h.pending)-1]
		}
	}
	h.mu.Unlock()
	if !ok {
		return f, false
	}
	// What is resident beyond the part that is counted from now on goes.
	if f.used > used {
		off := uint64(f.page) << descShift
		if unix.Madvise(h.mem[off+uint64(used):off+uint64(f.used)], unix.MADV_DONTNEED) != nil {
			h.mu.Lock()
			h.pending = append(h.pending, f)
			h.mu.Unlock()
			return f, false
		}
	}
	h.pendBytes.Add(-f.used)
	return f, true
}

// giveLarge takes a large block back; Scavenge returns its memory.
func (h *Heap) giveLarge(page, pages uint32, used int64) {
	h.mu.Lock()
	h.pending = append(h.pending, freed{page: page, pages: pages, used: used})
	h.mu.Unlock()
	h.pendBytes.Add(used)
	h.spanBytes.Add(-used)
}

// Scavenge gives free memory back to the system: one slice of a freed large
// block, or a batch of free spans beyond the reserve. It reports whether more
// is waiting. One call takes well below a millisecond.
func (h *Heap) Scavenge() (more bool, err error) {
	if done, more, err := h.scavengeLarge(); done {
		return more, err
	}
	for kind := uint8(0); kind < kinds; kind++ {
		excess := h.dirtyBytes.Load() - h.keep()
		if excess <= 0 {
			return false, nil
		}
		if err := h.release(kind, int(excess>>spanShift[kind])+1); err != nil {
			return false, err
		}
	}
	return h.dirtyBytes.Load() > h.keep(), nil
}

// Exhausted reports that less than a sixteenth of some region is left, of that
// of the large blocks less than largeMargin or three quarters of it. The
// store then refuses writes that need memory, as it does past maxmemory.
func (h *Heap) Exhausted() bool { return h.exhausted.Load() }

// noteExhausted is called with h.mu held whenever a region's use may have
// crossed the bound.
func (h *Heap) noteExhausted() {
	full := false
	for i, b := range h.bump {
		free := i < kinds && len(h.dirty[i])+len(h.clean[i]) > 1024
		margin := h.region / 16
		if i == kinds {
			margin = max(margin, min(h.region/4*3, largeMargin))
		}
		full = full || !free && uint64(i+1)*h.region-b < margin
	}
	h.exhausted.Store(full)
}

// Excess reports whether Scavenge has something to do.
func (h *Heap) Excess() bool { return h.pendBytes.Load() > 0 || h.dirtyBytes.Load() > h.keep() }

// scavengeLarge gives a slice of a freed large block back, from its end on, so that
// what is left may still be reused.
func (h *Heap) scavengeLarge() (done, more bool, err error) {
	h.mu.Lock()
	if len(h.pending) == 0 {
		h.mu.Unlock()
		return false, false, nil
	}
	f := pop(&h.pending)
	h.mu.Unlock()
	n := min(f.used, releaseSlice)
	end := uint64(f.page)<<descShift + uint64(f.used)
	if failed := unix.Madvise(h.mem[end-uint64(n):end], unix.MADV_DONTNEED); failed != nil {
		n, err = 0, fmt.Errorf("arena: madvise: %w", failed)
	}
	f.used -= n
	h.pendBytes.Add(-n)
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.used > 0 {
		h.pending = append(h.pending, f)
		return true, err == nil, err
	}
	low, bump := uint32(kinds*h.region>>descShift), uint32(h.bump[kinds]>>descShift)
	h.bump[kinds] = uint64(h.large.join(f.page, f.pages, low, bump)) << descShift
	if h.exhausted.Load() {
		h.noteExhausted()
	}
	return true, true, nil
}

// release gives up to n free spans of a kind back to the system, and no more than
// releaseBatch. They are the oldest of the free list, since the newest are still
// in the caches.
func (h *Heap) release(kind uint8, n int) error {
	h.mu.Lock()
	n = min(n, releaseBatch, len(h.dirty[kind]))
	victims := slices.Clone(h.dirty[kind][:n])
	h.dirty[kind] = append(h.dirty[kind][:0], h.dirty[kind][n:]...)
	h.mu.Unlock()
	if n == 0 {
		return nil
	}
	h.dirtyBytes.Add(-int64(n) << spanShift[kind])
	slices.Sort(victims)
	step := uint32(1) << (spanShift[kind] - descShift)
	for i := 0; i < n; {
		j := i + 1
		for j < n && victims[j] == victims[j-1]+step {
			j++
		}
		from := uint64(victims[i]) << descShift
		to := uint64(victims[j-1]+step) << descShift
		if err := unix.Madvise(h.mem[from:to], unix.MADV_DONTNEED); err != nil {
			return fmt.Errorf("arena: madvise: %w", err)
		}
		i = j
	}
	h.mu.Lock()
	h.clean[kind] = append(h.clean[kind], victims...)
	h.mu.Unlock()
	return nil
}

func pop[T any](s *[]T) T {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
