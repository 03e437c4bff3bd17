package netloop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

// longTest is a server, and two clients of the same loop, of whom one is about to do something long.
type longTest struct {
	*testServer
	long, other *testClient
}

func eachLong(t *testing.T, lim Limits, test func(t *testing.T, s longTest)) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			s := longTest{testServer: startServer(t, n, lim)}
			s.long = s.connect()
			s.connect() // the other loop's
			s.other = s.connect()
			test(t, s)
			s.close()
			if left := s.detached.Load(); left != 0 {
				t.Errorf("%d batches are counted as under way", left)
			}
		})
	}
}

// begin sends a line to the client that is to take long, and returns when it does.
func (s longTest) begin(lines string) {
	s.t.Helper()
	s.long.send("%s\n", lines)
	s.await()
}

func (s longTest) await() {
	s.t.Helper()
	select {
	case <-s.entered:
	case <-time.After(patience):
		s.t.Fatal("waited in vain for something long")
	}
}

// end lets what is long come to its end.
func (s longTest) end() { s.leave <- struct{}{} }

// others checks that the loop serves its other clients.
func (s longTest) others() {
	s.t.Helper()
	s.other.send("echo served\nbig 100000\n")
	s.other.expect("served", strings.Repeat("x", 100000))
}

// TestLong: what the client has sent before and behind is answered in order, nobody else waits, and
// the loop is none the worse for it.
func TestLong(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		for i := range 3 {
			s.begin("echo before\nlong " + fmt.Sprint(i) + "\necho behind\nlong again\necho last")
			s.others()
			s.long.send("echo later\n")
			s.others()
			s.end()
			s.await()
			s.others()
			s.end()
			s.long.expect("before", fmt.Sprint(i), "behind", "again", "last", "later")
		}
	})
}

// TestLongInput: the input of a batch that is under way stays as it is, in the shared buffer and in
// one of the connection's own, while others use the loop's.
func TestLongInput(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		for _, n := range []int{10, 3 << 10, 200 << 10} {
			behind := strings.Repeat("b", n)
			var rest sync.WaitGroup
			rest.Go(func() { s.long.send("long %s\necho %s\nlen %d\n%s", behind[:10], behind, n, behind[:n/2]) })
			s.await()
			for range 5 {
				s.others()
			}
			s.end()
			rest.Wait()
			s.long.send("%s", behind[:n-n/2])
			s.long.expect(behind[:10], behind, "0")
		}
	})
}

// TestLongBehindInput: what takes long comes at the end of more input than one read takes, and others
// send as much while it runs and behind it.
func TestLongBehindInput(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		const size = 500 << 10
		input := fmt.Sprintf("len %d\n%s", size, strings.Repeat("b", size))
		for range 20 {
			s.begin(input + "long a")
			s.other.send("%s", input)
			s.other.expect("0")
			s.end()
			s.long.expect("0", "a")
			s.long.send("%s", input)
			s.long.expect("0")
		}
	})
}

// TestLongInRound: connections that were ready in the same round have their turns, those that were
// before in the round have their replies.
func TestLongInRound(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.connect()
		third := s.connect()
		for range 20 {
			release := held(s.testServer, s.other, "echo held")
			s.commit.Store(nil)
			s.other.send("echo a\n")
			s.long.send("long b\n")
			third.send("echo c\n")
			release()
			s.await()
			s.other.expect("held", "a")
			third.expect("c")
			s.end()
			s.long.expect("b")
		}
	})
}

// TestLongReply: the reply of what is long leaves after a Commit, counts while it is made, and what
// has been pushed meanwhile comes behind it.
func TestLongReply(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		const size = 3 << 20
		s.begin(fmt.Sprint("long a\nbig ", size))
		commits := s.commits.Load()
		s.long.session.push([]byte("news\n"))
		s.others()
		s.end()
		s.long.expect("a", strings.Repeat("x", size), "news")
		if s.commits.Load() < commits+2 {
			t.Error("the reply was not committed")
		}
		s.eventually("a connection that owes nothing", func() bool {
			z := s.long.session.conn.Sizes()
			return z.Output == 0 && s.long.session.told.Load() == z.Memory
		})
		if most := s.long.session.most.Load(); most < size {
			t.Errorf("at most %d bytes were in the account", most)
		}
	})
}

// TestLongNotDurable: if Commit fails after it, it is not answered.
func TestLongNotDurable(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.begin("long a")
		fail := func() error { return errors.New("disk full") }
		s.commit.Store(&fail)
		s.end()
		s.long.expectEOF(NotDurable)
		s.commit.Store(nil)
		s.others()
	})
}

// TestLongHardLimit: a reply that becomes too long while the loop is elsewhere is cut.
func TestLongHardLimit(t *testing.T) {
	eachLong(t, Limits{OutputHard: 1 << 20}, func(t *testing.T, s longTest) {
		s.begin("long a\nbig 3000000")
		s.end()
		s.long.expectEOF(OutputHardLimit)
		s.others()
	})
}

// TestLongEnds: a connection that is closed meanwhile is closed at once, its session when it returns.
func TestLongEnds(t *testing.T) {
	ends := map[string]func(s longTest) CloseReason{
		"kill": func(s longTest) CloseReason { s.long.session.conn.Kill(Killed); return Killed },
		"messages": func(s longTest) CloseReason {
			for range 20 {
				s.long.session.push(make([]byte, 100<<10))
			}
			return OutputHardLimit
		},
		"client": func(s longTest) CloseReason {
			if err := s.long.Close(); err != nil {
				s.t.Error(err)
			}
			return ClientClosed
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eachLong(t, Limits{OutputHard: 1 << 20}, func(t *testing.T, s longTest) {
				s.begin("long a")
				reason := end(s)
				for range 3 {
					s.others()
				}
				select {
				case <-s.long.session.closed:
					t.Error("the session was closed while it was at work")
				default:
				}
				s.end()
				s.long.expectClosed(reason, WriteError, ReadError)
				s.others()
			})
		})
	}
}

// TestLongHalfClosed: a client that has ended its side gets its replies.
func TestLongHalfClosed(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.begin("long a\necho b")
		if err := s.long.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		s.others()
		s.end()
		s.long.expect("a", "b")
		s.long.expectEOF(ClientClosed)
	})
}

// TestLongShutdown: a server that ends waits for it, with and without patience for the replies.
func TestLongShutdown(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.begin("long a\necho b")
		down := make(chan error)
		go func() { down <- s.Shutdown(context.Background()) }()
		s.other.expectEOF(Shutdown)
		select {
		case err := <-down:
			t.Fatal("Shutdown has returned before the session:", err)
		default:
		}
		s.end()
		s.long.expect("a")
		if err := <-down; err != nil {
			t.Error(err)
		}
	})
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.begin("long a\necho b")
		ctx, cancel := context.WithCancel(context.Background())
		down := make(chan error)
		go func() { down <- s.Shutdown(ctx) }()
		cancel()
		s.other.expectEOF(Shutdown)
		s.long.expectEOFOnly()
		s.end()
		if err := <-down; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// expectEOFOnly waits for the connection's end on this side.
func (c *testClient) expectEOFOnly() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("got %q, want the end", b)
	}
}

// TestLongResumed: one that was blocked may be long when it is resumed, by a notice or by another
// session of the loop, whose own turn goes on.
func TestLongResumed(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.connect()
		third := s.connect()
		for i, c := range []*testClient{s.long, s.other, third} {
			c.send("name c%d\n", i)
			c.expect(fmt.Sprint("c", i))
		}
		for range 10 {
			s.long.send("later\necho behind\n")
			third.send("block\n")
			s.eventually("two that wait", func() bool {
				return s.long.session.waits.Load() && third.session.waits.Load()
			})
			s.other.send("hand c0 c2\necho on\n")
			s.await()
			third.expect("resumed")
			if _, err := s.other.r.ReadString('\n'); err != nil { // how many are of its loop
				t.Fatal(err)
			}
			s.other.expect("on")
			s.end()
			s.long.expect("resumed", "behind")
		}
	})
}

// TestLongThenBlock: a Resume that comes before the Block which ends something long is not lost.
func TestLongThenBlock(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		s.begin("long a\nblock\necho b")
		s.end()
		s.eventually("a block", func() bool { return s.long.session.waits.Load() })
		s.long.session.conn.Resume()
		s.long.expect("a", "resumed", "b")
	})
	s := longTest{testServer: startServer(t, networks[0], Limits{})}
	s.long = s.connect()
	a := &away{c: s.long.session.conn.(*conn)}
	if a.c.away = a; a.resume {
		t.Fatal("resumed already")
	}
	if a.c.answer(); !a.resume {
		t.Error("the Resume is lost")
	}
	a.c.away = nil
	s.close()
}

// TestLongCrowd: many clients, much of it long, ended and killed at random.
func TestLongCrowd(t *testing.T) {
	r := randtest.New(t)
	s := startServer(t, networks[0], Limits{})
	stop := make(chan struct{})
	var leaving, crowd sync.WaitGroup
	leaving.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-s.entered:
			case s.leave <- struct{}{}:
			}
		}
	})
	for range 12 {
		c, seed := s.connect(), r.Uint64()
		crowd.Go(func() {
			for i := range 60 {
				kind := seed >> (i % 32) & 3
				c.send("echo %d\n%s a%d\nbig 2000\n", i, []string{"echo", "long", "long", "read"}[kind], i)
				c.session.conn.Push([]byte("news\n"))
				for _, want := range []string{fmt.Sprint(i), fmt.Sprint("a", i), strings.Repeat("x", 2000)} {
					got := "news"
					for got == "news" {
						line, err := c.r.ReadString('\n')
						if err != nil {
							return // killed
						}
						got = strings.TrimSuffix(line, "\n")
					}
					if got != want {
						t.Errorf("got %.80q, want %.80q", got, want)
						return
					}
				}
				if i == 40 && seed%4 == 0 {
					c.session.conn.Kill(Killed)
				}
			}
		})
	}
	crowd.Wait()
	closed := make(chan struct{})
	go func() { s.close(); close(closed) }()
	<-closed
	close(stop)
	leaving.Wait()
}

// TestLongAmongFullReads: when the shared buffer is full, those whose input lies there get their turns
// before more is read. If one of them takes long, the one that was to be read next is not forgotten.
func TestLongAmongFullReads(t *testing.T) {
	eachLong(t, Limits{}, func(t *testing.T, s longTest) {
		var others []*testClient // of the same loop
		for range 6 {
			s.connect() // the other loop's
			others = append(others, s.connect())
		}
		const size = 15 << 10 // five fill the buffer
		input := fmt.Sprintf("len %d\n%s", size, strings.Repeat("b", size))
		for range 3 {
			s.other.send("hold o\n") // so that the loop finds all of it at once
			s.await()
			s.long.send("%slong a\n", input)
			for _, c := range others {
				c.send("%s", input)
			}
			s.end()
			s.await()
			for _, c := range others {
				c.expect("0")
			}
			s.end()
			s.long.expect("0", "a")
			s.other.expect("o")
		}
	})
}
