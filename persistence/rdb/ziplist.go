package rdb

import "encoding/binary"

// Ziplists, in which Redis 2.6 to 6.2 kept small collections:
//
//	bytes 4, offset of the last entry 4, entries 2 (65535: count them),
//	all little-endian | entry ... | 0xFF
//
// An entry begins with the size of the one before it, one byte, or 0xFE and four
// bytes; then
//
//	00xxxxxx  up to 63 bytes follow       01xxxxxx  14 bits of length, big-endian
//	10000000  4 bytes of length, big-endian
//	11000000, 11010000, 11100000, 11110000, 11111110
//	          a number of 2, 4, 8, 3 or 1 bytes, little-endian
//	1111xxxx  a number from 0 to 12, as xxxx minus 1

const (
	ziplistHead     = 10
	ziplistEnd      = 0xFF
	ziplistUnknown  = 1<<16 - 1
	ziplistLongPrev = 0xFE
)

// addZiplist adds the entries of a ziplist after checking every byte of its
// structure.
func (it *items) addZiplist(b []byte) error {
	if len(b) <= ziplistHead || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) {
		return corruption("ziplist has a wrong length")
	}
	last := len(b) - 1
	if b[last] != ziplistEnd {
		return corruption("ziplist has no end")
	}
	n, prev, tail := 0, 0, ziplistHead
	p := ziplistHead
	for ; p < last; n++ {
		head := ziplistPrev(b[p:last], prev)
		if head == 0 || p+head >= last {
			return corruption("ziplist has a bad entry")
		}
		size := it.addZiplistEntry(b[p+head : last])
		if size == 0 {
			return corruption("ziplist has a bad entry")
		}
		tail, prev = p, head+size
		p += prev
	}
	if uint64(binary.LittleEndian.Uint32(b[4:])) != uint64(tail) {
		return corruption("ziplist has a wrong tail")
	}
	if stated := int(binary.LittleEndian.Uint16(b[8:])); stated != ziplistUnknown && stated != n {
		return corruption("ziplist has a wrong number of entries")
	}
	return nil
}

// ziplistPrev returns the size of the field that tells the size of the entry
// before, 0 if that is not what it tells. The long form is allowed for a short
// entry: Redis left it so when an entry shrank.
func ziplistPrev(b []byte, prev int) (size int) {
	if b[0] < ziplistLongPrev {
		if int(b[0]) == prev {
			return 1
		}
		return 0
	}
	if b[0] == ziplistLongPrev && len(b) >= 5 && uint64(binary.LittleEndian.Uint32(b[1:])) == uint64(prev) {
		return 5
	}
	return 0
}

// addZiplistEntry adds the entry whose encoding begins b and returns its size, 0
// if it is malformed.
func (it *items) addZiplistEntry(b []byte) (size int) {
	switch c := b[0]; {
	case c < 0x40:
		return it.addSlice(b, 1, uint64(c))
	case c < 0x80 && len(b) >= 2:
		return it.addSlice(b, 2, uint64(c&0x3F)<<8|uint64(b[1]))
	case c == 0x80 && len(b) >= 5:
		return it.addSlice(b, 5, uint64(binary.BigEndian.Uint32(b[1:])))
	case c > 0xF0 && c < 0xFE:
		it.addInt(int64(c) - 0xF1)
		return 1
	default:
		width := ziplistIntWidth(c)
		if width == 0 || len(b) <= width {
			return 0
		}
		it.addInt(littleInt(b[1 : 1+width]))
		return 1 + width
	}
}

func ziplistIntWidth(c byte) int {
	switch c {
	case 0xFE:
		return 1
	case 0xC0:
		return 2
	case 0xF0:
		return 3
	case 0xD0:
		return 4
	case 0xE0:
		return 8
	}
	return 0
}
