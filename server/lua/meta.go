package lua

import "math"

// Names of metamethods and of what tostring answers. They are strings of code: no State owns them.
var (
	nameIndex     = NewString("__index")
	nameNewIndex  = NewString("__newindex")
	nameCall      = NewString("__call")
	nameEq        = NewString("__eq")
	nameLt        = NewString("__lt")
	nameLe        = NewString("__le")
	nameConcat    = NewString("__concat")
	nameToString  = NewString("__tostring")
	nameMetatable = NewString("__metatable")
	nameTrue      = NewString("true")
	nameFalse     = NewString("false")
	nameNil       = NewString("nil")
	nameN         = NewString("n")
)

// arithNames are the metamethods of the instructions from opAdd to opUnm.
var arithNames = [...]*String{
	NewString("__add"), NewString("__sub"), NewString("__mul"), NewString("__div"),
	NewString("__mod"), NewString("__pow"), NewString("__unm"),
}

// maxMetaLoop is how many tables an access may go through by __index and __newindex.
const maxMetaLoop = 100

// metatable is the metatable of a value, nil if it has none.
func (s *State) metatable(v Value) *Table {
	switch v.Kind() {
	case KindTable:
		return (*Table)(v.ref).meta
	case KindString:
		return s.stringMeta
	}
	return nil
}

// metamethod is the handler of an event for a value, nil if there is none.
func (s *State) metamethod(v Value, event *String) Value {
	if meta := s.metatable(v); meta != nil {
		return meta.GetStr(event)
	}
	return Nil
}

// eitherMetamethod is the handler of an event for two operands: the first one's, or else the second's.
func (s *State) eitherMetamethod(x, y Value, event *String) Value {
	if handler := s.metamethod(x, event); !handler.IsNil() {
		return handler
	}
	return s.metamethod(y, event)
}

// callMeta calls a handler for its first result.
func (t *Thread) callMeta(handler, a, b Value) (Value, error) {
	slot := t.top
	t.ensure(3)
	t.stack[slot], t.stack[slot+1], t.stack[slot+2] = handler, a, b
	t.top = slot + 3
	if err := t.call(slot, 1); err != nil {
		return Nil, err
	}
	t.top = slot
	return t.stack[slot], nil
}

// Index is v[key].
func (t *Thread) Index(v, key Value) (Value, error) { return t.index(v, key, unnamed) }

// unnamed stands for the register of a value that is in none.
const unnamed = -1

// index is v[key]. Register is where v is, for the message if it cannot be indexed.
func (t *Thread) index(v, key Value, register int) (Value, error) {
	for range maxMetaLoop {
		var handler Value
		if table := v.AsTable(); table != nil {
			x := table.Get(key)
			if !x.IsNil() || table.meta == nil {
				return x, nil
			}
			if handler = table.meta.GetStr(nameIndex); handler.IsNil() {
				return Nil, nil
			}
		} else if handler = t.state.metamethod(v, nameIndex); handler.IsNil() {
			return Nil, t.typeError("index", v, register)
		}
		if handler.Kind() == KindFunction {
			return t.callMeta(handler, v, key)
		}
		v, register = handler, unnamed
	}
	return Nil, t.runError("loop in gettable")
}

// setIndex is v[key] = x. Register is where v is.
func (t *Thread) setIndex(v, key, x Value, register int) error {
	for range maxMetaLoop {
		var handler Value
		if table := v.AsTable(); table != nil {
			if table.readOnly {
				return t.errReadOnly()
			}
			if table.meta == nil {
				return t.placed(table.put(t.state, key, x))
			}
			if old := table.slot(key); old != nil && !old.IsNil() {
				*old = x
				return nil
			}
			if handler = table.meta.GetStr(nameNewIndex); handler.IsNil() {
				return t.placed(table.put(t.state, key, x))
			}
			// C makes room for the key before it looks for the handler.
			if err := table.put(t.state, key, Nil); err != nil {
				return t.placed(err)
			}
		} else if handler = t.state.metamethod(v, nameNewIndex); handler.IsNil() {
			return t.typeError("index", v, register)
		}
		if handler.Kind() == KindFunction {
			slot := t.top
			t.ensure(4)
			t.stack[slot], t.stack[slot+1], t.stack[slot+2], t.stack[slot+3] = handler, v, key, x
			t.top = slot + 4
			return t.call(slot, 0)
		}
		v, register = handler, unnamed
	}
	return t.runError("loop in settable")
}

// placed gives an error of a table its place.
func (t *Thread) placed(err error) error {
	switch err {
	case ErrIndexNil, ErrIndexNaN, ErrTableOverflow, ErrInvalidNext:
		return t.runError("%s", err.Error())
	}
	return err
}

// arith is an arithmetic operation of which an operand is no number. The registers are where they
// are.
func (t *Thread) arith(op opcode, x, y Value, registerX, registerY int) (Value, error) {
	a, okA := x.ToNumber()
	b, okB := y.ToNumber()
	if okA && okB {
		return Number(arithmetic(op, a, b)), nil
	}
	handler := t.state.eitherMetamethod(x, y, arithNames[op-opAdd])
	if handler.IsNil() {
		if !okA {
			y, registerY = x, registerX
		}
		return Nil, t.typeError("perform arithmetic on", y, registerY)
	}
	return t.callMeta(handler, x, y)
}

func arithmetic(op opcode, x, y float64) float64 {
	switch op {
	case opAdd:
		return x + y
	case opSub:
		return x - y
	case opMul:
		return x * y
	case opDiv:
		return x / y
	case opMod:
		return x - math.Floor(x/y)*y
	case opPow:
		return pow(x, y)
	}
	return -x
}

// length is #v.
func (t *Thread) length(v Value, register int) (Value, error) {
	switch v.Kind() {
	case KindTable:
		return Int((*Table)(v.ref).Len()), nil
	case KindString:
		return Int(len((*String)(v.ref).s)), nil
	}
	return Nil, t.typeError("get length of", v, register)
}

// equal is x == y.
func (t *Thread) equal(x, y Value) (bool, error) {
	if Equal(x, y) {
		return true, nil
	}
	a, b := x.AsTable(), y.AsTable()
	if a == nil || b == nil {
		return false, nil
	}
	handler := sameHandler(a.meta, b.meta, nameEq)
	if handler.IsNil() {
		return false, nil
	}
	r, err := t.callMeta(handler, x, y)
	return r.Truth(), err
}

// sameHandler is the handler of a comparison if both metatables have the same.
func sameHandler(a, b *Table, event *String) Value {
	if a == nil || b == nil {
		return Nil
	}
	handler := a.GetStr(event)
	if a == b || !handler.IsNil() && Equal(handler, b.GetStr(event)) {
		return handler
	}
	return Nil
}

// Less is a < b.
func (t *Thread) Less(a, b Value) (bool, error) {
	if a.IsNumber() && b.IsNumber() {
		return a.Num() < b.Num(), nil
	}
	if x, y := a.AsString(), b.AsString(); x != nil && y != nil {
		return x.s < y.s, nil
	}
	if a.Kind() == b.Kind() {
		if handler := sameHandler(t.state.metatable(a), t.state.metatable(b), nameLt); !handler.IsNil() {
			r, err := t.callMeta(handler, a, b)
			return r.Truth(), err
		}
	}
	return false, t.orderError(a, b)
}

// lessOrEqual is a <= b. Without __le it is not (b < a).
func (t *Thread) lessOrEqual(a, b Value) (bool, error) {
	if a.IsNumber() && b.IsNumber() {
		return a.Num() <= b.Num(), nil
	}
	if x, y := a.AsString(), b.AsString(); x != nil && y != nil {
		return x.s <= y.s, nil
	}
	if a.Kind() == b.Kind() {
		metaA, metaB := t.state.metatable(a), t.state.metatable(b)
		if handler := sameHandler(metaA, metaB, nameLe); !handler.IsNil() {
			r, err := t.callMeta(handler, a, b)
			return r.Truth(), err
		}
		if handler := sameHandler(metaB, metaA, nameLt); !handler.IsNil() {
			r, err := t.callMeta(handler, b, a)
			return !r.Truth(), err
		}
	}
	return false, t.orderError(a, b)
}

// compare is whether the condition of opEq, opLt or opLe holds.
func (t *Thread) compare(op opcode, x, y Value) (bool, error) {
	switch op {
	case opEq:
		return t.equal(x, y)
	case opLt:
		return t.Less(x, y)
	}
	return t.lessOrEqual(x, y)
}

func (t *Thread) orderError(a, b Value) error {
	x, y := a.Kind().String(), b.Kind().String()
	if x == y {
		return t.runError("attempt to compare two %s values", x)
	}
	return t.runError("attempt to compare %s with %s", x, y)
}

// typeError is the error of an operation that a value has not, with the name of the variable if the
// value is in a register.
func (t *Thread) typeError(operation string, v Value, register int) error {
	f := &t.frames[len(t.frames)-1]
	if register != unnamed && register&bitK == 0 && f.fn != nil && f.fn.proto != nil {
		if kind, name := f.fn.proto.registerName(register, int(f.pc)-1); kind != "" {
			return t.runError("attempt to %s %s '%s' (a %s value)", operation, kind, name, v.Kind())
		}
	}
	return t.runError("attempt to %s a %s value", operation, v.Kind())
}
