package admin_test

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// A key that is read all the time is among the hot ones; looking at it here is no access.
func TestHotKeys(t *testing.T) {
	r := start(t, "user half on >half-password +info")
	r.conn.MustOK("SET", "<hot>", "v")
	var hot struct {
		On     bool
		Window float64 `json:"window_s"`
		Keys   []struct {
			Text        string
			Rate, Share float64
		}
	}
	harness.Eventually(t, patience, "the key is hot", func() bool {
		for range 5000 {
			r.conn.Send("GET", "<hot>")
		}
		for range 5000 {
			r.conn.Read()
		}
		r.get("/api/hotkeys", &hot)
		return len(hot.Keys) > 0
	})
	if k := hot.Keys[0]; !hot.On || k.Text != "<hot>" || k.Rate <= 0 || k.Share <= 0.5 {
		t.Errorf("%+v", hot)
	}
	r.expect(403, "GET", "/api/hotkeys", as("half", "half-password"))
}
