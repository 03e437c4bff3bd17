package lex

import "math"

// ParseCursor reads the cursor of SCAN and its kin as Redis 7.4 does: by its strict rules for
// integers, which allow no negative one, and what these do not take by C's strtoull, which passes
// over leading space, allows a sign and leading zeros, and takes a negative number modulo 2^64. Both
// stop at a zero byte. So "-1" is refused, "-01" and " -1" are not. No client that passes cursors
// back as it got them ever notices.
func ParseCursor(b []byte) (uint64, bool) {
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	if n, ok := ParseInt(b); ok {
		return uint64(n), n >= 0
	}
	for len(b) > 0 && (b[0] == ' ' || '\t' <= b[0] && b[0] <= '\r') {
		b = b[1:]
	}
	negative := len(b) > 0 && b[0] == '-'
	if len(b) > 0 && (negative || b[0] == '+') {
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
