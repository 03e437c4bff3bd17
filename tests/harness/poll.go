package harness

import (
	"testing"
	"time"
)

// Patience is how long tests wait for what happens soon on an idle machine: a reply, a start, the end
// of background work. Only a failing test waits so long. A passing one may have to on a machine that is
// several times slower than the one that the test was written on, and busy with other tests besides.
const Patience = 2 * time.Minute

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
