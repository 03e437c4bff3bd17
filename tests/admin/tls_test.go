package admin_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// certificate writes one for 127.0.0.1 with its key into files, and returns who trusts it.
func certificate(t *testing.T) (cert, key string, trust *x509.CertPool) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	pair := lender.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	trust = x509.NewCertPool()
	trust.AddCert(lender.Certificate())
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert"), filepath.Join(dir, "key"), trust
}

// With TLS for clients there is TLS here, with the same certificate and the same demands, and nothing
// without it.
func TestTLS(t *testing.T) {
	cert, key, trust := certificate(t)
	r := start(t, "port "+harness.FreePort(t), "tls-port "+harness.FreePort(t), "tls-cert-file "+cert, "tls-key-file "+key, "tls-auth-clients no")
	ask := func(c *tls.Config) (int, error) {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
		req, err := http.NewRequest("GET", "https://"+r.admin+"/api/server", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", password)
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if status, err := ask(&tls.Config{RootCAs: trust}); status != 200 {
		t.Errorf("%d, %v", status, err)
	}
	if _, err := ask(&tls.Config{}); err == nil {
		t.Error("a client that does not trust the certificate got a reply")
	}
	r.expect(400, "GET", "/api/server")
	r.expect(400, "GET", "/healthz")
	r.conn.MustOK("CONFIG", "SET", "tls-ca-cert-file", cert, "tls-auth-clients", "yes")
	if status, err := ask(&tls.Config{RootCAs: trust}); err == nil {
		t.Errorf("%d without a certificate of the client's", status)
	}
}

// TLS that is turned on while the server runs is here, too, for connections to come, and goes with it.
func TestTLSComesAndGoes(t *testing.T) {
	cert, key, trust := certificate(t)
	r := start(t)
	r.expect(200, "GET", "/healthz")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, DisableKeepAlives: true}}
	for range 2 {
		r.conn.MustOK("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key, "tls-auth-clients", "no", "tls-port", harness.FreePort(t))
		resp, err := client.Get("https://" + r.admin + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // nobody reads it
		r.http.CloseIdleConnections()
		r.expect(400, "GET", "/healthz")
		r.conn.MustOK("CONFIG", "SET", "tls-port", "0")
		if _, err := client.Get("https://" + r.admin + "/healthz"); err == nil {
			t.Error("TLS without a tls-port")
		}
		r.expect(200, "GET", "/healthz")
	}
}
