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
	if f, ok := parseShort(b); ok {
		return f, true
	}
	n, ok := scan(b)
	if !ok {
		return 0, false
	}
	if n.infinite {
		return math.Inf(sign(n.negative)), true
	}
	f, err := strconv.ParseFloat(n.text(b), 64)
	if err != nil || f == 0 && !n.zero {
		return 0, false
	}
	return f, true
}

func sign(negative bool) int {
	if negative {
		return -1
	}
	return 1
}

// text is what strconv takes for the number that b was scanned to.
func (n *numeral) text(b []byte) string {
	if n.hex && !n.hasExp {
		return string(b) + "p0" // strconv insists on the exponent, strtod does not
	}
	return string(b)
}

// shortDigits is how many decimal digits are always an exact double.
const shortDigits = 15

// parseShort reads what nearly all scores look like: an optional minus, at most 15 digits, and
// among them at most one point. Numerator and power of ten are exact then, so one division rounds
// once, correctly. It is ten times as fast as the general way.
func parseShort(b []byte) (float64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > shortDigits {
		return 0, false
	}
	var mantissa int64
	point := -1
	for i, c := range digits {
		switch d := c - '0'; {
		case d <= 9:
			mantissa = mantissa*10 + int64(d)
		case c == '.' && point < 0:
			point = i
		default:
			return 0, false
		}
	}
	f := float64(mantissa)
	if point >= 0 {
		if len(digits) == 1 {
			return 0, false
		}
		f /= powersOfTen[len(digits)-1-point]
	}
	if len(digits) < len(b) {
		f = -f
	}
	return f, true
}

var powersOfTen = [shortDigits]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// FloatSize is the room for any number that AppendFloat prints.
const FloatSize = 24

// AppendFloat appends f as C prints it with %.17g, which reads back as f: what Redis up to 7.0 has
// in files for scores that are no whole numbers. Replies have fewer digits, see
// protocol.FormatDouble.
func AppendFloat(dst []byte, f float64) []byte {
	if math.IsInf(f, 1) {
		return append(dst, "inf"...) // C has no plus
	}
	if math.IsInf(f, -1) {
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}
