package stats

import "time"

// Durations counts calls of all commands together by how long they took, from the start on or since
// the last Reset. It is large (24 KB): make one and read into it.
type Durations [octaves][1 << digits]int64

// Durations sums the histograms of all commands into d. It looks at some thousand counters for each
// command that has been called.
func (c *Commands) Durations(d *Durations) {
	clear(d[:])
	for s := range c.slots {
		for i := range c.slots[s].rows {
			h := c.slots[s].rows[i].times.Load()
			if h == nil {
				continue
			}
			for o := range h.octaves {
				p := h.octaves[o].Load()
				if p == nil {
					continue
				}
				for b := range p {
					d[o][b] += p[b].Load()
				}
			}
		}
	}
}

// Since is what has been counted since an earlier reading. Calls that a Reset between the two has
// forgotten are not made up for: then it is what has been counted since the Reset.
func (d *Durations) Since(earlier *Durations) Latencies {
	var l Latencies
	var calls [1 << digits]int64
	for o := range d {
		for b := range d[o] {
			if calls[b] = d[o][b] - earlier[o][b]; calls[b] < 0 {
				calls[b] = d[o][b]
			}
		}
		l.addOctave(o, &calls)
	}
	return l
}

// StepBound is one of the bounds that Steps tells: that of a power of two, in ns, from 1 µs on.
func StepBound(power int) time.Duration {
	return time.Duration(int64(1)<<power + int64(1)<<(power-digits) - 1) // the bucket's that the power begins
}
