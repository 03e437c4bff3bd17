// Package certtest makes the certificates of tests and benchmarks.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Sign makes a key of P-256 and a certificate for it from a template, signed by parent, or by itself if
// that is nil. Its Leaf is set.
func Sign(template *x509.Certificate, parent *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	c := &tls.Certificate{Leaf: template, PrivateKey: key}
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Leaf, &key.PublicKey, parent.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	c.Certificate = [][]byte{der}
	c.Leaf, err = x509.ParseCertificate(der)
	return c, err
}

// Write writes a certificate and its key into two files, as PEM.
func Write(c *tls.Certificate, certFile, keyFile string) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	return errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}
