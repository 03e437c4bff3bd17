package eviction

import (
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// A key that comes back is known while fewer others have come than there are entries, nearly
// always, and forgotten when six times as many have, in a part of any size.
func TestArrivalsKnowWhoComesAgain(t *testing.T) {
	rng := randtest.New(t)
	const rounds = 40
	for _, entries := range []int{12, 50, 300, rememberedKeys / 2} {
		var a Arrivals
		known := func(others int) (n int) {
			for range rounds {
				key := rng.Uint64()
				a.Note(key, 0, entries)
				for range others {
					a.Note(rng.Uint64(), 0, entries)
				}
				if a.Note(key, 0, entries) {
					n++
				}
			}
			return n
		}
		if n := known(entries * 3 / 4); n < rounds*3/4 {
			t.Errorf("%d entries: %d keys of %d were known", entries, n, rounds)
		}
		if n := known(entries * 6); n > rounds/4 {
			t.Errorf("%d entries: %d keys of %d were known after a long time", entries, n, rounds)
		}
	}
}

// Few new keys are taken for old ones.
func TestArrivalsTellNewKeys(t *testing.T) {
	rng := randtest.New(t)
	for _, entries := range []int{1, 100, 1 << 40} {
		var a Arrivals
		const keys = 10_000
		wrong := 0
		for range keys {
			if a.Note(rng.Uint64(), 0, entries) {
				wrong++
			}
		}
		if wrong > keys/20 {
			t.Errorf("%d entries: %d of %d new keys had come before", entries, wrong, keys)
		}
	}
}

func TestLatestArrivals(t *testing.T) {
	var a Arrivals
	var noted []Arrival
	for i := range 50 {
		next := Arrival{uint64(i) * 1e15, int32(i % 3)}
		noted = append(noted, next)
		a.Note(next.Hash, next.DB, 10)
		want := noted[max(0, len(noted)-LatestArrivals):]
		got := slices.SortedFunc(slices.Values(a.Latest()), func(a, b Arrival) int { return int(a.Hash/1e15) - int(b.Hash/1e15) })
		if !slices.Equal(got, want) {
			t.Fatalf("the latest of %d are %v, want %v", i+1, got, want)
		}
	}
}
