package admin

import (
	"crypto"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

// signer notes whether who signs has a place.
type signer struct {
	crypto.Signer
	turns          netloop.Turns
	signed, placed atomic.Int64
}

func (s *signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.signed.Add(1)
	s.placed.Add(int64(len(s.turns)))
	return s.Signer.Sign(rand, digest, opts)
}

// Handshakes are computed in the places that there are for them, and a client that says nothing takes
// none. TLS goes and comes with the configuration.
func TestHandshakesTakeTurns(t *testing.T) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	pair := lender.TLS.Certificates[0]
	s := &signer{Signer: pair.PrivateKey.(crypto.Signer), turns: make(netloop.Turns, 1)}
	pair.PrivateKey = s
	var current atomic.Pointer[tls.Config]
	current.Store(&tls.Config{Certificates: []tls.Certificate{pair}})
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	l := newSecureListener(raw, current.Load, s.turns, &work)
	silent, err := net.Dial("tcp", raw.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const many = 20
	var clients sync.WaitGroup
	for range many {
		clients.Go(func() {
			conn, err := tls.Dial("tcp", raw.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
	}
	for range many {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	clients.Wait()
	if s.signed.Load() != many || s.placed.Load() != many {
		t.Errorf("%d of %d signatures were made in a place", s.placed.Load(), s.signed.Load())
	}
	current.Store(nil)
	if _, err := net.Dial("tcp", raw.Addr().String()); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if _, ok := conn.(*tls.Conn); ok || err != nil {
		t.Errorf("%T, %v", conn, err)
	}
	_ = silent.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	work.Wait()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || len(s.turns) != 0 {
		t.Errorf("%v, %d places are taken", err, len(s.turns))
	}
}
