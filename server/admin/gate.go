package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
)

// MaxConnections is how many connections are open at the same time, if there are descriptors for them.
const MaxConnections = 256

// gate bounds the connections. One more than that takes the place of the one that has been without a
// user's request being served for longest, so that clients which are slow, say nothing, or do not read
// what anybody may ask for, keep nobody out; only if all serve users it is the new one that is closed.
type gate struct {
	most int

	mu      sync.Mutex          // protects the fields below
	waiting []*gatedConn        // those that no user's request of is being served, the longest first
	open    map[*gatedConn]bool // whether one is being served
	closed  bool
}

func newGate(most int) *gate { return &gate{most: most, open: make(map[*gatedConn]bool)} }

// admit takes a new connection, and returns the one that has to go for it: the new one itself,
// another, or nil.
func (g *gate) admit(c *gatedConn) (victim *gatedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return c
	}
	if len(g.open) >= g.most {
		if len(g.waiting) == 0 {
			return c
		}
		victim = g.waiting[0]
		g.forgetLocked(victim)
	}
	g.open[c] = false
	g.waiting = append(g.waiting, c)
	return victim
}

// serves notes that a user's request of the connection begins or ends to be served.
func (g *gate) serves(c *gatedConn, on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now, ok := g.open[c]; !ok || now == on {
		return
	}
	g.forgetLocked(c)
	g.open[c] = on
	if !on {
		g.waiting = append(g.waiting, c)
	}
}

func (g *gate) forget(c *gatedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgetLocked(c)
}

func (g *gate) forgetLocked(c *gatedConn) {
	if !g.open[c] {
		for i, w := range g.waiting {
			if w == c {
				g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
				break
			}
		}
	}
	delete(g.open, c)
}

// close refuses all further connections, and closes those that there are: under TLS, too, where a
// farewell to a client that does not read would take five seconds.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for c := range g.open {
		_ = c.Conn.Close() // what cannot be closed is gone already
	}
}

// gatedListener passes on what the gate lets in, at the pace of the server.
type gatedListener struct {
	net.Listener
	gate *gate
	pace pace
}

func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.pace.keep()
		c := &gatedConn{Conn: nc, gate: l.gate}
		victim := l.gate.admit(c)
		if victim != nil {
			// What cannot be closed is gone already.
			_ = victim.Conn.Close()
		}
		if victim != c {
			return c, nil
		}
	}
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Close() error {
	c.gate.forget(c)
	if err := c.Conn.Close(); !errors.Is(err, net.ErrClosed) { // it had to go for another one
		return err
	}
	return nil
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	if over, ok := nc.(*tls.Conn); ok {
		nc = over.NetConn().(*wire).Conn
	}
	return context.WithValue(ctx, connKey{}, nc)
}

// keepPlace keeps the place of a request's connection at the gate until leave is called. That is for
// who has said a password: anybody else could have all the places kept, by not reading the replies.
func keepPlace(r *http.Request) (leave func()) {
	c, ok := r.Context().Value(connKey{}).(*gatedConn)
	if !ok {
		return func() {}
	}
	c.gate.serves(c, true)
	return func() { c.gate.serves(c, false) }
}
