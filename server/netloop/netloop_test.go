package netloop

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

func TestEcho(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		for i := range 100 {
			c.send("echo %d\n", i)
			c.expect(strconv.Itoa(i))
		}
		s.eventually("the sizes to be right", func() bool {
			got := c.session.conn.Sizes()
			got.Memory = 0
			return got == Sizes{Read: 790, Written: 290}
		})
		s.eventually("the traffic to be published", func() bool {
			st := s.Stats()
			return st.BytesIn == 790 && st.BytesOut == 290 && st.Reads == 100 && st.Writes == 100
		})
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c.expectClosed(ClientClosed)
	})
}

func TestIdentity(t *testing.T) {
	before := time.Now()
	eachDriver(t, Limits{KeepAlive: time.Minute}, func(t *testing.T, s *testServer) {
		c := s.connect()
		conn := c.session.conn
		remote, local, unix := c.LocalAddr().String(), c.Conn.RemoteAddr().String(), false
		if s.net == "unix" {
			remote, local, unix = s.addr+":0", s.addr+":0", true
		}
		if conn.RemoteAddr() != remote || conn.LocalAddr() != local || conn.Unix() != unix {
			t.Errorf("%s %s %v, want %s %s %v", conn.RemoteAddr(), conn.LocalAddr(), conn.Unix(), remote, local, unix)
		}
		if conn.ID() != 1 || conn.FD() <= 0 || conn.Created().Before(before) || time.Since(conn.Created()) < 0 {
			t.Errorf("id %d, fd %d, created %v", conn.ID(), conn.FD(), conn.Created())
		}
	})
}

// TestSplits sends a pipeline cut anywhere.
func TestSplits(t *testing.T) {
	r := randtest.New(t)
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		var in, want bytes.Buffer
		for i := range 3000 {
			switch r.IntN(10) {
			case 0:
				n := r.IntN(40000)
				fmt.Fprintf(&in, "len %d\n%s", n, strings.Repeat("x", n))
				fmt.Fprintf(&want, "%d\n", n)
			case 1:
				n := r.IntN(20000)
				fmt.Fprintf(&in, "big %d\n", n)
				fmt.Fprintf(&want, "%s\n", strings.Repeat("x", n))
			default:
				fmt.Fprintf(&in, "echo %d\n", i)
				fmt.Fprintf(&want, "%d\n", i)
			}
		}
		sent := make(chan error, 1)
		go func() {
			rest := in.Bytes()
			for len(rest) > 0 {
				n := min(len(rest), 1+r.IntN(1<<r.IntN(18)))
				if _, err := c.Write(rest[:n]); err != nil {
					sent <- err
					return
				}
				rest = rest[n:]
			}
			sent <- nil
		}()
		got := make([]byte, want.Len())
		if _, err := io.ReadFull(c.r, got); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Error("the replies differ")
		}
	})
}

// TestCrowd: clients that come, pipeline and quit at the same time do not get into each other's
// buffers.
func TestCrowd(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		var clients sync.WaitGroup
		for i := range 40 {
			clients.Go(func() {
				for j := range 20 {
					nc, err := net.Dial(s.net, s.addr)
					if err != nil {
						t.Error(err)
						return
					}
					if s.secure {
						nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
					}
					line := strings.Repeat(fmt.Sprintf("%d-%d,", i, j), 10+i*20)
					request := strings.Repeat("echo "+line+"\n", 20) + "quit\n" + strings.Repeat("never executed\n", 100)
					want := strings.Repeat(line+"\n", 20) + "bye\n"
					if _, err := nc.Write([]byte(request)); err != nil {
						t.Error(err)
					}
					if got, err := io.ReadAll(nc); string(got) != want {
						t.Errorf("%d bytes instead of %d (%v)", len(got), len(want), err)
					}
					// TLS takes its leave of a server that may have gone by now, with requests unread.
					if err := nc.Close(); err != nil && !s.secure {
						t.Error(err)
					}
				}
			})
		}
		clients.Wait()
		s.eventually("the end of all sessions", func() bool { return s.Stats().Current == 0 })
	})
}

func TestHugeValue(t *testing.T) {
	const size = 100 << 20
	value := bytes.Repeat([]byte{'x'}, size)
	eachDriver(t, Limits{QueryBuffer: 1 << 30}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("len %d\n", size)
		if _, err := c.Write(value); err != nil {
			t.Fatal(err)
		}
		c.send("echo done\n")
		c.expect(strconv.Itoa(size), "done")
		s.eventually("an idle connection keeps no buffer", func() bool {
			got := c.session.conn.Sizes()
			return got.QueryBuf == 0 && got.QueryFree == 0
		})
	})
}

func TestHugeReply(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("big %d\necho done\n", 50<<20)
		c.expect(strings.Repeat("x", 50<<20), "done")
		s.eventually("no output to be left", func() bool { return c.session.conn.Sizes().Output == 0 })
	})
}

// TestNeverReading: a client that asks for 20 GB and reads nothing costs what one pause costs, and
// stops nobody.
func TestNeverReading(t *testing.T) {
	eachDriver(t, Limits{OutputPause: pause}, func(t *testing.T, s *testServer) {
		c := s.connect()
		if err := c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		request := bytes.Repeat([]byte("big 1000000\n"), 1000)
		var sendErr error
		for range 20 {
			if _, sendErr = c.Write(request); sendErr != nil {
				break
			}
		}
		if sendErr != nil && !errors.Is(sendErr, os.ErrDeadlineExceeded) {
			t.Fatal(sendErr)
		}
		s.eventually("unsent output", func() bool { return c.session.conn.Sizes().Output > 0 })
		if got := c.session.requests.Load(); got > 50 {
			t.Errorf("%d requests executed", got)
		}
		if got := c.session.conn.Sizes(); got.Output > 1<<20+pause || got.QueryBuf > 64<<10 {
			t.Errorf("buffers of %+v", got)
		}
		if s.net == "unix" {
			return // connect tells sessions apart by address
		}
		for range 4 {
			other := s.connect()
			other.send("echo alive\n")
			other.expect("alive")
		}
		// It may still have all it asked for.
		for range 30 {
			c.expect(strings.Repeat("x", 1000000))
		}
	})
}

// TestHungryNeighbour: a client that always has more to execute does not keep another one of its
// loop waiting.
func TestHungryNeighbour(t *testing.T) {
	s := startServer(t, network{}, Limits{})
	hungry := s.connect()
	ended := make(chan error, 2)
	go func() {
		request := bytes.Repeat([]byte("big 100000\n"), 1000)
		for {
			if _, err := hungry.Write(request); err != nil {
				ended <- nil
				return
			}
		}
	}()
	go func() {
		_, err := io.Copy(io.Discard, hungry.r)
		if errors.Is(err, net.ErrClosed) {
			err = nil
		}
		ended <- err
	}()
	for range 4 {
		c := s.connect()
		for i := range 10 { // each is a turn of the loop, which may be long on a busy machine
			c.send("echo %d\n", i)
			c.expect(strconv.Itoa(i))
		}
	}
	if err := hungry.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	s.close()
}

func TestBlockAndResume(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.session.conn.Resume()                 // of no use: it is not blocked
		c.session.conn.Push([]byte("passed\n")) // when this comes the Resume is done
		c.send("echo passed\n")
		c.expect("passed", "passed")
		c.send("echo before\nblock\necho after\n")
		c.expect("before")
		c.send("echo more\n")
		if got := c.session.requests.Load(); got != 3 {
			t.Errorf("%d requests executed", got)
		}
		c.session.conn.Push([]byte("pushed\n"))
		c.expect("pushed")
		c.session.conn.Resume()
		c.expect("resumed", "after", "more")
		c.send("block\n")
		s.eventually("the second block", func() bool { return c.session.requests.Load() == 6 })
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		c.expectClosed(ClientClosed, ReadError)
	})
}

func TestKill(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.session.conn.Kill(Killed)
		c.expectEOF(Killed)
		conn := c.session.conn
		conn.Kill(IdleTimeout)
		conn.Resume()
		conn.Push([]byte("x"))

		c = s.connect()
		c.send("block\n")
		s.eventually("the block", func() bool { return c.session.requests.Load() == 1 })
		c.session.conn.Kill(Killed)
		c.expectEOF(Killed)

		c = s.connect()
		c.send("%s", strings.Repeat("big 1000000\n", 20))
		s.eventually("unsent output", func() bool { return c.session.conn.Sizes().Output > 0 })
		c.session.conn.Kill(Killed)
		c.expectClosed(Killed)
		if st := s.Stats(); st.Closed(Killed) != 3 || st.Current != 0 || st.Accepted != 3 {
			t.Errorf("%+v", st)
		}
	})
}

func TestPushes(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		go func() {
			for i := range 1000 {
				c.session.conn.Push(fmt.Appendf(nil, "%d\n", i))
			}
		}()
		for i := range 1000 {
			c.expect(strconv.Itoa(i))
		}
	})
}

// TestPushesAreBounded pushes to a client whose goroutine is busy, which therefore sends nothing:
// what waits counts as the client's output, and closes it at the limit.
func TestPushesAreBounded(t *testing.T) {
	const hard, each = 1 << 20, 10_000
	eachDriver(t, Limits{OutputHard: hard}, func(t *testing.T, s *testServer) {
		c := s.connect()
		release := held(s, c, "echo x")
		conn := c.session.conn
		message := bytes.Repeat([]byte{'x'}, each)
		for i := int64(1); i <= 50; i++ {
			conn.Push(message)
			if got := conn.Sizes(); got.Output < i*each || got.Memory < i*each {
				t.Errorf("after %d messages: %+v", i, got)
			}
		}
		for range 1000 {
			conn.Push(message)
			if got := conn.Sizes().Output; got > hard+bigReplies {
				t.Fatalf("%d bytes wait", got)
			}
		}
		release()
		c.expectClosed(OutputHardLimit)
	})
}

// bigReplies is the output of the client's own requests in TestPushesAreBounded at most.
const bigReplies = 100

// TestClass gives a client the limits of another class.
func TestClass(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		s.special.Store(&Limits{OutputHard: 1 << 20})
		c := s.connect()
		c.send("big 20000000\n")
		c.expect(strings.Repeat("x", 20000000))
		c.session.conn.SetClass(2)
		if got := c.session.conn.Class(); got != 2 {
			t.Errorf("class %d", got)
		}
		c.send("big 20000000\n")
		c.expectClosed(OutputHardLimit)

		c = s.connect()
		c.session.conn.SetClass(2)
		s.limits.Store(&Limits{IdleTimeout: time.Nanosecond})
		s.special.Store(&Limits{IdleTimeout: time.Hour})
		s.connect().expectEOF(IdleTimeout) // at a tick
		c.send("echo here\n")
		c.expect("here")
	})
}

func TestQuit(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		// What follows quit is not executed, and does not cost the reply.
		lost := 10000
		if s.secure { // sent with one system call, as it is without TLS
			lost = 1000
		}
		c.send("big 300000\nquit\n%s", strings.Repeat("echo lost\n", lost))
		c.expect(strings.Repeat("x", 300000), "bye")
		c.expectEOF(Quit)
		if got := c.session.requests.Load(); got != 2 {
			t.Errorf("%d requests executed", got)
		}
		c = s.connect()
		c.send("now\n")
		c.expectEOF(Quit)
	})
}

// TestHalfOpen: a client that has ended its side gets the replies to what it sent.
func TestHalfOpen(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("%secho done\n", strings.Repeat("big 1000000\n", 20))
		half, ok := c.Conn.(interface{ CloseWrite() error })
		if !ok {
			t.Fatal("cannot close one side")
		}
		if err := half.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			c.expect(strings.Repeat("x", 1000000))
		}
		c.expect("done")
		c.expectEOF(ClientClosed)
	})
}

func TestLimits(t *testing.T) {
	t.Run("query", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, Limits{QueryBuffer: 1 << 20}, func(t *testing.T, s *testServer) {
			c := s.connect()
			c.send("len 900000\n%s", strings.Repeat("x", 900000))
			c.expect("900000")
			if _, err := fmt.Fprintf(c, "len 9000000\n%s", strings.Repeat("x", 9000000)); err == nil {
				c.expectEOF(QueryBufferLimit)
			} else {
				c.expectClosed(QueryBufferLimit)
			}
		})
	})
	t.Run("hard", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, Limits{OutputHard: 1 << 20}, func(t *testing.T, s *testServer) {
			c := s.connect()
			c.send("big 20000000\n")
			c.expectClosed(OutputHardLimit)
		})
	})
	t.Run("soft", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, Limits{OutputSoft: 1 << 20}, func(t *testing.T, s *testServer) {
			c := s.connect()
			c.send("big 20000000\n")
			c.expectClosed(OutputSoftLimit)
		})
	})
	t.Run("held back", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, Limits{OutputPause: pause, OutputSoft: 100 << 20}, func(t *testing.T, s *testServer) {
			c := s.connect()
			c.send("%s", strings.Repeat("big 1000000\n", 200))
			c.expectClosed(OutputSoftLimit)
		})
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, Limits{IdleTimeout: time.Nanosecond}, func(t *testing.T, s *testServer) {
			c := s.connect()
			c.expectEOF(IdleTimeout)
		})
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
			s.refuse.Store(true)
			c := s.dial()
			c.expect("full")
			if b, err := c.r.ReadByte(); err == nil {
				t.Errorf("got %q, want the end", b)
			}
			if st := s.Stats(); st.Rejected != 1 || st.Current != 0 {
				t.Errorf("%+v", st)
			}
		})
	})
}

func TestShutdown(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		idle := s.connect()
		owed := s.connect()
		owed.send("big 20000000\n")
		s.eventually("unsent output", func() bool { return owed.session.conn.Sizes().Output > 0 })
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.Background()) }()
		idle.expectEOF(Shutdown)
		if c, err := net.Dial(s.net, s.addr); err == nil {
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes from a server that has shut down", n)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		owed.expect(strings.Repeat("x", 20000000))
		owed.expectEOF(Shutdown)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("late", func(t *testing.T) {
		eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
			c := s.connect()
			c.send("big 20000000\n")
			s.eventually("unsent output", func() bool { return c.session.conn.Sizes().Output > 0 })
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			c.expectClosed(Shutdown)
		})
	})
}
