package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/stats"
)

// TestEvictionCycleEvent: making room for a command is an event of LATENCY, and finding it is none.
func TestEvictionCycleEvent(t *testing.T) {
	c := newTestClient(t)
	c.expect("config set maxmemory-policy allkeys-random latency-monitor-threshold 30", "+OK")
	for i := range 4000 {
		c.do("set", fmt.Sprint("key:", i), strings.Repeat("x", 1000))
	}
	c.do("config", "set", "maxmemory", fmt.Sprint(c.kernel.Counted()+4<<20))
	c.tick = 20 * time.Millisecond
	named := func() bool {
		return slices.ContainsFunc(c.kernel.Latency.Events(),
			func(e stats.Event) bool { return e.Name == "eviction-cycle" })
	}
	if c.do("set", "key", "value"); named() {
		t.Fatal("there was room")
	}
	c.do("config", "set", "maxmemory", fmt.Sprint(c.kernel.Counted()-1<<20))
	if c.do("set", "key", "value"); !named() {
		t.Errorf("there are %+v, and %d keys have been evicted", c.kernel.Latency.Events(), c.kernel.Store.Evicted())
	}
}
