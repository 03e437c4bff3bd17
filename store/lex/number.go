package lex

import "bytes"

// numeral is a float's text taken apart, before it is rounded to a format.
//
// The grammar is strtod's without what Redis forbids around it: the whole text
// must be the number, and neither blanks in front nor NaN are accepted. Decimal
// and hexadecimal (0x, optional binary exponent) both are numbers; so are
// "inf" and "infinity" in any case.
type numeral struct {
	negative bool
	infinite bool
	hex      bool
	hasExp   bool   // an exponent is written out
	zero     bool   // every digit is 0
	digits   []byte // mantissa as written, point included, sign and prefix excluded
	point    int    // digits behind the point
	exp      int64  // written exponent: a power of ten, or of two if hex; saturated
}

// expLimit saturates written exponents. It is far outside every format's range
// and far inside int64, even with the length of the mantissa added.
const expLimit = 1 << 40

// scan takes b apart, or reports that it is no number.
func scan(b []byte) (n numeral, ok bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		n.negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return n, false
	}
	if c := lower(b[0]); c == 'i' {
		n.infinite = len(b) == 3 && bytes.EqualFold(b, []byte("inf")) ||
			len(b) == 8 && bytes.EqualFold(b, []byte("infinity"))
		return n, n.infinite
	}
	if len(b) > 2 && b[0] == '0' && lower(b[1]) == 'x' {
		n.hex = true
		b = b[2:]
	}
	end := n.mantissa(b)
	if end < 0 {
		return n, false
	}
	if end == len(b) {
		return n, true
	}
	mark := byte('e')
	if n.hex {
		mark = 'p'
	}
	if lower(b[end]) != mark {
		return n, false
	}
	return n, n.exponent(b[end+1:])
}

// mantissa reads digits with at most one point and returns where they end, or
// -1 if there is no digit.
func (n *numeral) mantissa(b []byte) int {
	i, count, dot := 0, 0, -1
	n.zero = true
	for ; i < len(b); i++ {
		if b[i] == '.' && dot < 0 {
			dot = i
			continue
		}
		d := digit(b[i])
		if d > 9 && !(n.hex && d < 16) {
			break
		}
		count++
		n.zero = n.zero && d == 0
	}
	if count == 0 {
		return -1
	}
	if dot >= 0 {
		n.point = i - dot - 1
	}
	n.digits = b[:i]
	return i
}

func (n *numeral) exponent(b []byte) bool {
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		n.exp = min(n.exp*10+int64(c-'0'), expLimit)
	}
	if negative {
		n.exp = -n.exp
	}
	n.hasExp = true
	return true
}

// digit is the value of a hexadecimal digit, or 255.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
