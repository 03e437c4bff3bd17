package store

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// An intset is a small set whose members are all integers, in ascending order:
//
//	width byte (2, 4 or 8) | little-endian signed integers of that width
//
// As in Redis the width is that of the widest member ever added; adding a wider
// one widens all, removing one narrows nothing. The members come back in
// numeric order, which clients can see. Only strings that are what their integer
// prints as (no sign but a minus, no leading zeros) count as integers, so an
// intset gives back exactly the bytes that were added.
//
// The number of members is not stored: the length of the value gives it. Like
// the functions of pack.go these are arithmetic on bytes; the caller asks the
// record for room before it calls insert.
type intset []byte

// intsetWidth is the width that v needs.
func intsetWidth(v int64) int {
	switch {
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return 2
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return 4
	default:
		return 8
	}
}

func (s intset) width() int { return int(s[0]) }

// len is the number of members. The width is a power of two, so a shift does.
func (s intset) len() int {
	return (len(s) - 1) >> bits.TrailingZeros8(s[0])
}

// at returns member i, 0 <= i < len.
func (s intset) at(i int) int64 {
	return intsetGet(s, s.width(), i)
}

func intsetGet(s []byte, width, i int) int64 {
	switch off := 1 + i*width; width {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(s[off:])))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(s[off:])))
	default:
		return int64(binary.LittleEndian.Uint64(s[off:]))
	}
}

func intsetPut(s []byte, width, i int, v int64) {
	switch off := 1 + i*width; width {
	case 2:
		binary.LittleEndian.PutUint16(s[off:], uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(s[off:], uint32(v))
	default:
		binary.LittleEndian.PutUint64(s[off:], uint64(v))
	}
}

// find returns the index of v, or the index at which it would have to be
// inserted.
func (s intset) find(v int64) (i int, ok bool) {
	width := s.width()
	n := s.len()
	if intsetWidth(v) > width {
		if v < 0 {
			return 0, false
		}
		return n, false
	}
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if intsetGet(s, width, mid) < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < n && intsetGet(s, width, lo) == v
}

// sizeWith is the length of the intset after v, which is not in it, was added.
func (s intset) sizeWith(v int64) int {
	return 1 + (s.len()+1)*max(s.width(), intsetWidth(v))
}

// intsetInsert adds v at index i, as found by find. b has the length that
// sizeWith gave and holds the old intset of n members at its beginning.
func intsetInsert(b []byte, n, i int, v int64) {
	old := int(b[0])
	width := max(old, intsetWidth(v))
	if width == old {
		from := 1 + i*width
		copy(b[from+width:], b[from:1+n*width])
		intsetPut(b, width, i, v)
		return
	}
	// Wider than everything there: from the last member down, so that nothing
	// is overwritten before it is read. v goes to one of the two ends.
	b[0] = byte(width)
	shift := 0
	if i == 0 {
		shift = 1
	}
	for j := n - 1; j >= 0; j-- {
		intsetPut(b, width, j+shift, intsetGet(b, old, j))
	}
	intsetPut(b, width, i, v)
}

// remove closes the gap at index i; the last width bytes of s are then free.
func (s intset) remove(i int) {
	width := s.width()
	from := 1 + i*width
	copy(s[from:], s[from+width:])
}
