package arena

// LeastLarge is the unit of large blocks, in bytes.
const LeastLarge = largePage

// maxLent is the part of the large blocks' address space that may be lent, one in so
// many: a declared length alone takes no memory, but it does take addresses.
const maxLent = 8

// Loan is a large block that belongs to no arena yet: for bytes that are on their way
// and of which the shard that will keep them is not known, or not to be locked. What
// is filled of it counts in Heap.Used from then on. One goroutine owns it.
type Loan struct {
	h           *Heap
	page, pages uint32
	filled      uint32 // 4 KiB from the start that count
}

// Lend hands out a block of at least n bytes, n > 16 KiB, with arbitrary contents.
// It returns nil when too much is lent, or the address range is used up.
func (h *Heap) Lend(n int) *Loan {
	size := largeRound(n)
	if h.lent.Add(int64(size)) > int64(h.region/maxLent) || h.Exhausted() {
		h.lent.Add(-int64(size))
		return nil
	}
	page, pages, err := h.takeLarge(size, 0)
	if err != nil {
		h.lent.Add(-int64(size))
		return nil
	}
	// The block may be longer than asked for.
	h.lent.Add(int64(pages)*largePage - int64(size))
	return &Loan{h: h, page: page, pages: pages}
}

// Bytes is all of the block.
func (l *Loan) Bytes() []byte {
	off, n := uint64(l.page)<<descShift, uint64(l.pages)*largePage
	return l.h.mem[off : off+n : off+n]
}

// Fill reports that the first n bytes are in use. Less than before does nothing.
func (l *Loan) Fill(n int) {
	if filled := uint32((n + 4095) >> 12); filled > l.filled {
		l.count(int64(filled-l.filled) << 12)
		l.filled = filled
	}
}

func (l *Loan) count(bytes int64) {
	l.h.used.Add(bytes)
	l.h.spanBytes.Add(bytes)
}

// Return gives the block back. Every slice into it becomes invalid.
func (l *Loan) Return() {
	l.h.lent.Add(-int64(l.pages) * largePage)
	bytes := int64(l.filled) << 12
	l.h.used.Add(-bytes)
	l.h.giveLarge(l.page, l.pages, bytes)
	*l = Loan{}
}

// Accept makes a lent block the arena's: the loan is over. The block begins for its
// owner at byte at of what was lent, a multiple of 8 below 8 KiB.
func (a *Arena) Accept(l *Loan, at int) Ref {
	if at%unitSize != 0 || at < 0 || at >= LeastLarge {
		panic("BUG: arena: a block cannot begin there")
	}
	a.h.lent.Add(-int64(l.pages) * largePage)
	d := &a.desc[l.page]
	d.next, d.prev = l.pages, l.filled
	a.enlist(l.page)
	bytes := int64(l.filled) << 12
	a.used += bytes
	a.held += bytes
	a.told += bytes // Fill has counted it
	a.tell()
	ref := Ref((uint64(l.page)<<descShift + uint64(at)) >> unitShift)
	*l = Loan{}
	return ref
}
