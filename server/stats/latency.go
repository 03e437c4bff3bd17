package stats

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Latency notes events that took long, as Redis' latency monitor does. It is safe from any goroutine.
// With the threshold at 0 an event costs one atomic load.
type Latency struct {
	threshold atomic.Int64 // ms, 0: nothing is noted
	clock     func() time.Time

	mu     sync.Mutex // protects what follows
	events map[string]*series
}

// latencySamples is how many samples are kept of an event, as in Redis.
const latencySamples = 160

// Sample is how long an event took, in ms, in a second: the longest of that second.
type Sample struct{ Time, Took int64 }

// series is the samples of one event.
type series struct {
	samples []Sample // the oldest first
	worst   int64    // ms, of all that there have ever been
}

// NewLatency makes a monitor with a threshold of 0.
func NewLatency(clock func() time.Time) *Latency {
	return &Latency{clock: clock, events: make(map[string]*series)}
}

// SetThreshold has events noted that take so many ms; 0: none.
func (l *Latency) SetThreshold(ms int64) { l.threshold.Store(ms) }

// Threshold is what SetThreshold has set.
func (l *Latency) Threshold() int64 { return l.threshold.Load() }

// Add notes an event if it took long.
func (l *Latency) Add(event string, d time.Duration) {
	least := l.threshold.Load()
	took := d.Milliseconds()
	if least == 0 || took < least {
		return
	}
	now := l.clock().Unix()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.events[event]
	if s == nil {
		s = &series{}
		l.events[event] = s
	}
	s.worst = max(s.worst, took)
	if n := len(s.samples); n > 0 && s.samples[n-1].Time == now {
		s.samples[n-1].Took = max(s.samples[n-1].Took, took)
		return
	}
	if len(s.samples) == latencySamples {
		s.samples = slices.Delete(s.samples, 0, 1)
	}
	s.samples = append(s.samples, Sample{now, took})
}

// Watch is Add for what do does, without a look at the clock if nothing is noted.
func (l *Latency) Watch(event string, do func() error) error {
	if l.threshold.Load() == 0 {
		return do()
	}
	start := l.clock()
	err := do()
	l.Add(event, l.clock().Sub(start))
	return err
}

// Event is what is known of one kind of event.
type Event struct {
	Name    string
	Worst   int64    // ms
	Samples []Sample // at least one, the oldest first
}

// Last is the last sample.
func (e *Event) Last() Sample { return e.Samples[len(e.Samples)-1] }

// Events lists what has been noted, by name.
func (l *Latency) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Event, 0, len(l.events))
	for name, s := range l.events {
		list = append(list, Event{name, s.worst, slices.Clone(s.samples)})
	}
	slices.SortFunc(list, func(a, b Event) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Event finds an event by its name.
func (l *Latency) Event(name string) (e Event, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.events[name]
	if s == nil {
		return Event{}, false
	}
	return Event{name, s.worst, slices.Clone(s.samples)}, true
}

// Reset forgets an event, and reports whether there was one.
func (l *Latency) Reset(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.events[name]
	delete(l.events, name)
	return ok
}

// ResetAll forgets all events, and returns how many there were.
func (l *Latency) ResetAll() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.events)
	clear(l.events)
	return n
}

// Summary is what LATENCY DOCTOR and GRAPH say of an event.
type Summary struct {
	Min, Max  int64 // ms
	Mean, MAD int64 // ms; the mean absolute deviation
	Samples   int64
	Period    float64 // seconds between two samples
}

// Summarize looks at the samples.
func (e *Event) Summarize(now time.Time) Summary {
	s := Summary{Min: math.MaxInt64, Samples: int64(len(e.Samples))}
	var sum int64
	for _, x := range e.Samples {
		s.Min, s.Max = min(s.Min, x.Took), max(s.Max, x.Took)
		sum += x.Took
	}
	s.Mean = sum / s.Samples
	var off int64
	for _, x := range e.Samples {
		off += max(s.Mean-x.Took, x.Took-s.Mean)
	}
	s.MAD = off / s.Samples
	s.Period = float64(now.Unix()-e.Samples[0].Time) / float64(s.Samples)
	return s
}
