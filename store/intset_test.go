package store

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func randomInteger(r *rand.Rand) int64 {
	switch r.IntN(12) {
	case 0:
		return int64(r.Uint64())
	case 1, 2:
		return int64(int32(r.Uint32())) * 2
	case 3:
		edges := []int64{math.MinInt16, math.MinInt16 - 1, math.MaxInt16, math.MaxInt16 + 1, math.MinInt32,
			math.MinInt32 - 1, math.MaxInt32, math.MaxInt32 + 1, math.MinInt64, math.MaxInt64, 0}
		return edges[r.IntN(len(edges))]
	default:
		return int64(r.IntN(200) - 100)
	}
}

func TestIntsetAgainstSlice(t *testing.T) {
	r := randtest.New(t)
	for round := 0; round < 50; round++ {
		s := intset{2}
		var model []int64
		width := 2
		for step := 0; step < 400; step++ {
			v := randomInteger(r)
			if round%3 == 0 {
				v = int64(r.IntN(300))
			}
			i, ok := s.find(v)
			at, found := slices.BinarySearch(model, v)
			if i != at || ok != found {
				t.Fatalf("find(%d) = %d, %v; want %d, %v", v, i, ok, at, found)
			}
			switch {
			case !found:
				width = max(width, intsetWidth(v))
				b := make([]byte, s.sizeWith(v))
				copy(b, s)
				intsetInsert(b, s.len(), i, v)
				s = b
				model = slices.Insert(model, at, v)
			case r.IntN(3) > 0:
				s.remove(i)
				s = s[:len(s)-s.width()]
				model = slices.Delete(model, at, at+1)
			}
			if s.width() != width || s.len() != len(model) {
				t.Fatalf("width %d, %d members; want %d, %d", s.width(), s.len(), width, len(model))
			}
			for i, want := range model {
				if s.at(i) != want {
					t.Fatalf("member %d is %d, want %d", i, s.at(i), want)
				}
			}
		}
	}
}
