package netloop

import (
	"io"
	"strings"
	"sync"
	"testing"
)

// told is the sum of what the session has been told of its connection's memory.
func (c *testClient) told() int64 { return c.session.told.Load() }

// TestSized follows a connection through a long request and a long reply: what it takes is
// published, and the session is notified of each difference.
func TestSized(t *testing.T) {
	const size = 1 << 20
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		sizes := func() Sizes { return c.session.conn.Sizes() }
		idle := int64(0)
		s.eventually("the session to be told of its connection", func() bool {
			idle = c.told()
			return idle > 0
		})
		if s.net == "tcp" && idle > 8<<10 {
			t.Errorf("an idle connection takes %d bytes", idle)
		}
		c.send("len %d\n%s", size, strings.Repeat("x", size/2))
		s.eventually("half a request", func() bool { return sizes().QueryBuf >= size/2 })
		s.eventually("the session to be told of it", func() bool { return c.told() >= idle+size/2 })
		if got := c.told(); got > idle+size+size/4 {
			t.Errorf("half a request of %d bytes takes %d", size, got)
		}
		if z := sizes(); z.Memory != c.told() || z.QueryBuf+z.QueryFree != z.Memory-idle || z.OutputFree != 0 {
			t.Errorf("%+v, and the session was told of %d bytes", z, c.told())
		}
		c.send("%s", strings.Repeat("x", size/2))
		c.expect("1048576")
		// The portable driver lends 64 KiB to who sends much, until he has been quiet for a second.
		s.eventually("the request's memory to be given back", func() bool { return c.told() == idle })

		c.send("big %d\n", 16*size)
		s.eventually("output that waits", func() bool { return sizes().Output > 1<<20 })
		s.eventually("the session to be told of it", func() bool { return c.told() >= idle+sizes().Output })
		if z := sizes(); z.Memory > idle+16*size+size/4 || z.OutputFree > size/4 {
			t.Errorf("a reply of %d bytes takes %d: %+v", 16*size, z.Memory-idle, z)
		}
		if _, err := io.CopyN(io.Discard, c.r, 16*size+1); err != nil {
			t.Fatal(err)
		}
		s.eventually("the reply's memory to be given back", func() bool { return c.told() == idle && sizes().Memory == idle })

		c.send("len 100000\n%s", strings.Repeat("x", 50000))
		s.eventually("half a request", func() bool { return sizes().QueryBuf >= 50000 && c.told() == sizes().Memory })
		held := c.told()
		c.session.conn.Kill(Evicted)
		c.expectEOF(Evicted)
		s.eventually("the sizes to be cleared", func() bool { return sizes().Memory == 0 })
		if got := c.told(); got != held {
			t.Errorf("the session was told of %d bytes after its end", got-held)
		}
		st := s.Stats()
		if got := st.Closed(Evicted); got != 1 {
			t.Errorf("%d connections are counted as evicted", got)
		}
	})
}

// TestManyLongRequests: a round reads 8 MiB into query buffers at most; all are served all the
// same, in their turns.
func TestManyLongRequests(t *testing.T) {
	const n, size = 48, 1 << 20
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		body := strings.Repeat("x", size)
		var wg sync.WaitGroup
		for range n {
			c := s.dial()
			wg.Go(func() {
				for range 2 {
					if _, err := io.WriteString(c, "len 1048576\n"+body); err != nil {
						t.Error(err)
						return
					}
					if line, err := c.r.ReadString('\n'); line != "1048576\n" {
						t.Errorf("got %.80q (%v)", line, err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}
