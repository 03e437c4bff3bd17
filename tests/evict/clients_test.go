package evict

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestClientsTakeTheRoomOfKeys: buffers of clients count, so keys go for them; with
// maxmemory-clients the client goes instead.
func TestClientsTakeTheRoomOfKeys(t *testing.T) {
	const keys = 6000
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for _, bounded := range []bool{false, true} {
			s := harness.StartSubject(t, "network-driver "+driver, "maxmemory-policy allkeys-lru")
			c := newCache(t, s)
			c.must(keys, func(i int) []string { return []string{"SET", name("k", i), strings.Repeat("v", 2000)} })
			c.tighten(func(i int) []string { return []string{"SET", name("k", i), strings.Repeat("v", 2000)} })
			before, evicted := c.left("k", keys), c.stat("evicted_keys")
			if bounded { // the client is evicted before it takes room
				c.set("maxmemory-clients", 256<<10)
			}
			hog := s.Dial(t)
			const size = 4 << 20
			if err := hog.TryWrite(fmt.Sprintf("*3\r\n$3\r\nGET\r\n$1\r\nk\r\n$%d\r\n%s", size, strings.Repeat("x", size-100))); err != nil && !bounded {
				t.Fatal(err)
			}
			if bounded {
				harness.Eventually(t, patience, "the client is evicted", func() bool { return c.stat("evicted_clients") == 1 })
				if n := c.left("k", keys); n < before-400 {
					t.Errorf("%d of %d keys are left", n, before)
				}
				if sent := hog.ReadUntilClosed(); sent != "" {
					t.Errorf("the client was sent %q", sent)
				}
				continue
			}
			harness.Eventually(t, patience, "keys are evicted", func() bool { return c.stat("evicted_keys") > evicted+1000 })
			if n := c.stat("evicted_clients"); n != 0 {
				t.Errorf("%d clients were evicted", n)
			}
			if n := c.left("k", keys); n < keys/2 {
				t.Errorf("%d of %d keys are left", n, keys)
			}
		}
	})
}

// TestNoTouch: who said CLIENT NO-TOUCH leaves no trace that a policy would see.
func TestNoTouch(t *testing.T) {
	if !harness.SubjectIsLarder() {
		t.Skip("not in Redis 7.0")
	}
	for _, test := range []struct{ policy, ask, old, set, touched string }{
		{"allkeys-lru", "IDLETIME", "IDLETIME", "5000", "0"},
		{"allkeys-lrm", "IDLETIME", "IDLETIME", "5000", "5000"}, // reading is no change
		{"volatile-lfu", "FREQ", "FREQ", "50", "51"},
		{"allkeys-random", "IDLETIME", "IDLETIME", "5000", "0"},
	} {
		t.Run(test.policy, func(t *testing.T) {
			c := newCache(t, harness.Start(t, "maxmemory-policy "+test.policy, "lfu-log-factor 0"))
			c.MustOK("SET", "k", "v")
			dump := c.Do("DUMP", "k").Text
			for _, quiet := range []bool{true, false} {
				c.MustOK("RESTORE", "k", "0", dump, "REPLACE", test.old, test.set)
				want := test.touched
				if quiet {
					c.MustOK("CLIENT", "NO-TOUCH", "ON")
					want = test.set
				}
				c.Do("GET", "k")
				c.MustOK("CLIENT", "NO-TOUCH", "OFF")
				// The seconds of a word are whole, so the next may begin at any time.
				if r := c.Do("OBJECT", test.ask, "k"); r.Text != want && !(want == "5000" && r.Text == "5001") {
					t.Errorf("quiet %v: OBJECT %s is %v, want %s", quiet, test.ask, r, want)
				}
			}
		})
	}
}
