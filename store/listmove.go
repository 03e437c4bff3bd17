package store

import "slices"

// MoveElement moves the element at one end of the list from to an end of the list to, which is
// created if need be and may be the same. fn sees the element before anything is changed. It
// reports whether there is one. The shards of both are locked.
func (v *View) MoveElement(from Key, fromEnd End, to Key, toEnd End, fn func(element []byte)) (moved bool, err error) {
	// The destination first: looking for it may remove an expired key, and the handle of the
	// source must not be older than that.
	dst, exists, wrongType := v.WriteList(to)
	src, ok, err := v.WriteList(from)
	if !ok || err != nil {
		return false, err
	}
	if wrongType != nil {
		return false, wrongType
	}
	element := src.end(fromEnd)
	fn(element)
	switch {
	case string(from.Name) == string(to.Name):
		src.rotate(fromEnd, toEnd)
		v.pushed(to, toEnd, 0)
		src.shrunk()
		src.popped(fromEnd, 1)
		return true, nil
	case exists:
		dst.push(toEnd, [][]byte{element})
	default:
		v.newList(v.tableForWrite(&to), to, toEnd, [][]byte{element})
		v.Changed(to, EventNew)
		src.e, _ = v.Peek(from) // the insertion may have moved its slot
	}
	v.pushed(to, toEnd, 0)
	src.pop(fromEnd, 1)
	src.shrunk()
	src.popped(fromEnd, 1)
	return true, nil
}

// Moving is how several elements are moved at once.
type Moving struct {
	From, To End
	Count    int  // at least 1
	Exactly  bool // all of Count, or none
	Bulk     bool // they keep their order; else they come one by one, as if each had been moved by itself
}

// Least is how many elements a list must have for something to be moved.
func (m *Moving) Least() int {
	if m.Exactly {
		return m.Count
	}
	return 1
}

// reverses reports whether the elements come to lie the other way round.
func (m *Moving) reverses() bool { return !m.Bulk && m.From == m.To }

// MoveElements moves elements from an end of the list from to an end of the list to, which is created
// if need be and may be the same. fn sees them before anything is changed, in the order in which they
// are to lie in to; changes is false if that is where they lie. It reports whether there were enough.
// The shards of both are locked.
//
// Within one list, elements that are put back where they came from stay as they are, as with a
// MoveElement for each of them.
func (v *View) MoveElements(from, to Key, m Moving, fn func(elements [][]byte, changes bool)) (moved bool, err error) {
	dst, exists, wrongType := v.WriteList(to) // first, as in MoveElement
	src, ok, err := v.WriteList(from)
	if !ok || err != nil || src.Len() < m.Least() {
		return false, err
	}
	if wrongType != nil {
		return false, wrongType
	}
	n := min(m.Count, src.Len())
	elements := make([][]byte, 0, n)
	src.eachFrom(m.From, n, func(element []byte) { elements = append(elements, element) })
	if m.From == Back { // as they lie in src
		slices.Reverse(elements)
	}
	if string(from.Name) == string(to.Name) {
		changes := m.From != m.To && n < src.Len()
		fn(elements, changes)
		if changes {
			src.turn(m, elements)
		} else {
			src.stay(elements)
			src.shrunk()
		}
		v.pushed(to, m.To, n)
		src.popped(m.From, n)
		return true, nil
	}
	if m.reverses() {
		slices.Reverse(elements)
	}
	fn(elements, true)
	if m.To == Front { // they are pushed one after the other
		slices.Reverse(elements)
	}
	if exists {
		dst.push(m.To, elements)
	} else {
		v.newList(v.tableForWrite(&to), to, m.To, elements)
		v.Changed(to, EventNew)
		src.e, _ = v.Peek(from) // the insertion may have moved its slot
	}
	v.pushed(to, m.To, n)
	src.pop(m.From, n)
	src.shrunk()
	src.popped(m.From, n)
	return true, nil
}

// turn moves some elements of the list, but not all, from one end to the other, where they lie in the
// same order.
func (l *List) turn(m Moving, elements [][]byte) {
	var bytes []byte // the list may move what it has while it takes elements
	for i, e := range elements {
		from := len(bytes)
		bytes = append(bytes, e...)
		elements[i] = bytes[from:len(bytes):len(bytes)]
	}
	l.pop(m.From, len(elements))
	if m.To == Front {
		slices.Reverse(elements)
	}
	l.push(m.To, elements)
	l.shrunk()
}

// rotate moves an element of the list from one end to the other.
func (l *List) rotate(from, to End) {
	if from == to || l.Len() == 1 {
		l.stay([][]byte{l.end(from)})
		return
	}
	var room [256]byte // the tree may move what it has while it takes an element
	element := append(room[:0], l.end(from)...)
	l.pop(from, 1)
	l.push(to, [][]byte{element})
}

// stay takes elements of the list for ones that are removed and added again.
func (l *List) stay(elements [][]byte) {
	bytes := 0
	for _, e := range elements {
		bytes += len(e) - listpackEntry(e)
	}
	l.willGrow(bytes, 0)
}
