package syntax

import (
	"strconv"
	"strings"
)

// numeral is the value of a numeral that begins with a digit or a point: what strtod reads, which
// includes 0xff and 0x1p4.
func numeral(text string) (float64, bool) {
	if len(text) > 1 && text[0] == '0' && text[1]|0x20 == 'x' {
		return hexadecimal(text)
	}
	rest := strings.TrimLeft(text, digits)
	whole := len(text) - len(rest)
	if after, ok := strings.CutPrefix(rest, "."); ok {
		rest = strings.TrimLeft(after, digits)
		whole += len(after) - len(rest)
	}
	if whole == 0 || !exponent(rest, 'e') {
		return 0, false
	}
	value, _ := strconv.ParseFloat(text, 64) // what is too large is infinite, as in C
	return value, true
}

const digits = "0123456789"

func hexadecimal(text string) (float64, bool) {
	rest := strings.TrimLeft(text[2:], digits+"abcdefABCDEF")
	if len(rest) == len(text)-2 || !exponent(rest, 'p') {
		return 0, false
	}
	if rest == "" {
		text += "p0" // which Go insists on
	}
	value, _ := strconv.ParseFloat(text, 64)
	return value, true
}

// exponent reports whether text is an exponent or nothing.
func exponent(text string, letter byte) bool {
	if text == "" {
		return true
	}
	if text[0]|0x20 != letter {
		return false
	}
	text = text[1:]
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	return text != "" && strings.Trim(text, digits) == ""
}
