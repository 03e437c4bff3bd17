package admin_test

import (
	"net/http"
	"strings"
	"testing"
)

// Hot keys, big keys and the sizes of values are told, with names of any bytes.
func TestKeysOfInterest(t *testing.T) {
	r := start(t)
	type key struct {
		DB            int
		Name, Text    string
		Rate, Share   float64
		ErrorRate     *float64 `json:"error_rate"`
		Bytes, Length int64
	}
	var hot struct {
		On     bool
		Window float64 `json:"window_s"`
		Keys   []key
	}
	r.inOneWindow(func() {
		r.conn.MustOK("SET", "big", string(make([]byte, 5000)))
		r.conn.Do("RPUSH", "\xff<b>", "1", "2", "3")
		for range 20 {
			r.conn.Do("GET", "big")
		}
		for range 2 {
			r.conn.Do("LLEN", "\xff<b>")
		}
		r.get("/api/hotkeys", &hot)
	})
	if !hot.On || hot.Window <= 0 || len(hot.Keys) != 2 || hot.Keys[0].Text != "big" || hot.Keys[1].Text != `\xff<b>` ||
		hot.Keys[0].Rate <= hot.Keys[1].Rate || hot.Keys[0].Share != 21./24 || *hot.Keys[0].ErrorRate != 0 {
		t.Errorf("%+v", hot)
	}
	var big struct {
		On      bool
		Scanned float64
		Since   int64
		Types   map[string][]key
	}
	r.get("/api/bigkeys", &big)
	if s := big.Types["string"]; !big.On || big.Scanned != 1 || big.Since == 0 || len(s) != 1 || s[0].Length != 5000 || s[0].Bytes < 5000 || s[0].Text != "big" {
		t.Errorf("%+v", big)
	}
	if l := big.Types["list"]; len(l) != 1 || l[0].Length != 3 || l[0].Text != `\xff<b>` || len(big.Types["hash"]) != 0 {
		t.Errorf("%+v", big)
	}
	var sizes struct {
		Types []struct {
			Type, Unit string
			Buckets    []struct{ From, To, Count int64 }
		}
	}
	r.get("/api/keysizes", &sizes)
	if len(sizes.Types) != 2 {
		t.Fatalf("%+v", sizes)
	}
	for _, s := range sizes.Types {
		from, to, unit := int64(2), int64(4), "elements"
		if s.Type == "string" {
			from, to, unit = 4096, 8192, "bytes"
		}
		if s.Unit != unit || len(s.Buckets) != 1 || s.Buckets[0].From != from || s.Buckets[0].To != to || s.Buckets[0].Count != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// Names are for those who may see them.
func TestKeysOfInterestRights(t *testing.T) {
	r := start(t)
	r.conn.MustOK("ACL", "SETUSER", "watcher", "on", ">secret", "~*", "+info")
	for path, want := range map[string]int{"/api/hotkeys": http.StatusForbidden, "/api/bigkeys": http.StatusForbidden, "/api/keysizes": http.StatusOK} {
		r.expect(want, "GET", path, as("watcher", "secret"))
	}
}

// Metrics tell of hot keys, big keys and sizes without any key's name.
func TestMetricsOfKeys(t *testing.T) {
	r := start(t)
	var s scrape
	r.inOneWindow(func() {
		r.conn.MustOK("SET", "secret:1", string(make([]byte, 5000)))
		r.conn.MustOK("SET", "small", "v")
		r.conn.Do("RPUSH", "list", "1", "2", "3")
		for range 20 {
			r.conn.Do("GET", "secret:1")
		}
		for range 2 {
			r.conn.Do("LLEN", "list")
		}
		s = r.scrape()
	})
	for series, want := range map[string]float64{
		`larder_string_bytes_bucket{le="7"}`: 1, `larder_string_bytes_bucket{le="4095"}`: 1, `larder_string_bytes_bucket{le="8191"}`: 2,
		`larder_string_bytes_sum`: 5001, `larder_string_bytes_count`: 2,
		`larder_collection_elements_bucket{type="list",le="1"}`: 0, `larder_collection_elements_bucket{type="list",le="3"}`: 1,
		`larder_collection_elements_sum{type="list"}`: 3, `larder_collection_elements_count{type="hash"}`: 0,
		`larder_biggest_key_elements{type="string"}`: 5000, `larder_biggest_key_elements{type="list"}`: 3,
		`larder_hot_key_access_ratio{rank="1"}`: 21. / 25, `larder_hot_key_access_ratio{rank="2"}`: 3. / 25, `larder_key_sizes_age_seconds`: 0,
	} {
		if got, ok := s.values[series]; !ok || got != want {
			t.Errorf("%s %v, want %v", series, got, want)
		}
	}
	if s.values[`larder_biggest_key_bytes{type="string"}`] < 5000 || s.values[`larder_hot_key_accesses_per_second{rank="1"}`] <= 0 {
		t.Error("no bytes of the biggest key, or no rate of the hottest")
	}
	if strings.Contains(s.text, "secret:1") {
		t.Error("a key's name is told")
	}
	r.conn.MustOK("CONFIG", "SET", "key-sizes", "no", "hotkeys", "no")
	for series := range r.scrape().values {
		if strings.HasPrefix(series, "larder_hot_key") || strings.HasPrefix(series, "larder_string_bytes") || strings.HasPrefix(series, "larder_biggest") {
			t.Errorf("%s, which is switched off", series)
		}
	}
}
