package warm

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/larderkv/larder/store"
)

// A line of ndjson, taken apart. encoding/json is not used: it replaces what is not UTF-8 and half
// pairs of surrogates by U+FFFD without a word, which would store another value than the line has,
// takes the last of several equal names, and costs more than all else that is done for a key.

// scanner goes over a line. After a failure it stands at the end; the first is kept.
type scanner struct {
	b   []byte
	i   int
	err error
}

const deepest = 4 // more than a record has

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
	s.i = len(s.b)
}

// peek is the next byte that is no blank, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(c byte) {
	if s.peek() != c {
		s.unexpected(fmt.Sprintf("%q", c))
		return
	}
	s.i++
}

func (s *scanner) unexpected(want string) {
	if s.peek() == 0 {
		s.fail("the line ends where %s is expected", want)
		return
	}
	r, _ := utf8.DecodeRune(s.b[s.i:])
	s.fail("%q in column %d, where %s is expected", r, s.i+1, want)
}

// sequence calls element for each of a list in such brackets.
func (s *scanner) sequence(open, end byte, element func()) {
	s.expect(open)
	if s.peek() == end {
		s.i++
		return
	}
	for s.err == nil {
		element()
		if s.peek() == end {
			s.i++
			return
		}
		s.expect(',')
	}
}

// str reads a string. Without escapes it aliases the line.
func (s *scanner) str() []byte {
	s.expect('"')
	from := s.i
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[from : s.i-1 : s.i-1]
		case c == '\\':
			return s.escaped(from)
		case c < ' ':
			s.fail("a control character in a string, in column %d", s.i+1)
		}
	}
	s.fail("a string does not end")
	return nil
}

// escaped reads on in a string from its first backslash.
func (s *scanner) escaped(from int) []byte {
	out := append([]byte(nil), s.b[from:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return out
		case c < ' ':
			s.fail("a control character in a string, in column %d", s.i)
		case c == '\\':
			out = s.escape(out)
		default:
			out = append(out, c)
		}
	}
	s.fail("a string does not end")
	return nil
}

func (s *scanner) escape(out []byte) []byte {
	if s.i == len(s.b) {
		return out
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		r := s.unit()
		if utf16.IsSurrogate(r) {
			if s.i+1 < len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
				s.i += 2
				r = utf16.DecodeRune(r, s.unit())
			} else {
				r = utf8.RuneError
			}
			if r == utf8.RuneError {
				s.fail("half a pair of surrogates is no character: give bytes as base64")
			}
		}
		return utf8.AppendRune(out, r)
	}
	s.fail("an unknown escape in column %d", s.i)
	return out
}

// unit reads four hexadecimal digits.
func (s *scanner) unit() rune {
	if s.i+4 <= len(s.b) {
		if n, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 16); err == nil {
			s.i += 4
			return rune(n)
		}
	}
	s.fail("an escape has no four hexadecimal digits, in column %d", s.i+1)
	return 0
}

// number reads a number, as it is written.
func (s *scanner) number() []byte {
	s.peek()
	from := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		s.i++
	}
	text := s.b[from:s.i:s.i]
	if _, err := strconv.ParseFloat(string(text), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		s.i = from
		s.unexpected("a value")
		return nil
	}
	return text
}

// bytes reads what stands for bytes: a string, a number as it is written, or {"base64": "..."}.
func (s *scanner) bytes() []byte {
	switch c := s.peek(); {
	case c == '"':
		return s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c != '{':
		s.unexpected(`a string, a number or {"base64": ...}`)
		return nil
	}
	s.i++
	if name := s.str(); s.err == nil && string(name) != "base64" {
		s.fail("%q, where \"base64\" is expected", clip(string(name)))
	}
	s.expect(':')
	text := s.str()
	s.expect('}')
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		s.fail("malformed base64")
	}
	return b
}

// skip passes over any value.
func (s *scanner) skip(depth int) {
	switch c := s.peek(); {
	case depth == 0:
		s.fail("brackets are nested too deep")
	case c == '"':
		s.str()
	case c == '{':
		s.sequence('{', '}', func() {
			s.str()
			s.expect(':')
			s.skip(depth - 1)
		})
	case c == '[':
		s.sequence('[', ']', func() { s.skip(depth - 1) })
	case c >= 'a' && c <= 'z':
		for s.i < len(s.b) && s.b[s.i] >= 'a' && s.b[s.i] <= 'z' {
			s.i++
		}
	default:
		s.number()
	}
}

// score reads a number, or inf with or without a sign in quotes, as a codec has scores.
func (s *scanner) score() []byte {
	var text []byte
	if s.peek() == '"' {
		text = s.str()
	} else {
		text = s.number()
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if s.err == nil && (err != nil || math.IsNaN(f)) {
		s.fail("%q is no score", clip(string(text)))
	}
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))
}

// value reads the value of a type into the record.
func (s *scanner) value(r *record) {
	switch r.typ {
	case store.TypeString:
		r.text = s.bytes()
	case store.TypeList, store.TypeSet:
		s.sequence('[', ']', func() { r.items = append(r.items, s.bytes()) })
	case store.TypeHash:
		s.pairs(r, s.bytes)
	case store.TypeZset:
		s.pairs(r, s.score)
	}
}

// pairs reads an object, or a list of pairs, whose names may then be base64.
func (s *scanner) pairs(r *record, second func() []byte) {
	if s.peek() == '{' {
		s.sequence('{', '}', func() {
			name := s.str()
			s.expect(':')
			r.items = append(r.items, name, second())
		})
		return
	}
	s.sequence('[', ']', func() {
		s.expect('[')
		name := s.bytes()
		s.expect(',')
		r.items = append(r.items, name, second())
		s.expect(']')
	})
}
