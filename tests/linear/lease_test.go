package linear

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestLeaseHasOneHolder: many clients take leases on a value that others make stale all the time, and
// each stores one more than it has read. If two leases were good at once, or one was that has seen an
// older value than the last, a number would be stored twice.
func TestLeaseHasOneHolder(t *testing.T) {
	const clients, tries = 8, 150
	eachServer(t, func(t *testing.T, s *harness.Server) {
		s.Dial(t).Do("CACHE.SET", "counter", "0", "TAGS", "1", "tag")
		var stored, leased atomic.Int64
		crowd(t, s, clients, func(id int, c *harness.Conn) {
			for i := range tries {
				if (i+id)%7 == 0 {
					c.Do("CACHE.STALE", "tag")
				}
				r := c.Do("CACHE.GET", "counter", "LEASE", "600000")
				token, ok := r.Elems[3].Int()
				if !ok {
					continue
				}
				leased.Add(1)
				if i%5 == 0 {
					c.Do("CACHE.FAIL", "counter", strconv.FormatInt(token, 10))
				}
				n, _ := strconv.Atoi(r.Elems[0].Text)
				w := c.Do("CACHE.SET", "counter", strconv.Itoa(n+1), "TAGS", "1", "tag", "LEASE", strconv.FormatInt(token, 10))
				if _, ok := w.Int(); ok {
					stored.Add(1)
				}
			}
		})
		got := s.Dial(t).Do("GET", "counter").Text
		if want := strconv.FormatInt(stored.Load(), 10); got != want || stored.Load() == 0 || stored.Load() == leased.Load() {
			t.Errorf("the counter is %s after %s values of %d leases", got, want, leased.Load())
		}
	})
}
