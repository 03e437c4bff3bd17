package admin_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// key is what the list and a key's own page say.
type key struct {
	Name     *string
	Text     string
	Type     string
	TTL      *int64 `json:"ttl_ms"`
	Bytes    *int64
	Encoding string
	Length   *int64
	Complete bool
	Value    *struct {
		Text      string
		Truncated bool
	}
	Raw      string `json:"value64"`
	Elements [][]struct {
		Text      string
		Truncated bool
	}
}

type page struct {
	Cursor string
	Keys   []key
}

// all goes through all pages.
func (r *rig) all(query string) (keys []key) {
	r.t.Helper()
	for cursor := "0"; ; {
		var p page
		r.get("/api/keys?cursor="+cursor+query, &p)
		keys = append(keys, p.Keys...)
		if cursor = p.Cursor; cursor == "0" {
			return keys
		}
	}
}

// Every key is found once, by its bytes, whatever they are.
func TestHostileNames(t *testing.T) {
	r := start(t)
	names := []string{
		"<script>alert(1)</script>", "\x00\xff\xfe", "a\nb\r\nc", `back\slash`, `\x00`, "", "right\u202eleft", "zero\u200bwidth", "ключ", "\xed\xa0\x80",
		strings.Repeat("long", 1000), strings.Repeat("\xff", 1<<20), "' OR 1=1", "../../etc/passwd", "\u2028", "%00", "{\"a\":1}",
	}
	for i, name := range names {
		r.conn.MustOK("SET", name, fmt.Sprint(i))
	}
	found := map[string]bool{}
	for _, k := range r.all("") {
		for _, c := range k.Text {
			if c < ' ' || c == 0x7f || c == 0x202e || c == 0x200b || c == 0x2028 || c == 0xfffd {
				t.Errorf("%q is shown with %U", k.Text, c)
			}
		}
		if k.Name == nil {
			if !strings.HasPrefix(k.Text, `\xff\xff`) {
				t.Errorf("%q has no name", k.Text)
			}
			continue
		}
		name, err := base64.RawURLEncoding.DecodeString(*k.Name)
		if err != nil || found[string(name)] {
			t.Errorf("%q: %v, or it came twice", *k.Name, err)
		}
		found[string(name)] = true
		var one key
		r.get("/api/key?name="+*k.Name, &one)
		if at := slices.Index(names, string(name)); at < 0 || one.Value == nil || one.Value.Text != fmt.Sprint(at) {
			t.Errorf("%.40q has the value %v", name, one.Value)
		}
	}
	if len(found) != len(names)-1 {
		t.Errorf("%d keys of %d have been found", len(found), len(names)-1)
	}
}

// The preview of every type and encoding, small and large.
func TestPreviews(t *testing.T) {
	r := start(t)
	many := func(command string, arg func(i int) []string) func(key string) {
		return func(key string) {
			args := []string{command, key}
			for i := range 1000 {
				args = append(args, arg(i)...)
			}
			r.conn.Do(args...)
		}
	}
	number := func(i int) []string { return []string{fmt.Sprint(i)} }
	pair := func(i int) []string { return []string{fmt.Sprint(i), fmt.Sprintf("m%d", i)} }
	for name, fill := range map[string]func(key string){
		"list":     many("RPUSH", number),
		"intset":   many("SADD", number),
		"set":      many("SADD", func(i int) []string { return []string{fmt.Sprintf("m%d", i)} }),
		"hash":     many("HSET", pair),
		"zset":     many("ZADD", pair),
		"smallset": func(key string) { r.conn.Do("SADD", key, "<b>") },
	} {
		fill(name)
		var k key
		r.get("/api/key?"+named(name), &k)
		want, complete := 100, false
		if name == "smallset" {
			want, complete = 1, true
		}
		if len(k.Elements) != want || k.Complete != complete || *k.Bytes == 0 || k.Encoding == "" {
			t.Errorf("%s: %d elements, complete: %t", name, len(k.Elements), k.Complete)
		}
	}
	var k key
	r.get("/api/key?"+named("zset"), &k)
	if k.Elements[7][0].Text != "m7" || k.Elements[7][1].Text != "7" {
		t.Errorf("zset: %v", k.Elements[7])
	}
	r.conn.MustOK("SET", "s", strings.Repeat("\\", 20000), "PX", "1000000")
	r.get("/api/key?"+named("s"), &k)
	if *k.Length != 20000 || !k.Value.Truncated || len(k.Value.Text) != 2*16384 || *k.TTL < 900000 || k.Raw != "" {
		t.Errorf("string: %d bytes, %d shown, TTL %v", *k.Length, len(k.Value.Text), k.TTL)
	}
	big := strings.Repeat("x", 1<<20)
	r.conn.Do("HSET", "wide", "f", big, "g", "small")
	r.conn.Do("RPUSH", "tall", big, big, "c")
	for _, name := range []string{"wide", "tall"} {
		a := r.expect(200, "GET", "/api/key?"+named(name))
		if len(a.body) > 64<<10 {
			t.Errorf("%s: %d bytes", name, len(a.body))
		}
	}
}

// Looking at keys changes nothing of what is known of them.
func TestLookingIsNoUse(t *testing.T) {
	r := start(t, "maxmemory-policy allkeys-lfu", "maxmemory 1gb")
	r.conn.MustOK("SET", "k", "v")
	info := func() string {
		var prefixes []map[string]any
		r.get("/api/prefixes", &prefixes)
		for _, p := range prefixes { // these say no more than the counts
			delete(p, "spark")
			delete(p, "ttl_ms")
		}
		return field(r.conn, "keyspace_hits") + " hits, " + field(r.conn, "keyspace_misses") + " misses, " + fmt.Sprint(prefixes)
	}
	freq := r.conn.Do("OBJECT", "FREQ", "k").Text
	before := info()
	for range 100 {
		r.expect(200, "GET", "/api/key?"+named("k"))
		r.expect(404, "GET", "/api/key?"+named("none"))
	}
	if after := info(); after != before {
		t.Errorf("%s before, %s after", before, after)
	}
	if now := r.conn.Do("OBJECT", "FREQ", "k").Text; now > freq {
		t.Errorf("used %s times before, %s after", freq, now)
	}
}

// field is one of INFO.
func field(c *harness.Conn, name string) string {
	for line := range strings.Lines(c.Do("INFO").Text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Patterns and types choose; a page may be empty, the whole is not.
func TestKeysAreChosen(t *testing.T) {
	r := start(t)
	for i := range 5000 {
		r.conn.Send("SET", fmt.Sprintf("a:%d", i), "v")
	}
	for range 5000 {
		r.conn.Read()
	}
	r.conn.Do("RPUSH", "b:list", "x")
	r.conn.Do("SELECT", "3")
	r.conn.MustOK("SET", "third", "v")
	for query, want := range map[string]int{"": 5001, "&match=b*": 1, "&match=a:4999": 1, "&type=list": 1, "&type=zset": 0, "&db=3": 1} {
		if got := len(r.all(query)); got != want {
			t.Errorf("%q: %d keys, want %d", query, got, want)
		}
	}
	for query, status := range map[string]int{"?db=99": 400, "?db=x": 400, "?cursor=x": 400, "?type=nope": 200} {
		r.expect(status, "GET", "/api/keys"+query)
	}
	for query, status := range map[string]int{"": 400, "?name=%20": 400, "?name=!!": 400, "?" + named("gone"): 404} {
		r.expect(status, "GET", "/api/key"+query)
	}
}

// What is changed goes the way of every command: listeners hear of it, the log has it, MONITOR shows it.
func TestEditsAreCommands(t *testing.T) {
	r := start(t, "admin-write yes", "appendonly yes", "appendfsync always", "notify-keyspace-events KEA")
	listener, monitor := r.Dial(t), r.Dial(t)
	listener.Do("PSUBSCRIBE", "__keyevent@0__:*")
	monitor.MustOK("MONITOR")
	r.conn.MustOK("SET", "k", "v", "EX", "1000")
	r.conn.Do("RPUSH", "l", "x")
	token := r.token()
	put := func(status int, key, text string) {
		t.Helper()
		r.expect(status, "PUT", "/api/key?"+named(key), token, body(text))
	}
	put(200, "k", `{"value":"new"}`)
	if ttl := number(r.conn.Do("TTL", "k")); ttl < 900 {
		t.Errorf("the time to live is %d", ttl)
	}
	put(200, "k", `{"value64":"AP8"}`)
	if got := r.conn.Do("GET", "k").Text; got != "\x00\xff" {
		t.Errorf("binary: %q", got)
	}
	put(200, "k", `{"ttl_ms":-1}`)
	put(200, "l", `{"ttl_ms":500000}`)
	put(200, "k", `{"value":"x","ttl_ms":5000}`)
	put(409, "l", `{"value":"x"}`)
	put(404, "none", `{"value":"x"}`)
	for _, text := range []string{"", "{}", "[]", `{"value":1}`, `{"other":"x"}`, `{"value":"x"}{}`, `{"value":"x","value64":"AA"}`, `{"value64":"!"}`, `{"ttl_ms":0}`, `{"ttl_ms":-5}`} {
		put(400, "k", text)
	}
	put(400, "k", `{"value":"`+strings.Repeat("x", 5<<20)+`"}`)
	r.expect(200, "DELETE", "/api/key?"+named("l"), token)
	r.expect(404, "DELETE", "/api/key?"+named("l"), token)
	if got := r.conn.Do("GET", "k").Text; got != "x" {
		t.Errorf("k is %q", got)
	}
	heard := ""
	for !strings.Contains(heard, ":del") {
		heard += listener.Read().Raw + "\n"
	}
	for _, event := range []string{"persist", "expire", "del"} {
		if !strings.Contains(heard, event) {
			t.Errorf("no event %s:\n%s", event, heard)
		}
	}
	shown := ""
	for !strings.Contains(shown, `"DEL" "l"`) {
		shown += monitor.Read().Raw + "\n"
	}
	if !strings.Contains(shown, "127.0.0.1:") || !strings.Contains(shown, `"KEEPTTL"`) {
		t.Errorf("MONITOR: %s", shown)
	}
	r.conn.MustOK("CONFIG", "SET", "admin-write", "no")
	put(403, "k", `{"value":"y"}`)
	r.expect(403, "DELETE", "/api/key?"+named("k"), token)
}

// A user changes what it may change by any other way, and nothing else; memory and a failing disk count.
func TestEditsAreAdmitted(t *testing.T) {
	r := start(t, "admin-write yes", "user half on >half-password ~mine:* +@all")
	half := as("half", "half-password")
	token := r.token(half)
	for _, key := range []string{"mine:1", "others:1"} {
		r.conn.MustOK("SET", key, "v")
	}
	r.expect(200, "PUT", "/api/key?"+named("mine:1"), half, token, body(`{"value":"x"}`))
	r.expect(403, "PUT", "/api/key?"+named("others:1"), half, token, body(`{"value":"x"}`))
	r.expect(403, "DELETE", "/api/key?"+named("others:1"), half, token)
	r.expect(403, "GET", "/api/key?"+named("others:1"), half)
	r.conn.MustOK("CONFIG", "SET", "maxmemory", "1")
	r.expect(503, "PUT", "/api/key?"+named("mine:1"), half, token, body(`{"value":"y"}`))
	r.expect(200, "GET", "/api/key?"+named("mine:1"), half)
	r.expect(200, "DELETE", "/api/key?"+named("mine:1"), half, token)
}

// A change waits for a pause, as any client's does, and comes after it.
func TestEditsWaitForPauses(t *testing.T) {
	r := start(t, "admin-write yes")
	r.conn.MustOK("SET", "k", "v")
	token := r.token()
	r.conn.MustOK("CLIENT", "PAUSE", "100000", "WRITE")
	done := make(chan answer)
	go func() { done <- r.ask("DELETE", "/api/key?"+named("k"), token) }()
	harness.Eventually(t, patience, "the delete waits", func() bool { return field(r.conn, "blocked_clients") == "1" })
	if n := number(r.conn.Do("EXISTS", "k")); n != 1 {
		t.Error("deleted in a pause")
	}
	r.conn.MustOK("CLIENT", "UNPAUSE")
	if a := <-done; a.status != 200 {
		t.Errorf("%d: %s", a.status, a.body)
	}
}
