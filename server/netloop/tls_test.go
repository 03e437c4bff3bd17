package netloop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// TestTLS serves connections that have no descriptor, which the portable driver takes.
func TestTLS(t *testing.T) {
	s := startServer(t, network{tls: certificate(t)}, Limits{})
	c := s.connectTLS()
	c.send("echo hello\nbig 300000\n")
	c.expect("hello", strings.Repeat("x", 300000))
	if got := c.session.conn.FD(); got != -1 {
		t.Errorf("descriptor %d", got)
	}
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

// TestTLSHandshakeInterrupted: crypto/tls remembers why a handshake failed, and returns it from
// every read. The connection's goroutine must end rather than ask again for ever.
func TestTLSHandshakeInterrupted(t *testing.T) {
	s := startServer(t, network{tls: certificate(t)}, Limits{})
	c := s.connect() // says nothing: the handshake waits
	c.session.conn.Resume()
	c.expectClosed(ReadError)
	s.close()
}

// connectTLS is connect with a handshake.
func (s *testServer) connectTLS() *testClient {
	c := s.connect()
	nc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	c.Conn = nc
	c.r.Reset(nc)
	return c
}

// certificate makes one for the server, signed by itself.
func certificate(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// secured is ln with TLS, if there is a configuration.
func secured(ln net.Listener, c *tls.Config) net.Listener {
	if c == nil {
		return ln
	}
	return tls.NewListener(ln, c)
}
