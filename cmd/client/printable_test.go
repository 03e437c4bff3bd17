package client

import "testing"

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		`plain "text" \ of ö and 日本`:  `plain "text" \ of ö and 日本`,
		"\x1b[2J\x1b]0;title\a":       `\x1b[2J\x1b]0;title\a`,
		"a\nb\r\t\x00\x7f":            `a\nb\r\t\x00\x7f`,
		"\x9b5n\xff":                  `\x9b5n\xff`,
		"\u009b5n \u202e\u200b\ufeff": `\u009b5n \u202e\u200b\ufeff`,
		"\ufffd stands for itself":    "\ufffd stands for itself",
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
