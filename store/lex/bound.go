package lex

import (
	"bytes"
	"math"
	"strconv"
)

// ParseBound reads b as Redis reads the end of a range of scores (zslParseRange), which is C's
// strtod and nothing more: blanks may stand in front, what follows a NUL is not seen, no text at
// all is 0, and what is too large for a double is infinite. The value is never NaN.
func ParseBound(b []byte) (float64, bool) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, true
	}
	if f, ok := ParseFloat(b); ok {
		return f, true
	}
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	n, ok := scan(b)
	if !ok {
		return 0, false
	}
	if n.infinite {
		return math.Inf(sign(n.negative)), true
	}
	f, err := strconv.ParseFloat(n.text(b), 64) // out of range, it returns the infinity
	return f, err == nil || math.IsInf(f, 0)
}
