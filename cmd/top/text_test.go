package top

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/larderkv/larder/cmd/client"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"user:7":                 "user:7",
		"größe 漢字":               "größe 漢字",
		"a\x1b[2J\x07":           `a\x1b[2J\x07`,
		"a\nb\tc\r\x00\x7f":      `a\x0ab\x09c\x0d\x00\x7f`,
		"\x9b2J":                 `\x9b2J`, // an 8-bit control sequence
		"\u009b2J":               `\u009b2J`,
		"\xff\xfe":               `\xff\xfe`,
		"\u202eabc":              `\u202eabc`, // right to left
		"a\u200bb\u00ad":         `a\u200bb\u00ad`,
		"e\u0301":                `e\u0301`, // a mark
		"\U000e0041":             `\U000e0041`,
		`\x1b`:                   `\\x1b`,
		"\u00a0":                 `\u00a0`,
		"\xed\xa0\x80 surrogate": `\xed\xa0\x80 surrogate`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %s, want %s", in, got, want)
		}
	}
}

// FuzzEscape: nothing that comes out moves a cursor, and no two names look alike.
func FuzzEscape(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\ufeff' {
				t.Errorf("escape(%q) = %q", s, got)
			}
		}
		if s != "" && got == "" {
			t.Errorf("escape(%q) is empty", s)
		}
	})
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		format func(float64) string
		in     float64
		want   string
	}{
		{count, 0, "0"}, {count, 0.25, "0.2"}, {count, 3.5, "3.5"}, {count, 9.96, "10"}, {count, 999, "999"}, {count, 1000, "1,000"},
		{count, 99_999, "99,999"}, {count, 99_999.7, "100k"}, {count, 1_234_567, "1.2M"}, {count, math.NaN(), "–"}, {count, -5, "-5"},
		{count, math.Inf(1), "–"}, {count, 1e21, "1000E"},
		{bytes, 0, "0 B"}, {bytes, 1023, "1023 B"}, {bytes, 1024, "1.0 KB"}, {bytes, 10 << 20, "10.0 MB"}, {bytes, 123 << 30, "123 GB"}, {bytes, math.NaN(), "–"},
		{percent, 99.96, "100.0%"}, {percent, math.NaN(), "–"},
		{micros, 0, "0"}, {micros, 0.31, "0.3µs"}, {micros, 123, "123µs"}, {micros, 1500, "1.5ms"}, {micros, 2.5e6, "2.5s"}, {micros, math.NaN(), "–"},
		{age, 59, "59s"}, {age, 61, "1m 1s"}, {age, 3700, "1h 1m"}, {age, 90000, "1d 1h"},
	} {
		if got := test.format(test.in); got != test.want {
			t.Errorf("%v is %s, want %s", test.in, got, test.want)
		}
	}
}

func TestSpark(t *testing.T) {
	for _, test := range []struct {
		values  []float64
		width   int
		highest float64
		want    string
	}{
		{nil, 3, 0, "   "},
		{[]float64{0, 0}, 3, 0, " ▁▁"},
		{[]float64{1, 2, 4, 8}, 3, 0, "▃▅█"},
		{[]float64{50, math.NaN(), 100}, 3, 100, "▅ █"},
	} {
		if got := spark(test.values, test.width, test.highest); got != test.want {
			t.Errorf("spark(%v, %d, %v) = %q, want %q", test.values, test.width, test.highest, got, test.want)
		}
	}
	if got := bar(1.5, 4) + bar(-1, 4) + bar(0.5, 4) + bar(math.NaN(), 2); got != "████░░░░██░░░░" {
		t.Errorf("bars are %q", got)
	}
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		in    string
		width int
		right bool
		want  string
	}{
		{"abc", 5, false, "abc  "}, {"abc", 5, true, "  abc"}, {"abcdef", 4, false, "abc…"}, {"漢字", 3, false, "漢…"}, {"x", 0, false, ""},
	} {
		if got := fit(test.in, test.width, test.right); got != test.want || ansi.StringWidth(got) != test.width {
			t.Errorf("fit(%q, %d) = %q, want %q", test.in, test.width, got, test.want)
		}
	}
}

// TestLayout: columns fall off on the right, and what stays fills the width.
func TestLayout(t *testing.T) {
	for _, v := range views() {
		for width := 1; width < 200; width++ {
			widths := layout(v.columns, width)
			sum := len(widths) - 1
			for _, w := range widths {
				sum += w
			}
			if sum != width {
				t.Errorf("%s: %d columns wide, want %d", v.title, sum, width)
			}
		}
		if n := len(layout(v.columns, 80)); n < 3 {
			t.Errorf("%s has %d columns at width 80", v.title, n)
		}
		for i, c := range v.columns {
			if n := len(c.title); c.width > 0 && n > c.width {
				t.Errorf("%s: column %d has a title of %d columns, and is %d wide", v.title, i, n, c.width)
			}
		}
	}
}

// TestSpans: a server that was started anew, or whose statistics were reset, has no rates below 0.
func TestSpans(t *testing.T) {
	at := time.Unix(1000, 0)
	read := func(seconds int, fields string) *reading {
		return &reading{at: at.Add(time.Duration(seconds) * time.Second), info: client.ParseInfo(strings.ReplaceAll(fields, " ", "\r\n"))}
	}
	s := span{}.next(read(0, "run_id:a total_commands_processed:100 cmdstat_get:calls=100,usec=50"))
	if !math.IsNaN(s.rate("total_commands_processed")) {
		t.Error("a rate out of one reading")
	}
	s = s.next(read(2, "run_id:a total_commands_processed:300 cmdstat_get:calls=300,usec=250 latency_percentiles_usec_get:p50=1.5,p99=2,p99.9=3"))
	c := s.commands()[0]
	if s.rate("total_commands_processed") != 100 || c.perSecond != 100 || c.average != 1 || c.p50 != 1.5 || c.p99 != 2 || c.p999 != 3 {
		t.Errorf("rate %v, command %+v", s.rate("total_commands_processed"), c)
	}
	for _, fields := range []string{"run_id:b total_commands_processed:900", "run_id:a total_commands_processed:5"} {
		if again := s.next(read(3, fields)); again.before != nil || !math.IsNaN(again.rate("total_commands_processed")) {
			t.Errorf("a rate over a restart or a reset: %s", fields)
		}
	}
}

// Every row of prefixes has a name of its own.
func TestPrefixName(t *testing.T) {
	for _, tt := range []struct {
		prefix  string
		tracked int64
		want    string
	}{{"user", 1, "user"}, {"", 1, "(none)"}, {"(none)", 1, `"(none)"`}, {"(other)", 1, `"(other)"`}, {"(other)", 0, "(other)"}} {
		if got := prefixName(map[string]any{"prefix": tt.prefix, "tracked": tt.tracked}); got != tt.want {
			t.Errorf("prefix %q is shown as %s, want %s", tt.prefix, got, tt.want)
		}
	}
}
