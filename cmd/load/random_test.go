package load

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestZipf compares how often ranks come with their exact probabilities.
func TestZipf(t *testing.T) {
	const draws = 1_000_000
	for _, tc := range []struct {
		n int
		s float64
	}{{1, 0.9}, {2, 0.9}, {1000, 0.9}, {100_000, 0.9}, {1000, 0.5}, {1000, 1.3}} {
		z := NewZipf(rand.New(rand.NewPCG(1, 2)), tc.n, tc.s)
		seen := make([]float64, tc.n)
		for range draws {
			seen[z.Next()]++
		}
		var sum float64
		for k := range tc.n {
			sum += math.Pow(float64(k+1), -tc.s)
		}
		// Ranks of groups twice as wide as the last: in each, the share must be the exact one
		// within five standard deviations.
		for from := 0; from < tc.n; from = 2*from + 1 {
			var want, got float64
			for k := from; k < min(2*from+1, tc.n); k++ {
				want += math.Pow(float64(k+1), -tc.s) / sum
				got += seen[k] / draws
			}
			if slack := 5*math.Sqrt(want*(1-want)/draws) + 1e-9; math.Abs(got-want) > slack {
				t.Errorf("n=%d, s=%v: ranks from %d on have a share of %v, want %v", tc.n, tc.s, from, got, want)
			}
		}
	}
}

func TestScatterIsAPermutation(t *testing.T) {
	for _, n := range []int{1, 2, 1000, 50_000, 1_000_000} {
		seen := make([]bool, n)
		for i := range n {
			at := Scatter(i, n)
			if at < 0 || at >= n || seen[at] {
				t.Fatalf("n=%d: %d comes twice or is out of range", n, at)
			}
			seen[at] = true
		}
	}
}

func TestParseChoice(t *testing.T) {
	for _, good := range []string{"uniform", "zipf:0.5", "zipf:1", "zipf:1.2"} {
		c, err := ParseChoice(good)
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		const keys, draws = 100, 20_000
		seen := make([]int, keys)
		draw := c.of(rand.New(rand.NewPCG(5, 6)), keys)
		for range draws {
			seen[draw()]++
		}
		first := 1.0 / keys // the share of the most frequent key, which is the first
		if good != "uniform" {
			var sum float64
			for k := range keys {
				sum += math.Pow(float64(k+1), -c.s)
			}
			first = 1 / sum
		}
		if slack := 5 * math.Sqrt(first/draws); math.Abs(float64(seen[0])/draws-first) > slack {
			t.Errorf("%s: key 0 has a share of %v, want %v", good, float64(seen[0])/draws, first)
		}
	}
	for _, bad := range []string{"", "zipf", "zipf:", "zipf:0", "zipf:-1", "zipf:NaN", "zipf:1e9", "normal"} {
		if _, err := ParseChoice(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]struct{ least, most, middle int }{
		"0":                      {0, 0, 0},
		"64":                     {64, 64, 64},
		"10-20":                  {10, 20, 15},
		"lognormal:224:1.2:4096": {1, 4096, 224},
	} {
		s, err := ParseSize(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		below, low, high := 0, math.MaxInt, 0
		for key := range 10_000 {
			n := s.of(key)
			if n != s.of(key) {
				t.Fatalf("%s: key %d has two sizes", text, key)
			}
			low, high = min(low, n), max(high, n)
			if n < want.middle {
				below++
			}
		}
		if low < want.least || high > want.most || want.least != want.most && (below < 4000 || below > 6000) {
			t.Errorf("%s: from %d to %d, %d below the middle", text, low, high, below)
		}
	}
	for _, bad := range []string{"", "-1", "x", "20-10", "1-x", "1-99999999999", "lognormal:0:1:5", "lognormal:5:0:9",
		"lognormal:5:1:4", "lognormal:5:1"} {
		if _, err := ParseSize(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseTTL(t *testing.T) {
	for text, want := range map[string]TTL{"": {}, "1m": {time.Minute, time.Minute},
		"30s-5m": {30 * time.Second, 5 * time.Minute}} {
		if got, err := ParseTTL(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"0", "1", "5m-1m", "1us", "1s-", "-1s", "x"} {
		if _, err := ParseTTL(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
