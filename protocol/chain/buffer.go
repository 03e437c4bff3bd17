package chain

// An Owner keeps the account of the memory that its output takes, from the moment on at which a
// block is taken.
type Owner interface {
	// Grow is told that the Buffer is about to take a block of n bytes, and holds written bytes by
	// now. It reports whether it may. If not, the owner is about to be closed: nothing more is kept
	// of what is written.
	Grow(n, written int) bool
	// Shrink is told that it has given n bytes back, and holds written bytes now.
	Shrink(n, written int)
}

// A Buffer collects output: first in memory that is lent to it, then in blocks. What it is asked
// to keep and may not it only counts (Counting), so that at the end the length of the whole is
// known all the same.
//
// The zero value has no pool: it writes into one slice, which grows by copying.
type Buffer struct {
	tail []byte // what is appended to: the lent memory, the last block's, or scratch while counting
	done int    // bytes in front of tail

	lead  []byte // the lent memory, when it has overflowed
	chain Chain  // blocks behind it; the last one's content is in tail

	pool     *Pool
	owner    Owner
	allow    func(n int) bool // nil: no further limit
	growth   func(n int) bool // likewise, without a pool
	over     bool             // lead and chain are in use
	counting bool
	refused  bool // by the owner: counting to the end
	kept     int  // while counting: how many bytes are really there
	scratch  [scratchSize]byte
}

const (
	// scratchSize bounds what Room can be asked for.
	scratchSize = 512
	// mostMoved is the longest head that MoveToFront moves.
	mostMoved = 64
)

// Lend makes the Buffer empty and has it write into room first. What is taken beyond it comes from
// pool and counts as the owner's.
func (b *Buffer) Lend(room []byte, pool *Pool, owner Owner) {
	b.tail, b.done, b.pool, b.owner = room[:0], 0, pool, owner
	if b.over {
		b.lead, b.chain, b.over, b.counting, b.refused = nil, Chain{}, false, false, false
	}
}

// Take returns what has been written: what is in the lent memory, and the blocks behind it. The
// Buffer is to be lent anew then. whole is false if something was only counted.
func (b *Buffer) Take() (lead []byte, rest Chain, whole bool) {
	if !b.over {
		return b.tail, Chain{}, true
	}
	if !b.counting {
		b.seal()
	}
	if held := b.chain.held; b.chain.length == 0 && held > 0 { // taken, and then not needed
		b.chain.Free()
		if b.owner != nil {
			b.owner.Shrink(held, b.Len())
		}
	}
	lead, rest, whole = b.lead, b.chain, !b.counting && !b.refused
	b.lead, b.chain = nil, Chain{}
	return lead, rest, whole
}

// Allow has f asked before each block, with its size; what f refuses is only counted, until a
// Truncate takes back all of it. f runs in the middle of a command.
func (b *Buffer) Allow(f func(n int) bool) { b.allow = f }

// AllowGrowth is Allow for a Buffer without a pool: f is asked for the size that the slice is to have.
func (b *Buffer) AllowGrowth(f func(size int) bool) { b.growth = f }

// Counting reports whether something of what was written has not been kept.
func (b *Buffer) Counting() bool { return b.counting }

// Refused reports whether the owner has refused a block.
func (b *Buffer) Refused() bool { return b.refused }

// Len is the number of bytes written.
func (b *Buffer) Len() int { return b.done + len(b.tail) }

// Room returns a slice to append at most n bytes to, no more than scratchSize; Put takes it back.
func (b *Buffer) Room(n int) []byte {
	if cap(b.tail)-len(b.tail) < n {
		b.more(n)
	}
	return b.tail
}

// Put takes the slice that Room has returned, and that something was appended to.
func (b *Buffer) Put(tail []byte) { b.tail = tail }

// Fits reports whether n bytes can be appended to Room without a block.
func (b *Buffer) Fits(n int) bool { return cap(b.tail)-len(b.tail) >= n }

// Write appends p.
func (b *Buffer) Write(p []byte) {
	if cap(b.tail)-len(b.tail) >= len(p) {
		b.tail = append(b.tail, p...)
		return
	}
	b.writeLong(p)
}

// WriteString appends s.
func (b *Buffer) WriteString(s string) {
	for len(s) > 0 {
		tail := b.Room(1)
		if b.counting {
			b.done += len(s)
			return
		}
		n := min(len(s), cap(tail)-len(tail))
		b.tail = append(tail, s[:n]...)
		s = s[n:]
	}
}

// writeLong appends p, over as many blocks as it takes.
func (b *Buffer) writeLong(p []byte) {
	for len(p) > 0 {
		if b.counting {
			b.done += len(p)
			return
		}
		if len(b.tail) == cap(b.tail) {
			b.more(len(p))
			continue
		}
		n := min(len(p), cap(b.tail)-len(b.tail))
		b.tail = append(b.tail, p[:n]...)
		p = p[n:]
	}
}

// more makes room for n bytes, or as many as a block has.
func (b *Buffer) more(n int) {
	switch {
	case b.counting:
		b.done += len(b.tail)
		b.tail = b.scratch[:0]
		return
	case b.pool == nil:
		size := 2*cap(b.tail) + n
		if b.growth != nil && !b.growth(size) {
			b.seal()
			b.counting, b.kept, b.tail = true, b.done, b.scratch[:0]
			return
		}
		grown := make([]byte, len(b.tail), size)
		copy(grown, b.tail)
		b.tail = grown
		return
	}
	b.seal()
	if !b.mayTake(blockSize) {
		b.counting, b.kept = true, b.done
		b.tail = b.scratch[:0]
		return
	}
	block := b.pool.take()
	b.chain.append(block)
	b.tail = block.mem[:0]
}

func (b *Buffer) mayTake(n int) bool {
	if b.allow != nil && !b.allow(n) {
		return false
	}
	if b.owner != nil && !b.owner.Grow(n, b.done) {
		b.refused = true
		return false
	}
	return true
}

// seal ends the writing to the present piece of memory: what was written is in lead and in chain
// then, and tail is nil.
func (b *Buffer) seal() {
	last := b.chain.last
	switch {
	case b.over && b.tail == nil:
		return
	case last == nil:
		b.lead, b.over = b.tail, true
	default:
		last.to = int32(len(b.tail))
		b.chain.length += len(b.tail)
	}
	b.done += len(b.tail)
	b.tail = nil
}

// unseal goes on with writing where seal has ended it.
func (b *Buffer) unseal() {
	b.tail = b.lead
	if last := b.chain.last; last != nil {
		b.tail = last.mem[:last.to]
		b.chain.length -= int(last.to)
	}
	b.done -= len(b.tail)
}

// Truncate takes back everything behind the first n bytes.
func (b *Buffer) Truncate(n int) {
	if n >= b.done {
		b.tail = b.tail[:n-b.done]
		return
	}
	b.truncate(n)
}

func (b *Buffer) truncate(n int) {
	if b.counting && (n > b.kept || b.refused) {
		b.done, b.tail = n, b.scratch[:0]
		return
	}
	if b.counting {
		b.counting, b.tail = false, nil
	} else {
		b.seal()
	}
	held := b.chain.held
	if n <= len(b.lead) {
		b.chain.Free()
		b.lead = b.lead[:n]
	} else {
		b.chain.cut(n - len(b.lead))
	}
	b.done = n
	b.unseal()
	if b.owner != nil && b.chain.held < held {
		b.owner.Shrink(held-b.chain.held, n)
	}
}

// cut forgets all but the first n bytes, n > 0, of a chain of whose blocks nothing is sent yet.
func (c *Chain) cut(n int) {
	c.length = n
	b := c.first
	for int(b.to) < n {
		n -= int(b.to)
		b = b.next
	}
	b.to = int32(n)
	behind := Chain{first: b.next}
	for x := b.next; x != nil; x = x.next {
		behind.held += blockSize
	}
	b.next, c.last = nil, b
	c.held -= behind.held
	behind.Free()
}

// MoveToFront moves what was written from head on, at most 64 bytes, in front of what was written
// from body on. It serves replies that begin with a number which is only known at their end. At
// most the one piece of memory where the body begins is shifted.
func (b *Buffer) MoveToFront(body, head int) {
	n := b.Len() - head
	if b.counting || n == 0 || body == head {
		return
	}
	var moved [mostMoved]byte
	p := moved[:n]
	if body >= b.done {
		shifted := b.tail[body-b.done:]
		copy(p, b.tail[head-b.done:])
		copy(shifted[n:], shifted)
		copy(shifted, p)
		return
	}
	b.seal()
	b.copyEnd(p)
	b.truncate(head)
	b.insert(body, p)
}

// copyEnd copies the last bytes to p. The Buffer is sealed.
func (b *Buffer) copyEnd(p []byte) {
	at, from := 0, b.done-len(p) // at: where content lies in all that was written
	content := b.lead
	for next := b.chain.first; len(p) > 0; next = next.next {
		if from < at+len(content) {
			n := copy(p, content[from-at:])
			p, from = p[n:], from+n
		}
		if next == nil {
			return
		}
		at += len(content)
		content = next.mem[:next.to]
	}
}

// insert puts p in front of what was written from at on. What leaves the piece of memory where that
// is goes to a block of its own.
func (b *Buffer) insert(at int, p []byte) {
	b.seal()
	var s *block // nil: lead
	piece, end := b.lead, len(b.lead)
	for next := b.chain.first; at >= end && next != nil; next = next.next {
		s, piece = next, next.mem[:next.to]
		end += int(next.to)
	}
	at -= end - len(piece)
	fits := min(cap(piece)-len(piece), len(p))
	var lost [mostMoved]byte // what is behind grown when p is there
	over := lost[:len(p)-fits]
	for i := range over {
		if from := len(piece) + fits + i; from >= at+len(p) {
			over[i] = piece[from-len(p)]
		} else {
			over[i] = p[from-at]
		}
	}
	grown := piece[:len(piece)+fits]
	if to := at + len(p); to < len(grown) {
		copy(grown[to:], piece[at:])
	}
	copy(grown[at:], p)
	b.done += len(p)
	if s == nil {
		b.lead = grown
	} else {
		s.to = int32(len(grown))
		b.chain.length += fits
	}
	if len(over) > 0 {
		extra := b.pool.take()
		if b.owner != nil && !b.owner.Grow(blockSize, b.done) {
			b.refused = true // it is to be closed; until then nothing is missing
		}
		extra.to = int32(copy(extra.mem[:], over))
		b.chain.insert(s, extra)
		b.chain.length += len(over)
	}
	b.unseal()
}

// Bytes returns all that was written, and kept. It is a copy where more than one piece of memory is
// in use: for tests and checks.
func (b *Buffer) Bytes() []byte {
	if !b.over {
		return b.tail
	}
	all := append([]byte(nil), b.lead...)
	for s := b.chain.first; s != nil && s != b.chain.last; s = s.next {
		all = append(all, s.content()...)
	}
	switch last := b.chain.last; {
	case last == nil && !b.counting && b.tail != nil:
		return append(all[:0], b.tail...)
	case last == nil:
		return all
	case b.counting || b.tail == nil:
		return append(all, last.content()...)
	}
	return append(all, b.tail...)
}
