package eviction

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// Whatever the ranks are, those that are chosen are the highest, each once, and
// between half and one and a half of what was asked for.
func TestChoiceTakesTheHighest(t *testing.T) {
	rng := randtest.New(t)
	for _, rule := range []Rule{LRU, LFU, LHD, TTL, Random} {
		c := NewChoice(16)
		c.Reset(rule)
		for range 2000 {
			ranks := make([]uint64, 1+rng.IntN(100))
			spread := uint64(1) << rng.IntN(40) // many or no equal ones
			for i := range ranks {
				if ranks[i] = rng.Uint64N(spread); rng.IntN(50) == 0 {
					ranks[i] = math.MaxUint64 // expired
				}
			}
			k := 1 + rng.IntN(16)
			got, sorted := c.Of(ranks, k)
			least, most := max(k/2, 1), k+k/2
			if rule == Random {
				least, most = k, k
			}
			if len(got) < min(least, len(ranks)) || len(got) > most {
				t.Fatalf("rule %d: %d of %d candidates were chosen, asked for %d", rule, len(got), len(ranks), k)
			}
			all := slices.Clone(ranks)
			slices.Sort(all)
			var chosen []uint64
			for _, i := range got {
				chosen = append(chosen, ranks[i])
			}
			if sorted && !slices.IsSortedFunc(chosen, func(a, b uint64) int { return cmp.Compare(b, a) }) {
				t.Fatalf("rule %d: %v do not fall", rule, chosen)
			}
			slices.Sort(chosen)
			if want := all[len(all)-len(got):]; !slices.Equal(chosen, want) {
				t.Fatalf("rule %d: chose %v, want %v of %v", rule, chosen, want, all)
			}
			slices.Sort(got)
			if len(slices.Compact(got)) != len(chosen) {
				t.Fatalf("rule %d: a candidate was chosen twice", rule)
			}
		}
	}
}

// Groups differ; over many of them as much is evicted as was asked for, and it is
// nearly what sorting all of them together would have taken.
func TestChoiceEvensGroupsOut(t *testing.T) {
	const groups, n, k = 1500, 80, 16
	for name, rank := range map[string]func(rng *rand.Rand) uint64{
		"fine":        func(rng *rand.Rand) uint64 { return rng.Uint64N(1 << 20) },
		"heavy tail":  func(rng *rand.Rand) uint64 { return uint64(1000 / (1 - rng.Float64())) },
		"near expiry": func(rng *rand.Rand) uint64 { return math.MaxUint64 - uint64(now) - rng.Uint64N(1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			c := NewChoice(k)
			c.Reset(LRU)
			var all, best, chosen []uint64
			for g := range groups {
				ranks := make([]uint64, n)
				for i := range ranks {
					ranks[i] = rank(rng)
				}
				got, _ := c.Of(ranks, k)
				if g < groups/10 {
					continue // the bar is on its way
				}
				for _, i := range got {
					chosen = append(chosen, ranks[i])
				}
				all = append(all, ranks...)
				slices.Sort(ranks)
				best = append(best, ranks[n-k:]...)
			}
			if want := groups / 10 * 9 * k; len(chosen) < want*9/10 || len(chosen) > want*11/10 {
				t.Errorf("%d were chosen, about %d were asked for", len(chosen), want)
			}
			slices.Sort(all)
			missed := func(set []uint64) (n int) { // those that are not of the best of all
				for _, rank := range set {
					if rank < all[len(all)-len(set)] {
						n++
					}
				}
				return n
			}
			if with, without := missed(chosen), missed(best); with > without*2/3 {
				t.Errorf("%d of %d were not among the best of all; %d without a bar", with, len(chosen), without)
			}
		})
	}
}

func TestChoiceAllocatesNothing(t *testing.T) {
	c, rng := NewChoice(16), rand.New(rand.NewPCG(1, 1))
	ranks := make([]uint64, 80)
	allocs := testing.AllocsPerRun(100, func() {
		for _, rule := range []Rule{LRU, LHD} {
			c.Reset(rule)
			for range 10 {
				for i := range ranks {
					ranks[i] = rng.Uint64N(1000)
				}
				c.Of(ranks, 16)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%.1f allocations", allocs)
	}
}

func BenchmarkChoice(b *testing.B) {
	for _, rule := range []Rule{LRU, LHD} {
		b.Run(Policy{Rule: rule}.String(), func(b *testing.B) {
			c, ranks := NewChoice(16), make([]uint64, 4096+80)
			c.Reset(rule)
			for i := range ranks {
				ranks[i] = rand.Uint64N(1 << 24)
			}
			for i := 0; b.Loop(); i++ {
				at := i * 80 % 4096
				c.Of(ranks[at:at+80], 16)
			}
		})
	}
}
