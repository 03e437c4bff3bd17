package netloop

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestPushBeforeTurn: a message that has been pushed before a client sends a request arrives before
// its reply, whichever loop each of the two is on.
func TestPushBeforeTurn(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		for i := range 2000 {
			message := []byte("message " + strconv.Itoa(i) + "\n")
			for range 1 + i%3 {
				c.session.conn.Push(message)
			}
			c.send("echo %d\n", i)
			for range 1 + i%3 {
				c.expect("message " + strconv.Itoa(i))
			}
			c.expect(strconv.Itoa(i))
		}
	})
}

// TestPushBeforeResumed: a message that has been pushed before a Resume arrives before the reply
// that the client has waited for.
func TestPushBeforeResumed(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		for i := range 500 {
			blocked := int64(i + 1)
			c.send("block\n")
			s.eventually("the block", func() bool { return c.session.requests.Load() == blocked })
			c.session.conn.Push([]byte("the turn has ended\n")) // when this comes
			c.expect("the turn has ended")
			c.session.conn.Push([]byte("message\n"))
			c.session.conn.Resume()
			c.expect("message", "resumed")
		}
	})
}

// TestPushLengths pushes messages of all lengths at once, which take every way out: alone, put
// together, from where they lie, behind what the kernel has not taken.
func TestPushLengths(t *testing.T) {
	r := randtest.New(t)
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		receivers := []*testClient{s.connect(), s.connect(), s.connect()}
		for range 20 {
			var lines []string
			for range 1 + r.IntN(200) {
				b := bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(1<<r.IntN(18)))
				lines = append(lines, string(b))
				b = append(b, '\n')
				for _, c := range receivers {
					c.session.conn.Push(b)
				}
			}
			for _, c := range receivers {
				c.expect(lines...)
			}
		}
		for _, c := range receivers {
			s.eventually("nothing to be owed", func() bool { return c.session.conn.Sizes().Output == 0 })
		}
		s.noBlocks()
	})
}

// TestPushLater: messages that need not be sent at once keep their places among the others, and
// Flush has them sent.
func TestPushLater(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		for range 200 {
			c.session.conn.PushLater([]byte("1\n"))
			c.session.conn.PushLater([]byte("2\n"))
			s.Flush()
			c.expect("1", "2")
			c.session.conn.PushLater([]byte("3\n"))
			c.session.conn.Push([]byte("4\n"))
			c.expect("3", "4")
			c.session.conn.PushLater([]byte("5\n"))
			c.send("echo 6\n")
			c.expect("5", "6")
		}
	})
}

// TestPushToManyAtOnce: with thousands of messages to be sent, every connection gets its own in
// order, and requests between them are answered.
func TestPushToManyAtOnce(t *testing.T) {
	const receivers, messages = 300, 20
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		var clients []*testClient
		for range receivers {
			clients = append(clients, s.connect())
		}
		other := s.connect()
		var pushing sync.WaitGroup
		pushing.Go(func() {
			for i := range messages {
				b := fmt.Appendf(nil, "%d\n", i)
				for _, c := range clients {
					c.session.conn.Push(b)
				}
			}
		})
		for i := range 100 {
			other.send("echo %d\n", i)
			other.expect(strconv.Itoa(i))
		}
		for _, c := range clients {
			for i := range messages {
				c.expect(strconv.Itoa(i))
			}
		}
		pushing.Wait()
	})
}

// TestPushSoftLimit: who owes more than the soft limit in messages is closed at a tick, though
// nobody pushes or asks for anything any more. One that owes less is left alone, though it owes more
// than what pauses a client that does not read its replies.
func TestPushSoftLimit(t *testing.T) {
	message := bytes.Repeat([]byte{'x'}, 1<<20)
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		s.special.Store(&Limits{OutputHard: 1 << 30, OutputSoft: 24 << 20, OutputPause: 1 << 10})
		slow, patient := s.connect(), s.connect()
		slow.session.conn.SetClass(2)
		patient.session.conn.SetClass(2)
		for i := range 40 {
			slow.session.conn.Push(message)
			if i < 20 {
				patient.session.conn.Push(message)
			}
		}
		slow.expectClosed(OutputSoftLimit)
		if st := s.Stats(); st.Closed(OutputSoftLimit) != 1 || st.Current != 1 {
			t.Errorf("%+v", st)
		}
		patient.session.conn.Push([]byte("\n"))
		patient.expect(string(bytes.Repeat(message, 20)))
	})
}

// TestPushUnasked: a client of a class without a hard limit is closed for what it has been pushed and
// does not read, but not for replies that are as long, and bytes that wait are in its account before
// anybody has come to them.
func TestPushUnasked(t *testing.T) {
	const hard = 16 << 20
	message := bytes.Repeat([]byte{'x'}, 64<<10)
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		s.special.Store(&Limits{UnaskedHard: hard})
		slow, asking := s.connect(), s.connect()
		slow.session.conn.SetClass(2)
		asking.session.conn.SetClass(2)
		asking.send("big %d\n", 3*hard)
		s.eventually("the reply to be under way", func() bool { return asking.session.conn.Sizes().Output > hard })
		asking.session.push([]byte("message\n"))
		most := int64(0)
		for len(slow.session.closed) == 0 && most <= 3*hard {
			slow.session.push(message)
			most = max(most, slow.session.conn.Sizes().Output)
			if owed, told := slow.session.conn.Sizes().Output, slow.told(); owed > told+4<<20 && len(slow.session.closed) == 0 {
				t.Fatalf("it owes %d bytes, and its account has %d", owed, told)
			}
		}
		slow.expectClosed(OutputHardLimit)
		if most < hard/2 || most > 2*hard+1<<20 {
			t.Errorf("it owed %d bytes when it was closed", most)
		}
		asking.expect(string(bytes.Repeat([]byte{'x'}, 3*hard)), "message")
	})
}

// TestPushAccount: what the account has been told of messages that wait is taken back to the byte,
// whether they are sent, become part of a reply or are lost.
func TestPushAccount(t *testing.T) {
	message := append(bytes.Repeat([]byte{'x'}, 100_000), '\n')
	line := string(message[:len(message)-1])
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		idle := int64(0)
		s.eventually("the session to be told of its connection", func() bool {
			idle = c.told()
			return idle > 0
		})
		for range 20 {
			for range 5 {
				c.session.push(message)
			}
			c.send("echo done\n")
			for range 5 {
				c.expect(line)
			}
			c.expect("done")
		}
		s.eventually("the account to be as before", func() bool {
			return c.told() == idle && c.session.conn.Sizes().Memory == idle
		})
		s.noBlocks()
	})
}

// TestPushToTheGone: a connection that is closed takes no messages, and owes none.
func TestPushToTheGone(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("quit\n")
		c.expect("bye")
		c.expectEOF(Quit)
		conn := c.session.conn
		s.eventually("the sizes to be cleared", func() bool { return conn.Sizes().Memory == 0 })
		for range 100 {
			conn.Push([]byte("too late\n"))
		}
		s.eventually("nothing to be owed", func() bool { z := conn.Sizes(); return z.Output == 0 && z.Memory == 0 })
	})
}

// TestPushBeforeDrain: what has been pushed before the server stops is sent.
func TestPushBeforeDrain(t *testing.T) {
	const receivers = 200
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		var clients []*testClient
		for range receivers {
			clients = append(clients, s.connect())
		}
		for _, c := range clients {
			c.session.conn.Push([]byte("last\n"))
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for _, c := range clients {
			c.expect("last")
			c.expectEOF(Shutdown)
		}
	})
}
