package config

import (
	"strconv"
	"strings"
)

// The quoting rules of redis.conf, which are those of Redis' sdssplitargs and sdscatrepr: words are separated by white
// space; "double quotes" know \n \r \t \b \a \xHH and \<any>; 'single quotes' know only \'; a closing quote must be
// followed by white space or the end.

const errUnbalanced = problem("Unbalanced quotes in configuration line")

// splitWords cuts a line into words.
func splitWords(line string) ([]string, error) {
	var words []string
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return words, nil
		}
		word, n, err := nextWord(line[i:])
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		i += n
	}
}

// nextWord reads the word at the front of s, which is not empty and starts with no space, and says how long it was.
func nextWord(s string) (word string, n int, err error) {
	var b strings.Builder
	for n < len(s) {
		switch c := s[n]; {
		case isSpace(c) || c == 0:
			return b.String(), n + 1, nil
		case c == '"' || c == '\'':
			taken, err := quoted(&b, s[n+1:], c)
			if err != nil {
				return "", 0, err
			}
			n += 1 + taken
			if n < len(s) && !isSpace(s[n]) {
				return "", 0, errUnbalanced
			}
		default:
			b.WriteByte(c)
			n++
		}
	}
	return b.String(), n, nil
}

// quoted appends what stands before the closing quote and returns how many bytes of s it took, the quote included.
func quoted(b *strings.Builder, s string, quote byte) (taken int, err error) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == quote:
			return i + 1, nil
		case c == '\\' && quote == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
			b.WriteByte('\'')
		case c == '\\' && quote == '"' && i+3 < len(s) && s[i+1] == 'x' && isHex(s[i+2]) && isHex(s[i+3]):
			v, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
			if err != nil {
				return 0, err
			}
			b.WriteByte(byte(v))
			i += 3
		case c == '\\' && quote == '"' && i+1 < len(s):
			i++
			b.WriteByte(unescape(s[i]))
		default:
			b.WriteByte(c)
		}
	}
	return 0, errUnbalanced
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

// quote is the inverse: s in double quotes, so that splitWords gives it back.
func quote(s string) string {
	const hexDigits = "0123456789abcdef"
	b := []byte{'"'}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' || c == '"':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\a':
			b = append(b, `\a`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c < 0x20 || c >= 0x7f:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
