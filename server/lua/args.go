package lua

import (
	"fmt"
	"math"
)

// ArgError makes the error of a wrong argument, with the name by which the native was called.
func (t *Thread) ArgError(i int, problem string) error {
	kind, name := t.calledAs()
	if kind == "method" {
		if i--; i == 0 { // self does not count
			return t.Errorf("calling '%s' on bad self (%s)", name, problem)
		}
	}
	if name == "" {
		name = "?"
	}
	return t.Errorf("bad argument #%d to '%s' (%s)", i, name, problem)
}

// ArgTypeError makes the error of an argument that is not of the type it has to be.
func (t *Thread) ArgTypeError(i int, want string) error {
	return t.ArgError(i, want+" expected, got "+t.argType(i))
}

func (t *Thread) argType(i int) string {
	if i > t.Count() {
		return "no value"
	}
	return t.Arg(i).Kind().String()
}

// CheckAny returns argument i, which has to be there.
func (t *Thread) CheckAny(i int) (Value, error) {
	if i > t.Count() {
		return Nil, t.ArgError(i, "value expected")
	}
	return t.Arg(i), nil
}

// CheckString returns argument i, a string or a number as a string.
func (t *Thread) CheckString(i int) (*String, error) {
	v := t.Arg(i)
	if s := v.AsString(); s != nil {
		return s, nil
	}
	if v.IsNumber() {
		return t.state.String(formatNumber(v.Num())), nil
	}
	return nil, t.ArgTypeError(i, "string")
}

// OptString is CheckString of an argument that may be missing or nil.
func (t *Thread) OptString(i int, missing string) (string, error) {
	if t.Arg(i).IsNil() {
		return missing, nil
	}
	s, err := t.CheckString(i)
	if err != nil {
		return "", err
	}
	return s.s, nil
}

// CheckNumber returns argument i, a number or a string that reads as one.
func (t *Thread) CheckNumber(i int) (float64, error) {
	if n, ok := t.Arg(i).ToNumber(); ok {
		return n, nil
	}
	return 0, t.ArgTypeError(i, "number")
}

// CheckInt returns argument i, a number, cut off to an integer as C does on amd64.
func (t *Thread) CheckInt(i int) (int, error) {
	n, err := t.CheckNumber(i)
	return ToInt(n), err
}

// OptInt is CheckInt of an argument that may be missing or nil.
func (t *Thread) OptInt(i, missing int) (int, error) {
	if t.Arg(i).IsNil() {
		return missing, nil
	}
	return t.CheckInt(i)
}

// CheckTable returns argument i, a table.
func (t *Thread) CheckTable(i int) (*Table, error) {
	if table := t.Arg(i).AsTable(); table != nil {
		return table, nil
	}
	return nil, t.ArgTypeError(i, "table")
}

// CheckFunction returns argument i, a function.
func (t *Thread) CheckFunction(i int) (*Function, error) {
	if f := t.Arg(i).AsFunction(); f != nil {
		return f, nil
	}
	return nil, t.ArgTypeError(i, "function")
}

// ToInt cuts a number off to an integer. What fits into none becomes the smallest, as C does on
// amd64 (lua_Integer is ptrdiff_t).
func ToInt(n float64) int {
	if n >= math.MinInt64 && n < math.MaxInt64 {
		return int(n)
	}
	return math.MinInt64
}

// ToInt32 cuts a number off to C's int, as ToInt does.
func ToInt32(n float64) int32 {
	if n > math.MinInt32-1 && n < math.MaxInt32+1 {
		return int32(n)
	}
	return math.MinInt32
}

// ToUint64 cuts a number off to an integer without a sign, modulo 2^64. What does not fit is 0 or
// 2^63, as C computes it on amd64.
func ToUint64(n float64) uint64 {
	if n >= 1<<63 {
		return uint64(ToInt(n-1<<63)) ^ 1<<63
	}
	return uint64(ToInt(n))
}

// ToNumber is the value as a number: a number, or a string that reads as one.
func (v Value) ToNumber() (float64, bool) {
	if v.IsNumber() {
		return v.Num(), true
	}
	if s := v.AsString(); s != nil {
		return ParseNumber(s.s)
	}
	return 0, false
}

// errReadOnly is what writes of scripts to read-only tables end with.
func (t *Thread) errReadOnly() error { return t.runError("Attempt to modify a readonly table") }

// CheckWritable returns an error if scripts may not change a table.
func (t *Thread) CheckWritable(table *Table) error {
	if table.ReadOnly() {
		return t.errReadOnly()
	}
	return nil
}

// ToString is what tostring() makes of a value.
func (t *Thread) ToString(v Value) (*String, error) {
	meta := t.state.metatable(v)
	if meta != nil {
		if handler := meta.GetStr(nameToString); !handler.IsNil() {
			results, err := t.CallValue(handler, v)
			if err != nil {
				return nil, err
			}
			if len(results) > 0 {
				if s := results[0].AsString(); s != nil {
					return s, nil
				}
			}
			return nil, t.Errorf("'tostring' must return a string to 'print'")
		}
	}
	switch v.Kind() {
	case KindString:
		return v.AsString(), nil
	case KindNumber:
		return t.state.String(formatNumber(v.Num())), nil
	case KindBool:
		if v.Truth() {
			return nameTrue, nil
		}
		return nameFalse, nil
	case KindNil:
		return nameNil, nil
	case KindLight: // as glibc prints a pointer
		if v.bits == 0 {
			return t.state.String("userdata: (nil)"), nil
		}
		return t.state.String(fmt.Sprintf("userdata: %#x", v.bits)), nil
	}
	return t.state.String(fmt.Sprintf("%s: %p", v.Kind(), v.ref)), nil
}

// formatNumber is what tostring() makes of a number.
func formatNumber(n float64) string {
	var b [32]byte
	return string(AppendNumber(b[:0], n))
}
