package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestQuickAgrees: a request that quick takes is what the careful way makes of the same bytes. The fuzzer
// compares what comes out of both, which would not show a request that quick takes and should not.
func TestQuickAgrees(t *testing.T) {
	r := randtest.New(t)
	taken := 0
	for range 50_000 {
		lim := &Limits{MaxBulk: []int64{0, 5, 100, 1 << 20}[r.IntN(4)], Authenticated: r.IntN(2) == 0}
		b := nearlyRequest(r)
		if len(b) == 0 {
			continue
		}
		got, size := quick(make([][]byte, 1, 1+r.IntN(4)), b, lim)
		if size == 0 {
			continue
		}
		taken++
		var p Parser
		want, err := p.multibulk(b, lim)
		if err != nil || want != size || !slices.EqualFunc(got[1:], p.args, slices.Equal[[]byte]) {
			t.Fatalf("%q with %+v: %q of %d bytes, want %q of %d (%v)", b, *lim, got[1:], size, p.args, want, err)
		}
	}
	if taken < 5000 {
		t.Errorf("only %d requests of 50,000 were taken", taken)
	}
}

// nearlyRequest is a request in which now and then a number, the end of a line or the end itself is another.
func nearlyRequest(r *rand.Rand) (b []byte) {
	line := func(kind byte, n int) {
		number, end := fmt.Sprint(n), "\r\n"
		if r.IntN(12) == 0 {
			number = []string{"", "0", "00", "01", "-1", "-0", "+1", " 1", "1 ", "1a", "/", ":", "1:", "11", "999999999",
				"1000000000", "4294967297", "9223372036854775807", "18446744073709551617"}[r.IntN(19)]
		}
		if r.IntN(12) == 0 {
			end = []string{"\rx", "\n", "\r", "\r\r", "\n\r", "\x00\n", "\r\x00"}[r.IntN(7)]
		}
		b = append(append(append(b, kind), number...), end...)
	}
	n := 1 + r.IntN(4)
	if r.IntN(8) == 0 {
		n = maxUnauthArgs - 1 + r.IntN(4)
	}
	line('*', n)
	for range n {
		size := r.IntN(13)
		if r.IntN(8) == 0 {
			size = 95 + r.IntN(10) // of two digits and of three
		}
		line('$', size)
		for range size {
			b = append(b, "ab\r\n$1*0"[r.IntN(8)])
		}
		b = append(b, "\r\n"...)
	}
	if r.IntN(3) == 0 {
		b = b[:r.IntN(len(b)+1)]
	}
	return b
}
