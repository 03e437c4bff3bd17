package netloop

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// idleLoop is a loop that nobody runs, so that a test can give it turns.
func idleLoop(t *testing.T, uring bool) *loop {
	t.Helper()
	s, err := New(Options{
		Portable: true, URing: uring,
		NewSession: func(Conn) (Session, []byte) { return nil, nil },
		Limits:     func(Class) Limits { return Limits{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(&loops{server: s}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.stop()
		if err := errors.Join(l.release(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// pair is a connection of an idle loop, and the client's descriptor.
type pair struct {
	*conn
	peer int
}

func (l *loop) pair(t *testing.T, session Session) pair {
	t.Helper()
	fds := socketpair(t)
	t.Cleanup(func() { _ = unix.Close(fds[1]) }) // the test may have done so
	c := &conn{loop: l, session: session}
	c.home.Store(l)
	a, b := net.Pipe()
	c.init(1, a, fds[0])
	if err := errors.Join(a.Close(), b.Close(), control(l.ep, unix.EPOLL_CTL_ADD, fds[0], listening)); err != nil {
		t.Fatal(err)
	}
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	l.live++
	return pair{c, fds[1]}
}

func socketpair(t *testing.T) [2]int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds
}

func newLineSession() *lineSession { return &lineSession{closed: make(chan CloseReason, 1)} }

// received is all that has been sent to the client.
func (p pair) received() (all []byte) {
	b := make([]byte, 64<<10)
	for {
		n, errno := receive(p.peer, b)
		if errno != 0 || n == 0 {
			return all
		}
		all = append(all, b[:n]...)
	}
}

// TestSendTogether gives a loop turns of more connections than one system call serves: sockets that
// take all, part and nothing of the output, and some whose clients are gone.
func TestSendTogether(t *testing.T) {
	if err := ProbeURing(); err != nil {
		t.Skip(err)
	}
	for _, uring := range [...]bool{false, true} {
		l := idleLoop(t, uring)
		var pairs []pair
		var want [][]byte
		long := bytes.Repeat([]byte("long output. "), 100_000)
		for i := range 2*uringEntries + 50 {
			p := l.pair(t, newLineSession())
			out, before := []byte{byte(i), byte(i >> 8)}, []byte(nil)
			switch i % 5 {
			case 1:
				out = long[i:]
			case 2:
				for n, errno := send(p.fd, long); errno == 0; n, errno = send(p.fd, long) {
					before = append(before, long[:n]...)
				}
			case 3:
				if err := unix.Close(p.peer); err != nil {
					t.Fatal(err)
				}
			}
			l.turns = append(l.turns, turn{c: p.conn, out: out})
			if i%5 == 4 { // a second turn in the round
				l.turns = append(l.turns, turn{c: p.conn, out: []byte("second")})
				out = append(out, "second"...)
			}
			pairs, want = append(pairs, p), append(want, append(before, out...))
		}
		l.sendTurns()
		if uring && l.uring.cqHead.Load() < uint32(len(pairs)) {
			t.Errorf("%d sends through the ring, of %d", l.uring.cqHead.Load(), len(pairs))
		}
		for i, p := range pairs {
			if i%5 == 3 {
				if reason := <-p.session.(*lineSession).closed; reason != WriteError {
					t.Errorf("uring %v: connection %d: closed: %v", uring, i, reason)
				}
				continue
			}
			got := p.received()
			if waits := p.unsent(); len(got)+waits != len(want[i]) || (waits > 0) != (i%5 == 1 || i%5 == 2) {
				t.Fatalf("uring %v: connection %d: %d bytes are sent, %d wait, of %d", uring, i, len(got), waits, len(want[i]))
			}
			for p.unsent() > 0 {
				if !p.flush() {
					t.Fatalf("uring %v: connection %d is closed", uring, i)
				}
				got = append(got, p.received()...)
			}
			if !bytes.Equal(got, want[i]) {
				t.Errorf("uring %v: connection %d has got other bytes", uring, i)
			}
		}
	}
}

// thief is a session that is closed, and has the descriptor of another connection that was closed
// before be used for something else.
type thief struct {
	*lineSession
	t     *testing.T
	fd    int
	other int // the other end of what is fd now
}

func (s *thief) Closed(reason CloseReason) {
	for {
		fds := socketpair(s.t)
		s.t.Cleanup(func() { _ = errors.Join(unix.Close(fds[0]), unix.Close(fds[1])) })
		if i := slices.Index(fds[:], s.fd); i >= 0 {
			s.other = fds[1-i]
			break
		}
	}
	s.lineSession.Closed(reason)
}

// TestClosedBetweenTurns: a connection with two turns in a round, whose client is gone, is closed
// after the first. The second must not be sent to whoever has the descriptor by then.
func TestClosedBetweenTurns(t *testing.T) {
	for _, uring := range [...]bool{false, ProbeURing() == nil} {
		l := idleLoop(t, uring)
		gone := l.pair(t, newLineSession())
		next := &thief{lineSession: newLineSession(), t: t, fd: gone.fd}
		if err := unix.Close(gone.peer); err != nil {
			t.Fatal(err)
		}
		quits := l.pair(t, next)
		l.turns = append(l.turns, turn{c: gone.conn, out: []byte("first")}, turn{c: quits.conn, next: CloseNow},
			turn{c: gone.conn, out: []byte("second")})
		l.sendTurns()
		if n, errno := receive(next.other, make([]byte, 10)); errno != unix.EAGAIN {
			t.Errorf("uring %v: somebody else has got %d bytes (%v)", uring, n, errno)
		}
	}
}

// TestSendAheadAllocatesNothing: nor does a send through the ring.
func TestSendAheadAllocatesNothing(t *testing.T) {
	if err := ProbeURing(); err != nil {
		t.Skip(err)
	}
	l := idleLoop(t, true)
	a, b := l.pair(t, newLineSession()), l.pair(t, newLineSession())
	in := make([]byte, 10)
	if n := testing.AllocsPerRun(100, func() {
		l.turns = append(l.turns, turn{c: a.conn, out: in[:1]}, turn{c: b.conn, out: in[:2]})
		l.sendTurns()
		for _, p := range [...]pair{a, b} {
			if n, _ := receive(p.peer, in); n == 0 {
				t.Fatal("nothing was sent")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for two sends", n)
	}
}
