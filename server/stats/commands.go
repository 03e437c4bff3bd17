// Package stats counts what the server does: per command, per error code, and
// rates over the last seconds.
//
// Counters are written from the event loops millions of times a second and read
// by INFO now and then. So they are kept in several copies (slots), the sessions of
// a loop write to the loop's with atomic adds, one group of adds per run of equal
// commands rather than per command, and readers sum the copies. A sum taken while
// others count is a little old, never torn.
package stats

import (
	"sync/atomic"
	"time"
)

// Slots is the number of copies of every counter: as many as there are loops by default at most.
// With more, some share one.
const Slots = 16

// Commands counts per command row and, beside it, the keyspace lookups.
type Commands struct {
	// Tracking has the durations of calls counted, too.
	Tracking atomic.Bool
	_        [64]byte // it is read with every call

	slots [Slots]slot
}

type slot struct {
	rows         []row
	hits, misses atomic.Int64
	_            [64]byte // keep neighbouring slots off this cache line
}

type row struct {
	calls, nanos, rejected, failed atomic.Int64
	times                          atomic.Pointer[histogram] // nil: no call was timed yet
}

// Row is the total of one command.
type Row struct {
	Calls    int64
	Time     time.Duration
	Rejected int64 // refused before the handler ran
	Failed   int64 // the handler ran and replied with an error
}

// NewCommands makes counters for rows 0 to n-1.
func NewCommands(n int) *Commands {
	c := &Commands{}
	for i := range c.slots {
		c.slots[i].rows = make([]row, n)
	}
	return c
}

// Add counts calls of a row that took d together.
func (c *Commands) Add(slot, index int, calls int64, d time.Duration) {
	r := &c.slots[slot].rows[index]
	r.calls.Add(calls)
	r.nanos.Add(int64(d))
	if c.Tracking.Load() {
		h := r.times.Load()
		if h == nil {
			h = r.newTimes()
		}
		if calls > 1 {
			d /= time.Duration(calls) // each its share
		}
		h.add(d, calls)
	}
}

// newTimes makes the row's histogram, unless somebody else has. Reset may take away at any moment what
// is there.
func (r *row) newTimes() *histogram {
	h := new(histogram)
	if !r.times.CompareAndSwap(nil, h) {
		if other := r.times.Load(); other != nil {
			return other
		}
	}
	return h
}

// Rejected counts one refusal.
func (c *Commands) Rejected(slot, index int) { c.slots[slot].rows[index].rejected.Add(1) }

// Failed counts n error replies of a handler.
func (c *Commands) Failed(slot, index, n int) { c.slots[slot].rows[index].failed.Add(int64(n)) }

// Lookups counts keyspace hits and misses.
func (c *Commands) Lookups(slot int, hits, misses int64) {
	s := &c.slots[slot]
	if hits != 0 {
		s.hits.Add(hits)
	}
	if misses != 0 {
		s.misses.Add(misses)
	}
}

// Row sums one command.
func (c *Commands) Row(index int) Row {
	var t Row
	for i := range c.slots {
		r := &c.slots[i].rows[index]
		t.Calls += r.calls.Load()
		t.Time += time.Duration(r.nanos.Load())
		t.Rejected += r.rejected.Load()
		t.Failed += r.failed.Load()
	}
	return t
}

// Total is the number of commands executed.
func (c *Commands) Total() int64 {
	var n int64
	for i := range c.slots {
		for j := range c.slots[i].rows {
			n += c.slots[i].rows[j].calls.Load()
		}
	}
	return n
}

// Keyspace sums the lookups.
func (c *Commands) Keyspace() (hits, misses int64) {
	for i := range c.slots {
		hits += c.slots[i].hits.Load()
		misses += c.slots[i].misses.Load()
	}
	return hits, misses
}

// Reset sets all counters to zero.
func (c *Commands) Reset() {
	for i := range c.slots {
		s := &c.slots[i]
		s.hits.Store(0)
		s.misses.Store(0)
		for j := range s.rows {
			r := &s.rows[j]
			r.calls.Store(0)
			r.nanos.Store(0)
			r.rejected.Store(0)
			r.failed.Store(0)
			r.times.Store(nil)
		}
	}
}
