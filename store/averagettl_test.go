package store

import (
	"fmt"
	"math"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The estimate is exact for few keys, close for many, and only keys that have
// a TTL and are not expired count.
func TestAverageTTL(t *testing.T) {
	rng := randtest.New(t)
	now := int64(1_700_000_000_000)
	for _, c := range []struct {
		keys, every int     // every n-th key gets a TTL
		tolerance   float64 // share of the true mean
	}{{0, 1, 0}, {3, 1, 0}, {40, 2, 0}, {20_000, 1, 0.25}, {20_000, 20, 0.25}} {
		s := openStore(t, Options{Databases: 3})
		v := &View{Store: s, DB: 1, Now: now}
		sum, n := 0.0, 0
		s.LockAll()
		for i := range c.keys {
			expire := int64(0)
			if i%c.every == 0 {
				ttl := 1000 + rng.Int64N(1_000_000)
				expire, sum, n = now+ttl, sum+float64(ttl), n+1
			}
			v.SetString(s.Key(fmt.Append(nil, "key:", i)), []byte("v"), expire)
		}
		v.Held = true
		locked := v.AverageTTL(1)
		v.Held = false
		s.UnlockAll()
		want := sum / math.Max(float64(n), 1)
		for _, got := range []int64{locked, v.AverageTTL(1)} {
			if diff := math.Abs(float64(got) - want); diff > c.tolerance*want+1 {
				t.Errorf("%d keys, every %d. with a TTL: average %d, want %.0f", c.keys, c.every, got, want)
			}
		}
		if got := v.AverageTTL(0); got != 0 {
			t.Errorf("an empty database has an average of %d", got)
		}
		v.Now += 2_000_000
		if got := v.AverageTTL(1); got != 0 {
			t.Errorf("expired keys have an average of %d", got)
		}
	}
}
