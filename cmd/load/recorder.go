package load

import (
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/larderkv/larder/cmd/client"
)

// longest is the greatest latency that is told from others; what is longer counts as this. The unit
// of all histograms is the nanosecond, and they are exact to one part in a thousand.
const longest = time.Hour

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(longest), 3) }

// tally is what became of the requests of one kind. Latencies are of replies that were no errors.
type tally struct {
	latency                        *hdrhistogram.Histogram
	requests, hits, misses, errors int64
}

// recorder collects what some clients measure. It is locked once per batch of replies.
type recorder struct {
	mu       sync.Mutex
	kinds    []tally
	failures map[string]*Failure // by code
	// Since the last sample:
	lately         *hdrhistogram.Histogram
	latelyRequests int64
	latelyErrors   int64
}

// Failure is a kind of error.
type Failure struct {
	Code    string `json:"code"`    // first word of its text
	Count   int64  `json:"count"`   // how often it came
	Example string `json:"example"` // the whole text of the first one
}

const (
	mostCodes      = 20 // kinds of errors; others count as otherCode
	otherCode      = "(other)"
	longestExample = 200
)

func newRecorder(kinds int) *recorder {
	r := &recorder{kinds: make([]tally, kinds), failures: map[string]*Failure{}, lately: newHistogram()}
	for i := range r.kinds {
		r.kinds[i].latency = newHistogram()
	}
	return r
}

func (r *recorder) add(batch []measured) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range batch {
		m := &batch[i]
		t := &r.kinds[m.kind]
		t.requests++
		r.latelyRequests++
		t.hits += int64(m.hits)
		t.misses += int64(m.misses)
		if m.failure != "" {
			t.errors++
			r.latelyErrors++
			r.fail(m.failure)
			continue
		}
		took := int64(min(max(m.took, 1), longest))
		_ = t.latency.RecordValue(took) // it is in range
		_ = r.lately.RecordValue(took)  // likewise
	}
}

// fail counts an error by its code.
func (r *recorder) fail(text string) {
	code, _, _ := strings.Cut(text, " ")
	if len(r.failures) >= mostCodes && r.failures[code] == nil {
		code = otherCode
	}
	f := r.failures[code]
	if f == nil {
		f = &Failure{Code: client.Printable(code), Example: client.Printable(text[:min(len(text), longestExample)])}
		r.failures[code] = f
	}
	f.Count++
}

// Sample is what happened within about a second.
type Sample struct {
	At       float64 `json:"t"`        // its end, in seconds from the start
	Requests int64   `json:"requests"` // answered
	Errors   int64   `json:"errors"`
	PerSec   float64 `json:"per_second"`
	P50      float64 `json:"p50_us"` // 0 without replies
	P99      float64 `json:"p99_us"`
	Max      float64 `json:"max_us"`
}

// recorders are those of one load.
type recorders []*recorder

// sample takes what happened since the last one, which was so long ago.
func (all recorders) sample(at, since time.Duration) Sample {
	sum := newHistogram()
	s := Sample{At: at.Seconds()}
	for _, r := range all {
		r.mu.Lock()
		sum.Merge(r.lately)
		s.Requests += r.latelyRequests
		s.Errors += r.latelyErrors
		r.lately.Reset()
		r.latelyRequests, r.latelyErrors = 0, 0
		r.mu.Unlock()
	}
	s.PerSec = float64(s.Requests) / since.Seconds()
	s.P50, s.P99, s.Max = micros(sum.ValueAtQuantile(50)), micros(sum.ValueAtQuantile(99)), micros(sum.Max())
	return s
}

// sum adds up all kinds and errors.
func (all recorders) sum() (kinds []tally, failures map[string]*Failure) {
	total := newRecorder(len(all[0].kinds))
	for _, r := range all {
		r.mu.Lock()
		for i := range r.kinds {
			t, one := &total.kinds[i], &r.kinds[i]
			t.latency.Merge(one.latency)
			t.requests += one.requests
			t.hits += one.hits
			t.misses += one.misses
			t.errors += one.errors
		}
		for code, f := range r.failures {
			if known := total.failures[code]; known != nil {
				known.Count += f.Count
				continue
			}
			copied := *f
			total.failures[code] = &copied
		}
		r.mu.Unlock()
	}
	return total.kinds, total.failures
}

func micros(ns int64) float64 { return float64(ns) / float64(time.Microsecond) }
