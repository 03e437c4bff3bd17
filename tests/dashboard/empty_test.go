package dashboard_test

import (
	"strings"
	"testing"
)

// views are the names of the views, as the address has them, with their headings.
var views = map[string]string{
	"overview": "Overview", "prefixes": "Prefixes", "hot": "Hot & big keys", "keys": "Browse keys", "slowlog": "Slow log",
	"clients": "Clients", "persistence": "Persistence", "config": "Configuration",
}

// A server without data shows in each view what it would show, and what to do.
func TestEmptyServer(t *testing.T) {
	_, admin := start(t)
	b := open(t, 1280, 900)
	b.visit(admin, "")
	b.live()
	for view, heading := range views {
		b.press(`.tabs a[href="#` + view + `"]`)
		b.wait("the view "+view, `document.querySelector("h1")?.textContent === `+quoted(heading))
		b.wait("content of "+view, `document.querySelector("main").innerText.length > 60`)
		b.picture(view)
		if text := b.text(".trouble:not([hidden])"); text != "" {
			t.Errorf("%s: %s", view, text)
		}
	}
	b.clean(admin)
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
