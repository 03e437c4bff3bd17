package netloop

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/protocol/chain"
)

// lendingSession is a lineSession that lends memory for requests that lack much. What it has lent
// is written over when it is given back: whoever still needs it shows.
type lendingSession struct {
	*lineSession
	lent         []byte
	lends, backs atomic.Int64
	strangers    atomic.Int64 // calls of Data with more than one request in lent memory
}

const (
	lendFrom = 300 << 10
	lendTail = 100
)

func (s *lendingSession) Lend(in []byte) []byte {
	s.enter()
	defer s.leave()
	if s.want < lendFrom {
		return nil
	}
	if s.lent != nil {
		panic("BUG: asked again")
	}
	s.lends.Add(1)
	s.lent = make([]byte, len(in)+s.want+lendTail)
	return s.lent
}

func (s *lendingSession) GiveBack() {
	s.enter()
	defer s.leave()
	if s.lent == nil {
		panic("BUG: nothing to give back")
	}
	clear(s.lent)
	s.lent = nil
	s.backs.Add(1)
}

func (s *lendingSession) Data(in []byte, out *chain.Buffer) (int, Action) {
	if s.lent != nil && &in[0] != &s.lent[0] {
		panic("BUG: the input is not in the memory that was lent")
	}
	lent := s.lent != nil
	taken, next := s.lineSession.Data(in, out)
	if lent && taken > 0 && taken != len(in) {
		s.strangers.Add(1)
	}
	return taken, next
}

// lending runs a test on each driver with sessions that lend, and one client of it.
func lending(t *testing.T, f func(t *testing.T, s *testServer, c *testClient, l *lendingSession)) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		sessions := make(chan *lendingSession, 1)
		s.wrap.Store(func(inner *lineSession) Session {
			l := &lendingSession{lineSession: inner}
			sessions <- l
			return l
		})
		c := s.connect()
		f(t, s, c, <-sessions)
	})
}

// TestLent: a long request is received into the session's memory, alone, whatever comes with it and
// behind it.
func TestLent(t *testing.T) {
	lending(t, func(t *testing.T, s *testServer, c *testClient, l *lendingSession) {
		const rounds = 5
		var in bytes.Buffer
		var want []string
		for i := range rounds {
			n := 1<<20 + i
			fmt.Fprintf(&in, "echo %d\nlen %d\n%secho after\nlen 3\nxyx", i, n, strings.Repeat("x", n))
			want = append(want, fmt.Sprint(i), fmt.Sprint(n), "after", "2")
		}
		go func() {
			if _, err := c.Write(in.Bytes()); err != nil {
				t.Error(err)
			}
		}()
		c.expect(want...)
		s.eventually("the memory to be given back", func() bool { return l.backs.Load() == l.lends.Load() })
		if n := l.lends.Load(); n != rounds {
			t.Errorf("%d loans for %d long requests", n, rounds)
		}
		if n := l.strangers.Load(); n != 0 {
			t.Errorf("%d times there was more than one request in lent memory", n)
		}
		s.eventually("the buffers to be small again", func() bool { return l.conn.Sizes().QueryBuf == 0 && l.conn.Sizes().QueryFree == 0 })
	})
}

// TestLentCounts: what has been received counts, what was only declared does not; the client's
// leaving gives all back.
func TestLentCounts(t *testing.T) {
	lending(t, func(t *testing.T, s *testServer, c *testClient, l *lendingSession) {
		c.send("len %d\n%s", 500<<20, strings.Repeat("x", 1<<20))
		s.eventually("the input to be counted", func() bool { return l.conn.Sizes().QueryBuf >= 1<<20 })
		if z := l.conn.Sizes(); z.QueryBuf+z.QueryFree > 2<<20 || z.Memory > 3<<20 || l.lends.Load() != 1 {
			t.Errorf("%+v after 1 MiB of 500; %d loans", z, l.lends.Load())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c.expectClosed(ClientClosed, ReadError)
		if l.backs.Load() != 1 {
			t.Error("the memory was not given back before Closed")
		}
	})
}
