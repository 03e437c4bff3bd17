package rdb

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// LZF, the compression of strings in RDB files. The stream is a sequence of
//
//	000LLLLL                      L+1 literal bytes follow (1 to 32)
//	LLLooooo oooooooo             L+2 bytes (3 to 8) from o+1 bytes back
//	111ooooo LLLLLLLL oooooooo    L+9 bytes (9 to 264) from o+1 bytes back
//
// The compressor takes the same decisions as liblzf 3.6 with the settings that
// Redis compiles (HLOG 16, VERY_FAST), so that a payload is the same to the byte
// as the one that Redis writes. What differs is only how it gets there: literals
// are copied by the run and matches are compared eight bytes at once.

const (
	lzfHashBits   = 16
	lzfMaxLiteral = 32
	lzfMaxOffset  = 1 << 13
	lzfMaxMatch   = 264

	// lzfMaxRatio: three bytes stand for at most 264.
	lzfMaxRatio = lzfMaxMatch / 3
)

// lzf is a compressor; its table serves one string after the other. The zero
// value is ready.
type lzf struct {
	// The table maps three bytes to where they were seen last. Positions count
	// on from string to string, so that what is left of earlier ones is
	// recognised by being too small and the table need not be cleared.
	table [1 << lzfHashBits]uint32
	base  uint32
}

// compress writes src in compressed form to dst and returns the length, or 0 if
// it does not fit.
func (z *lzf) compress(dst, src []byte) int {
	if len(src) < 4 || len(dst) == 0 || uint64(len(src)) > math.MaxUint32/2 {
		return 0
	}
	if z.base > math.MaxUint32-uint32(len(src)) {
		clear(z.table[:])
		z.base = 0
	}
	base := z.base
	z.base += uint32(len(src))

	out, lit := 0, 0 // where the next run goes in dst, and begins in src
	end := len(src) - 2
	v := uint32(src[0])<<8 | uint32(src[1])
	for i := 0; i < end; {
		v = v<<8 | uint32(src[i+2])
		slot := &z.table[lzfSlot(v)]
		seen, now := *slot, base+uint32(i)
		*slot = now
		// The first byte of a string is never referred to, as in liblzf.
		if seen <= base || now-seen-1 >= lzfMaxOffset {
			i++
			continue
		}
		ref := int(seen - base)
		if src[ref] != src[i] || src[ref+1] != src[i+1] || src[ref+2] != src[i+2] {
			i++
			continue
		}
		if out+literalsSize(i-lit)+4 >= len(dst) {
			return 0
		}
		out += putLiterals(dst[out:], src[lit:i])
		n := lzfMatch(src, ref, i)
		out += putMatch(dst[out:], i-ref-1, n)
		i += n
		lit = i
		if i >= end {
			break
		}
		// The last two positions of a match are remembered, not all.
		v = uint32(src[i-2])<<16 | uint32(src[i-1])<<8 | uint32(src[i])
		z.table[lzfSlot(v)] = base + uint32(i) - 2
		v = v<<8 | uint32(src[i+1])
		z.table[lzfSlot(v)] = base + uint32(i) - 1
	}
	// liblzf's test for the tail's room, a little too careful.
	if n := max(end-lit, 0); out+n+n/lzfMaxLiteral+4 > len(dst) {
		return 0
	}
	return out + putLiterals(dst[out:], src[lit:])
}

// lzfSlot hashes the three bytes that are the low ones of v.
func lzfSlot(v uint32) uint16 { return uint16(v>>8 - v*5) }

// lzfMatch is the length of the match at i with what stands at ref, of which
// three bytes are known to be equal. Its limits are those of liblzf, where the
// first 18 bytes are compared before the limit is looked at.
func lzfMatch(src []byte, ref, i int) int {
	limit := min(len(src)-i-2, lzfMaxMatch)
	n := 3
	if limit > 16 {
		for ; n <= 18; n++ {
			if src[ref+n] != src[i+n] {
				return n
			}
		}
	}
	for n+8 <= limit {
		x := binary.LittleEndian.Uint64(src[ref+n:]) ^ binary.LittleEndian.Uint64(src[i+n:])
		if x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < limit && src[ref+n] == src[i+n] {
		n++
	}
	return n
}

// putMatch writes a reference to n bytes off+1 bytes back.
func putMatch(dst []byte, off, n int) int {
	if n -= 2; n < 7 {
		dst[0], dst[1] = byte(off>>8|n<<5), byte(off)
		return 2
	}
	dst[0], dst[1], dst[2] = byte(off>>8|7<<5), byte(n-7), byte(off)
	return 3
}

// literalsSize is what n literal bytes take with the heads of their runs.
func literalsSize(n int) int { return n + (n+lzfMaxLiteral-1)/lzfMaxLiteral }

// putLiterals writes s as runs of literals.
func putLiterals(dst, s []byte) int {
	out := 0
	for len(s) > lzfMaxLiteral {
		dst[out] = lzfMaxLiteral - 1
		copy(dst[out+1:], s[:lzfMaxLiteral])
		s = s[lzfMaxLiteral:]
		out += 1 + lzfMaxLiteral
	}
	if len(s) > 0 {
		dst[out] = byte(len(s) - 1)
		out += 1 + copy(dst[out+1:], s)
	}
	return out
}

// lzfPlausible tells whether n compressed bytes can stand for size bytes, to be
// asked before size bytes are allocated.
func lzfPlausible(n, size uint64) bool { return size <= n*lzfMaxRatio }

// decompress fills dst from src and tells whether src stands for exactly that
// many bytes. It reads and writes nothing outside of the two.
func decompress(dst, src []byte) bool {
	i, o := 0, 0
	for i < len(src) {
		c := int(src[i])
		i++
		if c < lzfMaxLiteral {
			c++
			if c > len(src)-i || c > len(dst)-o {
				return false
			}
			copy(dst[o:], src[i:i+c])
			i, o = i+c, o+c
			continue
		}
		n := c >> 5
		if n == 7 {
			if i == len(src) {
				return false
			}
			n += int(src[i])
			i++
		}
		if i == len(src) {
			return false
		}
		n += 2
		ref := o - (c&0x1F)<<8 - int(src[i]) - 1
		i++
		if ref < 0 || n > len(dst)-o {
			return false
		}
		o = repeat(dst, ref, o, n)
	}
	return o == len(dst)
}

// repeat copies n bytes within dst from ref to o, where the two ranges may
// overlap: the copy then repeats what it has just written.
func repeat(dst []byte, ref, o, n int) int {
	if o-ref >= n {
		copy(dst[o:o+n], dst[ref:])
		return o + n
	}
	for end := o + n; o < end; {
		o += copy(dst[o:end], dst[ref:o])
	}
	return o
}
