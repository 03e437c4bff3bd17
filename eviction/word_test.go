package eviction

import (
	"math"
	"math/rand/v2"
	"testing"
)

const now = int64(1_700_000_000_000)

func TestIdle(t *testing.T) {
	for _, seconds := range []int64{0, 1, 59, 100_000, maxIdle} {
		if got := sinceClock(clock(now), now+seconds*1000); got != seconds {
			t.Errorf("idle for %d seconds reads as %d", seconds, got)
		}
	}
	for _, seconds := range []int64{1, 60, 86_400} {
		if got := sinceClock(clock(now), now-seconds*1000); got != 0 {
			t.Errorf("an access %d seconds ahead of the clock reads as idle for %d", seconds, got)
		}
	}
	if w := clock(math.MaxInt64); isLHD(w) || isLFU(w) {
		t.Errorf("the clock %x does not fit the word", w)
	}
}

func TestLFUDecay(t *testing.T) {
	l := Counter{LogFactor: 10, DecayTime: 2}
	word := lfuWord(100, now)
	for _, step := range []struct {
		minutes int64
		want    uint32
	}{{0, 100}, {1, 100}, {2, 99}, {3, 99}, {100, 50}, {1000, 0}} {
		if got := l.Frequency(word, now+step.minutes*60_000); got != step.want {
			t.Errorf("after %d minutes: %d, want %d", step.minutes, got, step.want)
		}
	}
	if got := (Counter{}).Frequency(word, now+1e9); got != 100 {
		t.Errorf("decayed to %d though the decay time is 0", got)
	}
}

// The counter grows with the logarithm of the accesses: Redis documents 10 hits
// as 10, 1000 as 18 to 20, 100,000 as 142 for the factor 10.
func TestLFUGrowth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	l := Counter{LogFactor: 10, DecayTime: 1}
	for hits, want := range map[int]float64{1000: 18, 100_000: 142} {
		var sum float64
		const rounds = 20
		for range rounds {
			word := l.New(now)
			for range hits {
				word = l.Touch(l.Frequency(word, now), now, rng.Float64())
			}
			sum += float64(l.Frequency(word, now))
		}
		if mean := sum / rounds; math.Abs(mean-want) > want/6 {
			t.Errorf("%d accesses count as %.1f, expected about %.0f", hits, mean, want)
		}
	}
	word := lfuWord(lfuMax, now)
	if l.Touch(lfuMax, now, 0) != word {
		t.Error("the counter passed its maximum")
	}
}
