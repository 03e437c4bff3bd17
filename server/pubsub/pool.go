package pubsub

import (
	"math"
	"math/bits"
)

// chunkLen is how many records a chunk has.
const chunkLen = 64

// pool hands out records of T by number. A record never moves, and its number does not change until
// it is released. The records lie in chunks without pointers, of which the collector looks at the
// heads alone, and a chunk that holds nothing any more is given back: what a storm of subscriptions
// has taken does not stay.
type pool[T any] struct {
	chunks []chunk[T]
	open   uint32 // the first chunk with a free record plus one, 0: there is none
}

type chunk[T any] struct {
	records []T    // nil: none has ever been in use, or none is
	used    uint64 // a bit per record
	next    uint32 // the next chunk with a free record plus one
}

// get returns a record in use. A width of more than one makes a record of several T.
func (p *pool[T]) get(n uint32) *T { return &p.chunks[n/chunkLen].records[n%chunkLen] }

// row returns a record of several T.
func (p *pool[T]) row(n uint32, width int) []T {
	at := int(n%chunkLen) * width
	return p.chunks[n/chunkLen].records[at : at+width]
}

// take returns the number of a free record, of width times T. Its contents are undefined.
func (p *pool[T]) take(width int) uint32 {
	if p.open == 0 {
		p.chunks = append(p.chunks, chunk[T]{})
		p.open = uint32(len(p.chunks))
	}
	at := p.open - 1
	c := &p.chunks[at]
	if c.records == nil {
		c.records = make([]T, chunkLen*width)
	}
	i := bits.TrailingZeros64(^c.used)
	c.used |= 1 << i
	if c.used == math.MaxUint64 {
		p.open, c.next = c.next, 0
	}
	return at*chunkLen + uint32(i)
}

// release makes a record free. The first chunk with free records stays when it holds nothing, so
// that one record that comes and goes does not allocate each time.
func (p *pool[T]) release(n uint32) {
	at := n / chunkLen
	c := &p.chunks[at]
	if c.used == math.MaxUint64 {
		if p.open != 0 {
			p.chunks[p.open-1].dropIfUnused()
		}
		p.open, c.next = at+1, p.open
	}
	c.used &^= 1 << (n % chunkLen)
	if p.open != at+1 {
		c.dropIfUnused()
	}
}

func (c *chunk[T]) dropIfUnused() {
	if c.used == 0 {
		c.records = nil
	}
}
