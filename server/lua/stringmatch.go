package lua

import "strings"

const (
	maxCaptures = 32

	// maxMatchDepth bounds how many items of a pattern can be open at once. C has no limit in Lua 5.1,
	// and dies of a pattern with some hundred thousand of them; this takes a few megabytes of stack.
	maxMatchDepth = 10000

	// matchBatch is after how many steps of a match the thread takes them.
	matchBatch = 256
)

// Sizes of captures that are no sizes.
const (
	captureOpen     = -1 // its parenthesis is not closed yet
	capturePosition = -2 // "()"
)

// matcher matches a pattern at places of a string. It follows lstrlib.c, function by function: what
// a faulty pattern does, and when it is found out, is visible to scripts. A pattern ends at its
// first zero byte, and so here reads at its end give 0. Positions are indices; -1 is no match.
type matcher struct {
	t        *Thread
	src      *String
	pattern  string
	literal  bool // the pattern begins with a byte that has to be there, see next
	level    int  // captures begun
	depth    int
	steps    int
	err      error // ends the match; results are -1 from then on
	captures [maxCaptures]capture
}

type capture struct{ start, size int }

// init prepares for a pattern.
func (m *matcher) init(t *Thread, src, pattern *String) {
	m.t, m.src, m.pattern = t, src, pattern.s
	if end := strings.IndexByte(pattern.s, 0); end >= 0 {
		m.pattern = pattern.s[:end]
	}
	m.literal = m.pattern != "" && strings.IndexByte("()[.%$", m.pattern[0]) < 0 &&
		strings.IndexByte("*?-", m.at(1)) < 0
}

// takeAnchor reports whether the pattern begins with ^, and takes it off.
func (m *matcher) takeAnchor() bool {
	rest, found := strings.CutPrefix(m.pattern, "^")
	m.pattern = rest
	return found
}

// next is the first place from s on where a match may begin: past the end if there is none. Most
// patterns begin with a byte that stands for itself, and C, too, looks at nothing else before it.
func (m *matcher) next(s int) int {
	if !m.literal || s >= len(m.src.s) {
		return s
	}
	skip := strings.IndexByte(m.src.s[s:], m.pattern[0])
	if skip < 0 {
		return len(m.src.s) + 1
	}
	m.step(skip / 64)
	return s + skip
}

// at is a byte of the pattern.
func (m *matcher) at(p int) byte {
	if p < len(m.pattern) {
		return m.pattern[p]
	}
	return 0
}

// fail ends the match with an error of the pattern.
func (m *matcher) fail(problem string) int {
	if m.err == nil {
		m.err = m.t.Errorf("%s", problem)
	}
	return -1
}

// step counts n steps.
func (m *matcher) step(n int) {
	if m.steps += n; m.steps >= matchBatch {
		if err := m.t.Step(m.steps); err != nil && m.err == nil {
			m.err = err
		}
		m.steps = 0
	}
}

// matchAt matches the whole pattern at s.
func (m *matcher) matchAt(s int) int {
	m.level, m.depth = 0, 0
	if end := m.match(s, 0); m.err == nil {
		return end
	}
	return -1
}

// match matches the pattern from p on at s.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		return m.fail("pattern too complex")
	}
	m.step(1)
	end := m.matchItems(s, p)
	m.depth--
	return end
}

// matchItems matches item by item, and calls match again where an item may match in several ways.
func (m *matcher) matchItems(s, p int) int {
	for m.err == nil {
		switch c := m.at(p); c {
		case '(':
			if m.at(p+1) == ')' {
				return m.startCapture(s, p+2, capturePosition)
			}
			return m.startCapture(s, p+1, captureOpen)
		case ')':
			return m.endCapture(s, p+1)
		case 0:
			return s
		case '$':
			if m.at(p+1) == 0 {
				if s == len(m.src.s) {
					return s
				}
				return -1
			}
		case '%':
			next, length := m.matchEscape(s, p)
			if next < 0 {
				return -1
			}
			if length > 0 {
				s, p = next, p+length
				continue
			}
		}
		end := m.classEnd(p)
		if m.err != nil {
			return -1
		}
		matches := s < len(m.src.s) && m.matchClass(m.src.s[s], p, end)
		switch m.at(end) {
		case '?':
			if matches {
				if result := m.match(s+1, end+1); result >= 0 {
					return result
				}
			}
			p = end + 1
			continue
		case '*':
			return m.maxExpand(s, p, end)
		case '+':
			if matches {
				return m.maxExpand(s+1, p, end)
			}
			return -1
		case '-':
			return m.minExpand(s, p, end)
		}
		if !matches {
			return -1
		}
		s, p = s+1, end
	}
	return -1
}

// matchEscape matches what is no class: %b, %f and %1 to %9. It returns the new place and the length
// of the item, 0 if it is a class.
func (m *matcher) matchEscape(s, p int) (next, length int) {
	switch c := m.at(p + 1); {
	case c == 'b':
		return m.matchBalance(s, p+2), 4
	case c == 'f':
		p += 2
		if m.at(p) != '[' {
			return m.fail("missing '[' after '%f' in pattern"), 0
		}
		end := m.classEnd(p)
		if m.err != nil {
			return -1, 0
		}
		before, here := byte(0), byte(0)
		if s > 0 {
			before = m.src.s[s-1]
		}
		if s < len(m.src.s) {
			here = m.src.s[s]
		}
		if m.matchSet(before, p, end-1) || !m.matchSet(here, p, end-1) {
			return -1, 0
		}
		return s, end - p + 2
	case isDigit(c):
		return m.matchCapture(s, c), 2
	}
	return s, 0
}

// classEnd is where the class at p ends: a byte, an escaped one or a set.
func (m *matcher) classEnd(p int) int {
	c := m.at(p)
	p++
	switch c {
	case '%':
		if m.at(p) == 0 {
			return m.fail("malformed pattern (ends with '%')")
		}
		return p + 1
	case '[':
		if m.at(p) == '^' {
			p++
		}
		for first := true; first || m.at(p) != ']'; first = false {
			c := m.at(p)
			if c == 0 {
				return m.fail("malformed pattern (missing ']')")
			}
			p++
			if c == '%' && m.at(p) != 0 {
				p++
			}
		}
		return p + 1
	}
	return p
}

// matchClass reports whether the class from p to end has c.
func (m *matcher) matchClass(c byte, p, end int) bool {
	switch b := m.pattern[p]; b {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		return m.matchSet(c, p, end-1)
	default:
		return b == c
	}
}

// matchSet reports whether the set from p to its bracket at end has c.
func (m *matcher) matchSet(c byte, p, end int) bool {
	within := true
	if m.at(p+1) == '^' {
		within = false
		p++
	}
	for p++; p < end; p++ {
		b := m.pattern[p]
		switch {
		case b == '%':
			p++
			if inClass(c, m.at(p)) {
				return within
			}
		case m.at(p+1) == '-' && p+2 < end:
			p += 2
			if b <= c && c <= m.pattern[p] {
				return within
			}
		case b == c:
			return within
		}
	}
	return !within
}

// inClass reports whether the class that a letter names has c. Capitals name the complement, and
// what names no class names itself.
func inClass(c, class byte) bool {
	in := false
	switch toLower(class) {
	case 'a':
		in = isAlpha(c)
	case 'c':
		in = isControl(c)
	case 'd':
		in = isDigit(c)
	case 'l':
		in = isLower(c)
	case 'p':
		in = isPunct(c)
	case 's':
		in = isSpace(c)
	case 'u':
		in = isUpper(c)
	case 'w':
		in = isAlnum(c)
	case 'x':
		in = isHexDigit(c)
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	return in == isLower(class)
}

// matchBalance matches %b with the two bytes at p.
func (m *matcher) matchBalance(s, p int) int {
	open, shut := m.at(p), m.at(p+1)
	if open == 0 || shut == 0 {
		return m.fail("unbalanced pattern")
	}
	src := m.src.s
	if s >= len(src) || src[s] != open {
		return -1
	}
	depth := 1
	for i := s + 1; i < len(src); i++ {
		switch src[i] {
		case shut:
			if depth--; depth == 0 {
				m.step((i - s) / 8)
				return i + 1
			}
		case open:
			depth++
		}
	}
	m.step((len(src) - s) / 8)
	return -1
}

// maxExpand matches as many of the class from p to end as it can, and then fewer and fewer.
func (m *matcher) maxExpand(s, p, end int) int {
	src, i := m.src.s, s
	for i < len(src) && m.matchClass(src[i], p, end) {
		i++
	}
	m.step((i - s) / 4)
	for ; i >= s && m.err == nil; i-- {
		if result := m.match(i, end+1); result >= 0 {
			return result
		}
	}
	return -1
}

// minExpand matches as few of the class from p to end as it can.
func (m *matcher) minExpand(s, p, end int) int {
	for m.err == nil {
		if result := m.match(s, end+1); result >= 0 {
			return result
		}
		if s >= len(m.src.s) || !m.matchClass(m.src.s[s], p, end) {
			return -1
		}
		s++
	}
	return -1
}

// startCapture begins a capture at s and matches what follows.
func (m *matcher) startCapture(s, p, size int) int {
	if m.level >= maxCaptures {
		return m.fail("too many captures")
	}
	m.captures[m.level] = capture{s, size}
	m.level++
	result := m.match(s, p)
	if result < 0 {
		m.level--
	}
	return result
}

// endCapture ends the last open capture at s and matches what follows.
func (m *matcher) endCapture(s, p int) int {
	i := m.level - 1
	for i >= 0 && m.captures[i].size != captureOpen {
		i--
	}
	if i < 0 {
		return m.fail("invalid pattern capture")
	}
	m.captures[i].size = s - m.captures[i].start
	result := m.match(s, p)
	if result < 0 {
		m.captures[i].size = captureOpen
	}
	return result
}

// matchCapture matches what a capture, named by its digit, has matched.
func (m *matcher) matchCapture(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].size == captureOpen {
		return m.fail("invalid capture index")
	}
	c, src := m.captures[i], m.src.s
	if c.size == capturePosition || len(src)-s < c.size {
		return -1
	}
	m.step(c.size / 64)
	if src[c.start:c.start+c.size] != src[s:s+c.size] {
		return -1
	}
	return s + c.size
}
