package netloop

import (
	"errors"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted is a listener that returns what the test sends.
type scripted struct {
	net.Listener
	results chan any // net.Conn or error
	closed  chan struct{}
	once    sync.Once
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &scripted{Listener: ln, results: make(chan any), closed: make(chan struct{})}
}

func (l *scripted) Accept() (net.Conn, error) {
	select {
	case r := <-l.results:
		if nc, ok := r.(net.Conn); ok {
			return nc, nil
		}
		err, _ := r.(error)
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *scripted) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// TestAcceptErrors: a failing accept is tried again, and a connection without a descriptor gets the
// portable driver.
func TestAcceptErrors(t *testing.T) {
	session := make(chan *lineSession, 1)
	s, err := New(Options{
		Limits: func(Class) Limits { return Limits{KeepAlive: time.Second} },
		NewSession: func(c Conn) (Session, []byte) {
			one := &lineSession{conn: c, closed: make(chan CloseReason, 1)}
			session <- one
			return one, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln := newScripted(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	ln.results <- errors.New("too many open files")
	ln.results <- errors.New("too many open files")
	near, far := net.Pipe()
	ln.results <- far
	c := <-session
	if c.conn.FD() != -1 {
		t.Errorf("descriptor %d", c.conn.FD())
	}
	if _, err := near.Write([]byte("echo hello\n")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := near.Read(got); err != nil || string(got) != "hello\n" {
		t.Fatalf("got %q (%v)", got, err)
	}
	ln.results <- errors.New("too many open files") // Close ends the pause after it
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if reason := <-c.closed; reason != Shutdown {
		t.Error(reason)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(other); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed server: %v", err)
	}
}

// TestComplaints: the log hears the first failure of a second, and later how many there were besides.
func TestComplaints(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	var c complaints
	for _, addr := range []string{"a", "b", "c"} {
		c.tell(log, "failed", "addr", addr)
	}
	c.next = time.Time{} // the second is over
	c.tell(log, "failed", "addr", "d")
	got := out.String()
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "addr=a unlogged=0\n") ||
		!strings.Contains(got, "addr=d unlogged=2\n") {
		t.Error(got)
	}
}

// TestRedconLetsGo: after the handover nothing of redcon's runs for a connection.
func TestRedconLetsGo(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		c.send("*1\r\n$-2\r\necho sane\n") // enough to end the process if redcon's parser saw it
		c.expect("sane")
		s.eventually("redcon's goroutine to end", func() bool {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return !strings.Contains(string(stacks), "redcon.handle")
		})
	})
}

func TestNewChecksOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a server without sessions")
	}
}
