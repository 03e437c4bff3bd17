package clients

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/certtest"
	"github.com/larderkv/larder/tests/harness"
)

// authority signs certificates into a folder.
type authority struct {
	t    *testing.T
	dir  string
	name string
	cert *tls.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir(), name: name}
	a.cert = a.sign("ca", a.subject("ca"), time.Now().Add(time.Hour))
	return a
}

// file is a name in the folder: ca.crt, or that of what has been issued.
func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) subject(name string) pkix.Name { return pkix.Name{CommonName: a.name + " " + name} }

// issue writes NAME.crt and NAME.key.
func (a *authority) issue(name string, until time.Time) {
	a.sign(name, a.subject(name), until)
}

// issueTo writes those of a client with such common names.
func (a *authority) issueTo(name string, commonNames ...string) {
	var subject pkix.Name
	for _, cn := range commonNames {
		subject.ExtraNames = append(subject.ExtraNames,
			pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: cn})
	}
	a.sign(name, subject, time.Now().Add(time.Hour))
}

func (a *authority) sign(name string, subject pkix.Name, until time.Time) *tls.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := certtest.Sign(&x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: a.cert == nil,
	}, a.cert)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := certtest.Write(c, a.file(name+".crt"), a.file(name+".key")); err != nil {
		a.t.Fatal(err)
	}
	return c
}

// client is the TLS configuration of a client that trusts the authority, with the certificate of that
// name, "" for none.
func (a *authority) client(name string) *tls.Config {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert.Leaf)
	c := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
		if err != nil {
			a.t.Fatal(err)
		}
		// Also to a server that does not name the authority.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

// startTLS starts a larder that serves nothing but TLS, with the certificate named server.
func startTLS(t *testing.T, a *authority, params ...string) *harness.Server {
	t.Helper()
	return harness.Start(t, tlsParams(t, a, params...)...)
}

// tlsParams are those of a server with the certificate named server.
func tlsParams(t *testing.T, a *authority, params ...string) []string {
	t.Helper()
	a.issue("server", time.Now().Add(time.Hour))
	a.issue("client", time.Now().Add(time.Hour))
	return append([]string{
		"tls-port " + harness.FreePort(t), "tls-cert-file " + a.file("server.crt"), "tls-key-file " +
			a.file("server.key"),
		"tls-ca-cert-file " + a.file("ca.crt"),
	}, params...)
}

func tlsClient(t *testing.T, s *harness.Server, c *tls.Config) *redis.Client {
	r := patient(&redis.Options{Addr: s.Addr, TLSConfig: c, MaxRetries: -1})
	t.Cleanup(func() { _ = r.Close() }) // some are closed by the test
	return r
}

// TestTLSClients: go-redis, redis-py and redis-cli, with both drivers.
func TestTLSClients(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		a, wrong := newAuthority(t, "ours"), newAuthority(t, "theirs")
		s := startTLS(t, a, "network-driver "+driver)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			conf := a.client("client")
			conf.MinVersion, conf.MaxVersion = version, version
			r := tlsClient(t, s, conf)
			size := 1 << 20
			if version == tls.VersionTLS13 && driver == harness.Drivers[0] {
				size = 100 << 20
			}
			value := strings.Repeat("x", size)
			if err := r.Set(t.Context(), "big", value, 0).Err(); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Get(t.Context(), "big").Result(); err != nil || got != value {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
		}
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		ca, cert, key := a.file("ca.crt"), a.file("client.crt"), a.file("client.key")
		out := harness.Python(t, "tests/clients/redispy_tls.py", host, port, ca, cert, key, wrong.file("ca.crt"))
		if out != "ok\n" {
			t.Error(out)
		}
		out = run(t, s, "SET cli 1\nINCR cli\nINFO server\n",
			"redis-cli", "--tls", "--cacert", ca, "--cert", cert, "--key", key)
		for _, want := range []string{"OK\n2\n", "tcp_port:" + port, "listener2:name=tls,bind=127.0.0.1,port=" + port} {
			if !strings.Contains(out, want) {
				t.Errorf("redis-cli: no %q in %s", want, out)
			}
		}
	})
}

// TestTLSRefusals: who gets in, by tls-auth-clients.
func TestTLSRefusals(t *testing.T) {
	a, wrong := newAuthority(t, "ours"), newAuthority(t, "theirs")
	wrong.issue("client", time.Now().Add(time.Hour))
	s := startTLS(t, a)
	a.issue("expired", time.Now().Add(-time.Hour))
	theirs := a.client("")
	theirs.GetClientCertificate = wrong.client("client").GetClientCertificate
	admin := tlsClient(t, s, a.client("client"))
	for auth, want := range map[string]map[string]bool{
		"yes":      {"good": true, "none": false, "expired": false, "wrong authority": false, "trusts another": false},
		"optional": {"good": true, "none": true, "expired": false, "wrong authority": false, "trusts another": false},
		"no":       {"good": true, "none": true, "expired": true, "wrong authority": true, "trusts another": false},
	} {
		if err := admin.ConfigSet(t.Context(), "tls-auth-clients", auth).Err(); err != nil {
			t.Fatal(err)
		}
		for who, conf := range map[string]*tls.Config{
			"good": a.client("client"), "none": a.client(""), "expired": a.client("expired"),
			"wrong authority": theirs, "trusts another": wrong.client(""),
		} {
			err := tlsClient(t, s, conf).Ping(t.Context()).Err()
			if want[who] != (err == nil) {
				t.Errorf("tls-auth-clients %s, %s: %v", auth, who, err)
			}
		}
	}
	// The client hears little of why; the operator finds it in the log.
	if log := s.Log(); !strings.Contains(log, `level=WARN msg="a TLS handshake failed" addr=127.0.0.1:`) {
		t.Errorf("no word of refused handshakes in the log:\n%s", log)
	}
}

// TestTLSReload: new certificates for new connections, under load, and those that are there stay.
func TestTLSReload(t *testing.T) {
	a := newAuthority(t, "ours")
	s := startTLS(t, a, "tls-auth-clients no")
	admin := tlsClient(t, s, a.client(""))
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for i := range 4 {
		r := tlsClient(t, s, a.client(""))
		load.Go(func() {
			for ctx.Err() == nil {
				if err := r.Incr(context.Background(), fmt.Sprint("n", i)).Err(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	name := func() string { return serial(t, s, a.client("")) }
	last := name()
	set := func(names ...string) error {
		args := []any{"config", "set"}
		for i, parameter := range []string{"tls-cert-file", "tls-key-file"} {
			args = append(args, parameter, a.file(names[i]))
		}
		return admin.Do(t.Context(), args...).Err()
	}
	for i := range 5 {
		next := fmt.Sprint("server", i)
		a.issue(next, time.Now().Add(time.Hour))
		if err := set(next+".crt", next+".key"); err != nil {
			t.Fatal(err)
		}
		if now := name(); now == last {
			t.Error("the old certificate")
		} else {
			last = now
		}
		const refusal = "ERR CONFIG SET failed (possibly related to argument 'tls-key-file') - Unable to update TLS configuration. Check server logs."
		if err := set(next+".crt", "ca.key"); err == nil || err.Error() != refusal {
			t.Errorf("a key of another certificate: %v", err)
		}
		if now := name(); now != last {
			t.Error("a pair that was refused is in use")
		}
	}
	stop()
	load.Wait()
}
