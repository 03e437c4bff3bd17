package clients

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

const noAuth = "-NOAUTH Authentication required.\r\n"

// whoami is ACL WHOAMI's reply, or the refusal.
func whoami(c *harness.Conn) string {
	r := c.Do("ACL", "WHOAMI")
	if r.IsError() {
		return r.Raw
	}
	return r.Text
}

// TestTLSUsers: with tls-auth-clients-user CN a client begins as the user that its certificate names,
// and in all other cases as any client.
func TestTLSUsers(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		a := newAuthority(t, "ours")
		for name, commonNames := range map[string][]string{
			"alice": {"alice"}, "bob": {"bob"}, "nobody": {"nobody"}, "default": {"default"},
			"twice": {"alice", "default"}, "empty": {},
			"case": {"ALICE"}, "long": {strings.Repeat("a", 300)},
		} {
			a.issueTo(name, commonNames...)
		}
		s := startTLS(t, a, "network-driver "+driver, "tls-auth-clients-user CN", "tls-auth-clients optional")
		admin := s.DialTLS(t, a.client(""))
		check := func(when string, want map[string]string) {
			t.Helper()
			for name, user := range want {
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					conf := a.client(name)
					conf.MaxVersion = version
					if got := whoami(s.DialTLS(t, conf)); got != user {
						t.Errorf("%s, certificate %q: %q, want %q", when, name, got, user)
					}
				}
			}
		}
		admin.MustOK("ACL", "SETUSER", "alice", "on", "+@all", "~*")
		admin.MustOK("ACL", "SETUSER", "bob", "off", "nopass", "+@all")
		check("without a password", map[string]string{
			"alice": "alice", "bob": "default", "nobody": "default", "default": "default", "": "default",
			"twice": "alice",
			"empty": "default", "case": "default", "long": "default",
		})
		admin.MustOK("CONFIG", "SET", "requirepass", "main")
		check("with requirepass", map[string]string{
			"alice": "alice", "bob": noAuth, "nobody": noAuth, "default": "default", "": noAuth, "twice": "alice",
			"empty": noAuth,
		})
		admin.MustOK("CONFIG", "SET", "tls-auth-clients", "no")
		check("without certificates", map[string]string{"alice": noAuth, "default": noAuth})
		admin.MustOK("CONFIG", "SET", "tls-auth-clients", "yes", "tls-auth-clients-user", "off")
		check("off", map[string]string{"alice": noAuth, "default": noAuth})
	})
}

// TestTLSUserLater: what becomes of such a connection when it resets itself, and when its user changes.
func TestTLSUserLater(t *testing.T) {
	a := newAuthority(t, "ours")
	a.issueTo("alice", "alice")
	s := startTLS(t, a, "tls-auth-clients-user cn", "requirepass main")
	admin := s.DialTLS(t, a.client("client"))
	admin.MustOK("AUTH", "main")
	admin.MustOK("ACL", "SETUSER", "alice", "on", ">pw", "+@all", "-config", "~*")
	conf := a.client("alice")
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	c := s.DialTLS(t, conf)
	if got := c.Do("CONFIG", "GET", "port").Raw; !strings.HasPrefix(got, "-NOPERM User alice has no permissions") {
		t.Error(got)
	}
	again := s.DialTLS(t, conf) // c has read its ticket
	if !again.Conn.(*tls.Conn).ConnectionState().DidResume || whoami(again) != "alice" {
		t.Error("a resumed session is another user's, or has not been resumed")
	}
	if got := c.Do("RESET"); got.Text != "RESET" || whoami(c) != noAuth {
		t.Error("RESET leaves the user: ", got)
	}
	c.MustOK("AUTH", "alice", "pw")
	admin.MustOK("ACL", "SETUSER", "alice", "off")
	if got := whoami(again); got != "alice" {
		t.Errorf("%q, though Redis lets those stay who are there", got)
	}
	if got := whoami(s.DialTLS(t, conf)); got != noAuth {
		t.Errorf("a user who is off begins as %q", got)
	}
	if got := admin.Do("ACL", "DELUSER", "alice").Raw; got != ":1\r\n" {
		t.Error(got)
	}
	again.ReadUntilClosed()
}

// TestTLSUserAndDefault: with the default user off, who has no certificate of a user has to give a password.
func TestTLSUserAndDefault(t *testing.T) {
	a := newAuthority(t, "ours")
	a.issueTo("alice", "alice")
	s := startTLS(t, a, "tls-auth-clients-user CN", "user default off", "user alice on +acl|whoami",
		"user bob on >pw +ping")
	c := s.DialTLS(t, a.client("alice"))
	if got := whoami(c); got != "alice" {
		t.Error(got)
	}
	if got := s.DialTLS(t, a.client("client")).Do("PING").Raw; got != noAuth {
		t.Error(got)
	}
	c.MustOK("AUTH", "bob", "pw")
	if got := c.Do("PING").Raw; got != "+PONG\r\n" {
		t.Error(got)
	}
}
