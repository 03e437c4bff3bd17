package clients

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// at is the server at another port of the loopback.
func at(s *harness.Server, port string) *harness.Server {
	return &harness.Server{Name: s.Name, Addr: net.JoinHostPort("127.0.0.1", port)}
}

// portOf is the port of an address.
func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// refuses reports whether nobody listens at the port.
func refuses(t *testing.T, port string) bool {
	t.Helper()
	nc, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), time.Minute)
	if err == nil {
		return nc.Close() != nil
	}
	return true
}

func configGet(c *harness.Conn, name string) string { return c.Do("CONFIG", "GET", name).Elems[1].Text }

// refusedSet sends a CONFIG SET that has to fail in these words.
func refusedSet(t *testing.T, c *harness.Conn, name, why string, settings ...string) {
	t.Helper()
	want := "-ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why + "\r\n"
	if got := c.Do(append([]string{"CONFIG", "SET"}, settings...)...).Raw; got != want {
		t.Errorf("%q:\n got %q\nwant %q", settings, got, want)
	}
}

const (
	errPort = "Unable to listen on this port. Check server logs."
	errBind = "Failed to bind to specified addresses."
	errTLS  = "Unable to update TLS configuration. Check server logs."
)

// foreign is an address that no machine has (RFC 5737).
const foreign = "203.0.113.1"

// TestPortChanges: CONFIG SET port opens the new port, closes the old one, and leaves clients alone. The
// texts are Redis'.
func TestPortChanges(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		first := portOf(t, s.Addr)
		c := s.Dial(t)
		one, other := harness.FreePort(t), harness.FreePort(t)
		c.MustOK("CONFIG", "SET", "port", one)
		if !refuses(t, first) {
			t.Error("the old port is still open")
		}
		d := at(s, one).Dial(t)
		if got := d.Do("PING").Raw; got != "+PONG\r\n" {
			t.Error(got)
		}
		if c.Info("server", "tcp_port") != one || c.Info("server", "listener0") != "name=tcp,bind=127.0.0.1,port="+one {
			t.Errorf("INFO: %s", c.Do("INFO", "server").Text)
		}
		busy, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer busy.Close()
		taken := portOf(t, busy.Addr().String())
		refusedSet(t, c, "port", errPort, "hz", "11", "port", taken)
		if configGet(c, "port") != one || configGet(c, "hz") != "10" {
			t.Error("what was refused is in force")
		}
		at(s, one).Dial(t).MustOK("CONFIG", "SET", "port", one, "bind", "127.0.0.1")
		c.MustOK("CONFIG", "SET", "port", "0")
		if got := c.Info("server", "tcp_port"); got != "0" || !refuses(t, one) {
			t.Errorf("port 0: tcp_port %s", got)
		}
		if got := d.Do("CONFIG", "SET", "port", other).Raw; got != "+OK\r\n" {
			t.Error("a client of a port that is gone: ", got)
		}
		at(s, other).Dial(t).MustOK("SET", "k", "v")
	})
}

// TestBindChanges: addresses that stay are never closed; one that cannot be had changes nothing, also
// where the old ones had to be closed to try it.
func TestBindChanges(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	port := portOf(t, s.Addr)
	stop, over := make(chan struct{}), sync.WaitGroup{}
	over.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			nc, err := net.DialTimeout("tcp", s.Addr, time.Minute)
			if err != nil {
				t.Error("an address that stays: ", err)
				return
			}
			_, err = nc.Write([]byte("PING\r\n"))
			if err == nil {
				_, err = nc.Read(make([]byte, 10))
			}
			if err != nil {
				t.Error("a client of an address that stays: ", err)
			}
			_ = nc.Close() // has been answered
		}
	})
	for range 20 {
		c.MustOK("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2 -"+foreign)
		nc, err := net.Dial("tcp", net.JoinHostPort("127.0.0.2", port))
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.Close() // nothing was sent
		refusedSet(t, c, "bind", errBind, "bind", "127.0.0.1 127.0.0.3 "+foreign)
		refusedSet(t, c, "bind", errBind, "bind", "127.0.0.1 127.0.0.1")
		c.MustOK("CONFIG", "SET", "bind", "127.0.0.1")
	}
	close(stop)
	over.Wait()
	other := harness.FreePort(t) // the first one given that changes is to blame
	refusedSet(t, c, "port", errPort, "port", other, "bind", foreign)
	refusedSet(t, c, "bind", errBind, "bind", foreign, "port", other)
	c.MustOK("CONFIG", "SET", "port", port) // as the system has chosen it
	refusedSet(t, c, "bind", errBind, "port", port, "bind", foreign)
	c.MustOK("CONFIG", "SET", "bind", "*")
	refusedSet(t, c, "bind", errBind, "bind", "127.0.0.1 "+foreign)
	if got := c.Info("server", "listener0"); got != "name=tcp,bind=*,port="+port || configGet(c, "bind") != "*" {
		t.Errorf("what had to be closed for a try: %s", got)
	}
	s.Dial(t).MustOK("CONFIG", "SET", "bind", "127.0.0.1")
	s.Dial(t).MustOK("CONFIG", "SET", "bind", "")
	if got := c.Do("INFO", "server").Text; strings.Contains(got, "listener0") || !refuses(t, port) {
		t.Error("nowhere to listen, and still listening")
	}
	c.MustOK("CONFIG", "SET", "bind", "127.0.0.1")
	s.Dial(t).MustOK("SET", "k", "v")
}

// TestTLSPortChanges: TLS can be turned on, moved and turned off while the server runs.
func TestTLSPortChanges(t *testing.T) {
	a := newAuthority(t, "ours")
	a.issue("server", time.Now().Add(time.Hour))
	a.issue("client", time.Now().Add(time.Hour))
	s := harness.Start(t)
	c := s.Dial(t)
	one, other := harness.FreePort(t), harness.FreePort(t)
	refusedSet(t, c, "tls-port", errTLS, "tls-port", one)
	c.MustOK("CONFIG", "SET", "tls-cert-file", a.file("server.crt"), "tls-key-file", a.file("client.key"),
		"tls-ca-cert-file", a.file("ca.crt"))
	refusedSet(t, c, "tls-port", errTLS, "tls-port", one)
	c.MustOK("CONFIG", "SET", "tls-port", one, "tls-key-file", a.file("server.key"))
	d := at(s, one).DialTLS(t, a.client("client"))
	d.MustOK("SET", "k", "v")
	if got := c.Info("server", "listener2"); got != "name=tls,bind=127.0.0.1,port="+one {
		t.Error(got)
	}
	refusedSet(t, d, "tls-key-file", errTLS, "tls-key-file", a.file("client.key"), "tls-port", other)
	if !strings.Contains(s.Log(), "127.0.0.1:"+one+" (TLS)") {
		t.Errorf("the log does not say where TLS is: %s", s.Log())
	}
	plain := portOf(t, s.Addr)
	refusedSet(t, d, "tls-port", errPort, "tls-port", plain)
	at(s, one).DialTLS(t, a.client("client")).MustOK("CONFIG", "SET", "tls-port", other)
	if !refuses(t, one) {
		t.Error("the old port is still open")
	}
	// Each takes the other's place.
	d.MustOK("CONFIG", "SET", "port", other, "tls-port", one)
	at(s, one).DialTLS(t, a.client("client")).MustOK("SET", "k", "v")
	at(s, other).Dial(t).MustOK("CONFIG", "SET", "port", "0")
	d.MustOK("SET", "k", "v")
	if got := c.Info("server", "tcp_port"); got != one {
		t.Errorf("TLS alone: tcp_port %s", got)
	}
	c.MustOK("CONFIG", "SET", "tls-port", "0")
	d.MustOK("SET", "k", "v")
	if !refuses(t, one) {
		t.Error("tls-port 0 is still open")
	}
}
