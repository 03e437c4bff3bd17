package clients

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// serial is the number of the certificate that a server shows.
func serial(t *testing.T, s *harness.Server, conf *tls.Config) string {
	t.Helper()
	c := s.DialTLS(t, conf)
	defer c.Close()
	return c.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestTLSHangUp: SIGHUP reads the files anew. A pair that does not fit leaves the old one in force, with
// a line in the log; clients stay.
func TestTLSHangUp(t *testing.T) {
	a := newAuthority(t, "ours")
	s := harness.StartBinary(t, tlsParams(t, a)...)
	conf := a.client("client")
	stays := s.DialTLS(t, conf)
	first := serial(t, s, conf)

	a.issue("other", time.Now().Add(time.Hour))
	key, err := os.ReadFile(a.file("other.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file("server.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Signal(t, syscall.SIGHUP)
	harness.Eventually(t, exits, "the log says that the pair is bad", func() bool {
		return strings.Contains(s.Log(), "the TLS configuration stays as it was")
	})
	if got := serial(t, s, conf); got != first {
		t.Errorf("after a bad pair certificate %s, not %s", got, first)
	}

	a.issue("server", time.Now().Add(time.Hour))
	s.Signal(t, syscall.SIGHUP)
	harness.Eventually(t, exits, "the new certificate is shown", func() bool { return serial(t, s, conf) != first })
	harness.Eventually(t, exits, "the log says so",
		func() bool { return strings.Contains(s.Log(), "certificates read anew") })
	if got := stays.Do("PING").Raw; got != "+PONG\r\n" {
		t.Error(got)
	}
}

// TestHangUpWithoutTLS: SIGHUP ends nobody.
func TestHangUpWithoutTLS(t *testing.T) {
	s := harness.StartBinary(t)
	c := s.Dial(t)
	s.Signal(t, syscall.SIGHUP)
	harness.Eventually(t, exits, "the log says that there is nothing to do",
		func() bool { return strings.Contains(s.Log(), "nothing to read anew") })
	if got := c.Do("PING").Raw; got != "+PONG\r\n" {
		t.Error(got)
	}
}

// openssl is a running `openssl s_client`, which does what clients' libraries do not.
type openssl struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func sClient(t *testing.T, s *harness.Server, a *authority, args ...string) *openssl {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	addr := s.Secure
	if addr == "" {
		addr = s.Addr
	}
	cmd := exec.CommandContext(ctx, harness.Tool(t, "openssl", "apt-get install openssl"), append([]string{
		"s_client", "-connect", addr, "-CAfile", a.file("ca.crt"), "-cert", a.file("client.crt"), "-key",
		a.file("client.key"),
	}, args...)...)
	o := &openssl{t: t, cmd: cmd}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, outWriter := io.Pipe()
	o.in, o.out = in, bufio.NewReader(out)
	cmd.Stdout, cmd.Stderr = outWriter, outWriter
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		outWriter.CloseWithError(cmd.Wait())
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		_ = out.Close() // nobody reads what it still says
		<-ended
	})
	return o
}

// say writes a line; those of one letter are orders to openssl.
func (o *openssl) say(line string) {
	o.t.Helper()
	if _, err := io.WriteString(o.in, line+"\n"); err != nil {
		o.t.Fatal(err)
	}
}

// hear reads until there is a text in a line.
func (o *openssl) hear(text string) {
	o.t.Helper()
	var all bytes.Buffer
	for {
		line, err := o.out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			o.t.Fatalf("no %q: %v\n%s", text, err, &all)
		}
	}
}

// TestTLSKeyUpdate: a client of TLS 1.3 changes keys, and asks the server to.
func TestTLSKeyUpdate(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		a := newAuthority(t, "ours")
		s := startTLS(t, a, "network-driver "+driver)
		o := sClient(t, s, a, "-tls1_3")
		o.say("PING")
		o.hear("+PONG")
		for i := range 10 {
			o.say([]string{"K", "k"}[i%2]) // the big letter asks for the server's
			o.hear("KEYUPDATE")
			o.say(fmt.Sprintf("PING answer%d", i))
			o.hear(fmt.Sprintf("answer%d", i))
		}
	})
}

// TestTLSRenegotiation: a client of TLS 1.2 that begins another handshake in its connection is refused,
// and nobody else notices.
func TestTLSRenegotiation(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		a := newAuthority(t, "ours")
		s := startTLS(t, a, "network-driver "+driver)
		c := s.DialTLS(t, a.client("client"))
		for range 5 {
			o := sClient(t, s, a, "-tls1_2")
			o.say("PING")
			o.hear("+PONG")
			o.say("R")
			o.hear("RENEGOTIATING")
			said, err := io.ReadAll(o.out)
			if !strings.Contains(string(said), "alert") {
				t.Errorf("%v\n%s", err, said)
			}
			if got := c.Do("PING").Raw; got != "+PONG\r\n" {
				t.Error(got)
			}
		}
		harness.Eventually(t, exits, "those clients are gone",
			func() bool { return c.Info("clients", "connected_clients") == "1" })
	})
}

// TestMaxClientsOfAllListeners: all that connect count, wherever they do, and who is one too many is
// told so, by TLS in TLS.
func TestMaxClientsOfAllListeners(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		a := newAuthority(t, "ours")
		s := harness.Start(t, tlsParams(t, a, "network-driver "+driver, "port "+harness.FreePort(t),
			"unixsocket larder.sock", "maxclients 6")...)
		dial := []func() *harness.Conn{
			func() *harness.Conn { return s.Dial(t) },
			func() *harness.Conn { return s.DialTLS(t, a.client("client")) },
			func() *harness.Conn { return s.DialUnix(t) },
		}
		var all []*harness.Conn
		for i := range 6 {
			c := dial[i%3]()
			if got := c.Do("PING").Raw; got != "+PONG\r\n" {
				t.Fatal(got)
			}
			all = append(all, c)
		}
		for i, d := range dial {
			if got := d().ReadUntilClosed(); got != "-ERR max number of clients reached\r\n" {
				t.Errorf("listener %d: %q", i, got)
			}
		}
		if got := all[0].Info("clients", "connected_clients"); got != "6" {
			t.Errorf("connected_clients:%s", got)
		}
		if err := all[1].Close(); err != nil { // TLS makes room for a Unix socket
			t.Error(err)
		}
		harness.Eventually(t, exits, "there is room",
			func() bool { return all[0].Info("clients", "connected_clients") == "5" })
		if got := s.DialUnix(t).Do("PING").Raw; got != "+PONG\r\n" {
			t.Error(got)
		}
	})
}

// outside is an address of this machine by which a client counts as one from another machine.
func outside(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but the loopback's")
	return ""
}

// TestProtectedModeOfTLS: without a password, whoever comes from another machine is refused, in TLS as
// well, and also if its certificate names a user; Redis looks at the default user alone.
func TestProtectedModeOfTLS(t *testing.T) {
	ip := outside(t)
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		a := newAuthority(t, "ours")
		a.issueTo("alice", "alice")
		s := startTLS(t, a, "network-driver "+driver, "bind 127.0.0.1 "+ip, "tls-auth-clients-user CN",
			"user alice on +@all ~*")
		far := &harness.Server{Name: s.Name, Addr: net.JoinHostPort(ip, portOf(t, s.Addr))}
		local := s.DialTLS(t, a.client("client"))
		for _, name := range []string{"client", "alice"} {
			if got := far.DialTLS(t, a.client(name)).ReadUntilClosed(); !strings.HasPrefix(got,
				"-DENIED Redis is running in protected mode") {
				t.Errorf("%s: %q", name, got)
			}
		}
		local.MustOK("CONFIG", "SET", "requirepass", "main")
		c := far.DialTLS(t, a.client("client"))
		c.MustOK("AUTH", "main")
		if got := whoami(far.DialTLS(t, a.client("alice"))); got != "alice" {
			t.Error(got)
		}
	})
}

// TestThousandHandshakes: a thousand clients that begin a handshake and say nothing more are no clients
// yet, take little memory, and keep nobody out.
func TestThousandHandshakes(t *testing.T) {
	a := newAuthority(t, "ours")
	s := harness.StartBinary(t, tlsParams(t, a, "maxclients 100")...)
	plain, secured := s.Dial(t), s.DialTLS(t, a.client("client"))
	before := s.RSS(t)
	for i := range 1000 {
		nc, err := net.DialTimeout("tcp", s.Secure, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		// Nothing, the head of a record, or a good part of a hello.
		if _, err := nc.Write([]byte{22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3}[:[]int{0, 5, 11}[i%3]]); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			for _, c := range []*harness.Conn{plain, secured, s.DialTLS(t, a.client("client"))} {
				if got := c.Do("PING").Raw; got != "+PONG\r\n" {
					t.Fatal(got)
				}
			}
		}
	}
	if got := plain.Info("clients", "connected_clients"); got != "12" {
		t.Errorf("connected_clients:%s", got)
	}
	if grown := s.RSS(t) - before; grown > 64<<20 {
		t.Errorf("%d bytes more", grown)
	}
	for range 50 { // what came before has made no room scarce
		c := s.DialTLS(t, a.client("client"))
		if got := c.Do("PING").Raw; got != "+PONG\r\n" {
			t.Fatal(got)
		}
	}
}

// TestPlainTextToTLS: who speaks without TLS, or in a version that is too old, gets no reply and is gone.
func TestPlainTextToTLS(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		a := newAuthority(t, "ours")
		s := harness.Start(t, tlsParams(t, a, "network-driver "+driver, "port "+harness.FreePort(t))...)
		c := s.DialTLS(t, a.client("client"))
		for _, text := range []string{"PING\r\n", harness.Encode("SET", "k", "v"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			strings.Repeat("x", 1<<20)} {
			wrong := at(s, portOf(t, s.Secure)).Dial(t)
			_ = wrong.TryWrite(text) // the server may hang up in the middle of it
			if got := wrong.ReadUntilClosed(); strings.Contains(got, "PONG") || strings.Contains(got, "OK") {
				t.Errorf("%.20q: %q", text, got)
			}
		}
		if got := c.Do("EXISTS", "k").Raw; got != ":0\r\n" {
			t.Error(got)
		}
		for _, old := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			conf := a.client("client")
			conf.MinVersion, conf.MaxVersion = old, old
			nc, err := net.Dial("tcp", s.Secure)
			if err != nil {
				t.Fatal(err)
			}
			if err := tls.Client(nc, conf).HandshakeContext(t.Context()); err == nil ||
				!strings.Contains(err.Error(), "protocol version") {
				t.Errorf("version %x: %v", old, err)
			}
			_ = nc.Close() // the handshake has failed
		}
		if got := c.Do("PING").Raw; got != "+PONG\r\n" {
			t.Error(got)
		}
	})
}
