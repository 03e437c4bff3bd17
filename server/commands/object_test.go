package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/server/config"
)

// policy makes the server follow a policy.
func (c *testClient) policy(name string) {
	c.t.Helper()
	if err := c.kernel.Config.Set([]config.Setting{{Name: "maxmemory-policy", Value: name}}, true); err != nil {
		c.t.Fatal(err)
	}
	st := c.kernel.Store
	st.SetMeter(st.Meter().Next(c.kernel.Config.Values().Policy(), eviction.Params{LogFactor: 10, DecayTime: 1}))
}

// TestWhatAccessesAreNoted asks, under each policy, for idle time and frequency after reads and
// changes.
func TestWhatAccessesAreNoted(t *testing.T) {
	const (
		notLFU = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
		notLRU = "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	)
	for _, name := range eviction.Names() {
		t.Run(name, func(t *testing.T) {
			c := newTestClient(t)
			c.policy(name)
			rule := c.kernel.Config.Values().Policy().Rule
			c.expect("SET k v", "+OK")
			c.expect("SADD s a", ":1")
			if rule == eviction.LFU {
				c.expect("OBJECT FREQ k", ":5")
				c.expect("OBJECT IDLETIME k", notLRU)
				c.expect("STRLEN k", ":1")
				c.expect("OBJECT FREQ k", ":6")
				c.expect("CLIENT NO-TOUCH ON", "+OK")
				c.expect("SISMEMBER s a", ":1")
				c.expect("OBJECT FREQ s", ":5")
				c.expect("TOUCH s", ":1")
				c.expect("OBJECT FREQ s", ":6")
				c.now = c.now.Add(3 * time.Minute)
				c.expect("OBJECT FREQ s", ":3")
				return
			}
			c.expect("OBJECT FREQ k", notLFU)
			c.expect("OBJECT IDLETIME k", ":0")
			c.now = c.now.Add(1000 * time.Second)
			idle := func(key, want string) {
				t.Helper()
				got := c.do("OBJECT", "IDLETIME", key)
				if rule == eviction.LHD { // which keeps times roughly
					if !strings.HasPrefix(got, ":") {
						t.Errorf("%s has been idle for %s", key, got)
					}
					return
				}
				if got != want {
					t.Errorf("%s has been idle for %s seconds, want %s", key, got, want)
				}
			}
			idle("k", ":1000")
			c.expect("EXISTS k", ":1")
			c.expect("TTL k", ":-1")
			c.expect("STRLEN k", ":1")
			afterRead := ":0"
			if rule == eviction.LRM {
				afterRead = ":1000"
			}
			idle("k", afterRead)
			c.expect("CLIENT NO-TOUCH ON", "+OK")
			c.expect("SCARD s", ":1")
			idle("s", ":1000")
			c.expect("TOUCH s", ":1")
			idle("s", afterRead)
			c.expect("CLIENT NO-TOUCH OFF", "+OK")
			c.expect("SADD s b", ":1")
			idle("s", ":0")
		})
	}
}

// TestWhatIsNotedOutlivesThePolicy changes the policy, for every pair, and asks at once for what
// the old one has noted: a key that was used counts as a new one, one that was not has decayed.
func TestWhatIsNotedOutlivesThePolicy(t *testing.T) {
	for _, from := range eviction.Names() {
		for _, to := range eviction.Names() {
			t.Run(from+" to "+to, func(t *testing.T) { changePolicy(t, from, to) })
		}
	}
}

func changePolicy(t *testing.T, from, to string) {
	const steps, step = 4, 61 // seconds
	c := newTestClient(t)
	c.policy(from)
	c.expect("SET unused v", "+OK")
	c.expect("SET used v", "+OK")
	for range steps {
		c.now = c.now.Add(step * time.Second)
		c.expect("SETRANGE used 0 w", ":1")
	}
	c.policy(to)
	counts := strings.HasSuffix(to, "lfu")
	ask := func(key string) (n int) {
		t.Helper()
		what := "IDLETIME"
		if counts {
			what = "FREQ"
		}
		reply := c.do("OBJECT", what, key)
		if _, err := fmt.Sscanf(reply, ":%d", &n); err != nil {
			t.Fatalf("%s of the %s key: %s", what, key, reply)
		}
		return n
	}
	// LFU tells the time to the minute, LHD from one to the next that it has marked.
	switch unused, used := ask("unused"), ask("used"); {
	case counts && (unused < 1 || unused > 2 || used < 4 || used > 5):
		t.Errorf("the counters are %d and %d, want 1 and 5", unused, used)
	case !counts && (unused < (steps-1)*step-3 || unused > steps*step || used > step):
		t.Errorf("idle for %d and %d seconds, want %d and 0", unused, used, steps*step)
	}
}
