package caching

import (
	"fmt"
	"strings"
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

// TestElementsThatExpire: a client that has read a hash or a set is told when a field or a member of it is
// removed, as its time has come: it reads nothing again before, and sees what is left.
func TestElementsThatExpire(t *testing.T) {
	for _, mode := range [][]string{nil, {"BCAST"}} {
		s := harness.StartBinary(t)
		other := s.Dial(t)
		for _, test := range []struct{ add, expire, read, left string }{
			{"HSET k a 1 b 2", "HPEXPIRE k 50 FIELDS 1 a", "HVALS k", "*1\r\n$1\r\n2\r\n"},
			{"HSET k a 1", "HPEXPIRE k 50 FIELDS 1 a", "HVALS k", "*0\r\n"},
			{"SADD k a b", "SPEXPIRE k 50 MEMBERS 1 a", "SMEMBERS k", "~1\r\n$1\r\nb\r\n"},
			{"SADD k a", "SPEXPIRE k 50 MEMBERS 1 a", "SMEMBERS k", "~0\r\n"},
		} {
			c := newCache(t, s, mode...)
			other.Do(strings.Fields(test.add)...)
			other.Do(strings.Fields(test.expire)...)
			harness.Eventually(t, harness.Patience, "the copy is what is left", func() bool {
				c.ask("PING")
				if _, kept := c.kept["k"]; !kept {
					c.kept["k"] = ""
					c.kept["k"] = c.ask(strings.Fields(test.read)...).Raw
				}
				return c.kept["k"] == test.left
			})
			other.Do("DEL", "k")
			_ = c.Close()
		}
	}
}
