package lua

import (
	"math"
	"unsafe"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values. KindLight is an opaque constant (C's light userdata): cjson.null.
const (
	KindNil Kind = iota
	KindBool
	KindLight
	KindNumber
	KindString
	KindTable
	KindFunction
	KindThread
)

// kindNames are what type() answers, in the order of the kinds.
var kindNames = [...]string{"nil", "boolean", "userdata", "number", "string", "table", "function", "thread"}

// String is the name of the type as type() answers it.
func (k Kind) String() string { return kindNames[k] }

// Value is any Lua value. The zero Value is nil. It is two words: ref says what the value is, and
// bits hold a number, a boolean or a constant's number. ref is the address of a head: that of the
// object itself, or of one of the heads below for what needs no object. So a number needs no memory
// of its own, and whether a value is a number is one comparison with a constant.
//
// Values are not compared with ==, which would tell two equal strings apart: see Equal.
type Value struct {
	ref  unsafe.Pointer // *head, or nil
	bits uint64
}

// head is what every object begins with.
type head struct {
	kind Kind
	mark uint8 // of the walk that last met it, see memory.go
}

// Heads of values without an object. Nothing changes them.
var (
	boolHead   = head{kind: KindBool}
	lightHead  = head{kind: KindLight}
	numberHead = head{kind: KindNumber}
)

// Nil is the value nil.
var Nil Value

// True and False are the boolean values.
var (
	True  = Bool(true)
	False = Bool(false)
)

// Number makes a number.
func Number(n float64) Value { return Value{unsafe.Pointer(&numberHead), math.Float64bits(n)} }

// Int makes a number of an integer, exact up to 2^53.
func Int(n int) Value { return Number(float64(n)) }

// Bool makes a boolean.
func Bool(b bool) Value {
	v := Value{ref: unsafe.Pointer(&boolHead)}
	if b {
		v.bits = 1
	}
	return v
}

// Light makes the opaque constant of a number. Light(0) is C's NULL.
func Light(n uint64) Value { return Value{unsafe.Pointer(&lightHead), n} }

// Kind is the type of v.
func (v Value) Kind() Kind {
	if v.ref == nil {
		return KindNil
	}
	return (*head)(v.ref).kind
}

// IsNil reports whether v is nil.
func (v Value) IsNil() bool { return v.ref == nil }

// Truth reports whether v counts as true: everything but nil and false.
func (v Value) Truth() bool {
	return v.ref != nil && (v.ref != unsafe.Pointer(&boolHead) || v.bits != 0)
}

// IsNumber reports whether v is a number. A string that looks like one is none.
func (v Value) IsNumber() bool { return v.ref == unsafe.Pointer(&numberHead) }

// Num is the number in v, which has to be one.
func (v Value) Num() float64 { return math.Float64frombits(v.bits) }

// AsNumber returns the number in v, false if v is none.
func (v Value) AsNumber() (float64, bool) { return math.Float64frombits(v.bits), v.IsNumber() }

// AsBool returns the boolean in v, false if v is none.
func (v Value) AsBool() (value, ok bool) { return v.bits != 0, v.ref == unsafe.Pointer(&boolHead) }

// AsLight returns the number of the constant in v, false if v is none.
func (v Value) AsLight() (uint64, bool) { return v.bits, v.ref == unsafe.Pointer(&lightHead) }

// AsString returns the string in v, nil if v is none.
func (v Value) AsString() *String {
	if v.Kind() == KindString {
		return (*String)(v.ref)
	}
	return nil
}

// AsTable returns the table in v, nil if v is none.
func (v Value) AsTable() *Table {
	if v.Kind() == KindTable {
		return (*Table)(v.ref)
	}
	return nil
}

// AsFunction returns the function in v, nil if v is none.
func (v Value) AsFunction() *Function {
	if v.Kind() == KindFunction {
		return (*Function)(v.ref)
	}
	return nil
}

// Equal reports whether two values are the same without asking metamethods (rawequal).
func Equal(a, b Value) bool {
	if a.ref == b.ref {
		if a.IsNumber() {
			return a.Num() == b.Num() // not so for NaN, and so for 0 and -0
		}
		return a.bits == b.bits
	}
	x, y := a.AsString(), b.AsString()
	return x != nil && y != nil && x.s == y.s
}

// String is a string of any bytes. It does not change.
type String struct {
	head
	hash uint32 // of s, 0 if it was not needed yet
	s    string
}

// Str is the bytes of the string.
func (s *String) Str() string { return s.s }

// Value is the string as a value.
func (s *String) Value() Value { return Value{ref: unsafe.Pointer(s)} }
