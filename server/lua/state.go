package lua

import (
	"math"
	"unsafe"
)

// Options say how a State shall be.
type Options struct {
	// Limit is how many bytes what is alive may take; 0: any number. See memory.go.
	Limit int64
	// Budget is what it shares with other States; nil: nothing.
	Budget *Budget
	// Hook is called every HookEvery steps of a script. Its error ends the script, which cannot
	// catch it.
	Hook func() error
}

// HookEvery is how many steps lie between two calls of the hook. A step takes some tens of
// nanoseconds, so that these are a tenth of a millisecond or a few.
const HookEvery = 4096

// maxGoCalls is how deep calls may nest that take Go's stack: of metamethods, by natives, of
// coroutines (C's LUAI_MAXCCALLS). Handlers of errors may go a little deeper.
const (
	maxGoCalls      = 200
	maxGoCallsError = maxGoCalls + maxGoCalls/8
)

// State is one interpreter: what its threads share. It is for one goroutine at a time.
type State struct {
	globals *Table
	main    *Thread
	current *Thread // the one that runs

	stringMeta *Table // of all strings
	scratch    []byte // for strings that natives put together, see buffer

	hook    func() error
	steps   int // until the hook is called
	goCalls int // that are under way, see maxGoCalls

	memory
}

// NewState makes an interpreter without any library.
func NewState(o Options) *State {
	s := &State{hook: o.Hook, steps: HookEvery, globals: NewTable(0, 0)}
	s.budget = o.Budget
	s.SetLimit(o.Limit)
	s.main = newThread(s)
	s.current = s.main
	return s
}

// Globals is the table of the global variables.
func (s *State) Globals() *Table { return s.globals }

// SetGlobals makes another table that of the functions and chunks that are loaded from now on.
func (s *State) SetGlobals(t *Table) { s.globals = t }

// Main is the thread that is no coroutine.
func (s *State) Main() *Thread { return s.main }

// StringMeta is the metatable of all strings, nil if there is none.
func (s *State) StringMeta() *Table { return s.stringMeta }

// SetHook changes the hook; nil is none.
func (s *State) SetHook(hook func() error) { s.hook, s.steps = hook, HookEvery }

// String makes a string and counts it. Text must not be a small part of a longer string, whose
// memory it would keep from being freed.
func (s *State) String(text string) *String {
	s.count += stringSize + int64(len(text))
	return &String{head: head{kind: KindString}, s: text}
}

const stringSize = int64(unsafe.Sizeof(String{}))

// NewString makes a string that belongs to no State's account, and that several may share.
func NewString(text string) *String {
	return &String{head: head{kind: KindString, mark: markShared}, hash: hashString(text), s: text}
}

// Table makes a table and counts it.
func (s *State) Table(arrayHint, hashHint int) *Table {
	t := NewTable(arrayHint, hashHint)
	t.steps = &s.steps
	s.count += t.Size()
	return t
}

// NewFunction makes a function of a chunk's code.
func (s *State) NewFunction(p *Proto) *Function {
	f := newLuaFunction(p, s.globals)
	s.count += f.size()
	return f
}

// NewNative makes a function of Go code. Keeps are the Lua values that fn refers to, which count as
// alive as long as the function does.
func (s *State) NewNative(fn Native, keeps ...Value) *Function {
	f := &Function{head: head{kind: KindFunction}, native: fn, env: s.globals, keeps: keeps}
	s.count += f.size()
	return f
}

// Register puts a native into a table.
func (s *State) Register(t *Table, name string, fn Native) {
	t.SetStr(NewString(name), s.NewNative(fn).Value())
}

// step takes n steps, and calls the hook if it is time.
func (s *State) step(n int) error {
	if s.steps -= n; s.steps > 0 {
		return nil
	}
	s.steps = HookEvery
	if s.hook == nil {
		s.steps = math.MaxInt
		return nil
	}
	return s.hook()
}
