package admin

import "net/http"

// hotKey is a key that is accessed often. Rates are estimates, per second.
type hotKey struct {
	label
	DB    int     `json:"db"`
	Rate  float64 `json:"rate"`
	Share float64 `json:"share"`      // of all accesses
	Error float64 `json:"error_rate"` // that Rate may be off by, either way
}

// serveHotKeys tells what HOTKEYS GET tells.
func (a *Admin) serveHotKeys(w http.ResponseWriter, _ *http.Request) {
	found := a.view().HotKeys()
	keys := make([]hotKey, 0, len(found.Keys))
	for i := range found.Keys {
		k := &found.Keys[i]
		rate, off := found.Rate(k.Accesses), found.Rate(k.Error)
		keys = append(keys, hotKey{labelOf([]byte(k.Name)), k.DB, rate, found.Share(k), off})
	}
	reply(w, map[string]any{
		"on": found.On, "window_s": float64(found.Period) / 1000, "rate": found.Rate(found.Accesses), "keys": keys,
	})
}
