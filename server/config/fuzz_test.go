package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzLoad: no file crashes the loader, and what it accepts survives a rewrite.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"hz 3\nsave 1 2\n", "client-output-buffer-limit normal 1 2 3", "bind \"\"", "maxmemory 3gb\nrequirepass '\\x'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := New()
		if err != nil {
			t.Fatal(err)
		}
		v := c.Values().clone()
		l := &loader{config: c, values: v, seen: map[int]bool{}, depth: deepestInclude}
		if l.text("fuzz", text) != nil {
			return
		}
		c.now.Store(v)
		again := &loader{config: c, values: fresh(t).Values().clone(), seen: map[int]bool{}, depth: deepestInclude}
		if err := again.text("rewritten", c.rewritten(text)); err != nil {
			t.Fatalf("%q was rewritten to %q: %v", text, c.rewritten(text), err)
		}
		if diff := cmp.Diff(v.texts, again.values.texts); diff != "" {
			t.Fatalf("%q was rewritten to something else: %s", text, diff)
		}
	})
}
