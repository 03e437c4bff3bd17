package lua

import "sync/atomic"

// A Budget is the memory of several States together. Each has a limit of its own, but as many run as
// there are clients.
//
// A State takes of the budget all that it may allocate before its next walk, beyond firstDue, which
// every State has. So what is taken is an upper bound of what is alive, and no allocation but one
// that makes a walk due looks at the budget. What is not there when a walk ends is "not enough
// memory", as if the State's own limit had been reached.
type Budget struct {
	limit atomic.Int64
	taken atomic.Int64
}

// SetLimit changes how many bytes the States may take together.
func (b *Budget) SetLimit(bytes int64) { b.limit.Store(bytes) }

// take takes so many bytes more, or gives some back, and reports whether there were as many.
func (b *Budget) take(bytes int64) bool {
	if b.taken.Add(bytes) <= b.limit.Load() || bytes <= 0 {
		return true
	}
	b.taken.Add(-bytes)
	return false
}

// take makes what the State has of its budget as much as it may need while its count is not above
// the mark.
func (s *State) take(mark int64) bool {
	if s.budget == nil {
		return true
	}
	bytes := max(mark-firstDue, 0) - s.taken
	if !s.budget.take(bytes) {
		return false
	}
	s.taken += bytes
	return true
}

// Rest is to be called when a script has ended of a State that will be used again. It gives back what
// is taken for garbage, if there may be more of that than of what is alive.
func (s *State) Rest() {
	if s.count > 2*max(s.rest, 2*firstDue) {
		s.rest = s.Collect()
	}
}

// Discard gives all that the State has of its budget back. It is not to be used any more.
func (s *State) Discard() {
	if s.budget != nil {
		s.budget.take(-s.taken)
		s.taken = 0
	}
}
