package lua

import "strings"

// check reads the arguments of all that match: the string and the pattern.
func (m *matcher) check(t *Thread) (pattern *String, err error) {
	src, err := t.CheckString(1)
	if err != nil {
		return nil, err
	}
	if pattern, err = t.CheckString(2); err != nil {
		return nil, err
	}
	m.init(t, src, pattern)
	return pattern, nil
}

func stringFind(t *Thread) (int, error)  { return find(t, true) }
func stringMatch(t *Thread) (int, error) { return find(t, false) }

// find is find, which returns the place and then captures, and match, which returns captures alone.
func find(t *Thread, place bool) (int, error) {
	var m matcher
	pattern, err := m.check(t)
	if err != nil {
		return 0, err
	}
	start, err := t.OptInt(3, 1)
	if err != nil {
		return 0, err
	}
	start = min(max(position(start, len(m.src.s))-1, 0), len(m.src.s))
	if place && (t.Arg(4).Truth() || !strings.ContainsAny(m.pattern, "^$*+?.([%-")) {
		return findPlain(t, m.src.s, pattern.s, start)
	}
	anchored := m.takeAnchor()
	for s := start; s <= len(m.src.s) && m.err == nil; s++ {
		if !anchored {
			if s = m.next(s); s > len(m.src.s) {
				break
			}
		}
		if end := m.matchAt(s); end >= 0 {
			if !place {
				return m.pushCaptures(s, end, true)
			}
			t.Push(Int(s + 1))
			t.Push(Int(end))
			n, err := m.pushCaptures(s, end, false)
			return n + 2, err
		}
		if anchored {
			break
		}
	}
	if m.err != nil {
		return 0, m.err
	}
	return t.Return(Nil)
}

func findPlain(t *Thread, s, sub string, start int) (int, error) {
	if err := t.spend((len(s) - start) / 4); err != nil {
		return 0, err
	}
	i := strings.Index(s[start:], sub)
	if i < 0 {
		return t.Return(Nil)
	}
	return t.Return(Int(start+i+1), Int(start+i+len(sub)))
}

// captured is the value of capture i of a match from s to end: a string or a position. If the
// pattern has no captures, the first one is the match itself.
func (m *matcher) captured(i, s, end int) (Value, error) {
	if i >= m.level {
		if i > 0 {
			return Nil, m.t.Errorf("invalid capture index")
		}
		text, err := m.t.Substring(m.src, s, end)
		return text.Value(), err
	}
	switch c := m.captures[i]; c.size {
	case captureOpen:
		return Nil, m.t.Errorf("unfinished capture")
	case capturePosition:
		return Int(c.start + 1), nil
	default:
		text, err := m.t.Substring(m.src, c.start, c.start+c.size)
		return text.Value(), err
	}
}

// pushCaptures pushes the captures of a match from s to end, or, if there are none and whole says
// so, the match itself.
func (m *matcher) pushCaptures(s, end int, whole bool) (int, error) {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		v, err := m.captured(i, s, end)
		if err != nil {
			return 0, err
		}
		m.t.Push(v)
	}
	return n, nil
}

func stringGmatch(t *Thread) (int, error) {
	var args matcher
	pattern, err := args.check(t)
	if err != nil {
		return 0, err
	}
	src, next := args.src, 0
	iterate := func(t *Thread) (int, error) {
		var m matcher
		m.init(t, src, pattern)
		for s := m.next(next); s <= len(src.s); s = m.next(s + 1) {
			if end := m.matchAt(s); end >= 0 {
				next = end
				if end == s {
					next++ // an empty match
				}
				return m.pushCaptures(s, end, true)
			}
			if m.err != nil {
				return 0, m.err
			}
		}
		return 0, nil
	}
	return t.Return(t.state.NewNative(iterate, src.Value(), pattern.Value()).Value())
}

func stringGsub(t *Thread) (int, error) {
	var m matcher
	if _, err := m.check(t); err != nil {
		return 0, err
	}
	src := m.src.s
	most, err := t.optInt32(4, len(src)+1)
	if err != nil {
		return 0, err
	}
	replacement := t.Arg(3)
	switch replacement.Kind() {
	case KindNumber, KindString, KindTable, KindFunction:
	default:
		return 0, t.ArgError(3, "string/function/table expected")
	}
	return m.substitute(replacement, most)
}

// substitute replaces up to most matches, and returns the text and their number.
func (m *matcher) substitute(replacement Value, most int) (int, error) {
	anchored, src := m.takeAnchor(), m.src.s
	var b buffer
	n, done := 0, 0 // matches; bytes of src that are in b
	for s := 0; n < most && s <= len(src) && (s == 0 || !anchored); {
		if !anchored {
			if s = m.next(s); s > len(src) {
				break
			}
		}
		end := m.matchAt(s)
		if m.err != nil {
			return 0, m.err
		}
		if end < 0 {
			s++
			continue
		}
		if n++; n == 1 {
			b = m.t.newBuffer()
		}
		if err := b.add(src[done:s]); err != nil {
			return 0, err
		}
		if err := m.replace(&b, replacement, s, end); err != nil {
			return 0, err
		}
		done = end
		if end == s {
			end++ // an empty match
		}
		s = end
	}
	if n == 0 {
		return m.t.Return(m.src.Value(), Int(0))
	}
	if err := b.add(src[done:]); err != nil {
		return 0, err
	}
	text, err := b.result()
	if err != nil {
		return 0, err
	}
	return m.t.Return(text.Value(), Int(n))
}

// replace adds what replaces the match from s to end.
func (m *matcher) replace(b *buffer, replacement Value, s, end int) error {
	t, v := m.t, Nil
	switch replacement.Kind() {
	case KindString:
		return m.expand(b, replacement.AsString().s, s, end)
	case KindNumber:
		return b.addNumber(replacement.Num())
	case KindFunction:
		t.Push(replacement)
		n, err := m.pushCaptures(s, end, true)
		if err != nil {
			return err
		}
		if err := t.Call(n, 1); err != nil {
			return err
		}
		v = t.Arg(t.Count())
		t.Pop(1)
	case KindTable:
		key, err := m.captured(0, s, end)
		if err != nil {
			return err
		}
		if v, err = t.Index(replacement, key); err != nil {
			return err
		}
	}
	if !v.Truth() {
		return b.add(m.src.s[s:end])
	}
	ok, err := b.addValue(v)
	if !ok {
		return t.Errorf("invalid replacement value (a %s)", v.Kind())
	}
	return err
}

// expand adds a replacement text, in which %0 to %9 stand for the match and its captures.
func (m *matcher) expand(b *buffer, text string, s, end int) error {
	for {
		escape := strings.IndexByte(text, '%')
		if escape < 0 {
			return b.add(text)
		}
		if err := b.add(text[:escape]); err != nil {
			return err
		}
		c := byte(0) // what C reads behind the end
		if escape+1 < len(text) {
			c = text[escape+1]
		}
		if err := m.expandEscape(b, c, s, end); err != nil {
			return err
		}
		text = text[min(escape+2, len(text)):]
	}
}

func (m *matcher) expandEscape(b *buffer, c byte, s, end int) error {
	switch {
	case !isDigit(c):
		return b.addByte(c)
	case c == '0':
		return b.add(m.src.s[s:end])
	}
	i := int(c - '1')
	if i < m.level && m.captures[i].size >= 0 { // without making a string of it
		return b.add(m.src.s[m.captures[i].start:][:m.captures[i].size])
	}
	v, err := m.captured(i, s, end)
	if err != nil {
		return err
	}
	_, err = b.addValue(v)
	return err
}
