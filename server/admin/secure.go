package admin

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/larderkv/larder/server/netloop"
)

// secureListener shakes hands with clients before it passes them on, if there is TLS at that moment:
// CONFIG SET tls-port turns it on and off for connections to come. Handshakes are computed in the places
// of those of the data port, where net/http would compute as many as there are connections.
type secureListener struct {
	net.Listener
	config func() *tls.Config // nil: no TLS
	turns  netloop.Turns

	ready chan accepted
	once  sync.Once
	ended chan struct{} // closed by Close
	work  *sync.WaitGroup
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// newSecureListener begins to accept; work has what that is waited for by.
func newSecureListener(ln net.Listener, config func() *tls.Config,
	turns netloop.Turns, work *sync.WaitGroup) *secureListener {
	l := &secureListener{
		Listener: ln, config: config, turns: turns, ready: make(chan accepted), ended: make(chan struct{}), work: work,
	}
	work.Go(l.run)
	return l
}

// Accept implements net.Listener.
func (l *secureListener) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *secureListener) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// run accepts until Close. After an error it goes on when the one before has been asked for, so that
// the caller says how long is waited.
func (l *secureListener) run() {
	for {
		nc, err := l.Listener.Accept()
		var config *tls.Config
		if err == nil {
			config = l.config()
		}
		if config != nil {
			l.work.Go(func() { l.shakeHands(nc, config) })
		} else if !l.pass(accepted{nc, err}) {
			return
		}
	}
}

// pass gives something to Accept, false if nobody wants it any more.
func (l *secureListener) pass(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.ended:
		if a.conn != nil {
			_ = a.conn.Close() // nobody is told
		}
		return false
	}
}

func (l *secureListener) shakeHands(nc net.Conn, config *tls.Config) {
	w := &wire{Conn: nc, turns: l.turns}
	conn := tls.Server(w, config)
	_ = nc.SetDeadline(time.Now().Add(headerTime)) // of a connection that is gone the handshake fails
	w.turns.Take()
	_ = conn.Handshake() // net/http asks for the error again, and tells whom it concerns
	w.turns.Leave()
	w.turns = nil
	_ = nc.SetDeadline(time.Time{}) // likewise
	l.pass(accepted{conn, nil})
}

// wire is the connection under TLS.
type wire struct {
	net.Conn
	turns netloop.Turns // nil: the handshake is over
}

// Read keeps nobody from computing while it waits for the client.
func (w *wire) Read(p []byte) (int, error) {
	if w.turns == nil {
		return w.Conn.Read(p)
	}
	w.turns.Leave()
	defer w.turns.Take()
	return w.Conn.Read(p)
}
