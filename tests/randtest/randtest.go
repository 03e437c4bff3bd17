// Package randtest gives tests random numbers that can be had again: each test prints its seed, and
// SEED=n in the environment repeats the run.
package randtest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Seed is SEED, or a fresh one from 0 to 2^63-1.
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

// New is a source of random numbers that starts at Seed.
func New(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(Seed(t), 0))
}

// Soak is for how long a random test shall go on by SOAK in the environment, such as 10m; 0 without
// it.
func Soak(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAK=%s is no duration", text)
	}
	return d
}
