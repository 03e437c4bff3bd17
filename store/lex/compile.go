package lex

import (
	"math/bits"
	"slices"
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (b *byteSet) has(c byte) bool { return b[c>>6]&(1<<(c&63)) != 0 }

func (b *byteSet) count() int {
	return bits.OnesCount64(b[0]) + bits.OnesCount64(b[1]) + bits.OnesCount64(b[2]) + bits.OnesCount64(b[3])
}

func (b *byteSet) add(c byte) { b[c>>6] |= 1 << (c & 63) }

// addRange adds the bytes from lo to hi, a word at a time.
func (b *byteSet) addRange(lo, hi byte) {
	for w := lo >> 6; w <= hi>>6; w++ {
		bits := ^uint64(0)
		if w == lo>>6 {
			bits &= ^uint64(0) << (lo & 63)
		}
		if w == hi>>6 {
			bits &= ^uint64(0) >> (63 - hi&63)
		}
		b[w] |= bits
	}
}

// addSigned adds the bytes from lo to hi in the order of signed bytes, where 0x80 is the least.
func (b *byteSet) addSigned(lo, hi int8) {
	switch {
	case lo > hi:
	case lo < 0 && hi >= 0:
		b.addRange(byte(lo), 0xff)
		b.addRange(0, byte(hi))
	default:
		b.addRange(byte(lo), byte(hi))
	}
}

// Bits of the letters in the second word of a byteSet.
const (
	capitals = (1<<26 - 1) << ('A' - 64)
	smalls   = capitals << ('a' - 'A')
)

// compiler makes a Pattern of a text.
type compiler struct {
	*Pattern
	nocase bool
	begun  int  // where the piece begins that is being read
	wild   bool // it has other elements than literals
}

// recentClasses is how many classes a new one is compared with. A pattern that repeats a class, or a
// letter in either case, so has it once.
const recentClasses = 26

func (c *compiler) endPiece() {
	end := len(c.literals)
	c.pieces = append(c.pieces, piece{at: uint32(c.begun), n: uint32(end - c.begun), wild: c.wild})
	c.begun, c.wild = end, false
}

// add appends an element. The first that is no literal makes code of the literals before.
func (c *compiler) add(e element) {
	if e >= anyByte {
		c.wild = true
		if c.code == nil {
			c.code = make([]element, len(c.literals), cap(c.literals))
			for i, b := range c.literals {
				c.code[i] = element(b)
			}
		}
	}
	if c.code != nil {
		c.code = append(c.code, e)
	}
	c.literals = append(c.literals, byte(e))
}

// addSet appends an element that takes the bytes of the set.
func (c *compiler) addSet(set byteSet) {
	before := max(0, len(c.classes)-recentClasses)
	at := slices.Index(c.classes[before:], set)
	if at < 0 {
		at = len(c.classes) - before
		c.classes = append(c.classes, set)
	}
	c.add(firstClass + element(before+at))
}

// element appends the element at the front of text, which is neither empty nor a star, and returns
// its length.
func (c *compiler) element(text []byte) int {
	switch {
	case text[0] == '?':
		c.add(anyByte)
		return 1
	case text[0] == '[':
		set, n := readClass(text, c.nocase)
		c.addSet(set)
		return n
	case text[0] == '\\' && len(text) >= 2:
		c.literal(text[1])
		return 2
	}
	c.literal(text[0])
	return 1
}

func (c *compiler) literal(b byte) {
	if !c.nocase || !isLetter(b) {
		c.add(element(b))
		return
	}
	var both byteSet
	both.add(b)
	both.add(b ^ ('a' ^ 'A'))
	c.addSet(both)
}

// readClass reads the bracket expression at the front of text, and returns its length.
func readClass(text []byte, nocase bool) (set byteSet, n int) {
	i := 1
	not := i < len(text) && text[i] == '^'
	if not {
		i++
	}
	for i < len(text) && text[i] != ']' {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			// An escaped member is taken as it is, even under nocase.
			i++
			set.add(text[i])
		case i+2 < len(text) && text[i+1] == '-':
			set.addOrdered(text[i], text[i+2], nocase)
			i += 2
		default:
			set.addOrdered(text[i], text[i], nocase)
		}
		i++
	}
	if i < len(text) {
		i++ // the closing bracket
	}
	if not {
		for k := range set {
			set[k] = ^set[k]
		}
	}
	return set, i
}

// addOrdered adds the range between two bytes. The ends are put in order before their case is
// folded, as Redis does, so that a range may turn out empty: [Z-_].
func (b *byteSet) addOrdered(from, to byte, nocase bool) {
	lo, hi := int8(from), int8(to)
	if lo > hi {
		lo, hi = hi, lo
	}
	if !nocase {
		b.addSigned(lo, hi)
		return
	}
	var folded byteSet
	folded.addSigned(int8(lower(byte(lo))), int8(lower(byte(hi))))
	folded[1] = folded[1]&^capitals | folded[1]&smalls>>('a'-'A') // a capital is compared as its small letter
	for k := range b {
		b[k] |= folded[k]
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
