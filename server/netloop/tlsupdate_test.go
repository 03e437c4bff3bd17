package netloop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"runtime"
	"strings"
	"testing"
)

// sealer makes records of TLS 1.3, of which crypto/tls does not send all kinds (RFC 8446).
type sealer struct {
	t      *testing.T
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	next   uint64
}

// newSealer takes the client's secret out of a key log.
func newSealer(t *testing.T, log string) *sealer {
	t.Helper()
	_, rest, _ := strings.Cut(log, "CLIENT_TRAFFIC_SECRET_0 ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		t.Fatalf("no secret in %q", log)
	}
	secret, err := hex.DecodeString(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	s := &sealer{t: t}
	s.use(secret)
	return s
}

// expand is HKDF-Expand-Label.
func (s *sealer) expand(label string, n int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(append(info, byte(len(label))), label...), 0)
	key, err := hkdf.Expand(sha256.New, s.secret, string(info), n)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *sealer) use(secret []byte) {
	s.secret, s.next = secret, 0
	block, err := aes.NewCipher(s.expand("key", 16))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		s.t.Fatal(err)
	}
	s.iv = s.expand("iv", 12)
}

// seal appends a record.
func (s *sealer) seal(dst []byte, kind byte, content string) []byte {
	head := []byte{23, 3, 3}
	head = binary.BigEndian.AppendUint16(head, uint16(len(content)+1+s.aead.Overhead()))
	nonce := bytes.Clone(s.iv)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^s.next)
	s.next++
	return s.aead.Seal(append(dst, head...), nonce, append([]byte(content), kind), head)
}

// update appends an update of the key that asks the other side for one.
func (s *sealer) update(dst []byte) []byte {
	dst = s.seal(dst, 22, "\x18\x00\x00\x01\x01")
	s.use(s.expand("traffic upd", sha256.Size))
	return dst
}

// TestKeyUpdates: a client that has the keys updated after every byte of a long request costs what the
// updates cost. Answers that wait were once copied whenever another one came.
func TestKeyUpdates(t *testing.T) {
	s := startServer(t, network{tls: true}, Limits{})
	c := s.dial()
	var log bytes.Buffer
	conn := tls.Client(c.socket,
		&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &log})
	c.Conn = conn
	s.join(c)
	if conn.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("another cipher")
	}
	const updates = 40_000
	records := newSealer(t, log.String())
	in := records.seal(nil, 23, "echo ")
	for range 64 { // the longer it is already, the more is read at a time
		in = records.seal(in, 23, strings.Repeat("x", 16_000))
	}
	for range updates {
		in = records.seal(records.update(in), 23, strings.Repeat("x", 10))
	}
	in = records.seal(in, 23, "\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c.socket)
		read <- err
	}()
	if _, err := c.socket.Write(in); err != nil {
		t.Fatal(err)
	}
	s.eventually("the request", func() bool { return c.session.requests.Load() == 1 })
	runtime.ReadMemStats(&after)
	if each := int(after.TotalAlloc-before.TotalAlloc) / updates; each > 16<<10 {
		t.Errorf("%d bytes for each update", each)
	}
	c.session.conn.Kill(Killed)
	if err := <-read; err != nil {
		t.Error(err)
	}
	s.close()
}
