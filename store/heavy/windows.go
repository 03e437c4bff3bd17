package heavy

// Windows cuts a stream into windows: a Summary counts the one that runs, and what the last one has
// found is kept as it was at its end. What is frequent now is told by a window that is over, since
// one that has just begun knows little, and a count from the start on would tell what was frequent
// long ago. It belongs to one goroutine at a time; what Last returns may be read by any.
type Windows struct {
	running *Summary
	last    Part
}

// NewWindows begins the first window. The parameters are those of New.
func NewWindows(counters, longest int) *Windows {
	return &Windows{running: New(counters, longest)}
}

// Add counts a name in the running window, as Summary.Add does.
func (w *Windows) Add(hash uint64, name []byte, weight uint64) { w.running.Add(hash, name, weight) }

// Turn ends the running window and begins the next.
func (w *Windows) Turn() {
	w.last = w.running.Part()
	w.running.Reset()
}

// Last is what the last window has found, nothing before the first Turn. It is not changed later on.
func (w *Windows) Last() Part { return w.last }

// Running is what the running window has found so far.
func (w *Windows) Running() Part { return w.running.Part() }

// Reset forgets both windows.
func (w *Windows) Reset() {
	w.last = Part{}
	w.running.Reset()
}

// Memory is the number of bytes that both windows take, names in Last included.
func (w *Windows) Memory() int64 {
	n := w.running.Memory() + int64(cap(w.last.Items))*itemSize
	for i := range w.last.Items {
		n += int64(len(w.last.Items[i].Name))
	}
	return n
}

// itemSize is the size of an Item, in bytes.
const itemSize = 32
