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
// are, and a search compares length and last byte first: names in one
// collection tend to begin alike and to end differently.
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

// length reads the uvarint at off and returns it with the offset behind it.
func (p pack) length(off int) (n, next int) {
	if c := p[off]; c < 0x80 {
		return int(c), off + 1
	}
	return p.longLength(off)
}

func (p pack) longLength(off int) (n, next int) {
	v, size := binary.Uvarint(p[off:])
	return int(v), off + size
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

// find returns the place of the first element equal to s: its offset and the
// offset behind it. In a set every element is looked at.
func (p pack) find(s []byte) (off, end int, ok bool) {
	off = p.first()
	if len(s) == 0 {
		return p.findEmpty(off, 1)
	}
	last := s[len(s)-1]
	for off < len(p) {
		n, start := p.length(off)
		end = start + n
		if n == len(s) && p[end-1] == last && string(p[start:end]) == string(s) {
			return off, end, true
		}
		off = end
	}
	return 0, 0, false
}

// findField looks at every other element, beginning with the first. It returns
// the offset of the field and the offset of its value.
func (p pack) findField(field []byte) (off, value int, ok bool) {
	off = p.first()
	if len(field) == 0 {
		return p.findEmpty(off, 2)
	}
	last := field[len(field)-1]
	for off < len(p) {
		n, start := p.length(off)
		end := start + n
		if n == len(field) && p[end-1] == last && string(p[start:end]) == string(field) {
			return off, end, true
		}
		n, start = p.length(end)
		off = start + n
	}
	return 0, 0, false
}

// findEmpty is find and findField for the empty string, which has no last byte.
func (p pack) findEmpty(off, stride int) (at, end int, ok bool) {
	for off < len(p) {
		n, start := p.length(off)
		if n == 0 {
			return off, start, true
		}
		for i := 0; i < stride; i++ {
			off = p.skip(off)
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
