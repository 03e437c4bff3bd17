package lex

import "math"

// ParseCursor reads the cursor of SCAN and its kin, by the rules of C's strtoul
// as Redis calls it: a sign and leading zeros are allowed, nothing at all is 0,
// and a negative number is taken modulo 2^64. No client that passes cursors
// back as it got them ever notices.
func ParseCursor(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || v > math.MaxUint64/10 || v*10 > math.MaxUint64-d {
			return 0, false
		}
		v = v*10 + d
	}
	if negative {
		v = -v
	}
	return v, true
}
