package admin_test

import (
	"encoding/base64"
	"fmt"
	"testing"
)

// prefix is a row of the table of prefixes.
type prefix struct {
	Name                     string
	Text                     string
	Other                    bool
	Hits, Misses, Sets, Keys int64
	Bytes                    int64
	Reasons                  map[string]int64
	TTL                      *int64   `json:"ttl_ms"`
	Rate                     *float64 `json:"rate_1m"`
	Spark                    []*float64
}

// What happens to keys is told for their prefix, whatever its bytes are, and judged.
func TestPrefixes(t *testing.T) {
	r := start(t)
	for _, name := range []string{"user", "<b>", "\xff\x00"} {
		for i := range 60 {
			r.conn.MustOK("SET", fmt.Sprintf("%s:%d", name, i), "v", "EX", "1000")
		}
		for i := range 200 { // 30 % hit
			r.conn.Do("GET", fmt.Sprintf("%s:%d", name, i))
		}
	}
	for i := range 3 {
		r.conn.Do("DEL", fmt.Sprintf("user:%d", i))
		r.conn.Do("GET", fmt.Sprintf("user:%d", i))
	}
	r.conn.MustOK("SET", "plain", "v")
	var all []prefix
	r.get("/api/prefixes?by=misses", &all)
	if len(all) != 5 || !all[4].Other || all[4].Text != "(other)" {
		t.Fatalf("%d rows: %+v", len(all), all)
	}
	texts := map[string]prefix{}
	for _, p := range all {
		texts[p.Text] = p
	}
	for text, name := range map[string]string{"user": "user", "<b>": "<b>", `\xff\x00`: "\xff\x00", "": ""} {
		if p, ok := texts[text]; !ok || p.Name != base64.RawURLEncoding.EncodeToString([]byte(name)) {
			t.Errorf("%q: %+v", text, p)
		}
	}
	p := all[0]
	if p.Text != "user" || p.Hits != 60 || p.Misses != 143 || p.Reasons["deleted"] != 3 || p.Reasons["never"] != 140 || p.Sets != 60 ||
		p.Keys != 57 || p.Bytes <= 0 || *p.TTL < 900_000 || *p.Rate != 60.0/203 || len(p.Spark) != 60 {
		t.Errorf("%+v", p)
	}
	r.get("/api/prefixes?top=2&by=keys", &all)
	if len(all) != 3 || !all[2].Other {
		t.Errorf("%+v", all)
	}
	r.expect(400, "GET", "/api/prefixes?by=nothing")
	r.expect(400, "GET", "/api/prefixes?top=0")
	var health struct {
		Status, Reason, Message string
		Warned                  int `json:"prefixes_warned"`
		Prefixes                []struct{ Text, Status, Reason, Message string }
	}
	r.get("/health/cache", &health)
	if health.Status != "warn" || health.Reason != "never_filled" || health.Warned != 3 || health.Prefixes[0].Text != "user" ||
		health.Prefixes[0].Status != "warn" || health.Prefixes[4].Status != "idle" {
		t.Errorf("%+v", health)
	}
	r.conn.MustOK("CONFIG", "SET", "health-hit-rate-warn", "0.2")
	r.get("/health/cache", &health)
	if health.Status != "ok" {
		t.Errorf("%+v", health)
	}
	r.conn.MustOK("CONFIG", "SET", "prefix-stats", "no")
	r.get("/api/prefixes", &all)
	r.get("/health/cache", &health)
	if len(all) != 0 || health.Status != "ok" {
		t.Errorf("%+v, %+v", all, health)
	}
}
