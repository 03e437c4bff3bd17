package store

// List is the handle of a list; see collection.go for what a handle is.
//
// A small list is a packed value inside its key's record (listpacked.go), a large one a counted
// tree (listbody.go), in which any position is found in O(log n). What decides is the number of
// bytes, and a list that has become small again goes back. That is no affair of the client, to
// whom OBJECT ENCODING says what Redis would have (listencoding.go).
//
// Positions count from 0 at the front.
type List struct {
	v *View
	k Key
	e Entry
	b *listBody // nil: the list is packed
}

// End is one end of a list.
type End uint8

// The ends, as LPUSH and RPUSH have them.
const (
	Front End = iota // left, the head: element 0
	Back             // right, the tail
)

// ReadList finds a list for reading.
func (v *View) ReadList(k Key) (l List, ok bool, err error) {
	if !v.read(&l.e, &k) {
		return l, false, nil
	}
	if l.e.Type() != TypeList {
		return l, false, ErrWrongType
	}
	l.v, l.k = v, k
	l.resolve()
	return l, true, nil
}

// WriteList finds a list that is to be changed. It creates none: PushElements does.
func (v *View) WriteList(k Key) (l List, ok bool, err error) {
	ok, err = v.writeList(&l, k)
	return l, ok, err
}

// writeList is WriteList into the caller's variable, which is zero (see View.peek).
func (v *View) writeList(l *List, k Key) (ok bool, err error) {
	if !v.write(&l.e, k) {
		return false, nil
	}
	if l.e.Type() != TypeList {
		return false, ErrWrongType
	}
	l.v, l.k = v, k
	l.e.own()
	if l.resolve(); l.b != nil {
		l.b.own()
	}
	return true, nil
}

// resolve finds the body.
func (l *List) resolve() {
	l.b = nil
	if l.e.rec.encoding() == encBody {
		l.b = l.e.body().(*listBody)
	}
}

// PushElements adds elements (at least one) at an end, one after the other, and creates the list
// if need be. It returns the list's new length.
func (v *View) PushElements(k Key, end End, elements [][]byte) (n int, err error) {
	var l List
	ok, err := v.writeList(&l, k)
	if err != nil {
		return 0, err
	}
	if ok {
		return l.Push(end, elements), nil
	}
	v.newList(v.tableForWrite(&k), k, end, elements)
	v.Changed(k, EventNew)
	v.pushed(k, end, len(elements))
	return len(elements), nil
}

// pushed says that elements were added at an end.
func (v *View) pushed(k Key, end End, n int) {
	v.Dirty += int64(n)
	v.Changed(k, [...]Event{Front: EventLPush, Back: EventRPush}[end])
}

// Push adds elements at an end, one after the other, and returns the new length.
func (l *List) Push(end End, elements [][]byte) (n int) {
	l.push(end, elements)
	l.v.pushed(l.k, end, len(elements))
	return l.Len()
}

func (l *List) push(end End, elements [][]byte) {
	bytes, size := elementSizes(elements)
	l.willGrow(bytes, len(elements))
	l.add(end, elements, size)
}

// add adds elements that take size bytes.
func (l *List) add(end End, elements [][]byte, size int) {
	if l.b == nil {
		if l.packedSize()+size <= packedListMax {
			l.pushPacked(end, elements, size)
			return
		}
		l.embody()
	}
	l.b.push(end, elements)
}

// Len is the number of elements, at least 1.
func (l *List) Len() int {
	if l.b != nil {
		return l.b.tree.Len()
	}
	return packedList(l.e.value()).count()
}

// At returns an element, 0 <= i < Len.
func (l *List) At(i int) []byte {
	if l.b != nil {
		return l.b.tree.At(i)
	}
	p := packedList(l.e.value())
	s, _ := p.next(p.seek(i))
	return s
}

// Range visits up to n elements, 0 < n, from position i on, 0 <= i < Len, until fn returns false.
func (l *List) Range(i, n int, fn func(element []byte) bool) {
	if l.b != nil {
		l.b.tree.Each(i, func(_ int, s []byte) bool {
			n--
			return fn(s) && n > 0
		})
		return
	}
	p := packedList(l.e.value())
	var s []byte
	for off := p.seek(i); n > 0 && off < len(p); n-- {
		if s, off = p.next(off); !fn(s) {
			return
		}
	}
}

// RangeBack is Range backwards.
func (l *List) RangeBack(i, n int, fn func(element []byte) bool) {
	if l.b != nil {
		l.b.tree.EachBack(i, func(_ int, s []byte) bool {
			n--
			return fn(s) && n > 0
		})
		return
	}
	p := packedList(l.e.value())
	first := p.first()
	_, off := p.next(p.seek(i))
	var s []byte
	for ; n > 0 && off > first; n-- {
		if s, off = p.prev(off); !fn(s) {
			return
		}
	}
}

// Set replaces an element, 0 <= i < Len.
func (l *List) Set(i int, element []byte) {
	l.willGrow(len(element), 1)
	l.set(i, element)
	l.shrunk()
	l.v.Dirty++
	l.v.Changed(l.k, EventLSet)
}

func (l *List) set(i int, element []byte) {
	if l.b == nil {
		if l.setPacked(i, element) {
			return
		}
		l.embody()
	}
	l.b.set(i, element)
}

// Insert adds an element before the first one that equals pivot, or after it. It reports whether
// there is one.
func (l *List) Insert(pivot, element []byte, after bool) bool {
	l.willGrow(len(element), 1) // in Redis also if the pivot is not found then
	i := l.index(pivot)
	if i < 0 {
		return false
	}
	if after {
		i++
	}
	l.insert(i, element)
	l.v.Dirty++
	l.v.Changed(l.k, EventLInsert)
	return true
}

func (l *List) insert(i int, element []byte) {
	if l.b == nil {
		if size := elementSize(len(element)); l.packedSize()+size <= packedListMax {
			l.insertPacked(i, element, size)
			return
		}
		l.embody()
	}
	l.b.insert(i, element)
}

// index is the position of the first element that equals s, -1 if there is none.
func (l *List) index(s []byte) (at int) {
	if l.b != nil {
		return l.b.find(s, 0, false)
	}
	p := packedList(l.e.value())
	var element []byte
	for off := p.first(); off < len(p); at++ {
		if element, off = p.next(off); string(element) == string(s) {
			return at
		}
	}
	return -1
}

// Positions finds elements that equal s, from an end on, until fn returns false. It compares at
// most that many elements, all if most is 0.
func (l *List) Positions(s []byte, from End, most int, fn func(i int) bool) {
	size := l.Len()
	if most == 0 || most > size {
		most = size
	}
	if l.b != nil && most == size {
		l.b.positions(s, from, fn)
		return
	}
	if from == Front {
		i := -1
		l.Range(0, most, func(element []byte) bool {
			i++
			return string(element) != string(s) || fn(i)
		})
		return
	}
	i := size
	l.RangeBack(size-1, most, func(element []byte) bool {
		i--
		return string(element) != string(s) || fn(i)
	})
}

// PopElement removes the outermost element of an end of a list; fn sees it before. It reports
// whether there is a list.
func (v *View) PopElement(k Key, end End, fn func(element []byte)) (ok bool, err error) {
	var l List
	if ok, err = v.writeList(&l, k); ok {
		l.Pop(end, 1, fn)
	}
	return ok, err
}

// Pop removes n elements from an end, 0 < n <= Len; fn sees each before it goes. The handle is
// spent if none is left.
func (l *List) Pop(end End, n int, fn func(element []byte)) {
	switch {
	case n > 1:
		l.eachFrom(end, n, fn)
		l.pop(end, n)
	case l.b != nil && l.Len() > 1:
		l.b.pop(end, fn)
	default:
		fn(l.end(end))
		l.pop(end, 1)
	}
	l.shrunk()
	l.popped(end, n)
}

// popped says that elements were removed from an end.
func (l *List) popped(end End, n int) {
	l.v.Dirty += int64(n)
	l.e.changed(l.v, l.k, [...]Event{Front: EventLPop, Back: EventRPop}[end])
}

// end is the outermost element of an end.
func (l *List) end(end End) []byte {
	if end == Front {
		return l.At(0)
	}
	return l.At(l.Len() - 1)
}

// eachFrom visits n elements, the outermost of an end first.
func (l *List) eachFrom(end End, n int, fn func(element []byte)) {
	visit := func(element []byte) bool {
		fn(element)
		return true
	}
	if end == Front {
		l.Range(0, n, visit)
	} else {
		l.RangeBack(l.Len()-1, n, visit)
	}
}

func (l *List) pop(end End, n int) {
	if end == Front {
		l.cut(0, n)
	} else {
		l.cut(l.Len()-n, n)
	}
}

// cut removes n elements from position i on, and the key with the last one.
func (l *List) cut(i, n int) {
	switch {
	case n == l.Len():
		l.e.drop()
	case l.b == nil:
		l.cutPacked(i, n)
	default:
		l.b.cut(i, n)
	}
}

// shrunk follows when elements have been removed, or one was replaced.
func (l *List) shrunk() {
	if l.e.spent() {
		return
	}
	if l.b != nil && l.b.tree.DataBytes() <= packedAgain {
		l.pack()
	}
	l.hasShrunk()
}

// Trim keeps n elements from position i on and removes the others. With n = 0 none is left, and
// the handle is spent.
func (l *List) Trim(i, n int) {
	size := l.Len()
	front, back := i, size-i-n
	if n == 0 {
		front, back = size, 0
	}
	if l.b != nil && n > 0 && fewStay(n, front+back) {
		l.rebuild(i, n)
	} else {
		l.removeEnds(front, back)
	}
	l.shrunk()
	l.v.Dirty += int64(front + back)
	l.e.changed(l.v, l.k, EventLTrim) // also if nothing was removed, as in Redis
}

// removeEnds removes so many elements from both ends.
func (l *List) removeEnds(front, back int) {
	if back > 0 {
		l.pop(Back, back)
	}
	if front > 0 {
		l.pop(Front, front)
	}
}

// Remove removes up to most elements that equal s, all if most is 0, beginning at an end. It
// returns their number. The handle is spent if none is left.
func (l *List) Remove(s []byte, from End, most int) (removed int) {
	size := l.Len()
	if most == 0 {
		most = size
	}
	if l.b == nil {
		removed = l.removePacked(s, from, most)
	} else {
		removed = l.b.remove(s, from, most)
	}
	switch removed {
	case 0:
		return 0
	case size:
		l.e.drop()
	default:
		l.shrunk()
	}
	l.v.Dirty += int64(removed)
	l.e.changed(l.v, l.k, EventLRem)
	return removed
}
