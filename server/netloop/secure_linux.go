// TLS on an event loop: what stands between a connection's socket and its session. See "TLS" in the
// package's comment.

package netloop

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/larderkv/larder/protocol/chain"
)

const (
	// sealPiece is how much output is encrypted at a time: what the kernel does not take of it has to
	// be kept as it is.
	sealPiece = 64 << 10
	// sealRoom is what it may take then. A record holds 16 KiB, and takes less than 100 bytes more.
	sealRoom = sealPiece + 1<<10

	// answerCost is how many bytes of a turn's input the answer to a key update counts for: both sides of
	// the update make new keys, which takes as long as to decrypt so much.
	answerCost = 8 << 10

	// secureMemory is what TLS takes of an idle connection, in bytes: measured, by the rows of the
	// benchmark for idle connections.
	secureMemory = 6 << 10
)

// secure is the TLS of a connection, and the net.Conn below its tls.Conn. It belongs to the loop's
// goroutine.
type secure struct {
	tls     *tls.Conn
	c       *conn
	held    []byte // held[sent:] is encrypted output that the kernel has not taken, conn.sealed bytes
	sent    int
	budget  int  // bytes that the turn may still receive
	emptied bool // the socket has nothing more
	sealing bool // the loop encrypts output: records go to loop.sealed
}

// again is the answer of a socket without input. crypto/tls keeps what it has of a record, and asks
// again next time, after an error that is temporary.
type again struct{}

func (again) Error() string   { return "netloop: no input" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// Read is crypto/tls' way to the socket. It receives where the record is to be decrypted.
func (s *secure) Read(p []byte) (int, error) {
	if s.emptied || s.budget <= 0 {
		return 0, again{}
	}
	n, errno := receive(s.c.fd, p)
	switch {
	case errno == syscall.EAGAIN:
		s.emptied = true
		return 0, again{}
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	s.c.loop.count.reads++
	s.budget -= n
	s.emptied = n < len(p) && !s.c.ended
	return n, nil
}

// Write takes records from crypto/tls: output, in between the answer to a key update, or an alert.
func (s *secure) Write(p []byte) (int, error) {
	if s.sealing {
		s.c.loop.sealed = append(s.c.loop.sealed, p...)
	} else {
		s.hold(p)
		s.budget -= answerCost
	}
	return len(p), nil
}

// The rest of net.Conn, which crypto/tls does not need: the loop closes the socket and has no
// deadlines.

func (s *secure) Close() error                     { return nil }
func (s *secure) LocalAddr() net.Addr              { return nil }
func (s *secure) RemoteAddr() net.Addr             { return nil }
func (s *secure) SetDeadline(time.Time) error      { return nil }
func (s *secure) SetReadDeadline(time.Time) error  { return nil }
func (s *secure) SetWriteDeadline(time.Time) error { return nil }

// newSecure puts the loop's way to the socket in the place of the runtime's.
func newSecure(c *conn, conn *tls.Conn) *secure {
	s := &secure{tls: conn, c: c}
	conn.NetConn().(*wire).Conn = s // or the driver would not have found the socket
	return s
}

// readSecure is the rest of read: input is decrypted to buf, behind so many bytes that were left
// over. It goes on until buf is full or the socket empty, and receives about as much as buf holds, so
// that a client who sends records of a byte each, or has keys updated, gets no longer turn than others.
func (c *conn) readSecure(buf []byte, rest int, direct bool) {
	s := c.secure
	s.budget, s.emptied = max(len(buf), minRoom), false
	var n int
	var err error
	for n < len(buf) && err == nil {
		var m int
		m, err = s.tls.Read(buf[n:])
		n += m
	}
	if c.sealed > 0 { // the answer to a key update, which the client may not read
		lim := c.limits()
		if !c.checkOutput(&lim) {
			return
		}
		c.watch()
	}
	c.readable = err == nil || !errors.Is(err, again{}) || !s.emptied // what crypto/tls has got counts, too
	switch {
	case n > 0:
		c.received(n, rest, direct)
	case errors.Is(err, again{}):
		c.watch()
	case errors.Is(err, io.EOF):
		c.hangUp()
	default:
		c.loop.server.log.Debug("TLS failed", "id", c.id, "error", err)
		c.close(ReadError)
	}
}

// writeSecure is write. What has been encrypted counts as taken, and what the kernel has not taken of
// that is sent first the next time.
func (c *conn) writeSecure(out []byte, more *chain.Chain) (taken int) {
	if c.sealed > 0 && !c.secure.sendHeld() {
		return -1
	}
	list := c.loop.vector.pieces[:0]
	if len(out) > 0 {
		list = append(list, out)
	}
	list = more.Pieces(list, sendMost)
	defer clear(list)
	for _, p := range list {
		for len(p) > 0 && c.sealed == 0 && taken < sendMost {
			n := min(len(p), sealPiece)
			if !c.secure.seal(p[:n]) {
				return -1
			}
			p, taken = p[n:], taken+n
		}
	}
	c.writable = c.sealed == 0 && taken < len(out)+more.Len()
	return taken
}

// seal encrypts b and sends it. It returns false if the connection is closed.
func (s *secure) seal(b []byte) bool {
	c, l := s.c, s.c.loop
	if l.sealed == nil {
		l.sealed = make([]byte, 0, sealRoom)
	}
	l.sealed = l.sealed[:0]
	s.sealing = true
	_, err := s.tls.Write(b)
	s.sealing = false
	if err != nil {
		l.server.log.Debug("TLS failed", "id", c.id, "error", err)
		c.close(WriteError)
		return false
	}
	l.count.out += int64(len(b))
	c.sizes.written.Add(int64(len(b)))
	n := s.send(l.sealed)
	if n < 0 {
		return false
	}
	if n < len(l.sealed) {
		s.hold(l.sealed[n:])
	}
	return true
}

// send hands records to the kernel, and returns how much it took, or -1: the connection is closed.
func (s *secure) send(b []byte) int {
	c, l := s.c, s.c.loop
	n, errno := send(c.fd, b)
	switch errno {
	case 0:
	case syscall.EAGAIN:
		return 0
	default:
		s.drop() // nothing arrives any more
		c.close(WriteError)
		return -1
	}
	l.count.writes++
	c.active = l.now.UnixNano()
	return n
}

// sendHeld sends what the kernel has not taken before. It returns false if the connection is closed.
func (s *secure) sendHeld() bool {
	c := s.c
	n := s.send(s.held[s.sent:])
	if n < 0 {
		return false
	}
	s.sent += n
	if c.sealed -= n; c.sealed == 0 {
		s.drop()
	} else if n > 0 {
		c.sizes.waiting.Store(c.active)
	}
	return true
}

// hold keeps records until the kernel takes them.
func (s *secure) hold(b []byte) {
	pending := s.held[s.sent:]
	if cap(s.held)-len(s.held) < len(b) {
		// At least twice as much: answers come one by one, in any number.
		grown := append(s.c.loop.buffers.get(len(pending)+max(len(pending), len(b))), pending...)
		s.c.loop.buffers.put(s.held)
		s.held, s.sent = grown, 0
	}
	s.held = append(s.held, b...)
	s.c.sealed += len(b)
}

func (s *secure) drop() {
	s.c.loop.buffers.put(s.held)
	s.held, s.sent, s.c.sealed = nil, 0, 0
}

// memory is what TLS takes of the connection.
func (s *secure) memory() int { return secureMemory + cap(s.held) }

// bye is the last that the client gets, before the socket is closed: that this is the end, or the
// alert that says why. Without it some clients report an attack that cut the connection. In the
// middle of a record that the kernel has not taken it would not be understood.
func (s *secure) bye() {
	if s.c.sealed == 0 {
		if err := s.tls.CloseWrite(); err != nil {
			s.c.loop.server.log.Debug("ending TLS", "id", s.c.id, "error", err)
		}
	}
	if s.c.sealed > 0 {
		// A client that has gone, or does not read, misses it.
		_, _ = send(s.c.fd, s.held[s.sent:])
	}
	s.drop()
}

// CertifiedName asks crypto/tls, which has the certificate.
func (c *conn) CertifiedName() string {
	if c.secure == nil {
		return ""
	}
	return certifiedName(c.secure.tls)
}

// refuse sends a connection without a session the reason. A new socket's buffer takes a message of
// any sensible size.
func (c *conn) refuse(reason []byte) {
	if c.secure != nil {
		_, _ = c.secure.tls.Write(reason) // to held
		c.secure.bye()
		return
	}
	if _, errno := send(c.fd, reason); errno != 0 {
		c.loop.server.log.Debug("refusing a connection", "error", errno)
	}
}
