package stats

import (
	"math"
	"runtime/metrics"
	"time"
)

// What the Go runtime says of itself beyond its memory. No reading stops the program, as
// runtime.ReadMemStats would.

// Goroutines is how many there are.
func Goroutines() int64 { return runtimeCount("/sched/goroutines:goroutines") }

// Collections is how many collections of the heap have ended.
func Collections() int64 { return runtimeCount("/gc/cycles/total:gc-cycles") }

// LockWait is how long goroutines have waited for mutexes, as the runtime estimates by samples.
func LockWait() time.Duration {
	s := [...]metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(s[:])
	return time.Duration(s[0].Value.Float64() * float64(time.Second))
}

func runtimeCount(name string) int64 {
	s := [...]metrics.Sample{{Name: name}}
	metrics.Read(s[:])
	return int64(s[0].Value.Uint64())
}

// Pauses is how long the collector has stopped the program each time, by how long it took: the bounds
// are upper ones, and Counts is of those between a bound and the one before. The runtime keeps no sum:
// Sum takes each for the middle of its bucket.
type Pauses struct {
	Bounds []time.Duration
	Counts []uint64
	Sum    time.Duration
}

// CollectorPauses reads them.
func CollectorPauses() Pauses {
	s := [...]metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s[:])
	h := s[0].Value.Float64Histogram()
	var p Pauses
	for i, n := range h.Counts {
		lower, upper := max(0, h.Buckets[i]), h.Buckets[i+1]
		if math.IsInf(upper, 1) {
			upper = lower
		}
		p.Bounds = append(p.Bounds, time.Duration(upper*float64(time.Second)))
		p.Counts = append(p.Counts, n)
		p.Sum += time.Duration((lower + upper) / 2 * float64(time.Second) * float64(n))
	}
	return p
}
