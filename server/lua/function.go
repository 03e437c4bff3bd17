package lua

import "unsafe"

// Native is a function written in Go. It finds its arguments with Thread.Arg, pushes its results
// and returns how many of the values pushed last they are. An *Error can be caught by the script;
// any other error ends it.
type Native func(t *Thread) (n int, err error)

// Function is a function: code with its upvalues, or a Native.
type Function struct {
	head
	proto    *Proto // nil: a Native
	native   Native
	env      *Table // where its globals are
	upvalues []*upvalue
	keeps    []Value // what a Native refers to
	isNext   bool    // the function next, which generic for calls in a shorter way
}

// Value is the function as a value.
func (f *Function) Value() Value { return Value{ref: unsafe.Pointer(f)} }

// size is the memory that the function takes, without what it refers to.
func (f *Function) size() int64 {
	return functionSize + int64(len(f.upvalues))*pointerSize + int64(len(f.keeps))*valueSize
}

const (
	functionSize = int64(unsafe.Sizeof(Function{}))
	upvalueSize  = int64(unsafe.Sizeof(upvalue{}))
	pointerSize  = int64(unsafe.Sizeof(uintptr(0)))
)

// upvalue is a variable of a function that functions within it use. While its scope is being
// executed it is open: v points into the stack of the thread that runs it, so that both see one
// variable. Closing it moves the value to the upvalue itself.
type upvalue struct {
	v      *Value
	closed Value
	thread *Thread  // whose stack it is, while it is open
	next   *upvalue // of the thread's open ones, by falling slot
	slot   int      // in the stack, while it is open
	mark   uint8    // of the walk that last met it, see memory.go
}

// Functions with few upvalues are one object with the list of them.
type (
	function1 struct {
		Function
		list [1]*upvalue
	}
	function4 struct {
		Function
		list [4]*upvalue
	}
)

// newLuaFunction makes a closure without its upvalues.
func newLuaFunction(p *Proto, env *Table) *Function {
	var f *Function
	switch n := len(p.upvalues); {
	case n == 0:
		f = new(Function)
	case n == 1:
		o := new(function1)
		f = &o.Function
		f.upvalues = o.list[:]
	case n <= 4:
		o := new(function4)
		f = &o.Function
		f.upvalues = o.list[:n]
	default:
		f = &Function{upvalues: make([]*upvalue, n)}
	}
	f.kind, f.proto, f.env = KindFunction, p, env
	return f
}

// closure makes a function within another one. Its upvalues are described by the code that follows.
func (t *Thread) closure(outer *Function, p *Proto, code []instruction, base int) *Function {
	f := newLuaFunction(p, outer.env)
	t.state.count += f.size()
	for i := range f.upvalues {
		if code[i].op() == opMove {
			f.upvalues[i] = t.findUpvalue(base + code[i].b())
		} else {
			f.upvalues[i] = outer.upvalues[code[i].b()]
		}
	}
	return f
}

// findUpvalue is the open upvalue of a slot, made if there is none.
func (t *Thread) findUpvalue(slot int) *upvalue {
	at := &t.open
	for *at != nil && (*at).slot >= slot {
		if (*at).slot == slot {
			return *at
		}
		at = &(*at).next
	}
	u := &upvalue{v: &t.stack[slot], thread: t, next: *at, slot: slot}
	t.state.count += upvalueSize
	*at = u
	return u
}

// closeUpvalues closes the open upvalues from a slot on.
func (t *Thread) closeUpvalues(from int) {
	for u := t.open; u != nil && u.slot >= from; u = t.open {
		t.open = u.next
		u.closed = *u.v
		u.v, u.thread, u.next = &u.closed, nil, nil
	}
}
