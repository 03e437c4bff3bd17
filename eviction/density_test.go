package eviction

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// The density of an age is the highest that there is up to any later one.
func TestDensityIsThatOfTheBestTime(t *testing.T) {
	rng := randtest.New(t)
	for range 200 {
		at := randomLives(rng)
		var none [buckets]float64
		got := densities(&at, &none)
		for from := range at {
			alive := 0.0
			for b := from; b < buckets; b++ {
				alive += at[b].all
			}
			var hits, occupied, best float64
			for b := from; b < buckets; b++ {
				width := lowest(b+1) - lowest(b)
				hits += at[b].hits
				occupied += alive * width
				alive -= at[b].all
				// The weight of what is taken for granted is that of the first bucket, and the best
				// time is looked for without.
				if occupied > 0 {
					best = max(best, hits/occupied)
				}
			}
			width := priorEvents * (lowest(from+1) - lowest(from))
			if got[from] > best*(1+1e-9) {
				t.Fatalf("bucket %d: %g is above %g, the best of all times", from, got[from], best)
			}
			if occupied > 1e6*width && math.Abs(got[from]-best) > best/2 {
				t.Fatalf("bucket %d: %g, want about %g", from, got[from], best)
			}
		}
	}
}

func randomLives(rng *rand.Rand) (at [buckets]lives) {
	for b := range at {
		if rng.IntN(3) == 0 {
			continue
		}
		hits := float64(rng.IntN(1 << (1 + rng.IntN(20))))
		at[b] = lives{hits, hits + float64(rng.IntN(1<<(1+rng.IntN(20))))}
	}
	return at
}

// Where nothing is known, what is taken for granted counts; where much is, it does not.
func TestDensityTakesTheUnknownForGranted(t *testing.T) {
	var at [buckets]lives
	var prior [buckets]float64
	for b := range prior {
		prior[b] = 0.25
	}
	for b, d := range densities(&at, &prior) {
		if d != 0.25 {
			t.Fatalf("bucket %d: %g of nothing", b, d)
		}
	}
	at[20] = lives{1e9, 1e9}
	for b, d := range densities(&at, &prior) {
		want := 0.25
		if b <= 20 {
			want = 1 / (lowest(21) - lowest(b))
		}
		if math.Abs(d-want) > want/100 {
			t.Errorf("bucket %d: %g, want %g", b, d, want)
		}
	}
}

// A cache of a hundred entries learns a loop within its first rounds.
func TestLHDLearnsASmallLoopSoon(t *testing.T) {
	const keys, room, rounds = 200, 100, 20
	c := newKeeper(LHD, room)
	hits := 0
	for i := range keys * rounds {
		if c.read(i%keys, 100) {
			hits++
		}
	}
	if hits < keys*rounds/5 {
		t.Errorf("%d hits of %d", hits, keys*rounds)
	}
}
