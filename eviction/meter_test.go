package eviction

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// entry is what a model knows of an entry, beside the word that it checks.
type entry struct {
	word             uint32
	size             int64
	expire           int64 // unix milliseconds, 0 for none
	accessed, change int64 // unix milliseconds
	counter          int64 // as Redis counts, and when it was decayed last
	decayed          int64 // minutes
}

// models order entries by a policy's definition: the result is positive when a
// is to be evicted before b, and 0 when the policy does not care.
var models = map[Rule]func(a, b *entry, nowMs int64) int{
	LRU: func(a, b *entry, _ int64) int { return cmp.Compare(b.accessed/1000, a.accessed/1000) },
	LRM: func(a, b *entry, _ int64) int { return cmp.Compare(b.change/1000, a.change/1000) },
	LFU: func(a, b *entry, nowMs int64) int { return cmp.Compare(b.redisCounter(nowMs), a.redisCounter(nowMs)) },
	TTL: func(a, b *entry, _ int64) int {
		ttl := func(e *entry) uint64 { return uint64(e.expire) - 1 } // 0 is the last of all
		return cmp.Compare(ttl(b), ttl(a))
	},
	Random: func(a, b *entry, _ int64) int { return 0 },
}

const (
	modelFactor = 10
	modelDecay  = 3
)

// redisCounter is LFUDecrAndReturn of Redis' evict.c.
func (e *entry) redisCounter(nowMs int64) int64 {
	return max(e.counter-(nowMs/60_000-e.decayed)/modelDecay, 0)
}

// redisTouch is updateLFU of Redis' db.c, with LFULogIncr of evict.c.
func (e *entry) redisTouch(nowMs int64, random float64) {
	e.counter, e.decayed = e.redisCounter(nowMs), nowMs/60_000
	if e.counter < 255 && random < 1/float64(max(e.counter-5, 0)*modelFactor+1) {
		e.counter++
	}
}

func sign(a, b uint64) int { return cmp.Compare(a, b) }

func TestPoliciesAgainstModels(t *testing.T) {
	for rule, model := range models {
		t.Run(Policy{rule, true}.String(), func(t *testing.T) {
			rng := randtest.New(t)
			seed := rng.Uint64()
			m := NewMeter(Policy{rule, true}, Params{modelFactor, modelDecay, rand.New(rand.NewPCG(seed, 0))})
			draws := rand.New(rand.NewPCG(seed, 0))
			clock := now
			var all []*entry
			for range 20_000 {
				clock += rng.Int64N(1 << rng.IntN(18)) // up to two minutes
				i := rng.IntN(40)
				if i >= len(all) {
					e := &entry{word: m.New(false, clock), size: 1 + rng.Int64N(1000), accessed: clock, change: clock, counter: 5, decayed: clock / 60_000}
					if rng.IntN(4) > 0 {
						e.expire = clock + rng.Int64N(1<<40)
					}
					all = append(all, e)
					continue
				}
				e := all[i]
				before := e.word
				if e.accessed = clock; rng.IntN(3) == 0 {
					e.word, e.change = m.Write(e.word, clock), clock
				} else if e.word = m.Read(e.word, clock); rule == LRM && e.word != before {
					t.Fatal("a read was noted as a change")
				}
				if rule == LFU {
					e.redisTouch(clock, float64(draws.Uint32())/(1<<32))
					if f := m.Frequency(e.word, clock); int64(f) != e.counter {
						t.Fatalf("the counter is %d, want %d", f, e.counter)
					}
				}
				if e.word >= 1<<WordBits {
					t.Fatalf("the word %x is too wide", e.word)
				}
				other := all[rng.IntN(len(all))]
				got := sign(m.Rank(e.word, e.size, e.expire, clock), m.Rank(other.word, other.size, other.expire, clock))
				if want := model(e, other, clock); got != want {
					t.Fatalf("%+v against %+v: %d, want %d", e, other, got, want)
				}
			}
		})
	}
}

// The words of clocks wrap around. An order that spans the wrap still holds.
func TestClocksWrapAround(t *testing.T) {
	const second, minute, day = int64(1000), int64(60_000), int64(86_400_000)
	for _, c := range []struct {
		rule         Rule
		period, step int64 // milliseconds
	}{{LRU, second * clockPeriod, 100 * second}, {LRM, second * clockPeriod, 100 * second}, {LFU, minute * (minutesMask + 1), 10 * minute}} {
		m := NewMeter(Policy{Rule: c.rule}, Params{LogFactor: 10, DecayTime: 10})
		wrap := (now/c.period + 1) * c.period
		var words []uint32
		for at := wrap - 5*c.step; at < wrap+5*c.step; at += c.step {
			word := m.New(false, at)
			if c.rule == LFU { // the counter tells the time by its decay
				word, _ = m.WithFrequency(100, at)
			}
			words = append(words, word)
		}
		end := wrap + 5*c.step
		for i := 1; i < len(words); i++ {
			if older, newer := m.Rank(words[i-1], 1, 0, end), m.Rank(words[i], 1, 0, end); older <= newer {
				t.Errorf("rule %d: rank %d for an entry that was used before one of rank %d", c.rule, older, newer)
			}
		}
		if idle := m.Idle(words[0], end); idle != 10*c.step/1000 {
			t.Errorf("rule %d: idle for %d seconds, want %d", c.rule, idle, 10*c.step/1000)
		}
		// A word of the future is one of now, not the oldest of all.
		if ahead, fresh := m.Rank(m.New(false, end+day), 1, 0, end), m.Rank(m.New(false, end), 1, 0, end); ahead != fresh {
			t.Errorf("rule %d: rank %d for an entry used a day ahead of the clock, want %d", c.rule, ahead, fresh)
		}
	}
}

func TestWordsFromOutside(t *testing.T) {
	for _, p := range policies() {
		m := NewMeter(p.Policy, Params{LogFactor: 10, DecayTime: 1})
		if word, ok := m.WithIdle(1234, now); ok && m.Idle(word, now) != 1234 {
			t.Errorf("%s: idle for %d seconds, want 1234", p.name, m.Idle(word, now))
		}
		if word, ok := m.WithIdle(math.MaxInt64, now); ok && m.Idle(word, now) != maxIdle {
			t.Errorf("%s: idle for %d seconds, want as long as there is", p.name, m.Idle(word, now))
		}
		word, ok := m.WithFrequency(77, now)
		if ok != (p.Rule == LFU) {
			t.Errorf("%s: WithFrequency says %v", p.name, ok)
		}
		if ok && m.Frequency(word, now) != 77 {
			t.Errorf("%s: the counter is %d, want 77", p.name, m.Frequency(word, now))
		}
		if p.Rule != LFU && m.Frequency(m.New(false, now), now) != 0 {
			t.Errorf("%s keeps a counter", p.name)
		}
		if m.Policy() != p.Policy {
			t.Errorf("%s says it is %v", p.name, m.Policy())
		}
	}
}

// Whatever the word, a Meter makes a legal one of it: words of another policy
// are read after a change of maxmemory-policy.
func TestAnyWordIsSafe(t *testing.T) {
	rng := randtest.New(t)
	for _, p := range policies() {
		m := NewMeter(p.Policy, Params{LogFactor: 10, DecayTime: 1})
		clock := now
		for range 50_000 {
			clock += rng.Int64N(1<<20) - 1<<18 // it is set back as well
			word := rng.Uint32N(1 << WordBits)
			if rng.IntN(2) == 0 {
				word = m.New(false, clock)
			}
			size := rng.Int64N(1 << rng.IntN(40))
			for _, w := range []uint32{m.Read(word, clock), m.Write(word, clock)} {
				if w >= 1<<WordBits {
					t.Fatalf("%s: the word %x is too wide", p.name, w)
				}
			}
			m.Rank(word, size, rng.Int64(), clock)
			m.Evicted(word, size, clock)
			if idle := m.Idle(word, clock); idle < 0 {
				t.Fatalf("%s: idle for %d seconds", p.name, idle)
			}
		}
	}
}

func TestMetersFromManyGoroutines(t *testing.T) {
	for _, p := range policies() {
		m := NewMeter(p.Policy, Params{LogFactor: 10, DecayTime: 1})
		var wg sync.WaitGroup
		for g := range 4 {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			wg.Go(func() {
				words := make([]uint32, 500)
				for i := range 50_000 {
					clock := now + int64(i)*10
					w := &words[rng.IntN(len(words))]
					switch rng.IntN(4) {
					case 0:
						*w = m.New(false, clock)
					case 1:
						m.Rank(*w, 100, 0, clock)
						m.Evicted(*w, 100, clock)
					case 2:
						m.Idle(*w, clock)
					default:
						*w = m.Read(*w, clock)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestMetersAllocateNothing(t *testing.T) {
	for _, p := range policies() {
		m := NewMeter(p.Policy, Params{LogFactor: 10, DecayTime: 1})
		clock, word := now, m.New(false, now)
		allocs := testing.AllocsPerRun(1000, func() {
			for range 100 {
				clock += 50
				word = m.Write(m.Read(m.New(false, clock), clock), clock)
				m.Rank(word, 100, 0, clock)
				m.Evicted(word, 100, clock)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %.1f allocations", p.name, allocs)
		}
	}
}

var sink uint64 // keeps the compiler from leaving out what is measured

func benchmark(b *testing.B, f func(m *Meter, word uint32, clock int64) uint64) {
	for _, rule := range []Rule{LRU, LFU, LHD} {
		b.Run(fmt.Sprint(Policy{rule, false}), func(b *testing.B) {
			m := NewMeter(Policy{Rule: rule}, Params{LogFactor: 10, DecayTime: 1})
			words := make([]uint32, 1<<12)
			for i := range words {
				words[i] = m.New(false, now)
			}
			clock := now
			for i := 0; b.Loop(); i++ {
				clock += int64(i & 1)
				sink += f(m, words[i&(len(words)-1)], clock)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	benchmark(b, func(m *Meter, _ uint32, clock int64) uint64 { return uint64(m.New(false, clock)) })
}

func BenchmarkRead(b *testing.B) {
	benchmark(b, func(m *Meter, word uint32, clock int64) uint64 { return uint64(m.Read(word, clock)) })
}

func BenchmarkRank(b *testing.B) {
	benchmark(b, func(m *Meter, word uint32, clock int64) uint64 { return m.Rank(word, 100, 0, clock) })
}

func BenchmarkEvicted(b *testing.B) {
	benchmark(b, func(m *Meter, word uint32, clock int64) uint64 { m.Evicted(word, 100, clock); return 0 })
}
