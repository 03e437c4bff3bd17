package protocol

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestAppendInt(t *testing.T) {
	check := func(n int64) {
		t.Helper()
		if got, want := string(AppendInt(nil, n)), ":"+strconv.FormatInt(n, 10)+"\r\n"; got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	for p := int64(1); ; p *= 10 {
		for _, n := range [...]int64{p - 1, p, p + 1, 2*p - 1, 8 * p} {
			check(n)
			check(-n)
		}
		if p == 1e18 {
			break
		}
	}
	for n := range int64(10_000) {
		check(n)
		check(n * 10_000)
		check(n*100_010_000 + 9_999)
	}
	check(math.MaxInt64)
	check(math.MinInt64)
	for shift := range 64 {
		for range 100 {
			check(int64(rand.Uint64() >> shift))
		}
	}
	if got := string(AppendInt(append(make([]byte, 0, 3), "ab"...), 17)); got != "ab:17\r\n" {
		t.Errorf("in a slice without room: %q", got)
	}
}
