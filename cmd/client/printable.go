package client

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is a server's text for a terminal, which would obey sequences in it: what cannot be
// printed, or turns the text around it, is escaped as in Go, with backslashes that mean nothing else.
func Printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if text := s[i : i+n]; unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.WriteString(text)
		} else {
			quoted := strconv.Quote(text)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += n
	}
	return b.String()
}
