package lua

// prepareFor makes numbers of what a numeric for was given, and takes a step back.
func (t *Thread) prepareFor(loop *[3]Value) error {
	for i, what := range [...]string{"initial value", "limit", "step"} {
		n, ok := loop[i].ToNumber()
		if !ok {
			return t.runError("'for' %s must be a number", what)
		}
		loop[i] = Number(n)
	}
	loop[0] = Number(loop[0].Num() - loop[2].Num())
	return nil
}

// iterate calls the iterator of a generic for, whose registers begin at slot, for n variables. It
// reports whether the loop goes on. next is not called, unless the call would be one too many: then
// it fails there, as in C.
func (t *Thread) iterate(slot, n int) (more bool, err error) {
	loop := t.stack[slot : slot+6]
	fn, room := loop[0].AsFunction(), t.state.goCalls < maxGoCalls-1 && len(t.frames) < cap(t.frames)
	if fn != nil && fn.isNext && n <= 2 && room {
		if table := loop[1].AsTable(); table != nil {
			loop[3], loop[4], more, err = table.Next(loop[2])
			loop[2] = loop[3]
			if err != nil {
				return false, t.state.newError(err.Error())
			}
			return more, nil
		}
	}
	copy(loop[3:], loop[:3])
	frameTop := t.top
	t.top = slot + 6
	if err := t.call(slot+3, n); err != nil {
		return false, err
	}
	t.top = frameTop
	if v := t.stack[slot+3]; !v.IsNil() {
		t.stack[slot+2] = v
		return true, nil
	}
	return false, nil
}
