package protocol

// SplitWords is Redis' sdssplitargs: it appends the words of a line to args, or returns false if a quote is not closed or
// is closed in the middle of a word. "..." knows \n \r \t \b \a and \xHH, any other escaped byte stands for itself; '...'
// knows \' only. A quote may open in the middle of a word (foo"bar" is foobar), and an unquoted word ends at a blank, tab,
// \r or \n, while every byte of C's isspace is skipped between words. Words that change under unescaping are rewritten in
// place: they only get shorter. The line holds no NUL byte.
func SplitWords(args [][]byte, line []byte) ([][]byte, bool) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return args, true
		}
		word, next := takeWord(line, i)
		if next < 0 {
			return nil, false
		}
		args = append(args, word)
		i = next
	}
}

// takeWord returns the word that starts at line[i] and the offset behind it, or -1.
func takeWord(line []byte, i int) (word []byte, next int) {
	start, w := i, i
	for i < len(line) {
		c := line[i]
		switch c {
		case ' ', '\n', '\r', '\t':
			return line[start:w:w], i + 1
		case '"':
			w, i = takeDoubleQuoted(line, w, i+1)
		case '\'':
			w, i = takeSingleQuoted(line, w, i+1)
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

// takeDoubleQuoted writes what stands from line[i] to the closing quote at line[w:], and returns the ends of both; next is
// -1 if there is no closing quote.
func takeDoubleQuoted(line []byte, w, i int) (end, next int) {
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

// takeSingleQuoted is takeDoubleQuoted for '...'.
func takeSingleQuoted(line []byte, w, i int) (end, next int) {
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

// AppendQuoted is Redis' sdscatrepr, the inverse of SplitWords: it appends s in double quotes, all bytes that are not
// printable ASCII escaped.
func AppendQuoted(dst []byte, s string) []byte {
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
