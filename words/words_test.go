package words

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func split(line string) (words []string, ok bool) {
	taken, ok := Split(nil, []byte(line))
	for _, word := range taken {
		words = append(words, string(word))
	}
	return words, ok
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{" a\tb  c ", []string{"a", "b", "c"}, true},
		{"a\vb \v c\f", []string{"a\vb", "c\f"}, true},
		{"a b\x00c \"", []string{"a", "b"}, true},
		{`a "" ''`, []string{"a", "", ""}, true},
		{`"a \"b\" \x41\n\q"`, []string{"a \"b\" A\nq"}, true},
		{`'a \'b\' \n'`, []string{`a 'b' \n`}, true},
		{`"\xzz\x4"`, []string{"xzzx4"}, true},
		{`"\x00" b`, []string{"\x00", "b"}, true},
		{`a"b c"`, []string{"ab c"}, true},
		{"\"a\"\v'b'", []string{"a", "b"}, true},
		{`"a"b`, nil, false},
		{`"a`, nil, false},
		{`'a`, nil, false},
		{`"a\`, nil, false},
	} {
		got, ok := split(test.line)
		if ok != test.ok {
			t.Errorf("%q: %t", test.line, ok)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.line, diff)
		}
	}
}

// FuzzQuoted: what AppendQuoted writes, Split and Unquote read.
func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "a b", "\x00\xff\"\\'\n\r\t\a\b\v\f", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := split("name " + string(AppendQuoted(nil, s)) + " end")
		if !ok || len(got) != 3 || got[1] != s {
			t.Errorf("%q became %q, %t", s, got, ok)
		}
		text, rest := Unquote(append(AppendQuoted(nil, s), " end"...)[1:])
		if string(text) != s || string(rest) != " end" {
			t.Errorf("%q became %q, and %q follows", s, text, rest)
		}
		if text, rest = Unquote(AppendQuoted(nil, s)[1:1]); len(text) != 0 || rest != nil {
			t.Errorf("nothing became %q, and %q follows", text, rest)
		}
	})
}
