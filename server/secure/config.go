// Package secure makes the configuration of crypto/tls out of larder's parameters: it reads the files
// that they name, and knows the names that OpenSSL has for ciphers, which is what redis.conf holds.
package secure

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/server/config"
)

// Config reads the files and makes what new connections are to have. It has keys of its own for
// tickets: clients whose session began under another Config, with other authorities perhaps, shake
// hands in full.
func Config(v *config.Values, now func() time.Time) (*tls.Config, error) {
	pair, err := keyPair(v)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		Time:         now,
		Certificates: []tls.Certificate{pair},
		// Records of 16 KiB from the first one on, as OpenSSL's: short ones are for browsers that show a
		// page before they have all of it.
		DynamicRecordSizingDisabled: true,
		SessionTicketsDisabled:      !v.TLSSessionCaching,
	}
	if c.MinVersion, c.MaxVersion, err = versions(v.TLSVersions()); err != nil {
		return nil, err
	}
	if c.CipherSuites, err = ciphers(v.TLSCiphers); err != nil {
		return nil, err
	}
	if err := checkSuites(v.TLSCiphersuites); err != nil {
		return nil, err
	}
	switch v.TLSAuthClients {
	case "yes":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case "optional":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if c.ClientAuth != tls.NoClientCert {
		if c.ClientCAs, err = authorities(v); err != nil {
			return nil, err
		}
	}
	limitSessions(c, time.Duration(v.TLSSessionTimeout)*time.Second, now)
	return c, nil
}

func keyPair(v *config.Values) (pair tls.Certificate, err error) {
	for _, file := range [...]struct{ parameter, name string }{
		{"tls-cert-file", v.TLSCertFile}, {"tls-key-file", v.TLSKeyFile},
	} {
		if file.name == "" {
			return pair, fmt.Errorf("%s is not set, and tls-port is", file.parameter)
		}
	}
	cert, err := os.ReadFile(v.Path(v.TLSCertFile))
	if err != nil {
		return pair, fmt.Errorf("tls-cert-file: %w", err)
	}
	key, err := os.ReadFile(v.Path(v.TLSKeyFile))
	if err != nil {
		return pair, fmt.Errorf("tls-key-file: %w", err)
	}
	if key, err = decryptKey(key, v.TLSKeyFilePass); err != nil {
		return pair, fmt.Errorf("tls-key-file: %w", err)
	}
	if pair, err = tls.X509KeyPair(cert, key); err != nil {
		return pair, fmt.Errorf("tls-cert-file %s and tls-key-file %s: %w", v.TLSCertFile, v.TLSKeyFile, err)
	}
	return pair, nil
}

// authorities reads tls-ca-cert-file and all of tls-ca-cert-dir. OpenSSL finds files of such a folder
// by names made of hashes; here every file counts in which there is a certificate.
func authorities(v *config.Values) (*x509.CertPool, error) {
	if v.TLSCACertFile == "" && v.TLSCACertDir == "" {
		return nil, errors.New("tls-auth-clients needs tls-ca-cert-file or tls-ca-cert-dir")
	}
	pool := x509.NewCertPool()
	if v.TLSCACertFile != "" {
		pem, err := os.ReadFile(v.Path(v.TLSCACertFile))
		if err != nil {
			return nil, fmt.Errorf("tls-ca-cert-file: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls-ca-cert-file: no certificate in %s", v.TLSCACertFile)
		}
	}
	if v.TLSCACertDir == "" {
		return pool, nil
	}
	dir := v.Path(v.TLSCACertDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("tls-ca-cert-dir: %w", err)
	}
	found := false
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			continue // a link to nowhere, a folder
		}
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("tls-ca-cert-dir: %w", err)
		}
		found = pool.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, fmt.Errorf("tls-ca-cert-dir: no certificate in %s", v.TLSCACertDir)
	}
	return pool, nil
}

// versions reads tls-protocols. crypto/tls takes the first and the last one.
func versions(words []string) (first, last uint16, err error) {
	names := []string{"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}
	wanted := make([]bool, len(names))
	for _, word := range words {
		at := slices.Index(names, strings.ToLower(word))
		if at < 0 {
			return 0, 0, fmt.Errorf("tls-protocols: %q is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", word)
		}
		wanted[at] = true
	}
	from := slices.Index(wanted, true)
	to := from
	for to+1 < len(wanted) && wanted[to+1] {
		to++
	}
	if slices.Contains(wanted[to+1:], true) {
		return 0, 0, errors.New("tls-protocols: a version between others cannot be left out")
	}
	return tls.VersionTLS10 + uint16(from), tls.VersionTLS10 + uint16(to), nil
}

// limitSessions has tickets be good for so long. crypto/tls alone would take them for a week.
func limitSessions(c *tls.Config, long time.Duration, now func() time.Time) {
	c.WrapSession = func(cs tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		session.Extra = [][]byte{binary.BigEndian.AppendUint64(nil, uint64(now().Unix()))}
		return c.EncryptTicket(cs, session)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		session, err := c.DecryptTicket(ticket, cs)
		if session == nil || err != nil {
			return nil, err
		}
		if len(session.Extra) != 1 || len(session.Extra[0]) != 8 {
			return nil, nil
		}
		made := time.Unix(int64(binary.BigEndian.Uint64(session.Extra[0])), 0)
		if age := now().Sub(made); age < 0 || age > long {
			return nil, nil // a handshake in full
		}
		return session, nil
	}
}
