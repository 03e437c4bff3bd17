package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// route is a row of the table of what is served. A path's facts stand there and nowhere else.
type route struct {
	pattern string // as http.ServeMux has it: a method and a path
	// right is the command that tells the same over Redis' protocol: who may not run that may not see
	// this either. none: whoever has a password may.
	right  []string
	access access
	handle http.HandlerFunc
}

// access is what a request needs beyond a right.
type access uint8

const (
	asUser   access = iota // a password
	asAnyone               // nothing
	asOwner                // all rights
	toWrite                // a password, admin-write yes, and the token
)

func (a *Admin) table() []route {
	info := []string{"info"}
	return []route{
		{"GET /{$}", nil, asUser, a.servePage},
		{"GET /page/{file}", nil, asUser, a.servePageFile},
		{"GET /page/page.css", nil, asAnyone, a.servePageStyle},
		{"GET /healthz", nil, asAnyone, a.serveHealthz},
		{"GET /readyz", nil, asAnyone, a.serveReadyz},
		{"GET /health/cache", info, asUser, a.serveCacheHealth},
		{"GET /metrics", info, asUser, a.serveMetrics()},
		{"GET /api/server", nil, asUser, a.serveServer},
		{"GET /api/live", info, asUser, a.serveLive},
		{"GET /api/history", info, asUser, a.serveHistory},
		{"GET /api/health", info, asUser, a.serveCacheHealth},
		{"GET /api/prefixes", info, asUser, a.servePrefixes},
		{"GET /api/hotkeys", []string{"hotkeys", "get"}, asUser, a.serveHotKeys},
		{"GET /api/bigkeys", []string{"scan", "0"}, asUser, a.serveBigKeys},
		{"GET /api/keysizes", info, asUser, a.serveKeySizes},
		{"GET /api/slowlog", []string{"slowlog", "get"}, asUser, a.serveSlowlog},
		{"GET /api/clients", []string{"client", "list"}, asUser, a.serveClients},
		{"GET /api/config", []string{"config", "get", "*"}, asUser, a.serveConfig},
		{"GET /api/persistence", info, asUser, a.servePersistence},
		{"GET /api/keys", []string{"scan", "0"}, asUser, a.serveKeys},
		{"GET /api/key", nil, asUser, a.serveKey},
		{"DELETE /api/key", nil, toWrite, a.deleteKey},
		{"PUT /api/key", nil, toWrite, a.putKey},
		{"GET /debug/pprof/{$}", nil, asOwner, a.serveProfiles},
		{"GET /debug/pprof/{name}", nil, asOwner, a.serveProfile},
	}
}

// routes serves the table.
func (a *Admin) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range a.table() {
		mux.HandleFunc(r.pattern, a.enter(r))
	}
	return mux
}

// enter asks who it is, and whether that one may, before the handler of a route.
func (a *Admin) enter(r route) http.HandlerFunc {
	if r.access == asAnyone {
		return r.handle
	}
	return func(w http.ResponseWriter, req *http.Request) {
		who := a.authenticate(req)
		if who == nil {
			a.refuse(w, req)
			return
		}
		defer keepPlace(req)()
		switch {
		case !a.may(who, r.right):
			fail(w, http.StatusForbidden, "NOPERM this needs the right to '"+a.commandOf(r.right)+"'")
		case r.access == asOwner && !who.User().Free():
			fail(w, http.StatusForbidden, "NOPERM this needs all rights")
		case r.access == toWrite && !a.cfg.Values().AdminWrite:
			fail(w, http.StatusForbidden, "admin-write is no")
		case r.access == toWrite && !a.tokenFits(req, who):
			fail(w, http.StatusForbidden, "the token is not that of GET /api/server")
		default:
			r.handle(w, withIdentity(req, who))
		}
	}
}

// commandOf is the name of the command that the words of a request call, as rights name it.
func (a *Admin) commandOf(words []string) string {
	request := make([][]byte, len(words))
	for i := range words {
		request[i] = []byte(words[i])
	}
	return a.kernel.Table.Resolve(request).FullName()
}

// reply sends JSON.
func reply(w http.ResponseWriter, value any) { replyWith(w, http.StatusOK, value) }

func replyWith(w http.ResponseWriter, status int, value any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(value); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"error":"BUG: this cannot be said in JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client has gone
}

// fail sends an error.
func fail(w http.ResponseWriter, status int, text string) {
	replyWith(w, status, map[string]string{"error": text})
}
