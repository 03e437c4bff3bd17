package netloop

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
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

	// complainEvery is how long the log hears nothing more of the same kind.
	complainEvery = time.Second
)

// complaints are connections that did not come about. Descriptors may run out and be free again
// many times a second, and anybody may send what is no handshake, so what is logged is the first of
// a second, and how many there were since the last line.
type complaints struct {
	mu    sync.Mutex
	next  time.Time // under mu: nothing is logged before
	quiet int       // under mu: failures that were not logged
}

// complain logs that a connection could not be accepted, or counts it.
func (s *Server) complain(what string, err error) { s.complaints.tell(s.log, what, "error", err) }

// tell logs a failure as a warning, or counts it.
func (c *complaints) tell(log *slog.Logger, what string, attrs ...any) {
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
	log.Warn(what, append(attrs, "unlogged", quiet)...)
}

// accepted is a new connection while redcon holds it. redcon's first Read gets the greeting, which
// makes it call the handler on a goroutine of its own; the handler takes the connection away. No
// byte of the client's goes through here.
type accepted struct {
	net.Conn
	greeted bool
}

func (a *accepted) Read(p []byte) (int, error) {
	if a.greeted {
		return 0, io.EOF
	}
	a.greeted = true
	return copy(p, greeting), nil
}

// Close does nothing. redcon calls it when its Serve ends before the handler has run, which takes the
// connection all the same: a listener may be closed while its clients go on.
func (a *accepted) Close() error { return nil }

// listener hands out accepted connections, and outlives errors: redcon would ask again at once, and
// spin.
type listener struct {
	net.Listener
	server *Server
	admit  func(net.Conn) net.Conn // when it may be served, and as what; nil: never
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	for pause := firstAcceptPause; ; pause = min(2*pause, lastAcceptPause) {
		nc, err := l.Listener.Accept()
		if err == nil {
			admitted := l.admit(nc)
			if admitted == nil {
				l.server.closeRaw(nc)
				return nil, net.ErrClosed
			}
			l.server.accepting.Add(1)
			return &accepted{Conn: admitted}, nil
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
	atOnce := func(nc net.Conn) net.Conn { return nc }
	return s.serve(ln, atOnce, s.adopt)
}

// serve gives each connection to take, as what admit has made of it.
func (s *Server) serve(ln net.Listener, admit func(net.Conn) net.Conn, take func(net.Conn)) error {
	l := &listener{Listener: ln, server: s, admit: admit, closed: make(chan struct{})}
	if !s.addListener(l) {
		return errors.Join(net.ErrClosed, ln.Close())
	}
	defer s.removeListener(l)
	handler := func(rc redcon.Conn, _ redcon.Command) {
		rc.Detach()
		if a, ok := rc.NetConn().(*accepted); ok {
			take(a.Conn)
		}
	}
	closed := func(redcon.Conn, error) { s.accepting.Done() }
	return redcon.Serve(l, handler, nil, closed)
}
