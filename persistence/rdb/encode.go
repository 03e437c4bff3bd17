package rdb

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/lex"
)

// The alphabet of the format, written.

// Forms of a length: the top two bits of its first byte, or that byte.
const (
	len6     = 0x00
	len14    = 0x40
	len32    = 0x80
	len64    = 0x81
	lenCoded = 0xC0 // a string in one of the forms below
	intByte  = 0xC0
	intShort = 0xC1
	intLong  = 0xC2
	lzfCoded = 0xC3
)

// maxLenSize is the longest form of a length.
const maxLenSize = 9

// appendLen writes a length in the shortest form. All are big-endian.
func appendLen(b []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, len14|byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, len32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, len64), n)
}

// Strings up to integerMax bytes are stored as integers if they read as one of
// at most 32 bits, strings above compressMin are compressed if that saves four
// bytes, up to compressMax. The first two are Redis' limits; Redis compresses
// longer strings too, with a copy of them in memory.
const (
	integerMax  = 11
	compressMin = 20
	compressMax = 32 << 20
)

// compressor writes strings as Redis does. The zero value does not compress.
type compressor struct {
	on  bool
	lzf *lzf   // nil before the first string
	buf []byte // for compressed strings
}

// keepBuffer is the size up to which a buffer is kept for the next string.
const keepBuffer = 1 << 20

// compress returns s in compressed form, to be used before the next call, nil if
// it stays as it is.
func (c *compressor) compress(s []byte) []byte {
	if !c.on || len(s) <= compressMin || len(s) > compressMax {
		return nil
	}
	if c.lzf == nil {
		c.lzf = new(lzf)
	}
	room := len(s) - 4
	if len(c.buf) < room || len(c.buf) > keepBuffer {
		c.buf = make([]byte, max(room, 4<<10))
	}
	return c.buf[:c.lzf.compress(c.buf[:room], s)]
}

// appendString writes a string in the form that Redis would choose.
func (c *compressor) appendString(b, s []byte) []byte {
	if len(s) <= integerMax {
		if coded, ok := appendInteger(b, s); ok {
			return coded
		}
	} else if z := c.compress(s); len(z) > 0 {
		return append(appendLZFHead(b, len(z), len(s)), z...)
	}
	return append(appendLen(b, uint64(len(s))), s...)
}

func appendLZFHead(b []byte, packed, size int) []byte {
	return appendLen(appendLen(append(b, lzfCoded), uint64(packed)), uint64(size))
}

// appendInteger writes s as an integer, if it is one of at most 32 bits.
func appendInteger(b, s []byte) (coded []byte, ok bool) {
	// Most strings are told apart by their first byte.
	if len(s) == 0 || s[0] > '9' {
		return b, false
	}
	n, ok := lex.ParseInt(s)
	switch {
	case !ok || n < -1<<31 || n >= 1<<31:
		return b, false
	case n >= -1<<7 && n < 1<<7:
		return append(b, intByte, byte(n)), true
	case n >= -1<<15 && n < 1<<15:
		return append(b, intShort, byte(n), byte(n>>8)), true
	}
	return append(b, intLong, byte(n), byte(n>>8), byte(n>>16), byte(n>>24)), true
}
