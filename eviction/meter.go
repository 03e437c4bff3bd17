package eviction

import (
	"math"
	"math/rand/v2"
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
// change of the policy or of its parameters needs a new Meter: words of the
// old one are read as if they were its own, so that the choice of victims is
// poor until the entries in use have been read again, as in Redis.
type Meter struct {
	policy Policy
	lfu    Counter
	lhd    *lhd // under LHD
	random *rand.Rand
}

// NewMeter returns a Meter that has learnt nothing yet.
func NewMeter(p Policy, o Params) *Meter {
	m := &Meter{policy: p, lfu: Counter{o.LogFactor, o.DecayTime}, random: o.Random}
	if p.Rule == LHD {
		m.lhd = newLHD()
	}
	return m
}

// Policy is the policy the Meter was made for.
func (m *Meter) Policy() Policy { return m.policy }

// New is the word of a new entry.
func (m *Meter) New(nowMs int64) uint32 {
	switch m.policy.Rule {
	case LFU:
		return lfuWord(lfuInitial, nowMs)
	case LHD:
		return m.lhd.insert(nowMs, m.draw())
	}
	return Clock(nowMs)
}

// Read is the word after a read of an entry of size bytes. It is word itself
// where the policy notes no reads.
func (m *Meter) Read(word uint32, size, nowMs int64) uint32 {
	switch m.policy.Rule {
	case LFU:
		return m.lfu.Touch(word, nowMs, float64(m.draw())/(1<<32))
	case LHD:
		if m.lhd.current(word, nowMs) {
			return word
		}
		return m.lhd.access(word, m.draw())
	case LRM:
		return word
	}
	return Clock(nowMs)
}

// Write is the word after a change of an entry that now has size bytes.
func (m *Meter) Write(word uint32, size, nowMs int64) uint32 {
	if m.policy.Rule == LRM {
		return Clock(nowMs)
	}
	return m.Read(word, size, nowMs)
}

// Rank orders candidates: the highest is evicted first. expireMs is the
// entry's expiry time, 0 for none.
func (m *Meter) Rank(word uint32, size, expireMs, nowMs int64) uint64 {
	switch m.policy.Rule {
	case LRU, LRM:
		return uint64(Idle(word, nowMs))
	case LHD:
		return m.lhd.rank(word, size)
	case LFU:
		return uint64(lfuMax - m.lfu.Frequency(word, nowMs))
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
	if m.lhd != nil {
		m.lhd.evicted(word)
	}
}

// Idle is the number of seconds since the last access, as exactly as the word
// tells: to the minute under LFU, since the last change under LRM.
func (m *Meter) Idle(word uint32, nowMs int64) int64 {
	switch m.policy.Rule {
	case LFU:
		return int64(sinceMinutes(word, nowMs)) * 60
	case LHD:
		return m.lhd.idle(word, nowMs)
	}
	return Idle(word, nowMs)
}

// Frequency is the access counter in 0..255, 0 where the policy keeps none.
func (m *Meter) Frequency(word uint32, nowMs int64) uint32 {
	if m.policy.Rule != LFU {
		return 0
	}
	return m.lfu.Frequency(word, nowMs)
}

// WithIdle is the word of an entry that was last used some seconds ago, 0 <=
// seconds; ok is false where the policy keeps another kind of word.
func (m *Meter) WithIdle(seconds, nowMs int64) (word uint32, ok bool) {
	if m.policy.Rule == LFU || m.policy.Rule == LHD {
		return 0, false
	}
	return Clock(nowMs - min(seconds, maxIdle)*1000), true
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
