package stats

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets as fine as those of Redis' HdrHistogram with two significant
// digits: single nanoseconds below 256, and 128 buckets between each power of two and the next above
// that. Anything above a second counts as one. A power of two takes its kilobyte when the first
// duration falls there, so a command takes some kilobytes and not 24.
type histogram struct {
	octaves [octaves]atomic.Pointer[octave]
}

type octave [1 << digits]atomic.Int64

const (
	// digits is how many bits of a duration, beside the leading one, choose its bucket.
	digits = 7
	// octaves is enough for longest: the first two hold what is below 256.
	octaves = 24
	longest = time.Second
)

// bucket is where a duration counts.
func bucket(d time.Duration) (o, i int) {
	ns := uint64(min(max(d, 1), longest))
	if shift := bits.Len64(ns) - digits - 1; shift > 0 {
		return shift + 1, int(ns>>shift) & (1<<digits - 1)
	}
	return int(ns >> digits), int(ns) & (1<<digits - 1)
}

// highest is the longest duration of a bucket, in ns.
func highest(o, i int) int64 {
	if o == 0 {
		return int64(i)
	}
	return (1<<digits+int64(i)+1)<<(o-1) - 1
}

// add counts n equal durations.
func (h *histogram) add(d time.Duration, n int64) {
	o, i := bucket(d)
	p := h.octaves[o].Load()
	if p == nil {
		p = h.newOctave(o)
	}
	p[i].Add(n)
}

// newOctave makes the buckets of an octave, unless somebody else has.
func (h *histogram) newOctave(o int) *octave {
	h.octaves[o].CompareAndSwap(nil, new(octave))
	return h.octaves[o].Load()
}

// Latencies is how long the calls of one command took.
type Latencies struct {
	Calls   int64
	buckets []latency
}

// latency is a bucket that is not empty.
type latency struct {
	highest int64 // ns
	calls   int64
}

// Latencies sums the histograms of a command.
func (c *Commands) Latencies(index int) Latencies {
	var l Latencies
	for o := range octaves {
		var sum [1 << digits]int64
		used := false
		for s := range c.slots {
			h := c.slots[s].rows[index].times.Load()
			if h == nil || h.octaves[o].Load() == nil {
				continue
			}
			used = true
			p := h.octaves[o].Load()
			for i := range p {
				sum[i] += p[i].Load()
			}
		}
		if used {
			l.addOctave(o, &sum)
		}
	}
	return l
}

func (l *Latencies) addOctave(o int, calls *[1 << digits]int64) {
	for i, n := range calls {
		if n != 0 {
			l.Calls += n
			l.buckets = append(l.buckets, latency{highest(o, i), n})
		}
	}
}

// Percentile is the duration within which so many percent of the calls have ended.
func (l *Latencies) Percentile(percent float64) time.Duration {
	need := max(1, int64(percent/100*float64(l.Calls)+0.5))
	var sum int64
	for _, b := range l.buckets {
		if sum += b.calls; sum >= need {
			return time.Duration(b.highest)
		}
	}
	return 0
}

// FirstStep is the power of two of the first bound of Steps, and LastStep that of the last: those below
// are of no use to clients, as in Redis, and nothing counts as longer than that.
const (
	FirstStep = 10
	LastStep  = 30
)

// Steps calls fn with durations, each twice the one before, and the number of calls that took at most
// so long, for those where there are more than for the one before.
func (l *Latencies) Steps(fn func(bound time.Duration, calls int64)) {
	var sum, told int64
	next := 0
	for power := FirstStep; next < len(l.buckets); power++ {
		bound := StepBound(power)
		for next < len(l.buckets) && l.buckets[next].highest <= int64(bound) {
			sum += l.buckets[next].calls
			next++
		}
		if sum != told {
			told = sum
			fn(bound, sum)
		}
	}
}
