package admin_test

import (
	"net/http"
	"strings"
	"testing"
)

// Who gets in, and what those see who may not do everything.
func TestWhoGetsIn(t *testing.T) {
	r := start(t, "user reader on >reader-password ~r:* +@read +info", "user loose on nopass ~* +@all",
		"user away off >away-password ~* +@all", "user blind on >blind-password ~* +get")
	for _, x := range []struct {
		who    string
		change change
		status int
	}{
		{"nobody", nobody, 401},
		{"admin with a wrong password", as("admin", "x"), 401},
		{"admin without a password", as("admin", ""), 401},
		{"a user without a password", as("loose", "anything"), 401},
		{"the default user, who needs none", as("default", ""), 401},
		{"a user who is off", as("away", "away-password"), 401},
		{"no user", as("nobody", password), 401},
		{"half a header", header("Authorization", "Basic"), 401},
		{"another scheme", header("Authorization", "Bearer "+password), 401},
		{"admin", as("admin", password), 200},
		{"a user of ACL", as("reader", "reader-password"), 200},
		{"a user who may not say INFO", as("blind", "blind-password"), 403},
	} {
		if a := r.ask("GET", "/metrics", x.change); a.status != x.status {
			t.Errorf("%s: %d, want %d: %.200s", x.who, a.status, x.status, a.body)
		} else if challenged := a.header.Get("WWW-Authenticate") != ""; challenged != (x.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", x.who, a.header.Get("WWW-Authenticate"))
		}
	}
	if log := r.conn.Do("ACL", "LOG").Raw; !strings.Contains(log, "http") || strings.Contains(log, "x-password") {
		t.Errorf("ACL LOG: %s", log)
	}
	for path, status := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 401, "/health/cache": 401, "/debug/pprof/": 401, "/api/live": 401, "/api/server": 401,
	} {
		r.expect(status, "GET", path, nobody)
	}
	blind := as("blind", "blind-password")
	for path, right := range map[string]string{"/api/keys": "'scan'", "/api/hotkeys": "'hotkeys|get'", "/api/config": "'config|get'", "/metrics": "'info'"} {
		if a := r.expect(403, "GET", path, blind); !strings.Contains(a.body, "this needs the right to "+right) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	reader := as("reader", "reader-password")
	for path, status := range map[string]int{
		"/api/keys": 200, "/api/config": 403, "/api/clients": 403, "/api/slowlog": 403, "/debug/pprof/": 403, "/debug/pprof/heap": 403,
		"/api/key?" + named("other"): 403, "/api/key?" + named("r:1"): 404,
	} {
		r.expect(status, "GET", path, reader)
	}
}

// A password that changes lets the old one in no longer, and no password is no password for admin.
func TestPasswordChanges(t *testing.T) {
	r := start(t)
	r.conn.MustOK("CONFIG", "SET", "admin-password", "another")
	r.expect(401, "GET", "/api/server")
	r.expect(200, "GET", "/api/server", as("admin", "another"))
	r.conn.MustOK("CONFIG", "SET", "admin-password", "")
	r.expect(401, "GET", "/api/server", as("admin", ""))
	r.conn.MustOK("ACL", "SETUSER", "admin", "on", ">of-acl", "~*", "+info")
	r.expect(200, "GET", "/metrics", as("admin", "of-acl"))
	r.expect(403, "GET", "/api/config", as("admin", "of-acl"))
}

// The password of the admin server is nowhere to be read.
func TestPasswordsAreHidden(t *testing.T) {
	r := start(t, "requirepass another-secret")
	for _, path := range []string{"/api/config", "/api/server", "/metrics", "/api/slowlog", "/debug/pprof/goroutine?debug=2"} {
		a := r.expect(200, "GET", path)
		for _, secret := range []string{password, "another-secret"} {
			if strings.Contains(a.body, secret) {
				t.Errorf("%s shows a password", path)
			}
		}
	}
	r.expect(404, "GET", "/debug/pprof/cmdline")
	if strings.Contains(r.Log(), password) {
		t.Error("the log shows the password")
	}
}

// Other sites' pages can have a browser ask, but get nothing.
func TestOtherSites(t *testing.T) {
	r := start(t, "admin-write yes", "admin-hosts cache.example other.example")
	for name, status := range map[string]int{
		r.admin: 200, "127.0.0.1": 200, "[::1]:80": 200, "10.1.2.3:9999": 200, "localhost:1": 200, "LOCALHOST": 200, "localhost.": 200,
		"cache.example:80": 200, "Other.Example.": 200,
		"evil.example": 421, "evil.example:80": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "x.cache.example": 421,
		"127.0.0.1:80:80": 421, "xlocalhost": 421,
	} {
		for _, path := range []string{"/api/server", "/healthz"} {
			if a := r.ask("GET", path, host(name)); a.status != status {
				t.Errorf("Host %s: %d, want %d", name, a.status, status)
			}
		}
	}
	r.conn.MustOK("SET", "k", "v")
	token := r.token()
	for _, x := range []struct {
		what    string
		changes []change
		status  int
	}{
		{"no token", nil, 403},
		{"a wrong token", []change{header("X-Larder-Token", "AAAA")}, 403},
		{"another origin", []change{token, header("Origin", "http://evil.example")}, 403},
		{"a null origin", []change{token, header("Origin", "null")}, 403},
		{"another port of ours", []change{token, header("Origin", "http://127.0.0.1:1")}, 403},
		{"a browser that says cross-site", []change{token, header("Sec-Fetch-Site", "cross-site")}, 403},
		{"a browser that says same-site", []change{token, header("Sec-Fetch-Site", "same-site")}, 403},
		{"our page", []change{token, header("Sec-Fetch-Site", "same-origin"), header("Origin", "http://"+r.admin)}, 200},
	} {
		if a := r.ask("DELETE", "/api/key?"+named("k"), x.changes...); a.status != x.status {
			t.Errorf("%s: %d, want %d: %s", x.what, a.status, x.status, a.body)
		}
	}
	for _, path := range []string{"/api/server", "/api/live", "/metrics"} {
		r.expect(403, "GET", path, header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "no-cors"))
	}
	a := r.expect(200, "GET", "/api/server")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if a.header.Get(name) != want {
			t.Errorf("%s: %q", name, a.header.Get(name))
		}
	}
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other sites may read")
	}
}

// A token is one user's.
func TestTokensArePersonal(t *testing.T) {
	r := start(t, "admin-write yes", "user editor on >editor-password ~* +@all")
	r.conn.MustOK("SET", "k", "v")
	editor := as("editor", "editor-password")
	r.expect(http.StatusForbidden, "DELETE", "/api/key?"+named("k"), editor, r.token())
	r.expect(http.StatusOK, "DELETE", "/api/key?"+named("k"), editor, r.token(editor))
}
