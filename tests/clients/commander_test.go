package clients

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// commander is a redis-commander, a web page for looking at keys and changing them.
type commander struct {
	t    *testing.T
	s    *harness.Server
	url  string
	http http.Client
}

// startCommander runs redis-commander beside a server. It connects, and reads INFO, before it listens.
func startCommander(t *testing.T, s *harness.Server) *commander {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	// Its configuration files are looked for in the home folder.
	p := harness.Launch(t, "env", "HOME="+t.TempDir(), harness.Tool(t, "node", "make tools"),
		harness.NodeModule(t, "redis-commander/bin/redis-commander.js"), "--nosave", "--noload", "--redis-label",
		"server",
		"--redis-host", host, "--redis-port", port, "--redis-password", "long-word", "--address", "127.0.0.1",
		"--port", harness.FreePort(t))
	return &commander{
		t: t, s: s, url: "http://" + p.Listening(t),
		http: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, // idle connections outlive the test
	}
}

// asks does what the page does: "GET path", or "POST path name=value&name=value". The server's address
// is replaced in the reply.
func (c *commander) asks(request string) string {
	c.t.Helper()
	request = strings.ReplaceAll(request, "CONNECTION", "R:"+c.s.Addr+":0")
	method, rest, _ := strings.Cut(request, " ")
	path, form, _ := strings.Cut(rest, " ")
	values, err := url.ParseQuery(form)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(values.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(c.s.Addr)
	lines := strings.Split(strings.ReplaceAll(string(text), port, "PORT"), "\n")
	slices.Sort(lines) // keys come in each server's own order
	return response.Status + " " + strings.Join(lines, "\n")
}

// TestRedisCommander: redis-commander shows of keys what it shows of redis-server's, and changes them
// likewise.
func TestRedisCommander(t *testing.T) {
	servers := []*harness.Server{harness.Start(t, "requirepass long-word"),
		harness.StartRedis(t, "requirepass long-word")}
	var commanders []*commander
	for _, s := range servers {
		c := s.Dial(t)
		c.MustOK("AUTH", "long-word")
		fill(c)
		commanders = append(commanders, startCommander(t, s))
	}
	info := commanders[0].asks("GET /apiv2/server/info")
	for _, part := range []string{"200 OK", `"Redis version","value":"7.`, `"Used memory human"`, `"value":"keys=6,`} {
		if !strings.Contains(info, part) {
			t.Errorf("no %s in %s", part, info)
		}
	}
	for _, request := range []string{
		"GET /apiv2/connection", "GET /connections", "GET /apiv2/keystree/CONNECTION",
		"GET /apiv2/keystree/CONNECTION/user:",
		"GET /apiv2/key/CONNECTION/user:1", "GET /apiv2/key/CONNECTION/queue:jobs?index=0",
		"GET /apiv2/key/CONNECTION/hash:h",
		"GET /apiv2/key/CONNECTION/set:s", "GET /apiv2/key/CONNECTION/zset:z?index=0", "GET /apiv2/key/CONNECTION/none",
		"GET /apiv2/keys/CONNECTION/user:*?limit=10", "GET /apiv2/hash/key/CONNECTION/hash:h?field=f",
		"POST /apiv2/key/CONNECTION/new keyType=string&stringValue=v&keyTTL=-1", "GET /apiv2/key/CONNECTION/new",
		"POST /apiv2/keys/CONNECTION/new?action=delete", "GET /apiv2/key/CONNECTION/new",
		"POST /apiv2/exec/CONNECTION cmd=hgetall+hash:h", "POST /apiv2/exec/CONNECTION cmd=lpush+user:1+x",
		"POST /apiv2/exec/CONNECTION cmd=nosuch", "POST /apiv2/exec/CONNECTION cmd=dbsize",
		"POST /apiv2/list/value connectionId=CONNECTION&key=queue:jobs&value=d&type=rpush",
		"GET /apiv2/key/CONNECTION/queue:jobs",
		"GET /tools/export?connection=CONNECTION&exportType=redis&options[_]=_",
	} {
		got, want := commanders[0].asks(request), commanders[1].asks(request)
		if got != want {
			t.Errorf("%s: %s, of redis-server %s", request, got, want)
		}
	}
}
