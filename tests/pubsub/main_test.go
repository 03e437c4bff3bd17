// Package pubsub tests publish and subscribe with many clients at once: who must have received what,
// in which order, and that a client that does not read, or goes, harms nobody else.
package pubsub

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience is how long a test waits for what must happen.
const patience = harness.Patience

// subscribe subscribes a client to channels and reads the confirmations.
func subscribe(c *harness.Conn, channels ...string) {
	c.Send(append([]string{"SUBSCRIBE"}, channels...)...)
	for range channels {
		c.Read()
	}
}

// untilNobody waits until the server knows of no subscription.
func untilNobody(t *testing.T, c *harness.Conn) {
	t.Helper()
	harness.Eventually(t, patience, "nobody is subscribed", func() bool {
		return c.Info("clients", "pubsub_clients") == "0" && c.Info("stats", "pubsub_channels") == "0" &&
			c.Info("stats", "pubsub_patterns") == "0" && c.Info("stats", "pubsubshard_channels") == "0"
	})
}
