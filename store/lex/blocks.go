package lex

import (
	"math"
	"math/bits"
)

// Search for a piece of a pattern that has ? or classes.
//
// Ordinary pieces and subjects are short, and most places fail at the first element. So the places
// are first tried one by one, until that has taken tryPlaces steps.
//
// From there on the search is bit-parallel (Baeza-Yates and Gonnet, "A new approach to text
// searching", 1992). The piece is cut into blocks of 64 elements. A block is looked for in the text
// by one word, in which bit k is 0 where elements 0 to k of the block match what has been read
// last; a byte of the text shifts the word, and sets the bits of the elements that do not take this
// byte, which a table of 256 words has. A place is kept in a bitmap of places while all blocks so
// far have been found at their distance behind it. The search is over as soon as no place is left.
// That is (len(text) - len(piece)) * len(piece) / 64 steps at most.
//
// Nasty patterns take far less, unless somebody has made one for this program. Where a literal
// does not occur nothing is to be found, and the block of the rarest one goes first. The others are
// taken from both ends of the piece in turn, since what cannot match usually stands there. Bytes
// that are rare in the text are compared with all elements (strike), so that a text of equal bytes
// with a few exceptions does not need every block to find that each place is off at another
// element. A block of ? alone is passed over, and once few places are left a block is compared at
// each of them.
//
// Places are looked at in windows, so that the bitmap has a fixed size. They begin small and double,
// since a pattern may have thousands of pieces that are all found close by.
//
// One table for all elements of the piece, not 64, would make for a shorter program, but takes 32
// times the memory of the pattern.

const (
	// tryPlaces is about what it costs to make the table of a block, in steps.
	tryPlaces = 512
	// firstWindow and lastWindow are numbers of places. lastWindow is worth the table of a block
	// many times over, and 4 KiB of the stack.
	firstWindow = 64
	lastWindow  = 32768
)

// findWild returns the first place of the elements in s, negative if there is none.
func (p *Pattern) findWild(elements []element, s []byte) (at, steps int) {
	places := len(s) - len(elements) + 1
	for at = range places {
		n := p.agree(elements, s[at:])
		steps += n + 1
		if n == len(elements) {
			return at, steps
		}
		if steps > tryPlaces {
			break
		}
	}
	at++
	for size := firstWindow; at < places; size = min(2*size, lastWindow) {
		size = min(size, places-at)
		found, n := p.searchWindow(elements, s[at:at+size+len(elements)-1], size)
		if steps += n; found >= 0 {
			return at + found, steps
		}
		at += size
	}
	return -1, steps
}

// agree returns how many elements, from the first on, take the bytes of s.
func (p *Pattern) agree(elements []element, s []byte) int {
	for i, e := range elements {
		if !p.accepts(e, s[i]) {
			return i
		}
	}
	return len(elements)
}

// window is a search among some places at a time.
type window struct {
	alive [lastWindow / 64]uint64 // a bit for each place, the lowest first
	table [256]uint64             // by byte: which elements of the block do not take it
}

// searchWindow is findWild for s that has size places, at most lastWindow.
func (p *Pattern) searchWindow(elements []element, s []byte, size int) (at, steps int) {
	count := histogram(s)
	rarest, present := rarestLiteral(elements, &count)
	if steps = len(s) + len(elements); !present {
		return -1, steps
	}
	var w window
	words := (size + 63) / 64
	alive := w.alive[:words]
	for i := range alive {
		alive[i] = ^uint64(0)
	}
	alive[words-1] >>= uint(-size) & 63
	steps += words + p.strike(elements, s, &count, alive, size)
	blocks := (len(elements) + 63) / 64
	for i := range blocks + 1 {
		k := (i - 1) / 2
		switch {
		case i == 0:
			k = rarest / 64
		case i%2 == 0:
			k = blocks - 1 - k
		}
		if i > 0 && k == rarest/64 {
			continue
		}
		block := elements[64*k : min(64*k+64, len(elements))]
		from, to, left := extent(alive)
		steps += words
		if left == 0 {
			return -1, steps
		}
		steps += p.keep(&w, block, s[64*k:], alive, from, to, left)
	}
	for i, word := range alive {
		if word != 0 {
			return 64*i + bits.TrailingZeros64(word), steps + words
		}
	}
	return -1, steps + words
}

func histogram(s []byte) (count [256]int) {
	for _, c := range s {
		count[c]++
	}
	return count
}

// rarestLiteral returns the index of the literal of the lowest count, 0 if there are no literals, and
// whether all of them have been counted.
func rarestLiteral(elements []element, count *[256]int) (at int, present bool) {
	least := math.MaxInt
	for i, e := range elements {
		if e < anyByte && count[e] < least {
			at, least = i, count[e]
		}
	}
	return at, least > 0
}

// strikeSteps is how many comparisons strike may take for a byte of the text.
const strikeSteps = 4

// strike takes away the places where an element does not take one of the rare bytes of s.
func (p *Pattern) strike(elements []element, s []byte, count *[256]int, alive []uint64, size int) (steps int) {
	var rare byteSet
	most := strikeSteps * len(s)
	for c, n := range count {
		if n > 0 && n*len(elements) <= most {
			most -= n * len(elements)
			rare.add(byte(c))
		}
	}
	steps = len(s)
	if rare == (byteSet{}) {
		return steps
	}
	for at, c := range s {
		if !rare.has(c) {
			continue
		}
		from, to := max(0, at-size+1), min(at+1, len(elements))
		for i, e := range elements[from:to] {
			if !p.accepts(e, c) {
				place := at - from - i
				alive[place/64] &^= 1 << (place % 64)
			}
		}
		steps += to - from
	}
	return steps
}

// extent returns the words that have bits set, [from, to), and the number of bits.
func extent(alive []uint64) (from, to, left int) {
	from = len(alive)
	for i, word := range alive {
		if word != 0 {
			from, to = min(from, i), i+1
			left += bits.OnesCount64(word)
		}
	}
	return from, to, left
}

// keep takes away the places where the block does not stand. s begins where the block of the first
// place would.
func (p *Pattern) keep(w *window, block []element, s []byte, alive []uint64, from, to, left int) (steps int) {
	places := 64 * (to - from)
	if left*len(block) < places+tryPlaces {
		for i := from; i < to; i++ {
			for rest := alive[i]; rest != 0; rest &= rest - 1 {
				bit := bits.TrailingZeros64(rest)
				n := p.agree(block, s[64*i+bit:])
				if steps += n + 1; n < len(block) {
					alive[i] &^= 1 << bit
				}
			}
		}
		return steps
	}
	steps, some := p.fillTable(&w.table, block)
	if some {
		scanBlock(&w.table, len(block), s[64*from:], alive[from:to])
		steps += places + len(block)
	}
	return steps
}

// fillTable makes the table of a block, whose elements have the highest bits. some is false if every
// element takes every byte.
func (p *Pattern) fillTable(table *[256]uint64, block []element) (steps int, some bool) {
	first := 64 - len(block)
	var refusing uint64 // elements that take only what is named
	for i, e := range block {
		if e < anyByte || e > anyByte && p.classes[e-firstClass].count() <= 128 {
			refusing |= 1 << (first + i)
		}
		some = some || e != anyByte
	}
	for c := range table {
		table[c] = refusing
	}
	steps = len(table) + len(block)
	for i, e := range block {
		bit := uint64(1) << (first + i)
		switch {
		case e < anyByte:
			table[e] &^= bit
		case e > anyByte:
			set := p.classes[e-firstClass]
			for k, word := range set {
				if refusing&bit == 0 {
					word = ^word
				}
				for ; word != 0; word &= word - 1 {
					table[64*k+bits.TrailingZeros64(word)] ^= bit
					steps++
				}
			}
		}
	}
	return steps, some
}

// scanBlock looks for a block of n elements at the places whose bits are set, the first of which
// begins at s[0], and clears the bits of those where it does not stand. s may end with the last
// such place's bytes.
func scanBlock(table *[256]uint64, n int, s []byte, alive []uint64) {
	x := ^uint64(0) << (64 - n)
	for _, c := range s[:n-1] {
		x = x<<1 | table[c]
	}
	s = s[n-1:]
	for i := range alive {
		text := s[min(64*i, len(s)):min(64*i+64, len(s))]
		var dead uint64 // the first place is the highest bit
		for _, c := range text {
			x = x<<1 | table[c]
			dead = dead<<1 | x>>63
		}
		alive[i] &^= bits.Reverse64(dead << (64 - len(text)))
	}
}
