package admin

import (
	"sync"
	"time"

	"github.com/larderkv/larder/server/engine"
)

const (
	// keptSeconds and keptMinutes are how many samples of each kind are kept.
	keptSeconds, keptMinutes = 300, 60
	samplesPerMinute         = 60
)

// history keeps the last samples: some of a second each, and some of a minute. It takes about 140 KB,
// for as long as the server runs.
type history struct {
	mu      sync.Mutex // protects the rings; what follows them belongs to the sampler
	seconds ring[Sample]
	minutes ring[Sample]
	tracks  tracks

	now, second, minute *counters // the reading being taken, and those that samples begin with
	taken               int       // samples since minute was read
}

func newHistory() *history {
	return &history{
		tracks: newTracks(), seconds: newRing[Sample](keptSeconds), minutes: newRing[Sample](keptMinutes),
		now: new(counters), second: new(counters), minute: new(counters),
	}
}

// begin notes where the counters stand.
func (h *history) begin(k *engine.Kernel, now time.Time) {
	h.second.read(k, now)
	*h.minute = *h.second
}

// take makes the sample of the time since the last one, and of the minute when it is over.
func (h *history) take(k *engine.Kernel, now time.Time) Sample {
	var s Sample
	h.now.read(k, now)
	s.state(k, now)
	minute := s
	h.now.since(h.second, &s)
	h.taken++
	over := h.taken == samplesPerMinute
	if over {
		h.now.since(h.minute, &minute)
		*h.minute, h.taken = *h.now, 0
	}
	h.second, h.now = h.now, h.second
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seconds.add(s)
	if over {
		h.minutes.add(minute)
	}
	return s
}

// last copies the samples, the oldest first.
func (h *history) last() (seconds, minutes []Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seconds.all(), h.minutes.all()
}

// ring keeps the last of what is added to it.
type ring[T any] struct {
	kept []T
	next int // where the oldest is, once the ring is full
}

func newRing[T any](most int) ring[T] { return ring[T]{kept: make([]T, 0, most)} }

func (r *ring[T]) add(x T) {
	if len(r.kept) < cap(r.kept) {
		r.kept = append(r.kept, x)
		return
	}
	r.kept[r.next] = x
	r.next = (r.next + 1) % len(r.kept)
}

// all is a copy, the oldest first; never nil, which JSON would say as null.
func (r *ring[T]) all() []T {
	all := make([]T, 0, len(r.kept))
	return append(append(all, r.kept[r.next:]...), r.kept[:r.next]...)
}

// back is the one that was added n before the last, or the oldest if there are not so many.
func (r *ring[T]) back(n int) (x T, ok bool) {
	if len(r.kept) == 0 {
		return x, false
	}
	n = min(n, len(r.kept)-1)
	return r.kept[(r.next+len(r.kept)-1-n)%len(r.kept)], true
}
