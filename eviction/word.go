// Package eviction is the arithmetic of cache policies on the 24 bits that
// every entry carries. It knows no table and takes no lock, so that a trace
// simulator can drive it as well as the store does.
//
// Under an LRU policy the word is a clock: unix seconds modulo 2^24 (194
// days), the time of the last access. Under an LFU policy it is Redis'
// layout, 16 bits of minutes (the last time the counter was decayed) above an
// 8-bit logarithmic counter after Morris ("Counting large numbers of events
// in small registers", 1978): an access raises the counter with probability
// 1/((counter-5)*factor+1), and every lfu-decay-time minutes take one off.
package eviction

// WordBits is the width of an entry's word.
const WordBits = 24

const (
	wordMask = 1<<WordBits - 1

	// lfuInitial is the counter of a new entry: high enough not to be the
	// next victim before it had a chance.
	lfuInitial = 5
	lfuMax     = 255

	// An access up to future seconds, or futureMinutes, after now counts as
	// one just now: a goroutine may rank with a moment that it took before
	// another one's access, and clocks are set back. Without it the keys in
	// use would look the oldest.
	future        = 1 << 20
	futureMinutes = 1 << 12

	// maxIdle is the longest idle time that a clock tells, in seconds.
	maxIdle = wordMask - future
)

// Clock is the LRU word for a time in unix milliseconds.
func Clock(nowMs int64) uint32 { return uint32(nowMs/1000) & wordMask }

// Idle is the number of seconds since the access that word records, up to
// maxIdle.
func Idle(word uint32, nowMs int64) int64 {
	idle := int64((Clock(nowMs) - word) & wordMask)
	if idle > maxIdle {
		return 0
	}
	return idle
}

// Counter holds the parameters of the frequency counter.
type Counter struct {
	LogFactor int64 // lfu-log-factor: higher needs more accesses per step
	DecayTime int64 // lfu-decay-time: minutes per step down, 0 for never
}

// New is the word of a new entry.
func (Counter) New(nowMs int64) uint32 { return lfuWord(lfuInitial, nowMs) }

// Frequency is the counter after the decay that is due.
func (c Counter) Frequency(word uint32, nowMs int64) uint32 {
	counter := word & lfuMax
	if c.DecayTime <= 0 {
		return counter
	}
	steps := int64(sinceMinutes(word, nowMs)) / c.DecayTime
	return uint32(max(int64(counter)-steps, 0))
}

// Touch is the word after an access. random is uniform in [0, 1).
func (c Counter) Touch(word uint32, nowMs int64, random float64) uint32 {
	counter := c.Frequency(word, nowMs)
	if counter < lfuMax {
		above := max(int64(counter)-lfuInitial, 0)
		if random < 1/float64(above*c.LogFactor+1) {
			counter++
		}
	}
	return lfuWord(counter, nowMs)
}

func lfuWord(counter uint32, nowMs int64) uint32 { return minutes(nowMs)<<8 | counter }

// sinceMinutes is the time since the access that an LFU word records.
func sinceMinutes(word uint32, nowMs int64) uint32 {
	since := (minutes(nowMs) - word>>8) & 0xFFFF
	if since > 0xFFFF-futureMinutes {
		return 0
	}
	return since
}

func minutes(nowMs int64) uint32 { return uint32(nowMs/60000) & 0xFFFF }
