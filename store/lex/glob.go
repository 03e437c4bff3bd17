package lex

// Glob patterns, as KEYS, SCAN MATCH, CONFIG GET and PSUBSCRIBE use them.
//
// A pattern is a row of elements: a literal byte, ? (any byte), a class in
// brackets, a byte escaped by a backslash, or * (any number of bytes). Every
// element but * takes exactly one byte of the subject. So the search needs no
// recursion: remember the last star, and when an element fails, let that star
// take one byte more. Stars before the last one never have to take more; the
// stretch between them was matched at its leftmost place, and moving it to the
// right only leaves less for the rest. Redis arrives at the same bound with the
// skipLongerMatches flag of its recursive matcher; here the work is at most
// len(pattern) x len(subject) steps in constant space, so that no pattern can
// blow up in time or exhaust the stack.
//
// Oddities of Redis kept on purpose, since existing patterns depend on them:
// a class that is never closed ends with the pattern; "[^" alone matches any
// byte; "[a-]" with nothing behind the bracket takes the bracket as the end of
// the range; ranges compare signed bytes; a lone trailing backslash is a
// literal; no pattern but the empty one matches the empty subject (callers
// answer a bare "*" before they come here).

// Match reports whether the whole of s matches pattern. With nocase, ASCII
// letters match in either case.
func Match(pattern, s []byte, nocase bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	p, i := 0, 0
	star, mark := -1, 0 // pattern offset behind the last star, subject offset where its tail was tried
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			for p < len(pattern) && pattern[p] == '*' {
				p++
			}
			if p == len(pattern) {
				return true
			}
			star, mark = p, i
			continue
		}
		if p < len(pattern) {
			if n, ok := element(pattern[p:], s[i], nocase); ok {
				p += n
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// element matches c against the element at the front of p, which is neither
// empty nor a star, and returns the element's length in bytes. The length is
// meaningful only when ok.
func element(p []byte, c byte, nocase bool) (n int, ok bool) {
	switch p[0] {
	case '?':
		return 1, true
	case '[':
		return class(p, c, nocase)
	case '\\':
		if len(p) >= 2 {
			return 2, same(p[1], c, nocase)
		}
	}
	return 1, same(p[0], c, nocase)
}

// class matches c against the bracket expression at the front of p.
func class(p []byte, c byte, nocase bool) (n int, ok bool) {
	i := 1
	not := i < len(p) && p[i] == '^'
	if not {
		i++
	}
	for i < len(p) && p[i] != ']' {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			// An escaped member is compared as it is, even under nocase.
			i++
			ok = ok || p[i] == c
		case i+2 < len(p) && p[i+1] == '-':
			ok = ok || inRange(p[i], p[i+2], c, nocase)
			i += 2
		default:
			ok = ok || same(p[i], c, nocase)
		}
		i++
	}
	if i < len(p) {
		i++ // the closing bracket
	}
	return i, ok != not
}

// inRange compares as signed char does. The ends are put in order before the
// case is folded, as Redis does.
func inRange(from, to, c byte, nocase bool) bool {
	lo, hi, x := int8(from), int8(to), int8(c)
	if lo > hi {
		lo, hi = hi, lo
	}
	if nocase {
		lo, hi, x = int8(lower(byte(lo))), int8(lower(byte(hi))), int8(lower(byte(x)))
	}
	return lo <= x && x <= hi
}

func same(a, b byte, nocase bool) bool {
	return a == b || nocase && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
