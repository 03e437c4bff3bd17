package admin_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// sample is what the page's charts need of one.
type sample struct {
	T          int64
	Ops        float64
	HitRate    *float64 `json:"hit_rate"`
	UsedMemory int64    `json:"used_memory"`
	Counted    int64
	Keys       int64
	Clients    int64
	P50        *float64
	P999       *float64
	InBytes    float64 `json:"in_bytes"`
}

// listen opens a stream of samples.
func (r *rig) listen(changes ...change) (next func() (sample, bool)) {
	r.t.Helper()
	resp := r.open("GET", "/api/live", changes...)
	r.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("%s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	return func() (s sample, ok bool) {
		for lines.Scan() {
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
				if err := json.Unmarshal([]byte(data), &s); err != nil {
					r.t.Fatal(err)
				}
				return s, true
			}
		}
		return s, false
	}
}

// Samples say what happens, and are kept.
func TestSamples(t *testing.T) {
	r := start(t)
	next := r.listen()
	r.conn.MustOK("SET", "k", "v")
	var seen sample
	for seen.P50 == nil || seen.HitRate == nil || seen.Keys != 1 {
		for range 100 {
			r.conn.Do("GET", "k")
		}
		var ok bool
		if seen, ok = next(); !ok {
			t.Fatal("the stream has ended")
		}
	}
	if *seen.HitRate != 1 || seen.Ops <= 0 || seen.InBytes <= 0 || seen.Clients != 1 || seen.UsedMemory == 0 || seen.Counted <= 0 || *seen.P50 > *seen.P999 {
		t.Errorf("%+v", seen)
	}
	var h struct{ Seconds, Minutes []sample }
	r.get("/api/history", &h)
	if len(h.Seconds) == 0 || h.Minutes == nil {
		t.Errorf("%d seconds, %v", len(h.Seconds), h.Minutes)
	}
	last := int64(0)
	for _, s := range h.Seconds {
		if s.T <= last {
			t.Errorf("%d comes after %d", s.T, last)
		}
		last = s.T
	}
}

// A stream ends with its user, its user's right, or the password by which it was opened.
func TestStreamsEnd(t *testing.T) {
	r := start(t, "user watcher on >watcher-password +info", "user former on >former-password +info")
	watcher, former, admin := r.listen(as("watcher", "watcher-password")), r.listen(as("former", "former-password")), r.listen()
	r.conn.MustOK("ACL", "SETUSER", "watcher", "-info")
	r.conn.Do("ACL", "DELUSER", "former")
	r.conn.MustOK("CONFIG", "SET", "admin-password", "another")
	for name, next := range map[string]func() (sample, bool){"no right": watcher, "no user": former, "another password": admin} {
		ended := false
		for range 100 { // some may have been on their way: there is one a second
			if _, ok := next(); !ok {
				ended = true
				break
			}
		}
		if !ended {
			t.Errorf("%s: the stream goes on", name)
		}
	}
}

// Profiles under way end, and say nothing, when their user loses the right to them.
func TestProfilesEnd(t *testing.T) {
	r := start(t, "user former on >former-password ~* &* +@all", "user lesser on >lesser-password ~* &* +@all")
	var ended sync.WaitGroup
	for path, who := range map[string]change{
		"profile": as("former", "former-password"), "trace": as("lesser", "lesser-password"), "heap": as("admin", password),
	} {
		req, err := http.NewRequest("GET", "http://"+r.admin+"/debug/pprof/"+path+"?seconds=100", nil)
		if err != nil {
			t.Fatal(err)
		}
		who(req)
		ended.Go(func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
			resp, err := client.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				err = errors.Join(err, resp.Body.Close())
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	harness.Eventually(t, patience, "three profiles are being made", func() bool {
		return strings.Count(r.expect(200, "GET", "/debug/pprof/goroutine?debug=2").body, ").serveProfile(") == 4 // with this one
	})
	r.conn.Do("ACL", "DELUSER", "former")
	r.conn.MustOK("ACL", "SETUSER", "lesser", "-get")
	r.conn.MustOK("CONFIG", "SET", "admin-password", "another")
	ended.Wait()
}

// Whether clients are served as they should be.
func TestReady(t *testing.T) {
	r := start(t)
	ready := func(status int, check, want string) {
		t.Helper()
		var s struct {
			Status string
			Checks map[string]string
		}
		a := r.expect(status, "GET", "/readyz", nobody)
		if err := json.Unmarshal([]byte(a.body), &s); err != nil {
			t.Fatal(err)
		}
		if (s.Status == "ready") != (status == 200) || !strings.Contains(s.Checks[check], want) {
			t.Errorf("%d: %+v", status, s)
		}
	}
	ready(200, "memory", "ok")
	r.conn.MustOK("CONFIG", "SET", "maxmemory", "1mb")
	ready(503, "memory", "at the cap")
	r.conn.MustOK("CONFIG", "SET", "maxmemory", "1gb")
	ready(200, "memory", "ok")
	r.conn.MustOK("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	r.conn.MustOK("CONFIG", "SET", "maxmemory", "1mb")
	harness.Eventually(t, patience, "eviction does not keep up", func() bool { return r.ask("GET", "/readyz", nobody).status == 503 })
	ready(503, "memory", "does not keep up")
	r.expect(200, "GET", "/healthz", nobody)
}

// A server whose disk fails is not ready.
func TestReadyNeedsADisk(t *testing.T) {
	r := start(t, "save 3600 100000", "dbfilename x.rdb")
	r.conn.MustOK("SET", "k", "v")
	r.expect(200, "GET", "/readyz", nobody)
	if err := os.MkdirAll(filepath.Join(r.Dir, "x.rdb", "folder"), 0o700); err != nil { // no file can take its place
		t.Fatal(err)
	}
	r.conn.Do("BGSAVE")
	harness.Eventually(t, patience, "the save fails", func() bool { return r.ask("GET", "/readyz", nobody).status == 503 })
	if err := os.RemoveAll(filepath.Join(r.Dir, "x.rdb")); err != nil { // or the server would not stop
		t.Fatal(err)
	}
	r.conn.MustOK("SAVE")
	r.expect(200, "GET", "/readyz", nobody)
}

// What is slow, who is connected, what is configured, and what is on the disk.
func TestState(t *testing.T) {
	r := start(t, "slowlog-log-slower-than 0", "save 3600 1")
	r.conn.MustOK("CLIENT", "SETNAME", "<i>")
	r.conn.MustOK("SET", "<b>", "\x00\n")
	var slow struct {
		Entries []struct {
			Args []struct{ Text string }
			Took float64 `json:"took_us"`
		}
	}
	r.get("/api/slowlog", &slow)
	if e := slow.Entries[0]; len(e.Args) != 3 || e.Args[1].Text != "<b>" || e.Args[2].Text != `\x00\n` {
		t.Errorf("%+v", e)
	}
	if a := r.ask("GET", "/api/slowlog"); strings.Contains(a.body, "<b>") {
		t.Error("JSON has a < as it is")
	}
	var clients struct {
		Total   int
		Clients []struct {
			Name    struct{ Text string }
			Command string
		}
	}
	r.get("/api/clients", &clients)
	if clients.Total != 1 || clients.Clients[0].Name.Text != "<i>" || clients.Clients[0].Command != "set" {
		t.Errorf("%+v", clients)
	}
	var config struct {
		Parameters []struct {
			Name            string
			Value           struct{ Text string }
			Changed, Secret bool
		}
	}
	r.get("/api/config", &config)
	seen := 0
	for _, p := range config.Parameters {
		switch p.Name {
		case "admin-password":
			seen++
			if !p.Secret || p.Value.Text != "(hidden)" || !p.Changed {
				t.Errorf("%+v", p)
			}
		case "save":
			seen++
			if p.Value.Text != "3600 1" || !p.Changed {
				t.Errorf("%+v", p)
			}
		}
	}
	if seen != 2 || len(config.Parameters) < 150 {
		t.Errorf("%d parameters", len(config.Parameters))
	}
	r.conn.MustOK("SAVE")
	var disk struct {
		Snapshot struct {
			Changes, Saves int64
			LastOK         bool    `json:"last_ok"`
			Points         [][]int `json:"save_points"`
		}
	}
	r.get("/api/persistence", &disk)
	if disk.Snapshot.Saves != 1 || !disk.Snapshot.LastOK || disk.Snapshot.Changes != 0 || len(disk.Snapshot.Points) != 1 {
		t.Errorf("%+v", disk)
	}
	if a := r.expect(200, "GET", "/debug/pprof/goroutine?debug=1"); !strings.Contains(a.body, "goroutine profile") {
		t.Errorf("%.100s", a.body)
	}
}
