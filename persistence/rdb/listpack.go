package rdb

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/larderkv/larder/store/lex"
)

// Listpacks, in which Redis 7 keeps small hashes, sets and sorted sets, and the nodes of lists:
//
//	bytes 4, elements 2 (65535: count them), both little-endian | element ... | 0xFF
//
// An element is its encoding with data, and the length of that once more, to be
// read from the end:
//
//	0xxxxxxx  a number up to 127          10xxxxxx  up to 63 bytes follow
//	110xxxxx  13 bits, signed             1110xxxx  up to 4095 bytes follow
//	11110000  4 bytes of length, little-endian, and as many bytes
//	11110001 to 11110100  a number of 2, 3, 4 or 8 bytes, little-endian

const (
	listpackHead    = 6
	listpackEnd     = 0xFF
	listpackUnknown = 1<<16 - 1 // elements: too many for the header
)

// items are the elements of a decoded value, of hashes field and value in turn.
// They alias the value, or text where they had to be printed or decompressed.
type items struct {
	list [][]byte
	text []byte
}

func (it *items) reset() { it.list, it.text = it.list[:0], it.text[:0] }

func (it *items) add(s []byte) { it.list = append(it.list, s) }

func (it *items) addInt(n int64) { it.add(it.print(n)) }

// print returns the digits of an integer. When text has to move, items that are
// there already keep the old memory alive.
func (it *items) print(n int64) []byte {
	from := len(it.text)
	it.text = strconv.AppendInt(it.text, n, 10)
	return it.text[from:len(it.text):len(it.text)]
}

// room returns n bytes of text.
func (it *items) room(n int) []byte {
	from := len(it.text)
	it.text = slices.Grow(it.text, n)[:from+n]
	return it.text[from : from+n : from+n]
}

// addListpack adds the elements of a listpack after checking every byte of its
// structure.
func (it *items) addListpack(b []byte) error {
	if len(b) <= listpackHead || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) {
		return corruption("listpack has a wrong length")
	}
	last := len(b) - 1
	if b[last] != listpackEnd {
		return corruption("listpack has no end")
	}
	n := 0
	for p := listpackHead; p < last; n++ {
		size := it.addListpackElement(b[p:last])
		if size == 0 {
			return corruption("listpack has a bad element")
		}
		if p += size; p >= last || !checkBacklen(b[p:last], size) {
			return corruption("listpack has a bad element length")
		}
		p += backlenSize(size)
	}
	if stated := int(binary.LittleEndian.Uint16(b[4:])); stated != listpackUnknown && stated != n {
		return corruption("listpack has a wrong number of elements")
	}
	return nil
}

// addListpackElement adds the element at the beginning of b and returns its size
// without the length that follows it, 0 if it is malformed.
func (it *items) addListpackElement(b []byte) (size int) {
	switch c := b[0]; {
	case c < 0x80:
		it.addInt(int64(c))
		return 1
	case c < 0xC0:
		return it.addSlice(b, 1, uint64(c&0x3F))
	case c >= 0xE0 && c < 0xF0 && len(b) >= 2:
		return it.addSlice(b, 2, uint64(c&0x0F)<<8|uint64(b[1]))
	case c == 0xF0 && len(b) >= 5:
		return it.addSlice(b, 5, uint64(binary.LittleEndian.Uint32(b[1:])))
	case c < 0xE0 && len(b) >= 2:
		it.addInt(int64(uint64(c&0x1F)<<59|uint64(b[1])<<51) >> 51)
		return 2
	case c > 0xF0 && c <= 0xF4:
		width := [4]int{2, 3, 4, 8}[c-0xF1]
		if len(b) <= width {
			return 0
		}
		it.addInt(littleInt(b[1 : 1+width]))
		return 1 + width
	}
	return 0
}

// addSlice adds n bytes at b[head:] and returns head+n, 0 if b is too short.
func (it *items) addSlice(b []byte, head int, n uint64) (size int) {
	if n > uint64(len(b)-head) {
		return 0
	}
	size = head + int(n)
	it.add(b[head:size:size])
	return size
}

// littleInt reads a signed little-endian integer of one to eight bytes.
func littleInt(b []byte) int64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(v<<shift) >> shift
}

// checkBacklen reports whether b begins with size as a listpack writes it behind
// an element.
func checkBacklen(b []byte, size int) bool {
	var want [5]byte
	w := appendBacklen(want[:0], size)
	return len(b) >= len(w) && string(b[:len(w)]) == string(w)
}

// backlenSize is the number of bytes of an element's length. That 16383 takes
// three is Redis' doing.
func backlenSize(size int) int {
	switch {
	case size <= 127:
		return 1
	case size < 16383:
		return 2
	case size < 2097151:
		return 3
	case size < 268435455:
		return 4
	}
	return 5
}

// appendBacklen writes a length to be read backwards: seven bits per byte, the
// highest first, and the top bit set in all but the first.
func appendBacklen(b []byte, size int) []byte {
	n := backlenSize(size)
	for i := n - 1; i >= 0; i-- {
		c := byte(size>>(7*i)) & 0x7F
		if i < n-1 {
			c |= 0x80
		}
		b = append(b, c)
	}
	return b
}

// beginListpack appends the head of a listpack, to be completed by endListpack.
func beginListpack(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0) }

// endListpack completes the listpack of n elements that b is.
func endListpack(b []byte, n int) []byte {
	b = append(b, listpackEnd)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint16(b[4:], uint16(min(n, listpackUnknown)))
	return b
}

// appendListpacked appends an element, as an integer if it reads as one.
func appendListpacked(b, s []byte) []byte {
	from := len(b)
	if n, ok := lex.ParseInt(s); ok {
		b = appendListpackedInt(b, n)
	} else {
		switch n := len(s); {
		case n < 1<<6:
			b = append(b, 0x80|byte(n))
		case n < 1<<12:
			b = append(b, 0xE0|byte(n>>8), byte(n))
		default:
			b = append(b, 0xF0)
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
		b = append(b, s...)
	}
	if size := len(b) - from; size <= 127 {
		return append(b, byte(size))
	}
	return appendBacklen(b, len(b)-from)
}

func appendListpackedInt(b []byte, n int64) []byte {
	switch {
	case n >= 0 && n <= 127:
		return append(b, byte(n))
	case n >= -1<<12 && n < 1<<12:
		return append(b, 0xC0|byte(n>>8)&0x1F, byte(n))
	case n >= -1<<15 && n < 1<<15:
		return append(b, 0xF1, byte(n), byte(n>>8))
	case n >= -1<<23 && n < 1<<23:
		return append(b, 0xF2, byte(n), byte(n>>8), byte(n>>16))
	case n >= -1<<31 && n < 1<<31:
		return binary.LittleEndian.AppendUint32(append(b, 0xF3), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(b, 0xF4), uint64(n))
}
