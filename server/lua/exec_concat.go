package lua

import "unsafe"

// concat puts the concatenation of the slots first to last into the first one, from right to left.
func (t *Thread) concat(first, last int) error {
	var buf [32]byte
	for last > first {
		x, y := t.stack[last-1], t.stack[last]
		if !isText(x) || !isText(y) {
			handler := t.state.eitherMetamethod(x, y, nameConcat)
			if handler.IsNil() {
				return t.concatError(last-1, last)
			}
			v, err := t.callMeta(handler, x, y)
			if err != nil {
				return err
			}
			t.stack[last-1] = v
			last--
			continue
		}
		from, size := last, 0
		for ; from >= first && isText(t.stack[from]); from-- {
			size += textLen(t.stack[from], &buf)
		}
		from++
		v, err := t.join(t.stack[from:last+1], size)
		if err != nil {
			return err
		}
		t.stack[from] = v
		last = from
	}
	return nil
}

// isText reports whether .. takes a value without asking metamethods.
func isText(v Value) bool { return v.Kind() == KindString || v.IsNumber() }

// textLen is the length of a string, or of a number as one.
func textLen(v Value, buf *[32]byte) int {
	if v.IsNumber() {
		return len(AppendNumber(buf[:0], v.Num()))
	}
	return len((*String)(v.ref).s)
}

// join makes one string of texts with this total length.
func (t *Thread) join(texts []Value, size int) (Value, error) {
	if err := t.state.step(size >> 8); err != nil {
		return Nil, err
	}
	if err := t.Reserve(size); err != nil {
		return Nil, err
	}
	if size <= shortString {
		var space [shortString]byte
		return t.state.CopyBytes(appendTexts(space[:0], texts)).Value(), nil
	}
	b := appendTexts(make([]byte, 0, size), texts)
	return t.state.String(unsafe.String(unsafe.SliceData(b), len(b))).Value(), nil
}

func appendTexts(b []byte, texts []Value) []byte {
	for _, v := range texts {
		if v.IsNumber() {
			b = AppendNumber(b, v.Num())
		} else {
			b = append(b, (*String)(v.ref).s...)
		}
	}
	return b
}

// concatError is the error of a concatenation of two slots.
func (t *Thread) concatError(x, y int) error {
	if isText(t.stack[x]) {
		x = y
	}
	return t.typeError("concatenate", t.stack[x], x-int(t.frames[len(t.frames)-1].base))
}
