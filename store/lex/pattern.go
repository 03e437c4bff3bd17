package lex

// Glob patterns, as KEYS, MATCH of the SCAN family, CONFIG GET and COMMAND LIST use them.
//
// A pattern is a row of elements: a literal byte, ? (any byte), a class in brackets, a byte escaped
// by a backslash, or * (any number of bytes). Every element but * takes exactly one byte of the
// subject. So stars cut the pattern into pieces of fixed lengths: the first piece stands at the
// subject's start, the last at its end, and those between are looked for one after another, each at
// its leftmost place behind the piece before. Trying a later place for a piece is never of use,
// since it only leaves less for the rest. Redis' matcher, which is recursive, comes to the same with
// its flag skipLongerMatches.
//
// # Bound
//
// A client chooses the pattern and, often, the subject. Compile reads the pattern once, and takes
// memory in proportion to it: a class of any length becomes a map of 256 bits, a literal one byte.
// A match then takes, for a pattern of p elements and a subject of n bytes,
//
//   - n + p steps for literal pieces, which are looked for by an algorithm that is linear in the
//     worst case (search.go),
//   - (n + p) * (1 + p/64) steps for pieces with ? or classes: no linear algorithm is known for
//     these, and one machine word serves 64 elements (blocks.go),
//
// each times a small constant. The textbook's loop, which tries a piece anew at every place, takes
// n * p: for 60,000 bytes some seconds, in which nobody else is served.
//
// # Oddities
//
// Those of Redis are kept, since existing patterns depend on them: a class that is never closed ends
// with the pattern; "[^" alone matches any byte; "[a-]" with nothing behind the bracket takes the
// bracket as the end of the range; ranges compare signed bytes; a lone trailing backslash is a
// literal; the empty subject is matched by the empty pattern and the bare star, by no other. Redis
// 7.4.1 and later also give up beyond 1000 stars, for the sake of their stack; here they cost nothing.

// element takes one byte of a subject: a literal byte below 256, anyByte, or a class.
type element uint32

const (
	anyByte    element = 256
	firstClass element = 257 // the class of index 0
)

// piece is what stands between two stars: n elements from code[at] on.
type piece struct {
	at, n uint32
	wild  bool // it has other elements than literals
}

// Pattern is a compiled glob pattern. It never changes: any number of goroutines may use it.
type Pattern struct {
	pieces   []piece   // one more than there are stars; adjacent stars count as one
	literals []byte    // by index of the element; meaningless where it is no literal
	code     []element // nil: all elements are literals
	classes  []byteSet
	all      bool // the bare star
}

// Compile reads a pattern, of which nothing is kept. Every text is a pattern. With nocase, ASCII
// letters match in either case.
func Compile(text []byte, nocase bool) *Pattern {
	c := compiler{nocase: nocase, Pattern: &Pattern{
		literals: make([]byte, 0, len(text)),
		all:      string(text) == "*",
	}}
	for len(text) > 0 {
		if text[0] == '*' {
			for len(text) > 0 && text[0] == '*' {
				text = text[1:]
			}
			c.endPiece()
			continue
		}
		text = text[c.element(text):]
	}
	c.endPiece()
	return c.Pattern
}

// All reports whether every subject matches, the empty one included.
func (p *Pattern) All() bool { return p.all }

// Prefix returns the literal bytes that every matching subject begins with. They are the pattern's
// and must not be changed.
func (p *Pattern) Prefix() []byte {
	first := p.pieces[0]
	n := first.n
	if first.wild {
		for n = 0; p.code[n] < anyByte; n++ {
		}
	}
	return p.literals[:n:n]
}

// Suffix returns the literal bytes that every matching subject ends with, behind those of Prefix.
// They are the pattern's and must not be changed.
func (p *Pattern) Suffix() []byte {
	last := p.pieces[len(p.pieces)-1]
	n := last.n
	switch {
	case last.wild:
		for n = 0; p.code[last.at+last.n-1-n] < anyByte; n++ {
		}
	case len(p.pieces) == 1:
		return nil
	}
	end := last.at + last.n
	return p.literals[end-n : end : end]
}

// Match reports whether the whole of s matches.
func (p *Pattern) Match(s []byte) bool {
	ok, _ := p.match(s)
	return ok
}

// match is Match, and says how many steps it took: bytes or words looked at, which tests hold
// against the bound.
func (p *Pattern) match(s []byte) (ok bool, steps int) {
	if len(s) == 0 || p.all {
		return p.all || len(p.literals) == 0 && len(p.pieces) == 1, 0
	}
	stars := len(p.pieces) - 1
	if len(s) < len(p.literals) || stars == 0 && len(s) > len(p.literals) {
		return false, 0
	}
	first, last := p.pieces[0], p.pieces[stars]
	n, ok := p.fits(first, s)
	if steps += n; !ok {
		return false, steps
	}
	if stars == 0 {
		return true, steps
	}
	n, ok = p.fits(last, s[len(s)-int(last.n):])
	if steps += n; !ok {
		return false, steps
	}
	s = s[first.n : len(s)-int(last.n)]
	for _, next := range p.pieces[1:stars] {
		at, n := p.find(next, s)
		if steps += n; at < 0 {
			return false, steps
		}
		s = s[at+int(next.n):]
	}
	return true, steps
}

// fits reports whether the piece stands at the beginning of s, which is long enough.
func (p *Pattern) fits(piece piece, s []byte) (steps int, ok bool) {
	if !piece.wild {
		literal := p.literals[piece.at : piece.at+piece.n]
		return len(literal), string(literal) == string(s[:len(literal)])
	}
	for i, e := range p.code[piece.at : piece.at+piece.n] {
		if !p.accepts(e, s[i]) {
			return i + 1, false
		}
	}
	return int(piece.n), true
}

// find returns the leftmost place of the piece in s, negative if it is not there.
func (p *Pattern) find(piece piece, s []byte) (at, steps int) {
	switch {
	case len(s) < int(piece.n):
		return -1, 1
	case piece.wild:
		return p.findWild(p.code[piece.at:piece.at+piece.n], s)
	}
	return findLiteral(s, p.literals[piece.at:piece.at+piece.n])
}

func (p *Pattern) accepts(e element, c byte) bool {
	switch {
	case e < anyByte:
		return byte(e) == c
	case e == anyByte:
		return true
	}
	return p.classes[e-firstClass].has(c)
}
