package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestNothingIsWrittenInAPause: what clients of all loops write stands still from the reply to
// CLIENT PAUSE on until its end, and then all of them go on.
func TestNothingIsWrittenInAPause(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		s := start(t, "--network-driver", driver, "--io-threads", "2")
		addr := s.Addrs()[0]
		admin := dial(t, "tcp", addr)
		const writers, pauses = 8, 20
		stop := make(chan struct{})
		var writing sync.WaitGroup
		for i := range writers {
			w := dial(t, "tcp", addr)
			writing.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						w.do(fmt.Sprintf("incr n%d", i%3))
						w.do("incr n")
					}
				}
			})
		}
		counts := func() (all string) {
			for _, key := range []string{"n", "n0", "n1", "n2"} {
				all += admin.do("get "+key) + " "
			}
			return all
		}
		before := ""
		for range pauses {
			admin.expect("client pause 1000000 write", "+OK")
			now := counts()
			eventually(t, "the writers wait", func() bool { return infoOf(admin, "clients")["blocked_clients"] == fmt.Sprint(writers) })
			if later := counts(); later != now {
				t.Errorf("in a pause: %s, then %s", now, later)
			}
			if now == before {
				t.Error("nothing was written between two pauses")
			}
			before = now
			admin.expect("client unpause", "+OK")
			eventually(t, "the writers go on", func() bool { return counts() != now })
		}
		close(stop)
		writing.Wait()
	})
}

// TestADeafMonitor: a monitor that does not read is cut at the limit of subscribers, and nobody else
// notices.
func TestADeafMonitor(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		s := start(t, "--network-driver", driver, "--client-output-buffer-limit", "pubsub 1mb 0 0")
		addr := s.Addrs()[0]
		deaf, other := dial(t, "tcp", addr), dial(t, "tcp", addr)
		id := deaf.do("client id")[1:]
		deaf.expect("monitor", "+OK")
		value := strings.Repeat("x", 32<<10)
		eventually(t, "the monitor is closed", func() bool {
			for range 50 {
				other.expect("set k "+value, "+OK")
			}
			return other.do("client list id "+id) == ""
		})
		if n := infoOf(other, "stats")["client_output_buffer_limit_disconnections"]; n != "1" {
			t.Errorf("%s clients closed for their output", n)
		}
	})
}
