package netloop

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"
)

// greeting is the request that redcon is made to see in place of the client's first bytes: one
// empty argument, the shortest that its parser passes to the handler.
const greeting = "*1\r\n$0\r\n\r\n"

// The pause after a failed accept (out of descriptors, as a rule): doubled from first to last while
// it goes on failing. Clients wait in the system's queue meanwhile, and no longer than last when
// descriptors are free again.
const (
	firstAcceptPause = 10 * time.Millisecond
	lastAcceptPause  = 100 * time.Millisecond

	// complainEvery is how long the log hears nothing more of it.
	complainEvery = time.Second
)

// complaints are connections that could not be accepted. Descriptors may run out and be free again
// many times a second, so what is logged is the first of a second, and how many there were since
// the last line.
type complaints struct {
	mu    sync.Mutex
	next  time.Time // under mu: nothing is logged before
	quiet int       // under mu: failures that were not logged
}

// complain logs that a connection could not be accepted, or counts it.
func (s *Server) complain(what string, err error) {
	c := &s.complaints
	c.mu.Lock()
	now := time.Now()
	if now.Before(c.next) {
		c.quiet++
		c.mu.Unlock()
		return
	}
	quiet := c.quiet
	c.next, c.quiet = now.Add(complainEvery), 0
	c.mu.Unlock()
	s.log.Warn(what, "error", err, "unlogged", quiet)
}

// accepted is a new connection while redcon holds it. redcon's first Read gets the greeting, which
// makes it call the handler on a goroutine of its own; the handler takes the connection away. No
// byte of the client's goes through here.
type accepted struct {
	net.Conn
	greeted bool
	gone    atomic.Bool // taken over, or closed by redcon
}

func (a *accepted) Read(p []byte) (int, error) {
	if a.greeted {
		return 0, io.EOF
	}
	a.greeted = true
	return copy(p, greeting), nil
}

// Close is redcon's when its Serve ends before the handler has run; a connection that has been
// taken over is not closed.
func (a *accepted) Close() error {
	if a.gone.CompareAndSwap(false, true) {
		return a.Conn.Close()
	}
	return nil
}

// listener hands out accepted connections, and outlives errors: redcon would ask again at once, and
// spin.
type listener struct {
	net.Listener
	server *Server
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	for pause := firstAcceptPause; ; pause = min(2*pause, lastAcceptPause) {
		nc, err := l.Listener.Accept()
		if err == nil {
			l.server.accepting.Add(1)
			return &accepted{Conn: nc}, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		l.server.complain("cannot accept connections", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return nil, net.ErrClosed
		}
	}
}

func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
	})
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Serve accepts connections from ln, through redcon.Server, until Shutdown or Close, or until ln is
// closed; it closes ln. Call it once per listener, from any goroutine.
func (s *Server) Serve(ln net.Listener) error {
	l := &listener{Listener: ln, server: s, closed: make(chan struct{})}
	if !s.addListener(l) {
		return errors.Join(net.ErrClosed, ln.Close())
	}
	defer s.removeListener(l)
	handler := func(rc redcon.Conn, _ redcon.Command) {
		rc.Detach()
		a, ok := rc.NetConn().(*accepted)
		if ok && a.gone.CompareAndSwap(false, true) {
			s.adopt(a.Conn)
		}
	}
	closed := func(redcon.Conn, error) { s.accepting.Done() }
	return redcon.Serve(l, handler, nil, closed)
}
