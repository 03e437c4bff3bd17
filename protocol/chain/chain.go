// Package chain holds replies on their way from the command that makes them to the client: bytes in
// blocks of memory outside the Go heap.
//
// # Why
//
// A reply is as large as its command wants it: MGET of 400 values of a megabyte, KEYS of a million
// names. In one slice that grows by append it is copied again and again, and garbage of twice its
// size is left behind each time, which stays resident until the collector has run and the runtime
// has given it back; for a reply of 420 MB 1.5 GB were resident, for as long as the client did not
// read and some time after it had gone. So a reply is a chain of blocks that are never copied nor
// moved, are sent from where they lie, and go back to the system one by one as the client takes
// them.
//
// # Who owns a block
//
// Exactly one place at any time: the pool; the Buffer that a session writes into; the connection's
// Chain of unsent output. Chains are handed on whole (Buffer.Take, Chain.Join), which moves three
// words. Nothing keeps a slice of a block beyond the call that got it.
//
// # Small replies
//
// Nearly all of them never see a block. A Buffer begins in memory that the event loop lends it, the
// rest of its shared output buffer; a block is taken when that is full. What tells is one compare
// per reply, in place of the one that append would make.
//
// # Pages
//
// Fresh pages are most of what a big reply costs, and the thread of an event loop pays for them.
// Blocks have 64 KiB, whose pages are made resident by one call when the block is taken
// (MADV_POPULATE_WRITE). Writing 400 MiB so, on a virtual machine of 2 cores with Linux 6.18, and
// giving it back; medians of six runs on a busy machine:
//
//	                                       write    give back
//	64 KiB, pages as they are touched     400 ms        75 ms
//	64 KiB, populated                     305 ms        70 ms
//	1 MiB, populated                      310 ms        50 ms
//	2 MiB, huge, populated        45 to 3,000 ms         2 ms
//	memory that is resident                75 ms
//
// Huge pages are fast where the system has some at hand. Where it has to make them, or as here its
// host does, one of them takes up to 120 ms: not for a loop that has other clients. Memory that
// stays resident is best, and what a client may not keep others from: 1 MiB of it is kept.
//
// # Why values are copied
//
// The bytes of a value of some megabytes could be sent from the store's memory. But a client may
// take minutes to read them, and until then the key can be written in place (APPEND, SETRANGE),
// deleted, evicted or moved by compaction, all under its shard's lock, which nobody may hold for a
// client. Each of these would have to ask whether the value is being sent, and to keep an old
// version if it is: what a snapshot makes them do, for every value and not for one snapshot alone;
// and an evicted value would free nothing until somebody reads. The copy costs some 0.7 ms per MB,
// pages included, less than sending it.
package chain

// A Chain is a queue of bytes in blocks. The zero value is empty. It is not safe for concurrent
// use. A copy of it is the same chain: only one of the two may be used from then on.
type Chain struct {
	first, last *block
	length      int
	held        int
}

// Len is the number of bytes in the chain.
func (c *Chain) Len() int { return c.length }

// Held is the number of bytes of memory that its blocks take.
func (c *Chain) Held() int { return c.held }

// append adds an empty block at the end.
func (c *Chain) append(b *block) {
	b.next = nil
	if c.last == nil {
		c.first = b
	} else {
		c.last.next = b
	}
	c.last = b
	c.held += blockSize
}

// insert adds b behind prev, or in front of all for nil.
func (c *Chain) insert(prev, b *block) {
	switch {
	case prev == c.last: // also an empty chain
		c.append(b)
		return
	case prev == nil:
		b.next, c.first = c.first, b
	default:
		b.next, prev.next = prev.next, b
	}
	c.held += blockSize
}

// Join moves all of other behind what is there.
func (c *Chain) Join(other *Chain) {
	if other.first == nil {
		return
	}
	if c.last == nil {
		c.first = other.first
	} else {
		c.last.next = other.first
	}
	c.last = other.last
	c.length += other.length
	c.held += other.held
	*other = Chain{}
}

// Write copies p behind what is there.
func (c *Chain) Write(pool *Pool, p []byte) {
	c.length += len(p)
	for len(p) > 0 {
		if c.last == nil || c.last.to == blockSize {
			c.append(pool.take())
		}
		n := copy(c.last.mem[c.last.to:], p)
		c.last.to += int32(n)
		p = p[n:]
	}
}

// Drop forgets the first n bytes, which the chain has, and gives back the blocks that are empty
// then.
func (c *Chain) Drop(n int) {
	c.length -= n
	for b := c.first; b != nil; b = c.first {
		have := int(b.to - b.from)
		if n < have {
			b.from += int32(n)
			return
		}
		n -= have
		c.first = b.next
		c.held -= blockSize
		b.pool.put(b)
	}
	c.last = nil
}

// Free gives all blocks back. What takes long is left to a goroutine, so that a loop does not hold
// its clients up for one that has gone.
func (c *Chain) Free() {
	if c.first == nil {
		return
	}
	c.first.pool.putAll(c.first, c.held)
	*c = Chain{}
}

// Pieces appends to list the slices that hold the first bytes of the chain, at most most bytes and
// no more slices than list has room for. They are valid until the next Drop, Join or Free.
func (c *Chain) Pieces(list [][]byte, most int) [][]byte {
	for b := c.first; b != nil && most > 0 && len(list) < cap(list); b = b.next {
		p := b.content()
		if len(p) > most {
			p = p[:most]
		}
		if len(p) > 0 {
			list = append(list, p)
			most -= len(p)
		}
	}
	return list
}
