package store

import "encoding/binary"

// A pack is a sequence of byte strings in one run of bytes: the value of a
// small hash (field, value, field, value ...) or of a small set (member,
// member ...).
//
//	count uvarint | length uvarint, bytes | length uvarint, bytes | ...
//
// It takes the place of Redis' listpack and keeps its order: a new element goes
// to the end, a replaced one keeps its place, a removed one closes the gap.
// Clients see that order in the replies for small collections.
//
// Why not a listpack itself: its elements end in a backward length so that they
// can be walked from the end, which no hash or set ever does, and its integers
// are stored in binary, which has to be printed again for every reply. Here an
// element is one length byte in front of bytes that go to the client as they
// are, and a search compares lengths and words of eight bytes.
//
// Everything in this file is arithmetic on bytes. A pack lives inside a record,
// and whoever changes one asks the record for the bytes first: an edit is a
// packEdit, which says how long the pack will be, and its apply, which
// moves the bytes. A pack is never longer than a few kilobytes with the default
// thresholds; a search is linear on purpose.
//
// Packs are made by the store alone, so a malformed one is a bug and is met with
// a panic from a slice bound, never with a wrong answer from foreign memory.
type pack []byte

// packMaxSize bounds a pack whatever the thresholds are set to: what would grow
// past it becomes a table. Redis has such a limit for listpacks too.
const packMaxSize = 1 << 29

// packedSize is the number of bytes that an element of n bytes takes in a pack.
func packedSize(n int) int {
	return lenSize(n) + n
}

// putPacked writes one element at the beginning of b and returns its size.
func putPacked(b, s []byte) int {
	n := 1
	if len(s) < 0x80 {
		b[0] = byte(len(s))
	} else {
		n = binary.PutUvarint(b, uint64(len(s)))
	}
	return n + copy(b[n:], s)
}

// count is the number of elements: for a hash, fields and values together.
func (p pack) count() int {
	n, _ := p.length(0)
	return n
}

// first is the offset of the first element; it equals len(p) in an empty pack.
func (p pack) first() int {
	_, off := p.length(0)
	return off
}

// length reads the uvarint at off and returns it with the offset behind it. It
// is written so that the compiler inlines it.
func (p pack) length(off int) (n, next int) {
	n = int(p[off])
	if n >= 0x80 {
		n, off = p.longLength(off)
	}
	return n, off + 1
}

// longLength reads a uvarint of several bytes and returns the offset of its last.
func (p pack) longLength(off int) (n, last int) {
	v, size := binary.Uvarint(p[off:])
	return int(v), off + size - 1
}

// next returns the element at off, aliasing the pack, and the offset behind it.
func (p pack) next(off int) (s []byte, end int) {
	n, start := p.length(off)
	end = start + n
	return p[start:end:end], end
}

// skip returns the offset behind the element at off.
func (p pack) skip(off int) int {
	n, start := p.length(off)
	return start + n
}

// nth returns the offset of element i, which must exist.
func (p pack) nth(i int) int {
	off := p.first()
	for ; i > 0; i-- {
		off = p.skip(off)
	}
	return off
}

// needle is what a search looks for. Strings are compared from the end, eight
// bytes at once, since those of one collection tend to begin alike. What stands
// before a shorter string is shifted out of the word.
type needle struct {
	s     []byte
	word  uint64
	shift uint
}

func newNeedle(s []byte) (n needle) {
	n.s = s
	if len(s) >= 8 {
		n.word = binary.LittleEndian.Uint64(s[len(s)-8:])
		return n
	}
	n.shift = uint(64 - 8*len(s))
	for i, c := range s {
		n.word |= uint64(c) << (8 * i)
	}
	return n
}

// is reports whether p[start:end], which has the needle's length, equals it.
func (n *needle) is(p pack, start, end int) bool {
	if end < 8 { // at the very beginning of the pack
		return string(p[start:end]) == string(n.s)
	}
	return binary.LittleEndian.Uint64(p[end-8:])>>n.shift == n.word &&
		(end-start <= 8 || string(p[start:end-8]) == string(n.s[:end-8-start]))
}

// find returns the place of the first element equal to s: its offset and the
// offset behind it. In a set every element is looked at.
func (p pack) find(s []byte) (off, end int, ok bool) {
	want := newNeedle(s)
	for off = p.first(); off < len(p); off = end {
		n, start := p.length(off)
		end = start + n
		if n == len(s) && want.is(p, start, end) {
			return off, end, true
		}
	}
	return 0, 0, false
}

// findField looks at every other element, beginning with the first. It returns
// the offset of the field and the offset of its value.
func (p pack) findField(field []byte) (off, value int, ok bool) {
	want := newNeedle(field)
	for off = p.first(); off < len(p); off = p.skip(value) {
		n, start := p.length(off)
		value = start + n
		if n == len(field) && want.is(p, start, value) {
			return off, value, true
		}
	}
	return 0, 0, false
}

// packEdit says how a pack is about to change: the cut bytes at off make room
// for add bytes, and the number of elements becomes count.
type packEdit struct {
	off, cut, add int
	count         int
}

// size is the length that p will have.
func (e packEdit) size(p pack) int {
	return len(p) + e.add - e.cut + lenSize(e.count) - p.first()
}

// apply moves the bytes and writes the new count. b is as long as the longer of
// the old and the new pack and holds the old one in its first used bytes. The
// add bytes at the returned offset are the caller's to fill.
func (e packEdit) apply(b []byte, used int) int {
	oldHead := pack(b).first()
	newHead := lenSize(e.count)
	shift := newHead - oldHead
	off := e.off + shift
	// The count's width changes when a pack passes 127 elements. A narrower
	// one makes room before the tail moves down, a wider one after it moved up.
	if shift < 0 {
		copy(b[newHead:off], b[oldHead:e.off])
	}
	if off+e.add != e.off+e.cut {
		copy(b[off+e.add:], b[e.off+e.cut:used])
	}
	if shift > 0 {
		copy(b[newHead:off], b[oldHead:e.off])
	}
	binary.PutUvarint(b, uint64(e.count))
	return off
}
