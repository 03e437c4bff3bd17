package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/certtest"
)

// A scripted server: what it answers, and when, is the test's choice.

// handler returns the reply to a request.
type handler func(args []string) string

// answer serves one connection until it ends.
func answer(conn net.Conn, h handler) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		args, err := readRequest(r)
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, h(args)); err != nil {
			return
		}
	}
}

func readRequest(r *bufio.Reader) ([]string, error) {
	var n int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		var size int
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

// serve listens until the test ends. With a certificate it speaks TLS.
func serve(t *testing.T, secure *tls.Config, h handler) Endpoint {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if secure != nil {
				conn = tls.Server(conn, secure)
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() { answer(conn, h) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return Endpoint{Network: "tcp", Addr: ln.Addr().String()}
}

// certificate signs itself.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	cert, err := certtest.Sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return &tls.Config{Certificates: []tls.Certificate{*cert}}, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// keyspace is a server's data: GET, SET and what a client says at first.
type keyspace struct {
	mu       sync.Mutex
	data     map[string]string
	commands map[string]int
}

func newKeyspace() *keyspace {
	return &keyspace{data: map[string]string{}, commands: map[string]int{}}
}

func (k *keyspace) answer(args []string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.commands[args[0]]++
	switch args[0] {
	case "INFO":
		return bulk("# Server\r\nredis_version:7.0.15\r\nlarder_version:9.9\r\ngcc_version:1.2\r\n")
	case "SET":
		k.data[args[1]] = args[2]
	case "GET":
		v, ok := k.data[args[1]]
		if !ok {
			return "$-1\r\n"
		}
		return bulk(v)
	}
	return "+OK\r\n"
}

func (k *keyspace) asked(command string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commands[command]
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// plan is a small load of n requests.
func plan(t *testing.T, e Endpoint, mix string, n int64) Plan {
	t.Helper()
	operations, err := ParseMix(mix, nil)
	if err != nil {
		t.Fatal(err)
	}
	size, err := ParseSize("10-100")
	if err != nil {
		t.Fatal(err)
	}
	choice, err := ParseChoice("uniform")
	if err != nil {
		t.Fatal(err)
	}
	return Plan{Server: e, Clients: 3, Pipeline: 4, Operations: operations, Keys: 50, Prefix: "t:", Choice: choice,
		Size: size, Requests: n}
}

func mustRun(t *testing.T, p Plan) *Result {
	t.Helper()
	r, err := p.Run(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
