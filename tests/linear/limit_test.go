package linear

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestLimitsAreExact: many clients try at once to pass the same limit, alone and inside of
// transactions; exactly as many get through as may. The periods are longer than any test.
func TestLimitsAreExact(t *testing.T) {
	const clients, tries, most = 8, 100, 300
	passed := func(at int, value int64) func(r harness.Reply) bool {
		return func(r harness.Reply) bool {
			n, ok := r.Elems[at].Int()
			return ok && n == value
		}
	}
	eachServer(t, func(t *testing.T, s *harness.Server) {
		for _, limit := range []struct {
			request string
			passed  func(harness.Reply) bool
		}{
			{"CL.THROTTLE throttle 299 1 86400", passed(0, 0)},
			{"CL.THROTTLE threes 899 1 86400 3", passed(0, 0)},
			{"CL.WINDOW window 300 86400000", passed(0, 0)},
			{"CL.WINDOW wide 900 86400000 3", passed(0, 0)},
			{"INCREX counter UBOUND 300 EX 86400 ENX", passed(1, 1)},
			{"INCREX halves BYFLOAT 0.5 UBOUND 150.25 EX 86400 ENX", func(r harness.Reply) bool { return r.Elems[1].Text == "0.5" }},
		} {
			var through atomic.Int64
			crowd(t, s, clients, func(id int, c *harness.Conn) {
				for i := range tries {
					var r harness.Reply
					if i%4 == id%4 {
						c.MustOK("MULTI")
						c.Do(strings.Fields(limit.request)...)
						r = c.Do("EXEC").Elems[0]
					} else {
						r = c.Do(strings.Fields(limit.request)...)
					}
					if limit.passed(r) {
						through.Add(1)
					}
				}
			})
			if n := through.Load(); n != most {
				t.Errorf("%s: %d passed, want %d", limit.request, n, most)
			}
		}
	})
}
