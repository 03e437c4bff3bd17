package stats

import (
	"sync"
	"time"
)

// rateSamples is how many samples a Rate averages, as in Redis.
const rateSamples = 16

// Rate is the growth per second of a counter, averaged over the last samples.
type Rate struct {
	mu      sync.Mutex // protects the fields below
	samples [rateSamples]int64
	next    int
	last    time.Time
	value   int64
}

// Sample records the counter's value at a time. Whoever runs background work
// calls it about ten times a second.
func (r *Rate) Sample(now time.Time, value int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ms := now.Sub(r.last).Milliseconds(); !r.last.IsZero() && ms > 0 {
		r.samples[r.next] = max(0, (value-r.value)*1000/ms)
		r.next = (r.next + 1) % rateSamples
	}
	r.last, r.value = now, value
}

// PerSecond is the average.
func (r *Rate) PerSecond() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sum int64
	for _, s := range r.samples {
		sum += s
	}
	return sum / rateSamples
}
