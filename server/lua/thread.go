package lua

import "unsafe"

// Sizes of stacks. slack is how many slots there are above the first register of a Lua function, so
// that registers are an array of fixed size, whose indices of one byte need no check.
const (
	slack       = 256
	firstStack  = 2 * slack
	nativeSlots = 20    // that a native may push without a look: C's LUA_MINSTACK
	maxFrames   = 20000 // calls under way (LUAI_MAXCALLS): room doubles, so 16384 are the limit at first
	firstFrames = 8
)

// Thread is a stack of values and of calls: the main one of a State, or a coroutine.
type Thread struct {
	head
	status    status
	state     *State
	stack     []Value
	base      int // the first argument of the native that runs
	top       int // the first free slot
	frames    []frame
	open      *upvalue
	resumer   *Thread // while the coroutine runs
	yielded   int     // values that it yields
	baseCalls int     // goCalls when it was resumed: it can yield only at that depth
}

// status is what a coroutine does.
type status uint8

const (
	statusSuspended status = iota // also: has not begun
	statusRunning
	statusNormal // has resumed another one
	statusDead
)

// frame is a call under way. The frame at the bottom of a thread is that of Go, without a function.
type frame struct {
	fn      *Function
	slot    int32 // of the function: the results go there
	base    int32 // the first register or argument
	top     int32 // the end of the registers
	pc      int32 // the next instruction, while another function runs
	tails   int32 // tail calls that led here, whose callers are gone
	results int16 // wanted, -1: all
	fresh   bool  // called by Go code: its return leaves execute
}

func newThread(s *State) *Thread {
	t := &Thread{head: head{kind: KindThread}, state: s}
	t.stack = make([]Value, firstStack)
	t.frames = make([]frame, 1, firstFrames)
	t.base, t.top = 1, 1
	t.frames[0].base = 1
	s.count += t.size()
	return t
}

// Value is the thread as a value.
func (t *Thread) Value() Value { return Value{ref: unsafe.Pointer(t)} }

// State is the State that the thread belongs to.
func (t *Thread) State() *State { return t.state }

const (
	threadSize = int64(unsafe.Sizeof(Thread{}))
	frameSize  = int64(unsafe.Sizeof(frame{}))
)

// size is the memory that the thread takes.
func (t *Thread) size() int64 {
	return threadSize + int64(len(t.stack))*valueSize + int64(cap(t.frames))*frameSize
}

// Count is the number of arguments of the native that runs, and of what it has pushed.
func (t *Thread) Count() int { return t.top - t.base }

// Arg is argument i, from 1, or what was pushed behind the arguments; nil beyond Count.
func (t *Thread) Arg(i int) Value {
	if i += t.base - 1; i < t.top {
		return t.stack[i]
	}
	return Nil
}

// Push pushes a result, or an argument of Call.
func (t *Thread) Push(v Value) {
	if t.top == len(t.stack) {
		t.growStack(t.top + 1)
	}
	t.stack[t.top] = v
	t.top++
}

// Pop takes off what was pushed last.
func (t *Thread) Pop(n int) { t.top -= n }

// Return pushes results and returns their number: what a native ends with.
func (t *Thread) Return(values ...Value) (int, error) {
	for _, v := range values {
		t.Push(v)
	}
	return len(values), nil
}

// Step takes n steps for a native that loops. Its error is the hook's, to be returned as it is.
func (t *Thread) Step(n int) error { return t.state.step(n) }

// growStack makes the stack at least so large.
func (t *Thread) growStack(size int) {
	size = max(size, 2*len(t.stack))
	t.state.count += int64(size-len(t.stack)) * valueSize
	stack := make([]Value, size)
	copy(stack, t.stack)
	t.stack = stack
	for u := t.open; u != nil; u = u.next {
		u.v = &stack[u.slot]
	}
}

// ensure makes room for n more values.
func (t *Thread) ensure(n int) {
	if t.top+n > len(t.stack) {
		t.growStack(t.top + n)
	}
}
