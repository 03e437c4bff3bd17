// Package words cuts lines into words by Redis' quoting rules, those of sdssplitargs and sdscatrepr
// in sds.c. Three kinds of text follow them, and nothing else ties these together: inline requests,
// redis.conf and the manifest of a log.
package words

import "bytes"

// Split is sdssplitargs: it appends the words of a line to dst, or returns false if a quote is not
// closed or is closed in the middle of a word. "..." knows \n \r \t \b \a and \xHH, any other
// escaped byte stands for itself; '...' knows \' only. A quote may open in the middle of a word
// (foo"bar" is foobar), and an unquoted word ends at a blank, tab, \r or \n, while every byte of
// C's isspace is skipped between words. A NUL byte ends the line, as it is a C string there.
//
// The words alias the line, which is overwritten: words that change under unescaping are rewritten
// in place, as they only get shorter.
func Split(dst [][]byte, line []byte) ([][]byte, bool) {
	if end := bytes.IndexByte(line, 0); end >= 0 {
		line = line[:end]
	}
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return dst, true
		}
		word, next := take(line, i)
		if next < 0 {
			return nil, false
		}
		dst = append(dst, word)
		i = next
	}
}

// take returns the word that starts at line[i] and the offset behind it, or -1.
func take(line []byte, i int) (word []byte, next int) {
	start, w := i, i
	for i < len(line) {
		c := line[i]
		switch c {
		case ' ', '\n', '\r', '\t':
			return line[start:w:w], i + 1
		case '"':
			w, i = doubleQuoted(line, w, i+1)
		case '\'':
			w, i = singleQuoted(line, w, i+1)
		default:
			line[w] = c
			w++
			i++
			continue
		}
		if i < 0 || i < len(line) && !isSpace(line[i]) {
			return nil, -1
		}
		return line[start:w:w], i
	}
	return line[start:w:w], i
}

// Unquote takes one word apart that stands in double quotes, as AppendQuoted writes it: quoted begins
// behind the first quote. The text overwrites it, and rest is what follows the second quote, nil if
// there is none and the text is all there is.
func Unquote(quoted []byte) (text, rest []byte) {
	end, next := doubleQuoted(quoted, 0, 0)
	if next >= 0 {
		rest = quoted[next:]
	}
	return quoted[:end:end], rest
}

// doubleQuoted writes what stands from line[i] to the closing quote at line[w:], and returns the
// ends of both; next is -1 if there is no closing quote.
func doubleQuoted(line []byte, w, i int) (end, next int) {
	for i < len(line) {
		c := line[i]
		i++
		if c == '"' {
			return w, i
		}
		if c == '\\' && i < len(line) {
			if c = line[i]; c == 'x' && i+2 < len(line) && isHex(line[i+1]) && isHex(line[i+2]) {
				c = hexValue(line[i+1])<<4 | hexValue(line[i+2])
				i += 3
			} else {
				c = unescape(c)
				i++
			}
		}
		line[w] = c
		w++
	}
	return w, -1
}

// singleQuoted is doubleQuoted for '...'.
func singleQuoted(line []byte, w, i int) (end, next int) {
	for i < len(line) {
		c := line[i]
		i++
		if c == '\'' {
			return w, i
		}
		if c == '\\' && i < len(line) && line[i] == '\'' {
			c = '\''
			i++
		}
		line[w] = c
		w++
	}
	return w, -1
}

// unescape returns the byte that \c stands for inside double quotes.
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

// isSpace is C's isspace in the C locale.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// AppendQuoted is sdscatrepr, the inverse of Split: it appends s in double quotes, with everything
// escaped that is not printable ASCII.
func AppendQuoted[T string | []byte](dst []byte, s T) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' || c == '"':
			dst = append(dst, '\\', c)
		case c >= '\a' && c <= '\r' && c != '\v' && c != '\f':
			dst = append(dst, '\\', "abtn__r"[c-'\a'])
		case c < ' ' || c > '~':
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
