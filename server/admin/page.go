package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"path"
	"strings"
	"time"
)

// pageFiles is the dashboard, as it is sent: there is no step that builds it. It is one page whose
// parts are modules of JavaScript, and uPlot, which draws its charts.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy is the Content-Security-Policy of the page. It loads nothing but its own files, has no
// script and no style inline, sends no forms, and cannot make elements from text, so that no name of
// a key ever becomes one.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// pageFile is a file of the page.
type pageFile struct {
	body []byte
	kind string // its Content-Type
	tag  string // its ETag
}

// loadPage reads the files by their names.
func loadPage() map[string]pageFile {
	kinds := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	}
	entries, err := pageFiles.ReadDir("page")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	files := make(map[string]pageFile)
	for _, e := range entries {
		body, err := pageFiles.ReadFile("page/" + e.Name())
		if err != nil {
			panic("BUG: " + err.Error())
		}
		sum := sha256.Sum256(body)
		files[e.Name()] = pageFile{body, kinds[path.Ext(e.Name())],
			`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	}
	return files
}

// servePage sends the page.
func (a *Admin) servePage(w http.ResponseWriter, r *http.Request) { a.sendFile(w, r, "index.html") }

// servePageFile sends what the page is made of.
func (a *Admin) servePageFile(w http.ResponseWriter, r *http.Request) {
	a.sendFile(w, r, r.PathValue("file"))
}

// servePageStyle sends the style, which anyone may have: those who have got no further, too, are told
// so by a page.
func (a *Admin) servePageStyle(w http.ResponseWriter, r *http.Request) { a.sendFile(w, r, "page.css") }

func (a *Admin) sendFile(w http.ResponseWriter, r *http.Request, name string) {
	f, ok := a.page[name]
	if !ok {
		fail(w, http.StatusNotFound, "no such file")
		return
	}
	f.describe(w.Header())
	w.Header().Set("Cache-Control", "no-cache") // kept, but asked for whenever it is used
	w.Header().Set("ETag", f.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

func (f *pageFile) describe(h http.Header) {
	h.Set("Content-Type", f.kind)
	h.Set("Content-Security-Policy", pagePolicy)
}

// refuse answers who has said no password, or a wrong one: a person with a page, a program with JSON.
func (a *Admin) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Basic realm="larder", charset="UTF-8"`)
	if r.URL.Path != "/" || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		fail(w, http.StatusUnauthorized,
			"name and password, please: admin with admin-password, or a user of ACL with a password")
		return
	}
	f := a.page["refused.html"]
	f.describe(w.Header())
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(f.body) // the client has gone
}
