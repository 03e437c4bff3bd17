package harness

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replyDeadline is how long one reply may take before the test calls the server hung.
const replyDeadline = Patience

// Conn is a raw client connection: it sends the bytes it is told to and returns the bytes that
// came. It belongs to one goroutine.
type Conn struct {
	net.Conn
	t       testing.TB
	r       *bufio.Reader
	replies replyReader
	name    string
}

// Dial opens a connection that is closed when the test ends.
func (s *Server) Dial(t testing.TB) *Conn {
	t.Helper()
	network, addr := s.endpoint()
	return s.dial(t, network, addr)
}

// DialUnix is Dial by the Unix socket.
func (s *Server) DialUnix(t testing.TB) *Conn {
	t.Helper()
	return s.dial(t, "unix", s.Socket)
}

func (s *Server) dial(t testing.TB, network, addr string) *Conn {
	t.Helper()
	nc, err := net.DialTimeout(network, addr, replyDeadline)
	if err != nil {
		t.Fatalf("%s: %v\n%s", s.Name, err, s.Log())
	}
	t.Cleanup(func() { _ = nc.Close() }) // the test may have closed it already
	return &Conn{Conn: nc, t: t, r: bufio.NewReaderSize(nc, 64<<10), name: s.Name}
}

// DialTLS is Dial to where the server speaks TLS. A handshake that fails, fails the test.
func (s *Server) DialTLS(t testing.TB, config *tls.Config) *Conn {
	t.Helper()
	addr := s.Secure
	if addr == "" {
		addr = s.Addr
	}
	c := s.dial(t, "tcp", addr)
	secured := tls.Client(c.Conn, config)
	ctx, cancel := context.WithTimeout(t.Context(), replyDeadline)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		t.Fatalf("%s: TLS: %v", s.Name, err)
	}
	c.Conn = secured
	c.r.Reset(secured)
	return c
}

// DialRESP opens a connection that speaks RESP 2 or 3.
func (s *Server) DialRESP(t testing.TB, proto int) *Conn {
	t.Helper()
	c := s.Dial(t)
	if proto != 2 {
		if r := c.Do("HELLO", strconv.Itoa(proto)); r.IsError() {
			t.Fatalf("%s: HELLO %d: %v", s.Name, proto, r)
		}
	}
	return c
}

// Encode is the RESP array form of a request.
func Encode(args ...string) string {
	const frame = len("$1234\r\n\r\n") // of most arguments
	size := frame
	for _, a := range args {
		size += frame + len(a)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString("*" + strconv.Itoa(len(args)) + "\r\n")
	for _, a := range args {
		b.WriteString("$" + strconv.Itoa(len(a)) + "\r\n")
		b.WriteString(a)
		b.WriteString("\r\n")
	}
	return b.String()
}

// WriteRaw sends bytes as they are, in one write.
func (c *Conn) WriteRaw(raw string) {
	c.t.Helper()
	if err := c.TryWrite(raw); err != nil {
		c.t.Fatalf("%s: write: %v", c.name, err)
	}
}

// TryWrite is WriteRaw for a server that is expected to close the connection.
func (c *Conn) TryWrite(raw string) error {
	if err := c.SetWriteDeadline(time.Now().Add(replyDeadline)); err != nil {
		return err
	}
	_, err := io.WriteString(c.Conn, raw)
	return err
}

// Send sends one request without waiting for its reply.
func (c *Conn) Send(args ...string) {
	c.t.Helper()
	c.WriteRaw(Encode(args...))
}

// Read returns the next reply, or fails the test.
func (c *Conn) Read() Reply {
	c.t.Helper()
	r, err := c.TryRead()
	if err != nil {
		c.t.Fatalf("%s: read: %v after %v", c.name, err, r)
	}
	return r
}

// TryRead returns the next reply or the reason why there is none.
func (c *Conn) TryRead() (Reply, error) {
	if err := c.SetReadDeadline(time.Now().Add(replyDeadline)); err != nil {
		return Reply{}, err
	}
	return c.replies.next(c.r)
}

// Do sends a request and returns its reply.
func (c *Conn) Do(args ...string) Reply {
	c.t.Helper()
	c.Send(args...)
	return c.Read()
}

// MustOK does a request that has to be answered with +OK.
func (c *Conn) MustOK(args ...string) {
	c.t.Helper()
	if r := c.Do(args...); r.Raw != "+OK\r\n" {
		c.t.Fatalf("%s: %.200q: %v", c.name, args, r)
	}
}

// ReadUntilClosed returns everything the server still sends before it closes. A connection that
// stays open past the deadline fails the test; a reset counts as closed.
func (c *Conn) ReadUntilClosed() string {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(replyDeadline)); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	all, err := io.ReadAll(c.r)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		c.t.Fatalf("%s: the connection is still open after %v; sent so far: %.300q", c.name, replyDeadline, all)
	}
	return string(all)
}

// Buffered is the number of bytes read from the socket but not yet taken as replies.
func (c *Conn) Buffered() int { return c.r.Buffered() }
