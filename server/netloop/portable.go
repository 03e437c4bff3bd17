package netloop

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/larderkv/larder/protocol/chain"
)

// portable is the driver of a goroutine per connection: for systems without epoll, for connections
// without a descriptor, and for those who choose it.
type portable struct {
	server  *Server
	traffic traffic
	big     sync.Pool // *bigBuffer: output, and reads of those who send much

	mu       sync.Mutex
	conns    map[*pconn]struct{} // under mu
	draining bool                // under mu
	ended    chan struct{}       // closed when draining and conns is empty
	ticking  bool                // under mu: the ticker's goroutine has been started
}

const (
	smallRead  = 512       // an idle connection's read buffer
	bigRead    = 64 << 10  // a busy connection's, and the output buffer while a batch is executed
	uncounted  = 16 << 10  // output that OutputHard does not look at: Redis' fixed reply buffer
	writePiece = 256 << 10 // most that one write hands over, so that a slow client is seen to be alive
	readAhead  = 64 << 10  // input taken in while the session is blocked, to notice the client's leaving
)

// bigBuffer is memory that a busy connection borrows, and what a session writes into there.
type bigBuffer struct {
	mem []byte
	out chain.Buffer
}

func newPortable(s *Server) driver {
	d := &portable{server: s, conns: make(map[*pconn]struct{}), ended: make(chan struct{})}
	d.big.New = func() any { return &bigBuffer{mem: make([]byte, bigRead)} }
	return d
}

func (d *portable) adopt(nc net.Conn) error {
	c := &pconn{driver: d, nc: nc, socket: socketOf(nc)}
	c.init(d.server.ids.Add(1), c.socket, descriptor(c.socket))
	c.wake.L = &c.mu
	if tcp, ok := c.socket.(*net.TCPConn); ok {
		if err := tcp.SetKeepAliveConfig(keepAlive(d.server.opts.Limits(c.Class()).KeepAlive)); err != nil {
			d.server.log.Debug("setting TCP keepalive", "error", err) // the client is gone already
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining {
		return net.ErrClosed
	}
	d.conns[c] = struct{}{}
	if !d.ticking {
		d.ticking = true
		go d.tick()
	}
	go c.run()
	return nil
}

// leave forgets a connection whose goroutine ends.
func (d *portable) leave(c *pconn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
	d.endIfEmpty()
}

func (d *portable) endIfEmpty() {
	if !d.draining || len(d.conns) > 0 {
		return
	}
	select {
	case <-d.ended:
	default:
		close(d.ended)
	}
}

func (d *portable) drain() {
	d.each(func(c *pconn) { c.post(pnoticeDrain) })
}

func (d *portable) stop() {
	d.each(func(c *pconn) { c.Kill(Shutdown) })
}

// each refuses connections to come, and calls f for those that are there.
func (d *portable) each(f func(*pconn)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining = true
	for c := range d.conns {
		f(c)
	}
	d.endIfEmpty()
}

func (d *portable) flush() {} // nothing waits for it

func (d *portable) done() <-chan struct{} { return d.ended }

func (*portable) resize(int) error { return nil }

func (*portable) loopStats() []LoopStats { return nil }

func (d *portable) addTo(st *Stats) { d.traffic.addTo(st) }

// tick does what needs doing once a second.
func (d *portable) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-d.ended:
			return
		case <-ticker.C:
		}
		now := time.Now()
		d.mu.Lock()
		for c := range d.conns {
			c.checkTime(now)
		}
		d.mu.Unlock()
	}
}

// descriptor returns the descriptor of nc's socket, -1 if there is none to be had.
func descriptor(nc net.Conn) int {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return -1
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1
	}
	fd := -1
	if err := raw.Control(func(u uintptr) { fd = int(u) }); err != nil {
		return -1
	}
	return fd
}

// keepAlive is Redis' anetKeepAlive: first probe after d, three more at a third of it; zero turns
// probing off.
func keepAlive(d time.Duration) net.KeepAliveConfig {
	return net.KeepAliveConfig{
		Enable:   d > 0,
		Idle:     d,
		Interval: max(time.Second, d/3),
		Count:    3,
	}
}

// farewellTime bounds how long a connection that is closed with input on its way is read from. See
// halfClose.
const farewellTime = 10 * time.Millisecond

// halfClose prepares closing a connection whose client may still be sending. Closing with unread
// input makes the kernel send a reset, which can overtake the last reply; so this side is ended
// first and what is on its way taken in.
func halfClose(nc net.Conn, scratch []byte) error {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := errors.Join(half.CloseWrite(), nc.SetReadDeadline(time.Now().Add(farewellTime))); err != nil {
		return err
	}
	for range bigRead {
		if _, err := nc.Read(scratch); err != nil {
			return nil // the deadline, or the client's end
		}
	}
	return nil
}

// CertifiedName is conn.CertifiedName.
func (c *pconn) CertifiedName() string {
	if conn, ok := c.nc.(*tls.Conn); ok {
		return certifiedName(conn)
	}
	return ""
}
