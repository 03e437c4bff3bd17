package caching

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestFreshTimeEnds: under stale-reads no a client with a cache is told of the end of a value's fresh time, in
// which nothing happens to the key; whoever listens to events or watches it is not.
func TestFreshTimeEnds(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for _, mode := range [][]string{nil, {"BCAST"}} {
			for _, quiet := range []bool{false, true} { // is anybody reading when it ends?
				t.Run(fmt.Sprint(mode, quiet), func(t *testing.T) {
					s := harness.StartBinary(t, "network-driver "+driver, "stale-reads no", "notify-keyspace-events KEA")
					c, other := newCache(t, s, mode...), s.Dial(t)
					listener := s.DialRESP(t, 3)
					listener.Do("PSUBSCRIBE", "__keyevent@0__:[tde]*") // tag, del, expired, but expire as well
					read := func() string {
						c.get("page")
						return c.kept["page"]
					}
					const fresh, life = "300", "6000000"
					for {
						other.Do("CACHE.SET", "page", "v", "PX", life, "FRESH", fresh)
						c.ask("PING") // and what it is told of until here
						if read() == "$1\r\nv\r\n" {
							break
						}
					}
					other.MustOK("WATCH", "page")
					told := c.told
					if quiet {
						if m := c.Read(); m.Kind != '>' || m.Elems[1].Elems[0].Text != "page" {
							t.Fatalf("told %q", m.Raw)
						}
						c.told++
						delete(c.kept, "page")
					} else {
						harness.Eventually(t, harness.Patience, "the copy is forgotten", func() bool {
							other.Do("GET", "page")
							c.ask("PING")
							_, kept := c.kept["page"]
							return !kept
						})
					}
					if got := read(); got != "_\r\n" {
						t.Errorf("it reads %q", got)
					}
					other.Do("GET", "page")
					c.ask("PING")
					if _, kept := c.kept["page"]; c.told != told+1 || !kept {
						t.Errorf("told %d times, the copy is kept: %v", c.told-told, kept)
					}
					if got := other.Do("CACHE.GET", "page"); got.Elems[0].Text != "v" || got.Elems[1].Text != "stale" {
						t.Errorf("the key is %q", got.Raw)
					}
					other.MustOK("MULTI")
					other.Do("PING")
					if got := other.Do("EXEC"); got.IsNull() {
						t.Error("a transaction was discarded")
					}
					other.Do("DEL", "page")
					got := listener.Read()
					for got.Elems[2].Text == "__keyevent@0__:expire" {
						got = listener.Read()
					}
					if got.Elems[2].Text != "__keyevent@0__:del" {
						t.Errorf("an event: %q", got.Raw)
					}
				})
			}
		}
	})
}
