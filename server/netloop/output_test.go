package netloop

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// noBlocks waits until all blocks of output have been given back.
func (s *testServer) noBlocks() {
	s.t.Helper()
	s.eventually("all blocks to be given back", func() bool {
		used, leaving := s.blocks.Used()
		return used == 0 && leaving == 0
	})
}

// TestLongReplies has clients read replies of all lengths at their own pace: they get every byte in
// its place, pushes between them and not within.
func TestLongReplies(t *testing.T) {
	r := randtest.New(t)
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		var request strings.Builder
		var want []string
		for range 30 {
			n := r.IntN(1 << r.IntN(22))
			fmt.Fprintf(&request, "big %d\necho %d\n", n, n)
			want = append(want, strings.Repeat("x", n), fmt.Sprint(n))
		}
		done := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c, request.String())
			for i := range 100 {
				c.session.conn.Push(fmt.Appendf(nil, "push %d\n", i))
			}
			done <- err
		}()
		pushed := 0
		next := func() string {
			for {
				line, err := c.r.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if line != fmt.Sprintf("push %d\n", pushed) {
					return strings.TrimSuffix(line, "\n")
				}
				pushed++
			}
		}
		for _, w := range want {
			if got := next(); got != w {
				t.Fatalf("got %.40q, %d bytes, want %.40q, %d bytes", got, len(got), w, len(w))
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c.send("echo end\n")
		if got := next(); got != "end" || pushed != 100 {
			t.Errorf("got %.40q after %d pushes", got, pushed)
		}
		s.noBlocks()
	})
}

// TestEndWhileSending: whatever ends a connection that owes a long reply, its blocks are given back.
func TestEndWhileSending(t *testing.T) {
	const size = 20 << 20
	for name, end := range map[string]func(c *testClient){
		"kill":  func(c *testClient) { c.session.conn.Kill(Killed) },
		"leave": func(c *testClient) { c.Close() },
		"stop":  func(c *testClient) { c.server.Server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
				c := s.connect()
				c.send("big %d\n", size)
				if _, err := io.CopyN(io.Discard, c.r, 1<<20); err != nil {
					t.Fatal(err)
				}
				s.eventually("a reply to be sent", func() bool { return c.session.conn.Sizes().Output > size/4 })
				if used, _ := s.blocks.Used(); used < size/4 || used > size+size/20 {
					t.Errorf("%d bytes are in use for %d", used, size)
				}
				end(c)
				c.expectClosed(Killed, ClientClosed, ReadError, WriteError, Shutdown)
				s.noBlocks()
			})
		})
	}
}

// TestHardLimitWhileMaking: a reply that passes the hard limit ends there, not when it is whole.
func TestHardLimitWhileMaking(t *testing.T) {
	const hard = 1 << 20
	eachDriver(t, Limits{OutputHard: hard}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("echo before\nbig %d\n", 100*hard)
		c.expectClosed(OutputHardLimit)
		if got, err := io.ReadAll(c.r); len(got) > len("before\n") {
			t.Errorf("%d bytes have come, %v", len(got), err)
		}
		if most := c.session.most.Load(); most > 2*hard {
			t.Errorf("the reply took %d bytes", most)
		}
		s.noBlocks()
	})
}

// TestPushBehindALongReply: what is pushed to a client that does not read waits in blocks, too.
func TestPushBehindALongReply(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("big %d\n", 10<<20)
		s.eventually("a reply to be sent", func() bool { return c.session.conn.Sizes().Output > 1<<20 })
		message := append(bytes.Repeat([]byte{'p'}, 99_999), '\n')
		for range 20 {
			c.session.conn.Push(message)
		}
		c.expect(strings.Repeat("x", 10<<20))
		for range 20 {
			c.expect(string(message[:99_999]))
		}
		s.noBlocks()
	})
}

// TestOutputAccounts has clients ask for replies of all lengths, read some, and go, some of them in
// the middle of one: who is left takes what an idle connection takes, to the byte, and no block is
// in use.
func TestOutputAccounts(t *testing.T) {
	r := randtest.New(t)
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		keeper := s.connect()
		idle := int64(0)
		s.eventually("the session to be told of its connection", func() bool {
			idle = keeper.told()
			return idle > 0
		})
		for range 60 {
			c := s.connect()
			for range r.IntN(8) {
				n := r.IntN(1 << r.IntN(21))
				keeper.send("big %d\n", n)
				keeper.expect(strings.Repeat("x", n))
				c.send("big %d\n", n)
				if r.IntN(2) == 0 {
					c.expect(strings.Repeat("x", n))
				} else {
					break
				}
			}
			if r.IntN(2) == 0 {
				c.session.conn.Kill(Killed)
			} else if err := c.Close(); err != nil {
				t.Error(err)
			}
			c.expectClosed(Killed, ClientClosed, ReadError, WriteError)
		}
		s.eventually("the keeper to take what an idle connection takes", func() bool {
			return keeper.told() == idle && keeper.session.conn.Sizes().Memory == idle
		})
		s.noBlocks()
	})
}
