package lua

import "unsafe"

// Function is a function: code with its upvalues, or a Native.
type Function struct {
	head
}

// Value is the function as a value.
func (f *Function) Value() Value { return Value{ref: unsafe.Pointer(f)} }
