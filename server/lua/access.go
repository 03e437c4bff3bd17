package lua

// What natives of other packages need beside Table's methods, which ask no memory account.

// RawSet changes the value of a key as a script's rawset does.
func (t *Thread) RawSet(table *Table, key, v Value) error {
	return t.placed(table.put(t.state, key, v))
}

// RawSetInt is RawSet of an integer key.
func (t *Thread) RawSetInt(table *Table, i int, v Value) error {
	return t.placed(table.putInt(t.state, i, v))
}

// Insert makes v argument i, and moves those from there on up by one.
func (t *Thread) Insert(i int, v Value) {
	t.Push(Nil)
	slots := t.stack[t.base+i-1 : t.top]
	copy(slots[1:], slots)
	slots[0] = v
}

// Walk is the first pair at a place or behind it, and the place to go on from: 0 at the end. The
// first place is 0. Unlike Next it looks nothing up, so the table must not change in between.
func (t *Table) Walk(place int) (key, v Value, next int) {
	for ; place < len(t.array); place++ {
		if v := t.array[place]; !v.IsNil() {
			return Int(place + 1), v, place + 1
		}
	}
	for i := place - len(t.array); i < len(t.nodes); i++ {
		if n := &t.nodes[i]; !n.value.IsNil() {
			return n.key, n.value, len(t.array) + i + 1
		}
	}
	return Nil, Nil, 0
}

// NumberPrefix reads the number at the start of s as C's strtod does, but for space before it, and
// returns how many bytes it took: 0 if there is none.
func NumberPrefix(s string) (n float64, size int) {
	size = numeralLength(s)
	if size == 0 {
		return 0, 0
	}
	return numeral(s[:size]), size
}
