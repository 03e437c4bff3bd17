// Package admin_test asks a running server's admin server for what it says, and tries to harm it.
package admin_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const password = "a-password-of-many-letters"

// rig is a server with its admin server.
type rig struct {
	*harness.Server
	t     testing.TB
	admin string // host:port
	conn  *harness.Conn
	http  *http.Client
}

func start(t testing.TB, params ...string) *rig {
	t.Helper()
	return startBy(harness.Start, t, params...)
}

// startBy is start with a server in this process, or in one of its own.
func startBy(starts func(testing.TB, ...string) *harness.Server, t testing.TB, params ...string) *rig {
	t.Helper()
	port := harness.FreePort(t)
	s := starts(t, append([]string{"admin-port " + port, "admin-password " + password}, params...)...)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &rig{Server: s, t: t, admin: "127.0.0.1:" + port, conn: s.Dial(t), http: client}
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// change is a change of a request before it is sent.
type change func(*http.Request)

func as(user, password string) change {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func nobody(r *http.Request) { r.Header.Del("Authorization") }

func header(name, value string) change {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) change { return func(r *http.Request) { r.Host = name } }

func body(text string) change {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
}

// open makes a request as admin, unless a change says otherwise, and returns when the reply begins.
func (r *rig) open(method, path string, changes ...change) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.admin+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	for _, c := range changes {
		c(req)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// ask makes a request like open, and reads the reply.
func (r *rig) ask(method, path string, changes ...change) answer {
	r.t.Helper()
	resp := r.open(method, path, changes...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// expect makes a request and compares the status.
func (r *rig) expect(status int, method, path string, changes ...change) answer {
	r.t.Helper()
	a := r.ask(method, path, changes...)
	if a.status != status {
		r.t.Errorf("%s %s: status %d, want %d\n%.300s", method, path, a.status, status, a.body)
	}
	return a
}

// get reads JSON.
func (r *rig) get(path string, to any, changes ...change) {
	r.t.Helper()
	a := r.expect(http.StatusOK, "GET", path, changes...)
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		r.t.Fatalf("%s: %v\n%.300s", path, err, a.body)
	}
}

// token is that of admin.
func (r *rig) token(changes ...change) change {
	r.t.Helper()
	var s struct{ Token string }
	r.get("/api/server", &s, changes...)
	return header("X-Larder-Token", s.Token)
}

// inOneWindow calls f within one window of ten seconds in which accesses to keys are counted together,
// with an empty server: again, if one has ended meanwhile.
func (r *rig) inOneWindow(f func()) {
	r.t.Helper()
	window := func() int64 { return time.Now().UnixMilli() / 10_000 }
	for tries := 0; ; tries++ {
		r.conn.MustOK("FLUSHALL")
		r.conn.MustOK("HOTKEYS", "RESET")
		began := window()
		if f(); window() == began {
			return
		}
		if tries == 10 {
			r.t.Fatal("it takes longer than a window")
		}
	}
}

func named(key string) string { return "name=" + base64.RawURLEncoding.EncodeToString([]byte(key)) }

// patience is how long tests wait for what comes at once if all is well.
const patience = harness.Patience

// number is a reply that is one.
func number(r harness.Reply) int64 {
	n, _ := r.Int()
	return n
}
