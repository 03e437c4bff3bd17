package limit

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// bucket is GCRA as its definition has it: a leaky bucket that holds nanoseconds of work, in
// arithmetic without bounds.
type bucket struct {
	level, at *big.Int // what was in it at a time
}

func newBucket() *bucket { return &bucket{new(big.Int), new(big.Int)} }

func (b *bucket) leak(now int64) {
	passed := new(big.Int).Sub(big.NewInt(now), b.at)
	b.at.SetInt64(now)
	if b.level.Sub(b.level, passed); b.level.Sign() < 0 {
		b.level.SetInt64(0)
	}
}

func (b *bucket) take(burst, count, period, now, quantity int64) Verdict {
	b.leak(now)
	emission := new(big.Int).Mul(big.NewInt(period), big.NewInt(second))
	emission.Div(emission, big.NewInt(count))
	size := new(big.Int).Mul(emission, new(big.Int).Add(big.NewInt(burst), big.NewInt(1)))
	work := new(big.Int).Mul(emission, big.NewInt(quantity))
	after := new(big.Int).Add(b.level, work)
	v := Verdict{Limited: after.Cmp(size) > 0, Limit: burst + 1, RetryAfter: -1}
	if !v.Limited {
		b.level.Set(after)
	} else if work.Cmp(size) <= 0 {
		v.RetryAfter = new(big.Int).Sub(after, size).Int64()
	}
	if free := new(big.Int).Sub(size, b.level); free.Sign() > 0 {
		v.Remaining = free.Div(free, emission).Int64()
	}
	v.ResetAfter = b.level.Int64()
	return v
}

// TestThrottleAgainstBucket: the rate of a key changes now and then, as when a service is
// configured anew.
func TestThrottleAgainstBucket(t *testing.T) {
	rng := randtest.New(t)
	for range 100 {
		now := 1_700_000_000_000_000_000 + rng.Int64N(1<<50)
		b, tat := newBucket(), int64(0)
		burst, count, period := drawRate(rng)
		for range 200 {
			if rng.IntN(50) == 0 {
				burst, count, period = drawRate(rng)
			}
			rate, fault := NewRate(burst, count, period, now)
			if fault != Fine {
				t.Fatalf("NewRate(%d, %d, %d) = %d", burst, count, period, fault)
			}
			quantity := drawQuantity(rng, burst)
			before := tat
			var v Verdict
			tat, v = rate.Throttle(tat, now, quantity)
			if want := b.take(burst, count, period, now, quantity); v != want {
				t.Fatalf("burst %d, %d per %d s, %d more:\n got %+v\nwant %+v", burst, count, period, quantity, v, want)
			}
			if (v.Limited || quantity == 0) && tat != before {
				t.Fatalf("%d changed the time from %d to %d", quantity, before, tat)
			}
			if v.Limited && v.RetryAfter >= 0 {
				checkRetry(t, rate, tat, now, quantity, v.RetryAfter)
			}
			now += rng.Int64N(3 * rate.emission)
		}
	}
}

// checkRetry: who comes back when he was told to passes, and not a nanosecond earlier.
func checkRetry(t *testing.T, r Rate, tat, now, quantity, after int64) {
	t.Helper()
	if _, v := r.Throttle(tat, now+after, quantity); v.Limited {
		t.Fatalf("told to retry after %d ns, and refused then", after)
	}
	if _, v := r.Throttle(tat, now+after-1, quantity); !v.Limited {
		t.Fatalf("told to retry after %d ns, and would have passed before", after)
	}
}

func drawRate(rng *rand.Rand) (burst, count, period int64) {
	return rng.Int64N(20), 1 + rng.Int64N(100), 1 + rng.Int64N(100)
}

func drawQuantity(rng *rand.Rand, burst int64) int64 {
	switch rng.IntN(8) {
	case 0:
		return 0
	case 1:
		return 1 + rng.Int64N(burst+3)
	case 2:
		return rng.Int64()
	}
	return 1
}

// TestThrottleNeverOverflows draws numbers of any size, also as the stored time.
func TestThrottleNeverOverflows(t *testing.T) {
	rng := randtest.New(t)
	draw := func() int64 { return rng.Int64() >> rng.IntN(63) }
	made := 0
	for range 50_000 {
		now := 1 + draw()/2
		burst, count, period := draw(), 1+draw()/2, 1+draw()/2
		rate, fault := NewRate(burst, count, period, now)
		emission := new(big.Int).Mul(big.NewInt(period), big.NewInt(second))
		emission.Div(emission, big.NewInt(count))
		reach := new(big.Int).Add(big.NewInt(burst), big.NewInt(1))
		reach.Mul(reach, emission).Add(reach, big.NewInt(now))
		want := Fine
		if emission.Sign() == 0 {
			want = TooFast
		} else if !reach.IsInt64() {
			want = TooLarge
		}
		if fault != want {
			t.Fatalf("NewRate(%d, %d, %d, %d) = %d, want %d", burst, count, period, now, fault, want)
		}
		if fault != Fine {
			continue
		}
		made++
		tat := draw()
		if rng.IntN(4) == 0 {
			tat = math.MinInt64 + draw()
		}
		b := newBucket()
		b.at.SetInt64(now)
		b.level.SetInt64(max(0, tat-min(tat, now)))
		quantity := draw()
		next, v := rate.Throttle(tat, now, quantity)
		if wanted := b.take(burst, count, period, now, quantity); v != wanted {
			t.Fatalf("burst %d, %d per %d s at %d, TAT %d, %d more:\n got %+v\nwant %+v", burst, count, period, now, tat, quantity, v, wanted)
		}
		if next != tat && (next < now || next-now != v.ResetAfter) {
			t.Fatalf("TAT %d at %d, but reset after %d", next, now, v.ResetAfter)
		}
	}
	if made < 300 {
		t.Errorf("only %d rates were possible", made)
	}
}

func TestRounding(t *testing.T) {
	for _, c := range [][3]int64{ // ns, s, ms
		{-1, -1, -1}, {0, 0, 0}, {1, 1, 1}, {second - 1, 1, 1000}, {second, 1, 1000}, {second + 1, 2, 1001},
		{math.MaxInt64, 9_223_372_037, 9_223_372_036_854_775_807/1_000_000 + 1},
	} {
		if s, ms := Seconds(c[0]), Millis(c[0]); s != c[1] || ms != c[2] {
			t.Errorf("%d ns are %d s and %d ms, want %d and %d", c[0], s, ms, c[1], c[2])
		}
	}
}
