package admin

import (
	"strings"
	"testing"
	"unicode"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/tests/randtest"
)

// What is shown is one line of printable text, and another one for other bytes.
func TestShow(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "<b>&": "<b>&", "a\nb\tc\rd": `a\nb\tc\rd`, "\x00\x7f": `\x00\x7f`, "\xff\xfe": `\xff\xfe`,
		`\x00`:    `\\x00`,
		"é\u202e": `é\u{202e}`, "\ufffd": "\ufffd", "": "",
	} {
		if got, cut := show([]byte(in), 100); got != want || cut {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	const alphabet = "\\x0\nab\xc3\xa9\xe2\x80\xae{}u"
	r := randtest.New(t)
	seen := map[string]string{}
	for range 20000 {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		text, _ := show(b, 100)
		if other, ok := seen[text]; ok && other != string(b) {
			t.Fatalf("%q and %q are both shown as %q", other, b, text)
		}
		seen[text] = string(b)
		if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Fatalf("%q is shown as %q", b, text)
		}
	}
}

// A cut falls between characters.
func TestShowCuts(t *testing.T) {
	for most, want := range []string{"", "a", "a", "aé", "aé\\n"} {
		if got, cut := show([]byte("aé\nz"), most); got != want || !cut {
			t.Errorf("%d bytes: %q, %t", most, got, cut)
		}
	}
}

// Each prefix has a label of its own, and none that of something that is no prefix.
func TestPrefixLabels(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := map[string]string{}
	for _, p := range []store.PrefixStats{
		{Other: true}, {}, {Name: "(other)"}, {Name: "(none)"}, {Name: `\x28other)`}, {Name: "user"}, {Name: long},
		{Name: long + "y"}, {Name: "\xff"},
	} {
		label := prefixLabel(&p)
		if other, ok := seen[label]; ok {
			t.Errorf("%q and %q have the label %q", other, p.Name, label)
		}
		seen[label] = p.Name
	}
}
