package eviction

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
)

// Params are the parameters of policies.
type Params struct {
	LogFactor int64 // lfu-log-factor: higher needs more accesses per step
	DecayTime int64 // lfu-decay-time: minutes per step down, 0 for never

	// Random draws for the Meter; nil for the generator of math/rand/v2. With
	// one, a Meter repeats itself and belongs to a single goroutine.
	Random *rand.Rand
}

// Meter keeps the words of a cache's entries and ranks them by its policy.
// It is safe from many goroutines; each word belongs to one at a time. A
// change of the policy or of its parameters needs a new Meter, which Next makes:
// it takes the words of the old one, and those of the ones before, for what they are.
type Meter struct {
	policy Policy
	lfu    Counter
	lhd    *lhd // nil until there was LHD; it has words, and what it has learnt, for good
	random *rand.Rand
	full   atomic.Bool // under LFU: something has been evicted
}

// NewMeter returns a Meter that has learnt nothing yet, for entries that are new to it.
func NewMeter(p Policy, o Params) *Meter { return new(Meter).Next(p, o) }

// Next returns a Meter of another policy, or of other parameters, for the same entries. Both
// may be in use at the same time.
func (m *Meter) Next(p Policy, o Params) *Meter {
	next := &Meter{policy: p, lfu: Counter{o.LogFactor, o.DecayTime}, lhd: m.lhd, random: o.Random}
	if p.Rule == LHD && next.lhd == nil {
		next.lhd = newLHD()
	}
	return next
}

// Policy is the policy the Meter was made for.
func (m *Meter) Policy() Policy { return m.policy }

// NotesArrivals reports whether New wants to know which keys are new.
func (m *Meter) NotesArrivals() bool { return m.policy.Rule == LHD || m.policy.Rule == LFU }

// New is the word of a new entry. again reports that Arrivals knows its key.
func (m *Meter) New(again bool, nowMs int64) uint32 {
	switch m.policy.Rule {
	case LFU:
		if again && m.full.Load() {
			return lfuWord(lfuInitial+1, nowMs)
		}
		return lfuWord(lfuInitial, nowMs)
	case LHD:
		if again {
			return m.lhd.insert(1, nowMs, m.draw())
		}
		return m.lhd.insert(0, nowMs, m.draw())
	}
	return clock(nowMs)
}

// Entries tells the Meter how many entries its cache has, about, when some are to be evicted.
func (m *Meter) Entries(n int) {
	if m.policy.Rule == LHD {
		m.lhd.entries.Store(int64(n))
	}
}

// Read is the word after a read of an entry. It is word itself where the policy
// notes no reads.
func (m *Meter) Read(word uint32, nowMs int64) uint32 {
	switch m.policy.Rule {
	case LFU:
		return m.lfu.Touch(m.counter(word, nowMs), nowMs, float64(m.draw())/(1<<32))
	case LHD:
		if m.lhd.current(word, nowMs) {
			return word
		}
		count, age := m.life(word, nowMs)
		return m.lhd.access(count, age, m.draw())
	case LRM:
		return word
	}
	return clock(nowMs)
}

// Write is the word after a change of an entry.
func (m *Meter) Write(word uint32, nowMs int64) uint32 {
	if m.policy.Rule == LRM {
		return clock(nowMs)
	}
	return m.Read(word, nowMs)
}

// Rank orders candidates: the highest is evicted first. expireMs is the
// entry's expiry time, 0 for none.
func (m *Meter) Rank(word uint32, size, expireMs, nowMs int64) uint64 {
	switch m.policy.Rule {
	case LRU, LRM:
		return uint64(m.Idle(word, nowMs))
	case LHD:
		count, age := m.life(word, nowMs)
		return m.lhd.rank(count, age, size)
	case LFU:
		return uint64(lfuMax - m.counter(word, nowMs))
	case TTL:
		if expireMs == 0 {
			return 0
		}
		return math.MaxUint64 - uint64(expireMs)
	}
	return 0 // candidates are drawn at random: any order will do
}

// Evicted tells the Meter that an entry of size bytes was evicted. Entries
// that expired or were deleted are none of its business.
func (m *Meter) Evicted(word uint32, size, nowMs int64) {
	switch m.policy.Rule {
	case LHD:
		m.lhd.evicted(m.life(word, nowMs))
	case LFU:
		if !m.full.Load() {
			m.full.Store(true)
		}
	}
}

// Idle is the number of seconds since the last access, as exactly as the word
// tells: to the minute if it was noted under LFU, since the last change under LRM.
func (m *Meter) Idle(word uint32, nowMs int64) int64 {
	switch {
	case isLFU(word):
		return int64(sinceMinutes(word, nowMs)) * 60
	case isLHD(word) && m.lhd != nil:
		return m.lhd.idle(word, nowMs)
	case isLHD(word):
		return 0 // nobody here has noted it
	}
	return sinceClock(word, nowMs)
}

// counter is the access counter under LFU.
func (m *Meter) counter(word uint32, nowMs int64) uint32 {
	if isLFU(word) {
		return m.lfu.Frequency(word, nowMs)
	}
	return m.lfu.decayed(lfuInitial, m.Idle(word, nowMs)/60)
}

// life is the count and the age under LHD.
func (m *Meter) life(word uint32, nowMs int64) (count uint32, age uint64) {
	if isLHD(word) {
		return m.lhd.life(word)
	}
	return 0, m.lhd.since(nowMs-m.Idle(word, nowMs)*1000, nowMs)
}

// Frequency is the access counter in 0..255, 0 where the policy keeps none.
func (m *Meter) Frequency(word uint32, nowMs int64) uint32 {
	if m.policy.Rule != LFU {
		return 0
	}
	return m.counter(word, nowMs)
}

// WithIdle is the word of an entry that was last used some seconds ago, 0 <=
// seconds; ok is false under LFU, which has no use for it, as in Redis.
func (m *Meter) WithIdle(seconds, nowMs int64) (word uint32, ok bool) {
	if m.policy.Rule == LFU {
		return 0, false
	}
	return (clock(nowMs) + clockPeriod - uint32(min(seconds, maxIdle))) % clockPeriod, true
}

// WithFrequency is the word of an entry with the access counter f, 0 <= f <
// 256; ok is false where the policy keeps another kind of word.
func (m *Meter) WithFrequency(f uint32, nowMs int64) (word uint32, ok bool) {
	if m.policy.Rule != LFU {
		return 0, false
	}
	return lfuWord(f&lfuMax, nowMs), true
}

// draw is a random number.
func (m *Meter) draw() uint32 {
	if m.random != nil {
		return m.random.Uint32()
	}
	return rand.Uint32()
}
