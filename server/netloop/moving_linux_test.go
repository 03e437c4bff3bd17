package netloop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// loopsOf returns the event loops, those that are leaving last.
func (s *testServer) loopsOf() []*loop { return *s.loops.(*loops).all.Load() }

// counts is how many connections each loop has.
func (s *testServer) counts() []int64 {
	var n []int64
	for _, l := range s.Loops() {
		n = append(n, l.Connections)
	}
	return n
}

// resize changes the number of loops.
func (s *testServer) resize(n int) {
	s.t.Helper()
	if err := s.SetLoops(n); err != nil {
		s.t.Fatal(err)
	}
}

// settled waits until there are so many loops, and their connections are spread evenly.
func (s *testServer) settled(n int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d loops that have as much to do", n), func() bool {
		counts := s.counts()
		if len(counts) != n {
			return false
		}
		share := s.Stats().Current / int64(n)
		return slices.Max(counts) <= share+2 && slices.Min(counts) >= share/2
	})
}

// eachLooped runs a test with a server of event loops, without TLS and with it.
func eachLooped(t *testing.T, test func(t *testing.T, s *testServer)) {
	for _, n := range networks {
		if n.portable || n.unix {
			continue
		}
		t.Run(n.name, func(t *testing.T) {
			s := startServer(t, n, Limits{})
			test(t, s)
			s.close()
		})
	}
}

// TestSetLoops: loops come and go, connections are spread among those that there are, and what each has
// counted stays counted.
func TestSetLoops(t *testing.T) {
	eachLooped(t, func(t *testing.T, s *testServer) {
		var all []*testClient
		for range 24 {
			all = append(all, s.connect())
		}
		sent := int64(0)
		for _, n := range []int{4, 4, 1, 3, 2, 8, 1} {
			s.resize(n)
			s.settled(n)
			for i, c := range all {
				c.send("echo %d\n", i)
				c.expect(strconv.Itoa(i))
				sent += int64(len(fmt.Sprintf("echo %d\n", i)))
			}
			if got := s.Stats(); got.Loops != n || got.Current != int64(len(all)) {
				t.Errorf("%d loops and %d connections, want %d and %d", got.Loops, got.Current, n, len(all))
			}
		}
		s.eventually("all input to be counted", func() bool { return s.Stats().BytesIn == sent })
		numbers := map[int]bool{}
		s.resize(8)
		for _, l := range s.loopsOf() {
			numbers[l.number] = true
		}
		if len(numbers) != 8 {
			t.Errorf("loops have the numbers %v", numbers)
		}
	})
}

// TestMoveStates: what a connection waits for, owes and has been told goes with it.
func TestMoveStates(t *testing.T) {
	eachLooped(t, func(t *testing.T, s *testServer) {
		blocked, slow, half, told := s.connect(), s.connect(), s.connect(), s.connect()
		blocked.send("block\necho behind\n")
		half.send("len 10000\n%s", strings.Repeat("x", 6000))
		slow.send("big %d\n", 8<<20) // more than the kernel's buffers take
		s.eventually("a client to wait", blocked.session.waits.Load)
		s.eventually("a client to owe output", func() bool { return slow.session.conn.Sizes().Output > 0 })
		s.eventually("half a request", func() bool { return half.session.conn.Sizes().QueryBuf > 5000 })
		for round, n := range []int{1, 4, 2, 1, 3} {
			s.resize(n)
			for i := range 50 {
				told.session.push(fmt.Appendf(nil, "message %d.%d\n", round, i))
			}
			s.settled(n)
			for i := range 50 {
				told.expect(fmt.Sprintf("message %d.%d", round, i))
			}
		}
		blocked.session.conn.Resume()
		blocked.expect("resumed", "behind")
		half.send("%secho z\n", strings.Repeat("x", 4000))
		half.expect("10000", "z")
		line, err := slow.r.ReadString('\n')
		if err != nil || len(line) != 8<<20+1 || strings.Trim(line, "x") != "\n" {
			t.Fatalf("%d bytes of a long reply: %v", len(line), err)
		}
		slow.session.conn.Kill(Killed)
		slow.expectEOF(Killed)
	})
}

// TestMoveLong: a loop whose session computes keeps that connection until it is through, then it goes.
func TestMoveLong(t *testing.T) {
	eachLooped(t, func(t *testing.T, s *testServer) {
		s.resize(1)
		s.settled(1)
		one := s.connect()
		s.resize(2)
		c := s.connect()
		for c.session.conn.Loop() == 0 {
			c = s.connect()
		}
		c.send("long a\necho b\n")
		<-s.entered
		s.resize(1)
		one.send("echo 1\n")
		one.expect("1")
		s.eventually("the others to go", func() bool {
			n := s.counts()
			return len(n) == 2 && n[1] == 1
		})
		c.session.push([]byte("pushed\n"))
		s.leave <- struct{}{}
		c.expect("a", "b", "pushed")
		s.settled(1)
		c.send("echo c\n")
		c.expect("c")
	})
}

// TestRebalance: when clients of one loop leave, others take their places, whether they do something or
// not.
func TestRebalance(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			s := startServer(t, networks[0], Limits{})
			defer s.close()
			s.resize(3)
			var stay []*testClient
			for range 60 {
				if c := s.connect(); c.session.conn.Loop() == 1 {
					stay = append(stay, c)
				} else {
					defer c.Close()
					c.session.conn.Kill(Killed)
				}
			}
			s.eventually("few clients", func() bool { return s.Stats().Current == int64(len(stay)) })
			s.eventually("an even spread", func() bool {
				for i, c := range stay {
					if busy {
						c.send("echo %d\n", i)
						c.expect(strconv.Itoa(i))
					}
				}
				for _, n := range s.counts() {
					if share := int64(len(stay)) / 3; n < share-3 || n > share+3 {
						return false
					}
				}
				return true
			})
		})
	}
}

// TestMoveUnderLoad changes the number of loops while clients send pipelines in pieces, block and are
// resumed and told things, and connect and leave. No reply is lost, doubled or out of its place.
func TestMoveUnderLoad(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	eachLooped(t, func(t *testing.T, s *testServer) {
		var clients sync.WaitGroup
		var over atomic.Bool
		var rounds atomic.Int64
		for i := range 12 {
			c := s.connect()
			clients.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				for n := 0; !over.Load(); n++ {
					if err := c.converse(r, n); err != nil {
						t.Errorf("client %d, SEED=%d: %v", i, seed, err)
						return
					}
					rounds.Add(1)
				}
			})
		}
		r := rand.New(rand.NewPCG(seed, 1000))
		for range 60 {
			s.resize(1 + r.IntN(6))
			was := rounds.Load()
			s.eventually("some conversations", func() bool { return rounds.Load() >= was+int64(r.IntN(20)) })
		}
		over.Store(true)
		clients.Wait()
	})
}

// converse sends a pipeline, in pieces, and reads what it is to be answered.
func (c *testClient) converse(r *rand.Rand, round int) error {
	var send, want bytes.Buffer
	messages := 0
	for i := range 1 + r.IntN(30) {
		switch r.IntN(6) {
		case 0:
			n := r.IntN(20_000)
			fmt.Fprintf(&send, "len %d\n%s", n, strings.Repeat("x", n))
			fmt.Fprintf(&want, "%d\n", n)
		case 1:
			n := r.IntN(100_000)
			fmt.Fprintf(&send, "big %d\n", n)
			fmt.Fprintf(&want, "%s\n", strings.Repeat("x", n))
		default:
			fmt.Fprintf(&send, "echo %d.%d\n", round, i)
			fmt.Fprintf(&want, "%d.%d\n", round, i)
		}
	}
	blocks := r.IntN(3) == 0
	if blocks {
		send.WriteString("block\necho behind\n")
		want.WriteString("resumed\nbehind\n")
	}
	sent := make(chan error, 1)
	pieces := split(r, send.Bytes())
	go func() {
		for _, piece := range pieces {
			if _, err := c.Write(piece); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	if blocks {
		c.server.eventually("a client to block", c.session.waits.Load)
		for ; messages < r.IntN(4); messages++ {
			c.session.push([]byte("m\n"))
		}
		c.session.conn.Resume()
	}
	got := 0
	for want.Len() > 0 {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "m\n" {
			got++
			continue
		}
		if expected, _ := want.ReadString('\n'); line != expected {
			return fmt.Errorf("%.50q instead of %.50q", line, expected)
		}
	}
	if got != messages {
		return fmt.Errorf("%d messages of %d before the replies behind them", got, messages)
	}
	return <-sent
}

// split cuts b into pieces.
func split(r *rand.Rand, b []byte) (pieces [][]byte) {
	for len(b) > 0 {
		n := len(b)
		if r.IntN(2) == 0 {
			n = 1 + r.IntN(n)
		}
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return pieces
}

// TestConnSize: what a connection of a loop takes is what the allocator has a size for.
func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size > 448 {
		t.Errorf("a connection takes %d bytes, want at most 448", size)
	}
}
