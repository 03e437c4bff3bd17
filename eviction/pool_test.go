package eviction

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// The pool gives what sorting all offers gives: the highest ranks, the first
// offer of equal ones first.
func TestPoolAgainstSort(t *testing.T) {
	type candidate struct {
		rank uint64
		turn int
	}
	rng := randtest.New(t)
	p := NewPool[candidate](16)
	for range 2000 {
		places := 1 + rng.IntN(16)
		p := p
		if places < 16 {
			p = NewPool[candidate](places)
		}
		p.Reset()
		var all []candidate
		for turn := range rng.IntN(100) {
			c := candidate{uint64(rng.IntN(50)), turn}
			all = append(all, c)
			p.Offer(c.rank, c)
		}
		slices.SortFunc(all, func(a, b candidate) int {
			return cmp.Or(-cmp.Compare(a.rank, b.rank), cmp.Compare(a.turn, b.turn))
		})
		all = all[:min(len(all), places)]
		if p.Len() != len(all) {
			t.Fatalf("%d candidates in a pool of %d, want %d", p.Len(), places, len(all))
		}
		for i, want := range all {
			if got, ok := p.Take(); !ok || got != want {
				t.Fatalf("candidate %d of a pool of %d is %v (%v), want %v", i, places, got, ok, want)
			}
		}
		if c, ok := p.Take(); ok {
			t.Fatalf("an empty pool gave %v", c)
		}
	}
}

// A place that was freed by Take is there for the next offer, whatever its
// rank.
func TestPoolAfterTake(t *testing.T) {
	p := NewPool[string](2)
	p.Offer(5, "five")
	p.Offer(7, "seven")
	if got, _ := p.Take(); got != "seven" {
		t.Fatalf("took %s", got)
	}
	p.Offer(1, "one")
	p.Offer(3, "three")
	for _, want := range []string{"five", "three"} {
		if got, _ := p.Take(); got != want {
			t.Errorf("took %q, want %q", got, want)
		}
	}
}

func TestPoolAllocatesNothing(t *testing.T) {
	p, rng := NewPool[[2]uint64](16), rand.New(rand.NewPCG(1, 1))
	allocs := testing.AllocsPerRun(100, func() {
		p.Reset()
		for range 80 {
			rank := rng.Uint64()
			p.Offer(rank, [2]uint64{rank, rank})
		}
		for p.Len() > 0 {
			p.Take()
		}
	})
	if allocs != 0 {
		t.Errorf("%.1f allocations per burst", allocs)
	}
}

func BenchmarkPool(b *testing.B) {
	p := NewPool[[4]uint64](8)
	ranks := make([]uint64, 4096)
	for i := range ranks {
		ranks[i] = rand.Uint64()
	}
	for i := 0; b.Loop(); i++ {
		if i%80 == 0 {
			p.Reset()
		}
		p.Offer(ranks[i%len(ranks)], [4]uint64{})
	}
}
