package lex

import "math"

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
	if v := uint64(b[0] - '0'); v-1 < 9 && len(b) < maxIntLen-1 { // it cannot overflow
		for i := 1; i < len(b); i++ { // a range over b[1:] takes a third more
			d := uint64(b[i] - '0')
			if d > 9 {
				return 0, false
			}
			v = v*10 + d
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
