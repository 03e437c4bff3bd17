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

// lzf is a compressor; its tables serve one string after the other. The zero
// value is ready.
//
// liblzf's table maps a hash of three bytes to where that was seen last. It has
// 256 KB, most of which is no longer in the processor's nearest caches when the
// next short string comes: 440 ns for 64 random bytes in a snapshot, where a
// benchmark of nothing else shows 140. So short strings have tables of their own
// of 20 KB, in which places with the same low bits of the hash make a chain, and
// which give the same answers.
//
// Places count on from string to string. What is left of earlier ones is
// recognised by being too small, so that no table need be cleared.
type lzf struct {
	base uint32 // the first byte's place; 0 is none

	table [1 << lzfHashBits]uint32

	heads [lzfHeads]uint32 // the last place by the hash's low bits
	prev  [lzfShort]uint32 // the one before in the same chain, if there was one
}

type lzfHashed = uint16

const (
	lzfShort = 1 << 10 // length up to which a string is short
	lzfHeads = 1 << 12
)

// seen returns the last place before i, counted from the string's beginning,
// where the hash was h, and remembers i. It is negative if there is none.
func (z *lzf) seen(h lzfHashed, i int) int {
	slot := &z.table[h]
	ref := int(*slot) - int(z.base)
	*slot = z.base + uint32(i)
	return ref
}

// followShort is what is left to do for a short string when a place last has the
// same low bits of the hash as place i.
func (z *lzf) followShort(src []byte, h lzfHashed, last uint32, i int) int {
	z.prev[i%lzfShort] = last
	for last >= z.base {
		p := int(last - z.base)
		if h == lzfHash(uint32(src[p])<<16|uint32(src[p+1])<<8|uint32(src[p+2])) {
			return p
		}
		last = z.prev[p%lzfShort]
	}
	return -1
}

// seenShort is seen for a short string.
func (z *lzf) seenShort(src []byte, h lzfHashed, i int) (ref int) {
	head := &z.heads[h%lzfHeads]
	last := *head
	*head = z.base + uint32(i)
	if last < z.base {
		return -1
	}
	return z.followShort(src, h, last, i)
}

// compress writes src in compressed form to dst and returns the length, or 0 if
// it does not fit.
func (z *lzf) compress(dst, src []byte) int {
	if len(src) < 4 || len(dst) == 0 || uint64(len(src)) > math.MaxUint32/4 {
		return 0
	}
	if z.base == 0 || z.base > math.MaxUint32/2 {
		*z = lzf{base: 1}
	}
	n := 0
	if len(src) <= lzfShort {
		n = z.compressShort(dst, src)
	} else {
		n = z.compressLong(dst, src)
	}
	z.base += uint32(len(src))
	return n
}

func (z *lzf) compressLong(dst, src []byte) int {
	out, lit := 0, 0 // where the next run goes in dst, and begins in src
	end := len(src) - 2
	v := uint32(src[0])<<8 | uint32(src[1])
	for i := 0; i < end; {
		v = v<<8 | uint32(src[i+2])
		ref := z.seen(lzfHash(v), i)
		if !lzfMatches(src, ref, i) {
			i++
			continue
		}
		n := 0
		if out, n = putRun(dst, src, out, lit, ref, i); n == 0 {
			return 0
		}
		i += n
		lit = i
		if i >= end {
			break
		}
		// The last two places of a match are remembered, not all.
		v = uint32(src[i-2])<<16 | uint32(src[i-1])<<8 | uint32(src[i])
		z.seen(lzfHash(v), i-2)
		v = v<<8 | uint32(src[i+1])
		z.seen(lzfHash(v), i-1)
	}
	return putTail(dst, src, out, lit)
}

// compressShort is compressLong with the other tables.
func (z *lzf) compressShort(dst, src []byte) int {
	out, lit := 0, 0
	end := len(src) - 2
	base := z.base
	v := uint32(src[0])<<8 | uint32(src[1])
	for i := 0; i < end; {
		v = v<<8 | uint32(src[i+2])
		h := lzfHash(v)
		head := &z.heads[h%lzfHeads]
		last := *head
		*head = base + uint32(i)
		if last < base { // by far the most frequent case in what does not compress
			i++
			continue
		}
		ref := z.followShort(src, h, last, i)
		if ref < 0 || !lzfMatches(src, ref, i) {
			i++
			continue
		}
		n := 0
		if out, n = putRun(dst, src, out, lit, ref, i); n == 0 {
			return 0
		}
		i += n
		lit = i
		if i >= end {
			break
		}
		v = uint32(src[i-2])<<16 | uint32(src[i-1])<<8 | uint32(src[i])
		z.seenShort(src, lzfHash(v), i-2)
		v = v<<8 | uint32(src[i+1])
		z.seenShort(src, lzfHash(v), i-1)
	}
	return putTail(dst, src, out, lit)
}

// lzfMatches reports whether the three bytes at i can be had from ref. liblzf never
// refers to the first byte of a string.
func lzfMatches(src []byte, ref, i int) bool {
	return ref > 0 && i-ref-1 < lzfMaxOffset &&
		src[ref] == src[i] && src[ref+1] == src[i+1] && src[ref+2] == src[i+2]
}

// putRun writes the literals in front of i and the match at i. It returns where
// the next run goes, and how long the match is, 0 if there is no room for it.
func putRun(dst, src []byte, out, lit, ref, i int) (next, n int) {
	if out+literalsSize(i-lit)+4 >= len(dst) {
		return out, 0
	}
	out += putLiterals(dst[out:], src[lit:i])
	n = lzfMatch(src, ref, i)
	return out + putMatch(dst[out:], i-ref-1, n), n
}

// putTail writes the literals behind the last match and returns the length of
// all, 0 if there is no room for them.
func putTail(dst, src []byte, out, lit int) int {
	// liblzf's test for room, a little too careful.
	if n := max(len(src)-2-lit, 0); out+n+n/lzfMaxLiteral+4 > len(dst) {
		return 0
	}
	return out + putLiterals(dst[out:], src[lit:])
}

// lzfHash hashes the three bytes that are the low ones of v.
func lzfHash(v uint32) lzfHashed { return lzfHashed(v>>8 - v*5) }

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

// lzfPlausible reports whether n compressed bytes can stand for size bytes, to be
// asked before size bytes are allocated.
func lzfPlausible(n, size uint64) bool { return size == 0 || (size-1)/lzfMaxRatio < n }

// decompress fills dst from src and reports whether src stands for exactly that
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
	if n <= 8 {
		for end := o + n; o < end; o, ref = o+1, ref+1 {
			dst[o] = dst[ref]
		}
		return o
	}
	for end := o + n; o < end; {
		o += copy(dst[o:end], dst[ref:o])
	}
	return o
}
