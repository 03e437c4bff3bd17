package syntax

import (
	"fmt"
	"strings"
	"unsafe"
)

// lexer cuts a source into tokens, after llex.c of Lua 5.1.5, whose messages it gives. An error is a
// panic with a *failure, which Parse recovers.
type lexer struct {
	source string
	pos    int    // of the byte that is looked at
	chunk  string // the chunk's name in messages
	line   int    // of pos

	tok      token   // the current token, and its value
	value    string  // of a string
	sym      *symbol // of a name
	number   float64
	lastLine int // of the end of the token before
	ahead    struct {
		tok token // tokEOS: none
		sym *symbol
	}

	text    lexeme // of what was read last
	symbols map[string]*symbol
	strings map[string]string // short ones, each once
	escaped []byte            // a string under way that is not as it stands in the source

	budget int // bytes that the tree may still take
}

// lexeme is a token as messages show it: of a string its value between its quotes.
type lexeme struct{ open, body, close string }

// eoz is what the lexer looks at beyond the end. No byte has this value.
const eoz = -1

// treeLimit is how many bytes a tree may take, by estimate. Dense code takes up to about forty times
// the bytes of its source, so this is reached by code of some megabytes; strings and comments may be
// longer.
const treeLimit = 64 << 20

// shortString is up to which length equal strings of a source are kept once.
const shortString = 40

// failure is an error on its way to Parse.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

// cString is what C would print of s.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// fail ends the parse. near is the token of the message, 0 for none, tokName, tokString or tokNumber
// for the text that was read last.
func (l *lexer) fail(message string, near token) {
	message = fmt.Sprintf("%s:%d: %s", l.chunk, l.line, message)
	switch near {
	case 0:
	case tokName, tokString, tokNumber:
		message += " near '" + cString(l.text.open+l.text.body+l.text.close) + "'"
	default:
		message += " near '" + near.String() + "'"
	}
	panic(&failure{message})
}

// syntaxError ends the parse at the current token.
func (l *lexer) syntaxError(message string) { l.fail(message, l.tok) }

// charge counts memory of the tree.
func (l *lexer) charge(bytes int) {
	if l.budget -= bytes; l.budget < 0 {
		panic(&failure{"not enough memory"}) // C's text when malloc fails
	}
}

// at is the byte i bytes further on, or eoz.
func (l *lexer) at(i int) int {
	if l.pos+i < len(l.source) {
		return int(l.source[l.pos+i])
	}
	return eoz
}

// next moves to the next token.
func (l *lexer) next() {
	l.lastLine = l.line
	if l.ahead.tok != tokEOS {
		l.tok, l.sym = l.ahead.tok, l.ahead.sym
		l.ahead.tok = tokEOS
		return
	}
	l.tok = l.scan()
}

// lookahead is the token after the current one, which is a name. What it sets in the lexer besides
// the symbol belongs to the token ahead, which is as in C: the name needs nothing else.
func (l *lexer) lookahead() token {
	sym := l.sym
	l.ahead.tok = l.scan()
	l.ahead.sym, l.sym = l.sym, sym
	return l.ahead.tok
}

func isDigit(c int) bool { return c >= '0' && c <= '9' }
func isWord(c int) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' && c > 0 || isDigit(c) || c == '_'
}

// scan reads a token.
func (l *lexer) scan() token {
	for {
		switch c := l.at(0); c {
		case '\n', '\r':
			l.newline()
		case ' ', '\t', '\v', '\f':
			l.pos++
		case '-':
			if l.at(1) != '-' {
				l.pos++
				return '-'
			}
			l.pos += 2
			l.comment()
		case '[':
			return l.bracket()
		case '=':
			return l.pair('=', tokEq)
		case '<':
			return l.pair('<', tokLe)
		case '>':
			return l.pair('>', tokGe)
		case '~':
			return l.pair('~', tokNe)
		case '"', '\'':
			l.quoted(byte(c))
			return tokString
		case '.':
			return l.dot()
		case eoz:
			return tokEOS
		default:
			return l.other(c)
		}
	}
}

// other reads a numeral, a word or a byte that stands for itself.
func (l *lexer) other(c int) token {
	switch {
	case isDigit(c):
		l.numeral(l.pos)
		return tokNumber
	case isWord(c):
		return l.word()
	}
	l.pos++
	return token(c)
}

// pair reads a byte, which is another token with = behind it.
func (l *lexer) pair(alone, withEqual token) token {
	l.pos++
	if l.at(0) != '=' {
		return alone
	}
	l.pos++
	return withEqual
}

// newline skips an end of a line, of one byte or of two different ones.
func (l *lexer) newline() {
	c := l.at(0)
	l.pos++
	if d := l.at(0); (d == '\n' || d == '\r') && d != c {
		l.pos++
	}
	l.line++
}

// comment skips a comment from behind its two dashes on.
func (l *lexer) comment() {
	if l.at(0) == '[' {
		if level := l.level(); level >= 0 {
			l.long(level, false)
			return
		}
	}
	for c := l.at(0); c != '\n' && c != '\r' && c != eoz; c = l.at(0) {
		l.pos++
	}
}

// level skips a bracket and the equal signs behind it. It returns how many these are if the same
// bracket follows, otherwise minus one minus their count.
func (l *lexer) level() int {
	bracket, count := l.at(0), 0
	for l.pos++; l.at(0) == '='; l.pos++ {
		count++
	}
	if l.at(0) == bracket {
		return count
	}
	return -1 - count
}

// bracket reads what begins with [.
func (l *lexer) bracket() token {
	start := l.pos
	level := l.level()
	if level >= 0 {
		l.long(level, true)
		return tokString
	}
	if level != -1 {
		l.text = lexeme{body: l.source[start:l.pos]}
		l.fail("invalid long string delimiter", tokString)
	}
	return '['
}

// long reads a long string or comment. pos is at its second bracket. An opening bracket of the same
// level inside is part of the text, as in the Lua of Debian's Redis; Lua can also be built such that
// it is an error (LUA_COMPAT_LSTR).
func (l *lexer) long(level int, keep bool) {
	l.pos++
	open := l.source[l.pos-level-2 : l.pos]
	if c := l.at(0); c == '\n' || c == '\r' {
		l.newline()
	}
	start := l.pos
	l.escaped = l.escaped[:0]
	for {
		switch l.at(0) {
		case eoz:
			if keep {
				l.fail("unfinished long string", tokEOS)
			}
			l.fail("unfinished long comment", tokEOS)
		case ']':
			if end := l.pos; l.level() == level {
				l.pos++
				if keep {
					l.keep(open, start, end, l.source[end:l.pos])
				}
				return
			}
		case '\n':
			if l.at(1) == '\r' {
				start = l.normalize(start, keep)
			} else {
				l.pos, l.line = l.pos+1, l.line+1
			}
		case '\r':
			start = l.normalize(start, keep)
		default:
			l.pos++
		}
	}
}

// normalize skips an end of a line in a long string that is not one \n, which it becomes. It returns
// where what was not copied yet begins.
func (l *lexer) normalize(start int, keep bool) int {
	if keep {
		l.copy(start)
		l.escaped = append(l.escaped, '\n')
	}
	l.newline()
	return l.pos
}

// copy appends what is between start and pos to the string under way.
func (l *lexer) copy(start int) {
	if l.escaped = append(l.escaped, l.source[start:l.pos]...); len(l.escaped) > l.budget {
		l.charge(len(l.escaped))
	}
}

// keep ends a string: what was copied, and the source from start to end.
func (l *lexer) keep(open string, start, end int, quote string) {
	if len(l.escaped) == 0 {
		l.value = l.intern(l.source[start:end])
	} else {
		l.escaped = append(l.escaped, l.source[start:end]...)
		l.value = l.intern(unsafe.String(&l.escaped[0], len(l.escaped)))
		if cap(l.escaped) > 1<<16 {
			l.escaped = nil
		}
	}
	l.text = lexeme{open, l.value, quote}
}

// intern copies a string, so that no tree keeps its source in memory.
func (l *lexer) intern(s string) string {
	if len(s) > shortString {
		l.charge(len(s))
		return strings.Clone(s)
	}
	if kept, ok := l.strings[s]; ok {
		return kept
	}
	l.charge(len(s) + 48) // with its place in the map
	s = strings.Clone(s)
	l.strings[s] = s
	return s
}

// quoted reads a string in quotes.
func (l *lexer) quoted(quote byte) {
	open := l.source[l.pos : l.pos+1]
	l.pos++
	start := l.pos
	l.escaped = l.escaped[:0]
	for {
		switch c := l.at(0); c {
		case int(quote):
			l.pos++
			l.keep(open, start, l.pos-1, open)
			return
		case eoz:
			l.fail("unfinished string", tokEOS)
		case '\n', '\r':
			l.failInString("unfinished string", open, start)
		case '\\':
			l.copy(start)
			l.pos++
			l.escape(open)
			start = l.pos
		default:
			l.pos++
		}
	}
}

// failInString ends the parse in the middle of a string.
func (l *lexer) failInString(message, open string, start int) {
	l.text = lexeme{open: open, body: string(l.escaped) + l.source[start:l.pos]}
	l.fail(message, tokString)
}

// escape reads what follows a backslash.
func (l *lexer) escape(open string) {
	switch c := l.at(0); {
	case c == eoz: // the string is unfinished
	case c == '\n' || c == '\r':
		l.escaped = append(l.escaped, '\n')
		l.newline()
	case isDigit(c):
		value := 0
		for i := 0; i < 3 && isDigit(l.at(0)); i++ {
			value = 10*value + l.at(0) - '0'
			l.pos++
		}
		if value > 255 {
			l.failInString("escape sequence too large", open, l.pos)
		}
		l.escaped = append(l.escaped, byte(value))
	default:
		if i := strings.IndexByte("abfnrtv", byte(c)); i >= 0 {
			c = int("\a\b\f\n\r\t\v"[i])
		}
		l.escaped = append(l.escaped, byte(c))
		l.pos++
	}
}

// skip moves on if one of the bytes of set is there. So it does at a NUL byte, which C's strchr finds
// at the end of every set.
func (l *lexer) skip(set string) bool {
	c := l.at(0)
	if c == eoz || c != 0 && strings.IndexByte(set, byte(c)) < 0 {
		return false
	}
	l.pos++
	return true
}

// dot reads what begins with a point.
func (l *lexer) dot() token {
	start := l.pos
	l.pos++
	if l.skip(".") {
		if l.skip(".") {
			return tokDots
		}
		return tokConcat
	}
	if !isDigit(l.at(0)) {
		return '.'
	}
	l.numeral(start)
	return tokNumber
}

// numeral reads a numeral that begins at start: everything that could belong to one, and then asks
// whether it is one.
func (l *lexer) numeral(start int) {
	for l.pos++; isDigit(l.at(0)) || l.at(0) == '.'; l.pos++ {
	}
	if l.skip("Ee") {
		l.skip("+-")
	}
	for isWord(l.at(0)) {
		l.pos++
	}
	l.text = lexeme{body: l.source[start:l.pos]}
	value, ok := numeral(cString(l.text.body))
	if !ok {
		l.fail("malformed number", tokNumber)
	}
	l.number = value
}

// word reads a name or a reserved word.
func (l *lexer) word() token {
	start := l.pos
	for isWord(l.at(0)) {
		l.pos++
	}
	l.text = lexeme{body: l.source[start:l.pos]}
	sym := l.symbol(l.text.body)
	if sym.reserved != 0 {
		return sym.reserved
	}
	l.sym = sym
	return tokName
}

// symbol is the one of a word.
func (l *lexer) symbol(word string) *symbol {
	sym := l.symbols[word]
	if sym == nil {
		l.charge(len(word) + 96)
		sym = &symbol{name: strings.Clone(word)}
		l.symbols[sym.name] = sym
	}
	return sym
}
