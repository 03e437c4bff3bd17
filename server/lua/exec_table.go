package lua

import "unsafe"

// field is GetStr of a string of code, whose hash is known, with a short way to a key that is the
// same string and where it belongs.
func (t *Table) field(key *String) Value {
	if len(t.nodes) > 0 {
		if n := &t.nodes[int(key.hash)&(len(t.nodes)-1)]; n.key.ref == unsafe.Pointer(key) {
			return n.value
		}
	}
	return t.GetStr(key)
}

// fetch is Get with short ways to items and fields.
func (t *Table) fetch(key *Value) Value {
	if key.IsNumber() {
		n := key.Num()
		if i := int(n); float64(i) == n && uint(i-1) < uint(len(t.array)) {
			return t.array[i-1]
		}
		return t.Get(*key)
	}
	if key.Kind() == KindString {
		return t.GetStr((*String)(key.ref))
	}
	return t.Get(*key)
}

// overwrite changes the value of a key if no metamethod and no growth is involved.
func (t *Table) overwrite(key, v *Value) bool {
	if t.meta != nil || t.readOnly {
		return false
	}
	if key.IsNumber() {
		n := key.Num()
		if i := int(n); float64(i) == n && uint(i-1) < uint(len(t.array)) {
			t.array[i-1] = *v
			return true
		}
		return false
	}
	if key.Kind() == KindString {
		if p := t.slotStr((*String)(key.ref)); p != nil {
			*p = *v
			return true
		}
	}
	return false
}

// setList stores items behind the first ones of a table.
func (t *Thread) setList(table *Table, stored int, items []Value) error {
	if last := stored + len(items); last > len(table.array) {
		if err := table.resizeArray(t.state, last); err != nil {
			return t.placed(err)
		}
	}
	copy(table.array[stored:], items)
	return nil
}
