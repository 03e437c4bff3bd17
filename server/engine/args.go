package engine

import "github.com/larderkv/larder/store/lex"

// Args reads the arguments of one command from left to right and remembers the
// first error. After it every method is inert (Done is true, Match is false,
// values are zero), so a handler reads everything and asks Err once:
//
//	a := c.Parse(2)
//	for !a.Done() {
//		switch {
//		case a.Match("NX"):
//			nx = true
//		case a.MatchValue("EX"):
//			ttl = a.Int64()
//		default:
//			a.Syntax()
//		}
//	}
//	if err := a.Err(); err != nil {
//		return err
//	}
//
// An Args is part of its Ctx and is reused by the next Parse.
type Args struct {
	args [][]byte
	pos  int
	err  error
}

// Done reports that no arguments are left or that an error has been latched.
func (a *Args) Done() bool { return a.err != nil || a.pos >= len(a.args) }

// Left counts the arguments not read yet, 0 after an error.
func (a *Args) Left() int {
	if a.err != nil {
		return 0
	}
	return len(a.args) - a.pos
}

// Next reads one argument; without one it latches ErrSyntax and returns nil.
// The bytes alias the request.
func (a *Args) Next() []byte {
	if a.Done() {
		a.Fail(ErrSyntax)
		return nil
	}
	b := a.args[a.pos]
	a.pos++
	return b
}

// Peek returns the next argument without reading it, nil when there is none.
func (a *Args) Peek() []byte {
	if a.Done() {
		return nil
	}
	return a.args[a.pos]
}

// Rest reads all remaining arguments.
func (a *Args) Rest() [][]byte {
	if a.Done() {
		return nil
	}
	r := a.args[a.pos:]
	a.pos = len(a.args)
	return r
}

// Skip steps over n arguments that were dealt with otherwise (keys).
func (a *Args) Skip(n int) {
	if a.Left() < n {
		a.Fail(ErrSyntax)
		return
	}
	a.pos += n
}

// Match reads the next argument if it is the given word in any case.
func (a *Args) Match(word string) bool {
	if a.Done() || !equalFold(a.args[a.pos], word) {
		return false
	}
	a.pos++
	return true
}

// MatchValue reads the next argument if it is the given word in any case and at
// least one more argument follows it, as Redis demands of options with a value.
func (a *Args) MatchValue(word string) bool {
	if a.err != nil || a.pos+1 >= len(a.args) || !equalFold(a.args[a.pos], word) {
		return false
	}
	a.pos++
	return true
}

// Int64 reads an integer by Redis' strict rules, or latches ErrNotInteger.
func (a *Args) Int64() int64 {
	n, ok := lex.ParseInt(a.Next())
	if !ok {
		a.Fail(ErrNotInteger)
		return 0
	}
	return n
}

// IntRange reads an integer in [lo, hi], or latches an error: ErrNotInteger
// when errText is empty, else errText (with its code, "ERR ...") for any fault.
func (a *Args) IntRange(lo, hi int64, errText string) int64 {
	b := a.Next()
	n, ok := lex.ParseInt(b)
	switch {
	case a.err == nil && ok && n >= lo && n <= hi:
		return n
	case errText != "":
		a.Fail(Error(errText))
	default:
		a.Fail(ErrNotInteger)
	}
	return 0
}

// Float reads a floating point number, or latches ErrNotFloat.
func (a *Args) Float() float64 {
	f, ok := lex.ParseFloat(a.Next())
	if !ok {
		a.Fail(ErrNotFloat)
		return 0
	}
	return f
}

// Syntax latches ErrSyntax.
func (a *Args) Syntax() { a.Fail(ErrSyntax) }

// Fail latches err unless an earlier one is latched.
func (a *Args) Fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// Err is the first error, nil when all went well.
func (a *Args) Err() error { return a.err }
