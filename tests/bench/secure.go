//go:build linux

package main

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/larderkv/larder/tests/certtest"
)

// TLS: what it costs to speak it, to hold a connection that does, and to begin one. Certificates have
// keys of P-256, as the public authorities issue them by default now; both servers choose TLS 1.3.

func (b *bench) secureFigures() []figure {
	var out []figure
	for _, l := range []commandLoad{
		{name: "tls-GET-p1", pipeline: 1, ops: b.size(300_000, 20_000), limit: 1.2},
		{name: "tls-GET-p16", pipeline: 16, ops: b.size(1_000_000, 100_000), limit: 1.0},
	} {
		l.what, l.standard, l.fill, l.secure = "GET 64 B over TLS", "GET", fillStrings, true
		out = append(out, b.commandFigure(l))
	}
	idle := b.connectionsFigure("tls-idle", b.size(2_000, 200), (*server).dialSecure, nil)
	idle.secure = true
	idle.measures = []measure{{what: "memory per idle TLS connection (2,000)", unit: "B"}}
	return append(out, idle, b.handshakeFigure())
}

// handshakeClients is how many clients connect at the same time.
const handshakeClients = 8

// handshakeFigure counts whole connections: handshake without a session to resume, PING, close.
func (b *bench) handshakeFigure() figure {
	each := b.size(500, 50)
	return figure{
		name: "tls-handshake", secure: true,
		measures: []measure{{what: "TLS 1.3 handshakes, each with a PING", unit: "/CPU s"}},
		trial: func(s *server) ([]float64, error) {
			before, err := s.cpu()
			if err != nil {
				return nil, err
			}
			if err := s.shakeHands(each); err != nil {
				return nil, err
			}
			after, err := s.cpu()
			return []float64{float64(each*handshakeClients) / (after - before).Seconds()}, err
		},
	}
}

// shakeHands has each client connect so many times.
func (s *server) shakeHands(each int) error {
	errs := make([]error, handshakeClients)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for n := 0; n < each && errs[i] == nil; n++ {
				errs[i] = s.onceSecure()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *server) onceSecure() error {
	c, err := s.dialSecure()
	if err != nil {
		return err
	}
	defer dropNow(c)
	_, err = c.do("PING")
	return err
}

// dialSecure connects to the server's TLS port.
func (s *server) dialSecure() (*client, error) {
	plain, err := dial(net.JoinHostPort("127.0.0.1", s.securePort))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain.conn, &tls.Config{RootCAs: s.pair.pool, ServerName: "127.0.0.1"})
	plain.conn = conn
	plain.r.Reset(conn)
	return plain, nil
}

// pair is a certificate that signs itself, and its key.
type pair struct {
	cert, key string // files
	pool      *x509.CertPool
}

// flags are what a server needs to use it on a port, beside the one without TLS.
func (p *pair) flags(port string) []string {
	return []string{"--tls-port", port, "--tls-cert-file", p.cert, "--tls-key-file", p.key, "--tls-ca-cert-file",
		p.cert, "--tls-auth-clients", "no"}
}

// newPair makes one in a folder.
func newPair(dir string) (*pair, error) {
	cert, err := certtest.Sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}, nil)
	if err != nil {
		return nil, err
	}
	p := &pair{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), pool: x509.NewCertPool()}
	p.pool.AddCert(cert.Leaf)
	return p, certtest.Write(cert, p.cert, p.key)
}
