package store

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
		v.newList(v.tableForWrite(to), to, toEnd, [][]byte{element})
		v.Changed(to, EventNew)
		src.e, _ = v.Peek(from) // the insertion may have moved its slot
	}
	v.pushed(to, toEnd, 0)
	src.pop(fromEnd, 1)
	src.shrunk()
	src.popped(fromEnd, 1)
	return true, nil
}

// rotate moves an element of the list from one end to the other.
func (l *List) rotate(from, to End) {
	if from == to || l.Len() == 1 {
		return
	}
	var room [256]byte // the tree may move what it has while it takes an element
	element := append(room[:0], l.end(from)...)
	l.pop(from, 1)
	l.push(to, [][]byte{element})
}
