package admin_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// The page and its files need a password, but for the style of the page that says so; each is sent
// with a policy that has no room for anything inline, and once for as long as it stays the same.
func TestPageFiles(t *testing.T) {
	r := start(t)
	browser := header("Accept", "text/html,*/*;q=0.8")
	page := r.expect(200, "GET", "/", browser)
	r.expect(401, "GET", "/page/main.js", nobody)
	r.expect(401, "GET", "/page/index.html", nobody)
	r.expect(200, "GET", "/page/page.css", nobody)
	r.expect(404, "GET", "/page/nothing.js")
	r.expect(404, "GET", "/page/")
	for _, x := range []struct {
		change change
		kind   string
	}{{browser, "text/html; charset=utf-8"}, {header("Accept", "*/*"), "application/json"}} {
		if a := r.expect(401, "GET", "/", nobody, x.change); a.header.Get("Content-Type") != x.kind || strings.Contains(a.body, "<script") {
			t.Errorf("%s: %s", a.header.Get("Content-Type"), a.body)
		}
	}
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page/main.js": "text/javascript; charset=utf-8", "/page/page.css": "text/css; charset=utf-8",
		"/page/icon.svg": "image/svg+xml", "/page/uPlot-LICENSE.txt": "text/plain; charset=utf-8",
	} {
		a := r.expect(200, "GET", path)
		policy := a.header.Get("Content-Security-Policy")
		if a.header.Get("Content-Type") != kind || !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s, policy %q", path, a.header.Get("Content-Type"), policy)
		}
		if b := r.expect(http.StatusNotModified, "GET", path, header("If-None-Match", a.header.Get("ETag"))); b.body != "" {
			t.Errorf("%s is sent again", path)
		}
	}
	for _, inline := range []string{"<style", "style=", "onclick=", "<script>"} {
		if strings.Contains(page.body, inline) {
			t.Errorf("the page has %s", inline)
		}
	}
}

// The list of prefixes is sorted and cut by the server.
func TestPrefixPages(t *testing.T) {
	r := start(t)
	for i, name := range []string{"Alpha", "beta", "gamma", "delta"} {
		for n := range i + 1 {
			r.conn.Do("SET", name+":"+strconv.Itoa(n), strings.Repeat("x", 400>>i), "EX", strconv.Itoa(1000*(i+1)))
		}
		for n := range 10 {
			r.conn.Do("GET", name+":"+strconv.Itoa(n)) // i+1 of 10 hit
		}
	}
	r.conn.MustOK("SET", "still:1", "x")
	for _, x := range []struct{ query, names, total string }{
		{"by=keys", "delta gamma beta Alpha still", "5"},
		{"by=keys&order=asc", "Alpha still beta gamma delta", "5"},
		{"by=hit_rate", "delta gamma beta Alpha still", "5"},
		{"by=hit_rate&order=asc", "Alpha beta gamma delta still", "5"},
		{"by=ttl&order=asc", "Alpha beta gamma delta still", "5"},
		{"by=ttl&order=desc", "delta gamma beta Alpha still", "5"},
		{"by=name", "Alpha beta delta gamma still", "5"},
		{"by=name&order=desc", "still gamma delta beta Alpha", "5"},
		{"by=name&top=2&offset=1", "beta delta", "5"},
		{"by=name&offset=9", "", "5"},
		{"by=name&match=aL", "Alpha", "1"},
		{"by=name&match=a&top=2", "Alpha beta", "4"},
		{"match=none", "", "0"},
	} {
		var rows []struct {
			Text  string
			Other bool
		}
		r.get("/api/prefixes?"+x.query, &rows)
		var names []string
		for _, row := range rows {
			if !row.Other {
				names = append(names, row.Text)
			}
		}
		total := r.ask("GET", "/api/prefixes?"+x.query).header.Get("X-Total-Count")
		if got := strings.Join(names, " "); got != x.names || total != x.total {
			t.Errorf("%s: %s of %s, want %s of %s", x.query, got, total, x.names, x.total)
		}
	}
	for _, query := range []string{"by=x", "order=up", "top=0", "top=x", "offset=-1"} {
		r.expect(400, "GET", "/api/prefixes?"+query)
	}
}
