package lua

import (
	"math"
	"unsafe"
)

// What scripts allocate is counted, and Go's collector frees it: the count alone only grows. When
// it passes a mark, a walk through everything that scripts can reach finds what is alive, and the
// count starts again from there. If that is more than the limit the script fails with "not enough
// memory", which it can catch, as in C; but its next allocation fails as well, unless it has let go
// of something.
//
// Walks become due when the count has doubled, so their cost is a part of that of allocating; close
// to the limit, when it is passed, or passed by a sixteenth since the last walk: then a part is
// garbage. What would be large at once asks before it allocates. So memory in use is bounded by
// about the limit and what Go's collector has not got to yet.
//
// Go code that runs for a script holds values that no walk sees. That is for the time of one call,
// and was asked for. Buffers of natives that call functions, which may call such natives again, are
// counted as long as they are held: each of 200 calls under way could have a large one.

// Marks of walks, in head.mark. Shared strings are those of code, which several States may run: no
// walk marks or counts them.
const (
	markShared = 255
	lastMark   = 250
)

// firstDue is what a State may allocate before its first walk.
const firstDue = 1 << 20

// memory is the account of what a State's scripts have allocated.
type memory struct {
	limit int64
	count int64 // alive at the last walk, and allocated since
	due   int64 // when count passes it there is a walk
	held  int64 // of the count: buffers that natives fill, which no walk meets
	rest  int64 // found by the last walk of Rest
	mark  uint8 // of the last walk

	budget *Budget // nil: none
	taken  int64   // of the budget
}

// memoryText needs no memory: it is the same for all.
var memoryText = NewString("not enough memory").Value()

// errMemory is made anew each time: an Error carries where it was raised.
func errMemory() error {
	return &Error{Value: memoryText, memory: true}
}

// SetLimit changes how many bytes what is alive may take; 0: any number.
func (s *State) SetLimit(limit int64) {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	s.limit, s.due = limit, min(limit, firstDue)
}

// Memory is at least the bytes of what is alive: that at the last walk, and all allocated since.
func (s *State) Memory() int64 { return s.count }

// Collect finds out what is alive, and returns its bytes. It is for times when no script runs, and
// gives back a stack that has grown.
func (s *State) Collect() int64 {
	defer s.SetHook(s.hook) // also counts its steps anew: without a hook they had no end
	s.hook = nil
	if t := s.main; len(t.stack) > 4*firstStack && t.top < firstStack {
		t.stack = append(make([]Value, 0, firstStack), t.stack[:firstStack]...)
		t.frames = append(make([]frame, 0, firstFrames), t.frames...)
	}
	if err := s.measure(); err != nil {
		panic("BUG: lua: " + err.Error())
	}
	return s.count
}

// Reserve asks for memory that a native is about to allocate, which is counted when it becomes a
// value. The error is "not enough memory".
func (t *Thread) Reserve(bytes int) error { return t.state.ask(int64(bytes)) }

// reserve asks for memory and counts it: the account of tables.
func (s *State) reserve(bytes int64) error {
	if err := s.ask(bytes); err != nil {
		return err
	}
	s.count += bytes
	return nil
}

// ask reports whether there is memory for so many bytes more.
func (s *State) ask(bytes int64) error {
	if s.count <= s.due-bytes {
		return nil
	}
	if err := s.measure(); err != nil {
		return err
	}
	if bytes < 0 || s.due == 0 || s.count > s.limit-bytes {
		return errMemory()
	}
	if mark := s.count + bytes; mark > s.due && !s.take(mark) {
		return errMemory()
	}
	return nil
}

// checkDue walks if it is time.
func (s *State) checkDue() error {
	if s.count <= s.due {
		return nil
	}
	return s.ask(0)
}

// measure walks, and says when the next walk is due. The error is the hook's.
func (s *State) measure() error {
	live, err := s.walk()
	if err != nil {
		return err
	}
	s.count, s.due = live, 0
	if live > s.limit {
		return nil
	}
	due := max(2*live, firstDue)
	if due > s.limit {
		due = max(s.limit, live+s.limit/16)
	}
	if s.take(due) {
		s.due = due
	} else if due = live + live/8; s.take(due) {
		s.due = due
	}
	return nil
}

// walker is a walk under way.
type walker struct {
	mark uint8
	live int64
	gray []unsafe.Pointer // heads of objects that were met, whose contents were not looked at
}

// walk is the size of everything that scripts can reach.
func (s *State) walk() (int64, error) {
	if s.mark++; s.mark > lastMark {
		s.mark = 1
	}
	w := walker{mark: s.mark, live: s.held}
	w.table(s.globals)
	w.table(s.stringMeta)
	w.value(s.main.Value())
	for t := s.current; t != nil; t = t.resumer {
		w.value(t.Value())
	}
	for len(w.gray) > 0 {
		h := w.gray[len(w.gray)-1]
		w.gray = w.gray[:len(w.gray)-1]
		before := w.live
		switch (*head)(h).kind {
		case KindTable:
			w.contents((*Table)(h))
		case KindFunction:
			w.function((*Function)(h))
		case KindThread:
			w.thread((*Thread)(h))
		}
		if err := s.step(int(1 + (w.live-before)>>8)); err != nil {
			return 0, err
		}
	}
	return w.live, nil
}

// value meets a value.
func (w *walker) value(v Value) {
	switch v.Kind() {
	case KindString:
		s := (*String)(v.ref)
		if s.mark != w.mark && s.mark != markShared {
			s.mark = w.mark
			w.live += stringSize + int64(len(s.s))
		}
	case KindTable, KindFunction, KindThread:
		if h := (*head)(v.ref); h.mark != w.mark {
			h.mark = w.mark
			w.gray = append(w.gray, v.ref)
		}
	}
}

// table meets a table.
func (w *walker) table(t *Table) {
	if t != nil {
		w.value(t.Value())
	}
}

func (w *walker) values(values []Value) {
	for i := range values {
		if v := &values[i]; v.ref != nil && !v.IsNumber() {
			w.value(*v)
		}
	}
}

func (w *walker) contents(t *Table) {
	w.live += t.Size()
	w.table(t.meta)
	w.values(t.array)
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.value.IsNil() {
			n.bury()
			continue
		}
		w.value(n.key)
		w.value(n.value)
	}
}

func (w *walker) function(f *Function) {
	w.live += f.size()
	w.table(f.env)
	w.values(f.keeps)
	w.proto(f.proto)
	for _, u := range f.upvalues {
		if u != nil && u.mark != w.mark {
			u.mark = w.mark
			w.live += upvalueSize
			w.value(*u.v)
			if u.v != &u.closed { // open: Go keeps the whole stack for it
				w.value(u.thread.Value())
			}
		}
	}
}

// proto counts code that belongs to this State: that of load. Its strings are counted with it.
func (w *walker) proto(p *Proto) {
	if p == nil || p.owner == nil || p.owner.mark == w.mark {
		return
	}
	p.owner.mark = w.mark
	w.live += p.owner.size
}

// thread meets what is on a stack. What is above it was left behind and is cleared, so that Go's
// collector may free it.
func (w *walker) thread(t *Thread) {
	w.live += t.size()
	if t.resumer != nil {
		w.value(t.resumer.Value())
	}
	end := t.top
	for i := range t.frames {
		f := &t.frames[i]
		end = max(end, int(f.top))
		if f.fn != nil {
			w.value(f.fn.Value())
		}
	}
	end = min(end, len(t.stack))
	w.values(t.stack[:end])
	clear(t.stack[end:])
}
