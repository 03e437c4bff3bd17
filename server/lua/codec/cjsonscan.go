package codec

import (
	"strings"

	"github.com/larderkv/larder/server/lua"
)

// token is a kind of tokens of JSON.
type token uint8

const (
	tokenObject token = iota
	tokenObjectEnd
	tokenArray
	tokenArrayEnd
	tokenString
	tokenNumber
	tokenTrue
	tokenFalse
	tokenNull
	tokenColon
	tokenComma
	tokenEnd
	tokenError
)

// tokenNames are what errors call the tokens.
var tokenNames = [...]string{
	"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
	"T_BOOLEAN", "T_BOOLEAN", "T_NULL", "T_COLON", "T_COMMA", "T_END", "",
}

// scanner cuts JSON into tokens. As in C, a zero byte ends the text.
type scanner struct {
	data   string
	pos    int  // behind the token read last
	strict bool // NaN, infinities, hexadecimal and leading zeros are no numbers

	token   token
	start   int     // of the token; of an error, where it is
	number  float64 // of tokenNumber
	problem string  // of tokenError

	// The text of a tokenString: data[first:last], or scratch if escapes had to be replaced.
	first, last int
	escaped     bool
	scratch     []byte
}

// at is the byte at i, 0 beyond the end.
func (s *scanner) at(i int) byte {
	if i < len(s.data) {
		return s.data[i]
	}
	return 0
}

// fail makes the token an error at the scanner's place.
func (s *scanner) fail(problem string) {
	s.token, s.start, s.problem = tokenError, s.pos, problem
}

// next reads a token.
func (s *scanner) next() {
	c := s.at(s.pos)
	for c == ' ' || c == '\n' || c == '\t' || c == '\r' {
		s.pos++
		c = s.at(s.pos)
	}
	s.start = s.pos
	switch c {
	case '"':
		s.scanString()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		s.scanNumber()
	case '{':
		s.single(tokenObject)
	case '}':
		s.single(tokenObjectEnd)
	case '[':
		s.single(tokenArray)
	case ']':
		s.single(tokenArrayEnd)
	case ':':
		s.single(tokenColon)
	case ',':
		s.single(tokenComma)
	case 0:
		s.token = tokenEnd
	default:
		s.scanWord()
	}
}

func (s *scanner) single(kind token) {
	s.token = kind
	s.pos++
}

// scanWord reads a constant, or a number that begins with neither a digit nor a minus.
func (s *scanner) scanWord() {
	rest := s.data[s.pos:]
	switch {
	case strings.HasPrefix(rest, "true"):
		s.token, s.pos = tokenTrue, s.pos+len("true")
	case strings.HasPrefix(rest, "false"):
		s.token, s.pos = tokenFalse, s.pos+len("false")
	case strings.HasPrefix(rest, "null"):
		s.token, s.pos = tokenNull, s.pos+len("null")
	case !s.strict && isInvalidNumber(rest):
		s.scanOddNumber()
	default:
		s.fail("invalid token")
	}
}

// scanNumber reads a number that begins with a digit or a minus. Integers of up to 15 digits, which
// are exact, need no parser of decimal fractions.
func (s *scanner) scanNumber() {
	if s.strict && isInvalidNumber(s.data[s.pos:]) {
		s.fail("invalid number")
		return
	}
	i := s.pos
	negative := s.data[i] == '-'
	if negative {
		i++
	}
	first, n := i, int64(0)
	for i < len(s.data) && isDigit(s.data[i]) && i-first <= 15 {
		n = n*10 + int64(s.data[i]-'0')
		i++
	}
	if digits := i - first; digits == 0 || digits > 15 || goesOn(s.at(i)) {
		s.scanOddNumber()
		return
	}
	s.token, s.pos, s.number = tokenNumber, i, float64(n)
	if negative {
		s.number = -s.number // of 0 as well
	}
}

// goesOn reports whether a number may go on with c, behind digits.
func goesOn(c byte) bool {
	switch c | 0x20 {
	case '.' | 0x20, 'e', 'x':
		return true
	}
	return false
}

// scanOddNumber reads whatever C's strtod reads.
func (s *scanner) scanOddNumber() {
	n, size := lua.NumberPrefix(s.data[s.pos:])
	if size == 0 {
		s.fail("invalid number")
		return
	}
	s.token, s.pos, s.number = tokenNumber, s.pos+size, n
}

// isInvalidNumber reports whether what strtod would read as a number is none in JSON.
func isInvalidNumber(s string) bool {
	if s[0] == '+' {
		return true
	}
	s = strings.TrimPrefix(s, "-")
	if s == "" {
		return false
	}
	if s[0] == '0' {
		return len(s) > 1 && (s[1]|0x20 == 'x' || isDigit(s[1]))
	}
	return len(s) >= 3 && (strings.EqualFold(s[:3], "inf") || strings.EqualFold(s[:3], "nan"))
}

// scanString reads a string, of any bytes but zero. Strings without escapes stay where they are.
func (s *scanner) scanString() {
	i := s.pos + 1
	for i < len(s.data) {
		switch s.data[i] {
		case '"':
			s.token, s.escaped = tokenString, false
			s.first, s.last = s.pos+1, i
			s.pos = i + 1
			return
		case '\\':
			s.scanEscaped(i)
			return
		case 0:
			s.pos = i
			s.fail("unexpected end of string")
			return
		}
		i++
	}
	s.pos = i
	s.fail("unexpected end of string")
}

// scanEscaped reads a string on from its first escape.
func (s *scanner) scanEscaped(first int) {
	s.scratch = append(s.scratch[:0], s.data[s.pos+1:first]...)
	for s.pos = first; ; {
		c := s.at(s.pos)
		switch c {
		case '"':
			s.token, s.escaped = tokenString, true
			s.pos++
			return
		case 0:
			s.fail("unexpected end of string")
			return
		case '\\':
			escape := s.at(s.pos + 1)
			if escape == 'u' {
				if !s.scanUnicode() {
					s.fail("invalid unicode escape code")
					return
				}
				continue
			}
			c = unescape(escape)
			if c == 0 {
				s.fail("invalid escape code")
				return
			}
			s.pos++
		}
		s.scratch = append(s.scratch, c)
		s.pos++
	}
}

// unescape is what a letter behind a backslash stands for, 0 if it is none.
func unescape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'f':
		return '\f'
	case 'r':
		return '\r'
	}
	return 0
}

// scanUnicode reads \u and its digits, or two of them that are a pair of surrogates, and appends
// the character as UTF-8.
func (s *scanner) scanUnicode() bool {
	r, ok := s.hex4(s.pos + 2)
	if !ok {
		return false
	}
	size := 6
	if r&0xf800 == 0xd800 {
		low, ok := s.hex4(s.pos + 8)
		if !ok || r&0x400 != 0 || s.at(s.pos+6) != '\\' || s.at(s.pos+7) != 'u' || low&0xfc00 != 0xdc00 {
			return false
		}
		r = 0x10000 + (r&0x3ff)<<10 + low&0x3ff
		size = 12
	}
	s.scratch = append(s.scratch, string(r)...)
	s.pos += size
	return true
}

// hex4 reads four hexadecimal digits.
func (s *scanner) hex4(pos int) (r rune, ok bool) {
	for i := pos; i < pos+4; i++ {
		c := s.at(i)
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case (c|0x20)-'a' < 6:
			r = r<<4 | rune((c|0x20)-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// textLen is the length of the string that was read.
func (s *scanner) textLen() int {
	if s.escaped {
		return len(s.scratch)
	}
	return s.last - s.first
}
