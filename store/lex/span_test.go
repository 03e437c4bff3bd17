package lex

import "testing"

func TestSpan(t *testing.T) {
	const text = "This is a string"
	for _, c := range []struct {
		start, end int64
		want       string
	}{
		{0, 3, "This"}, {-3, -1, "ing"}, {0, -1, text}, {10, 100, "string"},
		{0, 0, "T"}, {5, 4, ""}, {-1, -5, ""}, {-5, -1, "tring"}, {16, 20, ""},
		{-100, -50, "T"}, {-100, 3, "This"}, {0, -100, "T"}, {1, -100, ""},
		{-1 << 63, 1<<63 - 1, text}, {-1 << 63, -1 << 63, "T"}, {1<<63 - 1, 1<<63 - 1, ""}, {1<<63 - 1, -1 << 63, ""},
	} {
		lo, hi := Span(c.start, c.end, len(text))
		if got := text[lo:hi]; got != c.want {
			t.Errorf("Span(%d, %d) selects %q, want %q", c.start, c.end, got, c.want)
		}
	}
	for _, c := range [][2]int64{{0, 0}, {0, -1}, {-1, -1}, {5, 9}, {-1 << 63, 1<<63 - 1}} {
		if lo, hi := Span(c[0], c[1], 0); lo != 0 || hi != 0 {
			t.Errorf("Span(%d, %d) of nothing = %d, %d", c[0], c[1], lo, hi)
		}
	}
}
