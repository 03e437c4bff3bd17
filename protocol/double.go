package protocol

import (
	"math"
	"strconv"
)

// maxDouble is the room for any number FormatDouble prints: 17 digits, sign, point, exponent, or
// zeros in their place.
const maxDouble = 32

// FormatDouble appends f as Redis 7.2 and later print doubles in replies (d2string): whole numbers
// up to 2^62 as integers, others with the fewest digits that read back as f, in the layout of
// fpconv's emit_digits: no exponent while at most seven zeros have to be filled in, else d.ddde+X
// without padding. Redis 7.0 printed %.17g instead (0.10000000000000001).
func FormatDouble(dst []byte, f float64) []byte {
	switch {
	case f != f:
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case f == 0 && math.Signbit(f):
		return append(dst, "-0"...)
	case math.Abs(f) <= 1<<62 && f == math.Trunc(f):
		return strconv.AppendInt(dst, int64(f), 10)
	}
	if f < 0 {
		dst = append(dst, '-')
		f = -f
	}
	var scratch [maxDouble]byte
	digits, exp := shortest(scratch[:0], f)
	return layOut(dst, digits, exp)
}

// shortest returns the fewest digits that read back as f, and the power of ten of the first of
// them.
func shortest(scratch []byte, f float64) (digits []byte, exp int) {
	s := strconv.AppendFloat(scratch, f, 'e', -1, 64) // d.ddde±xx or de±xx
	e := len(s) - 1
	for s[e] != 'e' {
		e--
	}
	for _, c := range s[e+2:] {
		exp = exp*10 + int(c-'0')
	}
	if s[e+1] == '-' {
		exp = -exp
	}
	if e == 1 {
		return s[:1], exp
	}
	s[1] = s[0]
	return s[1:e], exp
}

// layOut is fpconv's emit_digits: digits is the number without its point, the first of them
// standing for 10^exp.
func layOut(dst, digits []byte, exp int) []byte {
	n := len(digits)
	k := exp - n + 1 // power of ten of the last digit
	magnitude := max(exp, -exp)
	switch {
	case k >= 0 && magnitude < n+7:
		dst = append(dst, digits...)
		return appendZeros(dst, k)
	case k < 0 && (k > -7 || magnitude < 4):
		if point := n + k; point > 0 {
			dst = append(dst, digits[:point]...)
			dst = append(dst, '.')
			return append(dst, digits[point:]...)
		}
		dst = append(dst, '0', '.')
		dst = appendZeros(dst, -k-n)
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if n > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	sign := byte('+')
	if exp < 0 {
		sign = '-'
	}
	dst = append(dst, 'e', sign)
	return strconv.AppendInt(dst, int64(magnitude), 10)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}
