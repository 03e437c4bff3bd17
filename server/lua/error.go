package lua

import (
	"fmt"
)

// Error is an error that a script can catch: what error() was called with, or a text with the place
// in the script before it. The other Go errors that come out of a script, such as the hook's, pass
// through pcall, xpcall and coroutines.
type Error struct {
	Value Value

	// Source and Line are where the script was when the error left it, as a handler of xpcall would
	// find with debug.getinfo: the chunk's name, "=[C]" for natives that were called by natives, ""
	// for a native that Go has called, and Line -1 where there is none. Run fills them.
	Source string
	Line   int

	memory bool // "not enough memory", which handlers do not get to see
}

// Error is the error's text. Values that are neither strings nor numbers have none.
func (e *Error) Error() string {
	switch e.Value.Kind() {
	case KindString:
		return e.Value.AsString().s
	case KindNumber:
		return formatNumber(e.Value.Num())
	}
	return "(error object is a " + e.Value.Kind().String() + " value)"
}

// newError makes an error of a text as it is.
func (s *State) newError(text string) *Error { return &Error{Value: s.String(text).Value()} }

// Errorf makes an error with the place before it: that of the native's caller, or of the Lua
// function that runs.
func (t *Thread) Errorf(format string, args ...any) error {
	return t.state.newError(t.Where(1) + fmt.Sprintf(format, args...))
}

// runError makes an error of the instruction that runs. If a native runs it has no place.
func (t *Thread) runError(format string, args ...any) error {
	return t.state.newError(t.Where(0) + fmt.Sprintf(format, args...))
}
