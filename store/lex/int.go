package lex

import (
	"encoding/binary"
	"math"
)

// maxIntLen is the length of the longest text that is an int64: "-9223372036854775808".
const maxIntLen = 20

// ParseInt reads b as Redis reads an integer argument or a counter (string2ll).
//
// Only the canonical text is an integer, the one that printing the number
// gives back: no plus sign, no leading zero, no "-0", no blank. That is what
// lets a store keep the number instead of the text and return the same bytes.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > maxIntLen {
		return 0, false
	}
	if n := len(b); n >= 4 && n <= 8 && b[0] != '0' {
		if v, ok := upToEight(b); ok {
			return v, true
		}
	}
	if v := uint64(b[0] - '0'); v-1 < 9 && len(b) < maxIntLen-1 { // it cannot overflow
		for _, c := range b[1:] {
			d := c - '0'
			if d > 9 {
				return 0, false
			}
			v = v*10 + uint64(d)
		}
		return int64(v), true
	}
	if len(b) == 1 {
		return 0, b[0] == '0'
	}
	digits, negative := b, false
	if b[0] == '-' {
		digits, negative = b[1:], true
	}
	if digits[0] < '1' || digits[0] > '9' || len(digits) == maxIntLen {
		return 0, false
	}
	var v uint64
	for _, c := range digits { // 19 at most, which cannot overflow
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + uint64(d)
	}
	if negative {
		if v > 1<<63 {
			return 0, false
		}
		return int64(-v), true
	}
	if v > math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}

// upToEight reads four to eight digits at once, as one word with the last digit in its highest byte: it adds
// neighbours three times, into four numbers of two digits, two of four, and one.
func upToEight(b []byte) (int64, bool) {
	const zeros = 0x3030303030303030
	n := len(b)
	w := uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32 | uint64(binary.LittleEndian.Uint32(b))<<(8*(8-n)) | zeros>>(8*n)
	w ^= zeros
	if (w|(w+0x7676767676767676))&0x8080808080808080 != 0 { // a byte is above 9
		return 0, false
	}
	w = w*10 + w>>8
	w = (w&0x000000ff_000000ff*0x000f4240_00000064 + w>>16&0x000000ff_000000ff*0x00002710_00000001) >> 32
	return int64(w), true
}
