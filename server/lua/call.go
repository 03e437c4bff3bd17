package lua

import "errors"

// errYield is what a native returns to suspend the coroutine that runs it. Only execute and resume
// see it.
var errYield = errors.New("BUG: lua: a yield outside of a coroutine")

// MostSlots is how many values a native may have on the stack (LUAI_MAXCSTACK).
const MostSlots = 8000

// Room reports whether a native may push n more values.
func (t *Thread) Room(n int) bool {
	if n < 0 || n > MostSlots || t.Count()+n > MostSlots {
		return false
	}
	t.ensure(n)
	return true
}

// Call calls a function for a native: the function and its arguments were pushed, and its results
// take their place. Results is how many are wanted, -1 for all.
func (t *Thread) Call(args, results int) error {
	return t.call(t.top-args-1, results)
}

// CallValue calls a function. The results are valid until the next call or push.
func (t *Thread) CallValue(fn Value, args ...Value) ([]Value, error) {
	slot := t.top
	t.Push(fn)
	for _, v := range args {
		t.Push(v)
	}
	if err := t.call(slot, multiple); err != nil {
		return nil, err
	}
	results := t.stack[slot:t.top]
	t.top = slot
	return results, nil
}

// PCall is Call of which errors that scripts may catch are failures, not err. After a failure the
// function and its arguments are gone.
func (t *Thread) PCall(args, results int) (failure *Error, err error) {
	return t.protect(t.top-args-1, results, nil)
}

// Run calls a function from Go, outside of any script. The results are valid until the next call.
// The error of a script is an *Error.
func (t *Thread) Run(fn *Function, args ...Value) ([]Value, error) {
	slot := t.top
	t.Push(fn.Value())
	for _, v := range args {
		t.Push(v)
	}
	failure, err := t.protect(slot, multiple, t.locate)
	t.state.current = t
	if failure != nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	results := t.stack[slot:t.top]
	t.top = slot
	return results, nil
}

// locate notes in an error where it was raised: at the function that runs, or the caller of a
// native such as error().
func (t *Thread) locate(e *Error) (*Error, error) {
	f := t.level(0)
	if f != nil && f.fn.proto == nil {
		f = t.level(1)
	}
	e.Source, e.Line = "", -1
	switch {
	case f == nil:
	case f.fn.proto == nil:
		e.Source = "=[C]"
	default:
		e.Source, e.Line = f.fn.proto.source, int(f.line())
	}
	return e, nil
}

// protect calls a function and catches its error. The handler sees the error where it was raised,
// before the calls under way are dropped, and returns what to make of it.
func (t *Thread) protect(slot, results int, handler func(*Error) (*Error, error)) (failure *Error, err error) {
	s := t.state
	depth, base, calls, held := len(t.frames), t.base, s.goCalls, s.held
	if err = t.call(slot, results); err == nil {
		return nil, nil
	}
	failure, catchable := err.(*Error)
	if catchable && handler != nil {
		failure, err = handler(failure)
		catchable = err == nil
	}
	t.closeUpvalues(slot)
	clear(t.frames[depth:])
	t.frames = t.frames[:depth]
	if cap(t.frames) > maxFrames && depth < maxFrames {
		t.setFrames(maxFrames)
	}
	t.base, t.top, s.goCalls, s.held = base, slot, calls, held
	if !catchable {
		return nil, err
	}
	return failure, nil
}

// call calls the function at a slot, whose arguments are above it up to the top. It takes Go's
// stack.
func (t *Thread) call(slot, results int) error {
	s := t.state
	if s.goCalls++; s.goCalls >= maxGoCalls {
		if s.goCalls == maxGoCalls {
			return t.runError("C stack overflow")
		}
		if s.goCalls >= maxGoCallsError {
			return t.state.newError("error in error handling")
		}
	}
	fn, err := t.callee(slot)
	if err != nil {
		return err
	}
	if err := s.step(1); err != nil {
		return err
	}
	if fn.proto == nil {
		err = t.callNative(fn, slot, results)
	} else if err = t.enter(fn, slot, results); err == nil {
		t.frames[len(t.frames)-1].fresh = true
		err = t.execute()
	}
	s.goCalls--
	return err
}

// callee is the function to call at a slot. If it is another value with a handler for calls, the
// handler goes there, and the value becomes its first argument.
func (t *Thread) callee(slot int) (*Function, error) {
	v := t.stack[slot]
	if fn := v.AsFunction(); fn != nil {
		return fn, nil
	}
	fn := t.state.metamethod(v, nameCall).AsFunction()
	if fn == nil {
		register := unnamed
		if f := &t.frames[len(t.frames)-1]; slot >= int(f.base) {
			register = slot - int(f.base)
		}
		return nil, t.typeError("call", v, register)
	}
	t.ensure(1)
	copy(t.stack[slot+1:t.top+1], t.stack[slot:t.top])
	t.top++
	t.stack[slot] = fn.Value()
	return fn, nil
}

// pushFrame begins a call.
func (t *Thread) pushFrame(fn *Function, slot, base, top, results int) error {
	n := len(t.frames)
	if n == cap(t.frames) {
		if err := t.growFrames(n); err != nil {
			return err
		}
	}
	t.frames = t.frames[:n+1]
	f := &t.frames[n]
	f.fn = fn
	f.slot, f.base, f.top = int32(slot), int32(base), int32(top)
	f.pc, f.tails, f.results, f.fresh = 0, 0, int16(results), false
	return nil
}

// growFrames doubles the room for calls. Handlers of errors may use more than others.
func (t *Thread) growFrames(n int) error {
	if n > maxFrames {
		return t.state.newError("error in error handling")
	}
	t.setFrames(2 * n)
	if 2*n > maxFrames {
		return t.runError("stack overflow")
	}
	return nil
}

// setFrames makes room for n calls.
func (t *Thread) setFrames(n int) {
	t.state.count += int64(n-cap(t.frames)) * frameSize
	frames := make([]frame, len(t.frames), n)
	copy(frames, t.frames)
	t.frames = frames
}

// callNative calls a native to its end.
func (t *Thread) callNative(fn *Function, slot, results int) error {
	t.ensure(nativeSlots)
	if err := t.pushFrame(fn, slot, slot+1, 0, results); err != nil {
		return err
	}
	base := t.base
	t.base = slot + 1
	n, err := fn.native(t)
	if err != nil {
		if err == errYield {
			t.yielded = n
		}
		return err
	}
	t.base = base
	t.leave(t.top-n, n)
	if t.state.count > t.state.due {
		return t.state.checkDue()
	}
	return nil
}

// enter begins the call of a Lua function, which execute runs.
func (t *Thread) enter(fn *Function, slot, results int) error {
	p := fn.proto
	base := slot + 1
	given := min(t.top, base+p.params) // the registers from here on are nil
	if p.vararg {
		var err error
		if base, err = t.adjustVarargs(p, slot); err != nil {
			return err
		}
		given = t.top
	}
	if base+slack > len(t.stack) {
		if err := t.growForCall(base + slack); err != nil {
			return err
		}
	}
	top := base + p.registers
	for unset := t.stack[given:top]; len(unset) > 0; unset = unset[1:] {
		unset[0] = Nil // a loop, since they are few
	}
	t.top = top
	return t.pushFrame(fn, slot, base, top, results)
}

// replace is a tail call: the function at slot takes the place of the one that runs.
func (t *Thread) replace(fn *Function, slot int) error {
	fr := &t.frames[len(t.frames)-1]
	t.closeUpvalues(int(fr.base))
	n := copy(t.stack[fr.slot:], t.stack[slot:t.top])
	if err := t.state.step(n / longCopy); err != nil {
		return err
	}
	old := *fr
	t.top = int(old.slot) + n
	t.frames = t.frames[:len(t.frames)-1]
	if err := t.enter(fn, int(old.slot), int(old.results)); err != nil {
		return err
	}
	fr = &t.frames[len(t.frames)-1]
	fr.tails, fr.fresh = old.tails+1, old.fresh
	return nil
}

// growForCall makes the stack at least so large, if there is memory.
func (t *Thread) growForCall(size int) error {
	if err := t.state.ask(int64(max(size, 2*len(t.stack))) * valueSize); err != nil {
		return err
	}
	t.growStack(size)
	return nil
}

// adjustVarargs moves the parameters of a function above all its arguments, and returns where they
// are now. What is between the function and them is what ... stands for, behind as many nils as
// there are parameters.
func (t *Thread) adjustVarargs(p *Proto, slot int) (base int, err error) {
	for t.top-slot-1 < p.params {
		t.Push(Nil)
	}
	actual := t.top - slot - 1
	if err := t.state.step(actual / longCopy); err != nil {
		return 0, err
	}
	var arg *Table
	if p.needsArg {
		extra := actual - p.params
		if err := t.state.ask(int64(extra) * valueSize); err != nil {
			return 0, err
		}
		arg = t.state.Table(extra, 1)
		copy(arg.array, t.stack[slot+1+p.params:t.top])
		arg.SetStr(nameN, Int(extra))
	}
	t.ensure(p.params + 1)
	base = t.top
	for i := range p.params {
		t.stack[base+i] = t.stack[slot+1+i]
		t.stack[slot+1+i] = Nil
	}
	t.top += p.params
	if p.hasArg {
		t.stack[t.top] = Nil
		if arg != nil {
			t.stack[t.top] = arg.Value()
		}
		t.top++
	}
	return base, nil
}

// leave ends a call: its n results go where its function was. The top is behind them.
func (t *Thread) leave(from, n int) {
	last := len(t.frames) - 1
	f := &t.frames[last]
	to, wanted := int(f.slot), int(f.results)
	t.frames = t.frames[:last]
	stack := t.stack
	if wanted == 1 && n > 0 { // most calls
		stack[to] = stack[from]
		t.top = to + 1
		return
	}
	if wanted < 0 {
		wanted = n
	}
	for i := range min(n, wanted) {
		stack[to+i] = stack[from+i]
	}
	for i := n; i < wanted; i++ {
		stack[to+i] = Nil
	}
	t.top = to + wanted
}
