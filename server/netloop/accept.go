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
// it goes on failing.
const (
	firstAcceptPause = 10 * time.Millisecond
	lastAcceptPause  = time.Second
)

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
		l.server.log.Warn("cannot accept connections", "error", err, "again_in", pause)
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
