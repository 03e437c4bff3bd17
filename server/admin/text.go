package admin

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/larderkv/larder/store"
)

// Keys and values are bytes, of which some are no text, some look like other text, and some turn the
// text around them. So each is said twice: as base64url, to ask for it, and escaped, to be shown.

const (
	// maxName is the longest name of a key, in bytes, that can be asked for: a URL has no room for more.
	maxName = 4 << 10
	// maxShown is how much of a name is shown.
	maxShown = 256
	// maxValue is how much of a value is shown.
	maxValue = 16 << 10
)

// label is a key's or a prefix' name.
type label struct {
	Name      *string `json:"name"` // null: too long to be asked for
	Text      string  `json:"text"`
	Truncated bool    `json:"truncated,omitempty"`
}

func labelOf(name []byte) label {
	var l label
	if len(name) <= maxName {
		encoded := base64.RawURLEncoding.EncodeToString(name)
		l.Name = &encoded
	}
	l.Text, l.Truncated = show(name, maxShown)
	return l
}

// otherPrefixes is what is shown of the row of all prefixes that have none of their own.
const otherPrefixes = "(other)"

// labelOfPrefix is the label of a row of prefixes.
func labelOfPrefix(p *store.PrefixStats) label {
	l := labelOf([]byte(p.Name))
	if p.Other {
		l.Text = otherPrefixes
	}
	return l
}

// fromBase64 decodes base64url, with the = at its end or without.
func fromBase64(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

// shown is a value, or a part of one.
type shown struct {
	Text      string `json:"text"`
	Truncated bool   `json:"truncated"`
}

func shownOf(value []byte, most int) shown {
	text, cut := show(value, most)
	return shown{text, cut}
}

// show escapes at most so many bytes: what is not printable becomes \n, \t, \r or \xHH, a character
// that is printed as nothing or moves others \u{HEX}, and a backslash \\. What is left is one line of
// text, though of any alphabet.
func show(b []byte, most int) (text string, cut bool) {
	var s strings.Builder
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if i+n > most {
			return s.String(), true
		}
		switch {
		case r == '\\':
			s.WriteString(`\\`)
		case r == '\n':
			s.WriteString(`\n`)
		case r == '\t':
			s.WriteString(`\t`)
		case r == '\r':
			s.WriteString(`\r`)
		case r == utf8.RuneError && n <= 1 || r < ' ' || r == 0x7f:
			fmt.Fprintf(&s, `\x%02x`, b[i])
		case !unicode.IsPrint(r):
			fmt.Fprintf(&s, `\u{%x}`, r)
		default:
			s.WriteRune(r)
		}
		i += n
	}
	return s.String(), false
}
