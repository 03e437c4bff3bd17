package lex

import (
	"math"
	"strconv"
)

// ParseFloat reads b as Redis reads a double argument (string2d): a score, a
// radius, a timeout. The value is never NaN; it may be infinite where the text
// says so. Text whose value overflows, or is not zero but rounds to it, is
// refused.
//
// Counters changed by INCRBYFLOAT and HINCRBYFLOAT are not doubles: see Extended.
func ParseFloat(b []byte) (float64, bool) {
	n, ok := scan(b)
	if !ok {
		return 0, false
	}
	if n.infinite {
		sign := 1
		if n.negative {
			sign = -1
		}
		return math.Inf(sign), true
	}
	text := string(b)
	if n.hex && !n.hasExp {
		text += "p0" // strconv insists on the exponent, strtod does not
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f == 0 && !n.zero {
		return 0, false
	}
	return f, true
}
