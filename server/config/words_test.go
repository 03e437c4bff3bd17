package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitWords(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
		bad  bool
	}{
		{"", nil, false},
		{" a\tb  c ", []string{"a", "b", "c"}, false},
		{`a "" ''`, []string{"a", "", ""}, false},
		{`"a \"b\" \x41\n\q"`, []string{"a \"b\" A\nq"}, false},
		{`'a \'b\' \n'`, []string{`a 'b' \n`}, false},
		{`"\xzz\x4"`, []string{"xzzx4"}, false},
		{`a"b c"`, []string{"ab c"}, false},
		{`"a"b`, nil, true},
		{`"a`, nil, true},
		{`'a`, nil, true},
		{`"a\`, nil, true},
	} {
		got, err := splitWords(test.line)
		if (err != nil) != test.bad {
			t.Errorf("%s: error %v", test.line, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.line, diff)
		}
	}
}

// FuzzQuote: what quote writes, splitWords reads.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a b", "\x00\xff\"\\'\n\r\t\a\b", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitWords("name " + quote(s) + " end")
		if err != nil || len(words) != 3 || words[1] != s {
			t.Errorf("%q became %q (%v)", s, words, err)
		}
	})
}

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
