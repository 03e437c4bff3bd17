package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	t.Setenv(PasswordEnv, "")
	for _, c := range []struct {
		name                    string
		target                  Target
		network, addr, user, pw string
		db                      int
		server                  string // name that the certificate has to be for; "-": no TLS
	}{
		{"nothing", Target{DB: -1}, "tcp", DefaultAddr, "", "", 0, "-"},
		{"address", Target{Addr: "cache:7000", DB: 3}, "tcp", "cache:7000", "", "", 3, "-"},
		{"socket", Target{Addr: "/run/larder.sock"}, "unix", "/run/larder.sock", "", "", 0, "-"},
		{"URL", Target{URL: "redis://ann:pa%3Ass@cache:7000/2", DB: -1}, "tcp", "cache:7000", "ann", "pa:ss", 2, "-"},
		{"flags before URL", Target{URL: "redis://ann:p@cache/2", User: "bob", Password: "q", DB: 0}, "tcp",
			"cache:6379", "bob", "q", 0, "-"},
		{"TLS by URL", Target{URL: "rediss://cache:7000", DB: -1}, "tcp", "cache:7000", "", "", 0, "cache"},
		{"TLS", Target{Addr: "[::1]:7000", TLS: true, DB: -1}, "tcp", "[::1]:7000", "", "", 0, "::1"},
		{"name", Target{ServerName: "larder.example"}, "tcp", DefaultAddr, "", "", 0, "larder.example"},
	} {
		o, err := c.target.Options()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		server := "-"
		if o.TLSConfig != nil {
			server = o.TLSConfig.ServerName
		}
		if o.Network != c.network || o.Addr != c.addr || o.Username != c.user || o.Password != c.pw || o.DB != c.db ||
			server != c.server {
			t.Errorf("%s: %s %s, user %q with %q, database %d, TLS for %s", c.name, o.Network, o.Addr, o.Username,
				o.Password, o.DB, server)
		}
	}
}

func TestPasswordFromTheEnvironmentComesLast(t *testing.T) {
	t.Setenv(PasswordEnv, "of the environment")
	for want, target := range map[string]Target{
		"of the environment": {User: "ann"}, "of the flag": {Password: "of the flag"}, "url": {URL: "redis://:url@h"},
	} {
		if o, err := target.Options(); err != nil || o.Password != want {
			t.Errorf("%+v: %v, %v", target, o, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Setenv(PasswordEnv, "")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, target := range map[string]Target{
		"no address":             {Addr: "localhost"},
		"one of them is enough":  {Addr: "h:1", URL: "redis://h"},
		"not of the form":        {URL: "redis://:secret@h:port/1"},
		"has no password":        {User: "ann"},
		"no such file":           {CACert: empty + ".not"},
		"no certificate in it":   {CACert: empty},
		"belong together":        {Cert: empty},
		"the client's certifica": {Cert: empty, Key: empty},
	} {
		_, err := target.Options()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", target, err, want)
		}
	}
}
