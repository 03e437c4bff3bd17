package harness

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Eventually polls until the condition holds. It is the only way in which tests wait: the deadline is for the failure, a passing
// test waits no longer than it must.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		<-tick.C
	}
}

// Seed is the seed of a random test: SEED from the environment, or a fresh one. It is printed when the test fails, so that the same
// run can be had again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64() >> 1
	if s := os.Getenv("SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("SEED=%s is not an unsigned integer", s)
		}
		seed = n
	}
	t.Logf("SEED=%d", seed)
	return seed
}
