package secure

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/tests/certtest"
)

// folder makes a certificate that signs itself, and its key, as cert.pem and key.pem.
func folder(t *testing.T) string {
	t.Helper()
	cert, err := certtest.Sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: "test"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := certtest.Write(cert, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, dir string, params ...string) (*tls.Config, error) {
	t.Helper()
	cfg, err := config.Load("",
		append([]string{"--dir", dir, "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
			"--tls-auth-clients", "no"}, params...))
	if err != nil {
		t.Fatal(err)
	}
	return Config(cfg.Values(), time.Now)
}

func TestRefusals(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "empty.pem"), nil)
	for want, params := range map[string][]string{
		"tls-cert-file is not set":                  {"--tls-cert-file", ""},
		"tls-key-file is not set":                   {"--tls-key-file", ""},
		"no such file":                              {"--tls-cert-file", "none.pem"},
		"tls-cert-file empty.pem and tls-key-file":  {"--tls-cert-file", "empty.pem"},
		"needs tls-ca-cert-file or tls-ca-cert-dir": {"--tls-auth-clients", "yes"},
		"no certificate in empty.pem":               {"--tls-auth-clients", "yes", "--tls-ca-cert-file", "empty.pem"},
		"no certificate in sub":                     {"--tls-auth-clients", "optional", "--tls-ca-cert-dir", "sub"},
		"none of TLSv1":                             {"--tls-protocols", "SSLv3"},
		"cannot be left out":                        {"--tls-protocols", "TLSv1.1 TLSv1.3"},
		`unknown name "ECDHE-NONE"`:                 {"--tls-ciphers", "DEFAULT:ECDHE-NONE"},
		`unknown name "TLS_NONE"`:                   {"--tls-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_NONE"},
		"leaves no cipher":                          {"--tls-ciphers", "DEFAULT:!ALL"},
	} {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := build(t, dir, params...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", params, err, want)
		}
	}
}

func TestAccepted(t *testing.T) {
	dir := folder(t)
	c, err := build(t, dir, "--tls-protocols", "TLSv1.1 tlsv1.2", "--tls-auth-clients", "yes", "--tls-ca-cert-dir",
		".", "--tls-session-caching", "no")
	if err != nil {
		t.Fatal(err)
	}
	if c.MinVersion != tls.VersionTLS11 || c.MaxVersion != tls.VersionTLS12 ||
		c.ClientAuth != tls.RequireAndVerifyClientCert || !c.SessionTicketsDisabled {
		t.Errorf("%+v", c)
	}
	if c, err = build(t, dir); err != nil || c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS13 ||
		c.CipherSuites != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestCiphers compares lists with what openssl says of them, as far as crypto/tls has it.
func TestCiphers(t *testing.T) {
	for _, list := range []string{
		"DEFAULT:!MEDIUM", "HIGH:!aNULL:!MD5", "ECDHE+AESGCM:ECDHE+CHACHA20:!aECDSA", "ALL:-RSA", "kRSA+AES256",
		"AES128:!SHA1",
		"ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", "EECDH+AES", "AESGCM:@STRENGTH", "aRSA+HIGH:!kRSA",
	} {
		got, err := ciphers(list)
		if err != nil {
			t.Errorf("%s: %v", list, err)
			continue
		}
		out, err := exec.Command("openssl", "ciphers", "-s", "-tls1_2", list+":@SECLEVEL=0").Output()
		if err != nil {
			t.Skip("needs openssl: ", err)
		}
		theirs := strings.Split(strings.TrimSpace(string(out)), ":")
		for _, s := range suites() {
			if s.weak && strings.Contains(list, "DEFAULT") {
				continue // is in OpenSSL's
			}
			if slices.Contains(got, s.id) != slices.Contains(theirs, s.openSSL) {
				t.Errorf("%s: %s is in one of the lists", list, s.openSSL)
			}
		}
	}
}

// TestEncryptedKeys: keys as openssl encrypts them.
func TestEncryptedKeys(t *testing.T) {
	dir := folder(t)
	for i, args := range []string{
		"pkcs8 -topk8 -v2 aes256", "pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512",
		"pkcs8 -topk8 -v2 aes-192-cbc -v2prf hmacWithSHA1", "ec -aes256",
	} {
		name := filepath.Join(dir, "encrypted.pem")
		cmd := exec.Command("openssl", append(strings.Fields(args), "-in", filepath.Join(dir, "key.pem"), "-passout",
			"pass:secret", "-out", name)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("needs openssl: %v %s", err, out)
		}
		for password, want := range map[string]string{"secret": "", "wrong": "tls-key-file-pass is not its password",
			"": "tls-key-file-pass is not set"} {
			_, err := build(t, dir, "--tls-key-file", "encrypted.pem", "--tls-key-file-pass", password)
			if want == "" && err != nil {
				t.Errorf("%d %s: %v", i, args, err)
			}
			// One wrong password in 256 leaves what looks like padding; then it is no key.
			if want != "" && (err == nil || !strings.Contains(err.Error(), want) && password == "") {
				t.Errorf("%d %s: %v, want %s", i, args, err, want)
			}
		}
	}
}

// TestSessionsEnd: a ticket is good for as long as the parameter says, and no longer.
func TestSessionsEnd(t *testing.T) {
	dir := folder(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg, err := config.Load("", []string{"--dir", dir, "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
			"--tls-auth-clients", "no", "--tls-session-cache-timeout", "100"})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		c, err := Config(cfg.Values(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{InsecureSkipVerify: true, ServerName: "test", MaxVersion: version,
			ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for i, step := range []struct {
			after   time.Duration
			resumes bool
		}{{0, false}, {99 * time.Second, true}, {102 * time.Second, false}, {time.Second, true}} {
			now = now.Add(step.after)
			if got := shake(t, c, client); got != step.resumes {
				t.Errorf("%x, step %d: resumed %v", version, i, got)
			}
		}
	}
}

// shake does a handshake and sends a byte, with which tickets come.
func shake(t *testing.T, server, client *tls.Config) (resumed bool) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			_, err = conn.Write([]byte{1})
			err = errors.Join(err, conn.Close(), ln.Close())
		}
		done <- err
	}()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().DidResume
}
