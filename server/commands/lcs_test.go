package commands

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestLCSAgainstTable compares with the textbook's table of lengths and Redis'
// walk over it, on random strings of few different bytes.
func TestLCSAgainstTable(t *testing.T) {
	rng := randtest.New(t)
	for range 3000 {
		a, b := randomBytes(rng), randomBytes(rng)
		length, pairs := modelLCS(a, b)
		l := newLCS(a, b, true)
		if short := newLCS(a, b, false); l.length != length || short.length != length {
			t.Fatalf("LCS(%q, %q) = %d and %d, want %d", a, b, l.length, short.length, length)
		}
		var got [][2]int
		l.walk(func(i, j int) { got = append(got, [2]int{i, j}) })
		if len(got) != len(pairs) {
			t.Fatalf("LCS(%q, %q) walks %v, want %v", a, b, got, pairs)
		}
		for i := range got {
			if got[i] != pairs[i] {
				t.Fatalf("LCS(%q, %q) walks %v, want %v", a, b, got, pairs)
			}
		}
	}
}

func modelLCS(a, b []byte) (length int, pairs [][2]int) {
	cells := make([][]int, len(a)+1)
	for i := range cells {
		cells[i] = make([]int, len(b)+1)
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				cells[i][j] = cells[i-1][j-1] + 1
			} else {
				cells[i][j] = max(cells[i-1][j], cells[i][j-1])
			}
		}
	}
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			i--
			j--
			pairs = append(pairs, [2]int{i, j})
		case cells[i-1][j] > cells[i][j-1]:
			i--
		default:
			j--
		}
	}
	return cells[len(a)][len(b)], pairs
}

func randomBytes(rng *rand.Rand) []byte {
	kinds := 1 + rng.IntN(5)
	b := make([]byte, rng.IntN(200))
	for i := range b {
		b[i] = byte(rng.IntN(kinds)) + 'a'
	}
	return b
}

func BenchmarkLCS(b *testing.B) {
	x := bytes.Repeat([]byte("ACGTTGCA"), 1400)
	y := bytes.Repeat([]byte("GATTACAC"), 1400)
	for b.Loop() {
		newLCS(x, y, true)
	}
}
