package harness

import (
	"testing"
	"time"
)

// Eventually polls until the condition holds. It is the only way in which tests wait: the deadline
// is for the failure, a passing test waits no longer than it must.
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
