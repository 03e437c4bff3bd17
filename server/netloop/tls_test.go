package netloop

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/certtest"
)

// certificate makes one for the server, signed by itself.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := certtest.Sign(&x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{*cert},
		SessionTicketsDisabled: true, // a client has them in its socket until it reads something
	}
}

// raw connects without a handshake.
func (s *testServer) raw() net.Conn {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() }) // the server may have been faster
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return nc
}

// TestPortableTLS serves TLS by a goroutine per connection.
func TestPortableTLS(t *testing.T) {
	s := startServer(t, network{tls: true, portable: true}, Limits{})
	c := s.connect()
	c.send("echo hello\nbig 300000\n")
	c.expect("hello", strings.Repeat("x", 300000))
	c.send("block\n")
	s.eventually("the block", func() bool { return c.session.requests.Load() == 3 })
	c.session.conn.Push([]byte("pushed\n"))
	c.session.conn.Resume()
	c.expect("pushed", "resumed")
	c.send("quit\n")
	c.expect("bye")
	c.expectEOF(Quit)
	s.close()
}

// TestManyHalfOpenHandshakes: clients that begin and say nothing more keep nobody out, and are given
// up when there are too many.
func TestManyHalfOpenHandshakes(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	before := s.connect()
	first := s.raw()
	for i := range maxHandshakes + 100 {
		nc := s.raw()
		if i%2 == 0 { // half of them begin with a record's head
			if _, err := nc.Write([]byte{22, 3, 1, 1, 0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := s.connect()
	for _, c := range []*testClient{before, after} {
		c.send("echo here\n")
		c.expect("here")
	}
	if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("the oldest handshake: %v", err)
	}
	s.close() // does not wait for the others
}

// TestManyHandshakesAtOnce: where more clients come than can be computed for, they wait their turn and
// none is given up.
func TestManyHandshakesAtOnce(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	places := cap(s.handshakes.turns)
	for range places {
		s.handshakes.turns.Take()
	}
	const clients = maxHandshakes + 8
	failed := make(chan error, clients)
	for range clients {
		conn := tls.Client(s.raw(), &tls.Config{InsecureSkipVerify: true})
		go func() { failed <- conn.Handshake() }()
	}
	s.eventually("as many as may wait", func() bool {
		s.handshakes.mu.Lock()
		defer s.handshakes.mu.Unlock()
		return s.handshakes.busy >= maxHandshakes
	})
	for range places {
		s.handshakes.turns.Leave()
	}
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	s.close()
}

// TestNoTLS: what is no handshake gets no session, and no reply but an alert.
func TestNoTLS(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	nc := s.raw()
	if _, err := nc.Write([]byte("PING\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(nc); err != nil || strings.Contains(string(got), "PONG") {
		t.Errorf("%q, %v", got, err)
	}
	st := s.Stats()
	if st.Accepted != 0 {
		t.Errorf("%d sessions", st.Accepted)
	}
	s.close()
}

// trickle is a client's socket on which every write arrives byte by byte.
type trickle struct{ net.Conn }

func (w trickle) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := w.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// TestRecordsInPieces: a record that arrives byte by byte, and bytes that each have a record.
func TestRecordsInPieces(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := startServer(t, network{tls: true}, Limits{})
		c := s.dial()
		c.Conn = tls.Client(trickle{c.socket}, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		c.r.Reset(c.Conn)
		c.send("echo %s\n", strings.Repeat("y", 5000))
		c.expect(strings.Repeat("y", 5000))
		for _, b := range "echo single\n" {
			c.send("%c", b)
		}
		c.expect("single")
		s.close()
	}
}

// TestFirstRequestWithHandshake: the client's first request comes in the same packet as the end of its
// handshake, and nothing after it.
func TestFirstRequestWithHandshake(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	for range 20 {
		c := s.dial()
		held := &holding{Conn: c.socket, writes: 1}
		conn := tls.Client(held, &tls.Config{InsecureSkipVerify: true})
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.Conn = conn
		c.r.Reset(conn)
		held.release = true
		c.send("echo at once\n")
		c.expect("at once")
	}
	s.close()
}

// holding keeps all writes after the first ones back until it is released.
type holding struct {
	net.Conn
	writes  int
	kept    []byte
	release bool
}

func (h *holding) Write(p []byte) (int, error) {
	if h.writes > 0 {
		h.writes--
		return h.Conn.Write(p)
	}
	h.kept = append(h.kept, p...)
	if h.release {
		_, err := h.Conn.Write(h.kept)
		h.kept = h.kept[:0]
		return len(p), err
	}
	return len(p), nil
}

// TestGoodbye: whoever is disconnected is told that this is the end, so that no cut connection looks
// like one.
func TestGoodbye(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	c := s.connect()
	c.session.conn.Kill(Killed)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF { // and not "unexpected EOF"
		t.Error(err)
	}
	s.refuse.Store(true)
	c = s.dial()
	if got, err := io.ReadAll(c.Conn); string(got) != "full\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	s.close()
}

// TestDamagedRecord: a record that does not decrypt ends the connection with an alert.
func TestDamagedRecord(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	c := s.connect()
	if _, err := c.socket.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if err == nil || !strings.Contains(err.Error(), "bad record MAC") {
		t.Error(err)
	}
	c.expectClosed(ReadError)
	s.close()
}
