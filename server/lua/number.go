package lua

import (
	"math"
	"strconv"
)

// AppendNumber appends a number as tostring() writes it: C's "%.14g".
func AppendNumber(b []byte, n float64) []byte {
	// Integers of 14 digits, which are most numbers. -0 is not for AppendInt.
	if i := int64(n); float64(i) == n && -1e14 < n && n < 1e14 && (i != 0 || !math.Signbit(n)) {
		return strconv.AppendInt(b, i, 10)
	}
	if special, ok := appendSpecial(b, n); ok {
		return special
	}
	return strconv.AppendFloat(b, n, 'g', 14, 64) // as C, but for the special ones
}

// appendSpecial appends an infinity or a NaN, as glibc's printf writes them. What x86-64 computes
// of 0/0 has the sign bit set and is "-nan".
func appendSpecial(b []byte, n float64) ([]byte, bool) {
	if !math.IsNaN(n) && !math.IsInf(n, 0) {
		return b, false
	}
	if math.Signbit(n) {
		b = append(b, '-')
	}
	if math.IsNaN(n) {
		return append(b, "nan"...), true
	}
	return append(b, "inf"...), true
}

// ParseNumber reads a number as tonumber() and arithmetic with strings do: by the rules of glibc's
// strtod, with space around it. So there are hexadecimal integers and fractions, "inf" and "nan",
// and a zero byte ends the text.
func ParseNumber(s string) (float64, bool) {
	if n, ok := parseDigits(s); ok {
		return n, true
	}
	s = s[skipSpace(s):]
	size := numeralLength(s)
	if size == 0 {
		return 0, false
	}
	rest := s[size:]
	rest = rest[skipSpace(rest):]
	if rest != "" && rest[0] != 0 {
		return 0, false
	}
	return numeral(s[:size]), true
}

// parseDigits reads a plain integer of up to 15 digits.
func parseDigits(s string) (float64, bool) {
	if len(s) == 0 || len(s) > 15 {
		return 0, false
	}
	n := int64(0)
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return float64(n), true
}

// numeralLength is how many bytes at the start of s strtod reads: 0 if it is no number.
func numeralLength(s string) int {
	sign := signLength(s)
	t := s[sign:]
	size := 0
	switch {
	case hasFold(t, "infinity"):
		size = len("infinity")
	case hasFold(t, "inf"):
		size = len("inf")
	case hasFold(t, "nan"):
		size = len("nan") + payloadLength(t[len("nan"):])
	case hasFold(t, "0x"):
		if digits := mantissaLength(t[2:], isHexDigit); digits > 0 {
			size = 2 + digits + exponentLength(t[2+digits:], 'p')
			break
		}
		size = 1 // the 0
	default:
		if digits := mantissaLength(t, isDigit); digits > 0 {
			size = digits + exponentLength(t[digits:], 'e')
		}
	}
	if size == 0 {
		return 0
	}
	return sign + size
}

// mantissaLength is the length of digits with a point among them, 0 if there are no digits.
func mantissaLength(s string, digit func(byte) bool) int {
	i, digits, point := 0, 0, false
	for ; i < len(s); i++ {
		switch {
		case digit(s[i]):
			digits++
		case s[i] == '.' && !point:
			point = true
		default:
			if digits == 0 {
				return 0
			}
			return i
		}
	}
	if digits == 0 {
		return 0
	}
	return i
}

// exponentLength is the length of an exponent that begins with a letter, 0 if there is none.
func exponentLength(s string, letter byte) int {
	if s == "" || s[0]|0x20 != letter {
		return 0
	}
	start := 1 + signLength(s[1:])
	i := start
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == start {
		return 0
	}
	return i
}

// payloadLength is the length of what may follow "nan": letters and digits in parentheses.
func payloadLength(s string) int {
	if s == "" || s[0] != '(' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		if s[i] == ')' {
			return i + 1
		}
		if !isAlnum(s[i]) && s[i] != '_' {
			return 0
		}
	}
	return 0
}

// numeral is the value of what numeralLength has measured.
func numeral(s string) float64 {
	sign := signLength(s)
	n := 0.0
	switch t := s[sign:]; {
	case hasFold(t, "inf"):
		n = math.Inf(1)
	case hasFold(t, "nan"):
		n = math.NaN()
	case hasFold(t, "0x"):
		n = hexNumeral(t[2:])
	default:
		// Of what is too large it makes an infinity beside the error, as strtod does.
		n, _ = strconv.ParseFloat(t, 64)
	}
	if s[0] == '-' {
		n = math.Copysign(n, -1)
	}
	return n
}

// hexNumeral is the value of hexadecimal digits with perhaps a point and an exponent of 2.
func hexNumeral(s string) float64 {
	if n, err := strconv.ParseUint(s, 16, 64); err == nil {
		return float64(n)
	}
	text := "0x" + s
	if mantissaLength(s, isHexDigit) == len(s) {
		text += "p0"
	}
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

func signLength(s string) int {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return 1
	}
	return 0
}

func skipSpace(s string) int {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// hasFold reports whether s begins with prefix, which is in lower case, in any case.
func hasFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if toLower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// Classes of bytes, those of C's ctype.h in the C locale.

func isDigit(c byte) bool    { return c-'0' < 10 }
func isLower(c byte) bool    { return c-'a' < 26 }
func isUpper(c byte) bool    { return c-'A' < 26 }
func isAlpha(c byte) bool    { return (c|0x20)-'a' < 26 }
func isAlnum(c byte) bool    { return isAlpha(c) || isDigit(c) }
func isHexDigit(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 6 }
func isSpace(c byte) bool    { return c == ' ' || c-'\t' < 5 }
func isControl(c byte) bool  { return c < ' ' || c == 127 }
func isPunct(c byte) bool    { return c > ' ' && c < 127 && !isAlnum(c) }

func toLower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}

func toUpper(c byte) byte {
	if isLower(c) {
		return c - ('a' - 'A')
	}
	return c
}
