package lex

import (
	"math"
	"testing"
)

func TestParseBound(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
		ok   bool
	}{
		{"", 0, true}, {"\x00abc", 0, true}, {"5\x00abc", 5, true}, {" 5", 5, true}, {"\t\n\v\f\r-1.5", -1.5, true},
		{"1e400", math.Inf(1), true}, {"-1e400", math.Inf(-1), true}, {"1e-400", 0, true}, {"0x10", 16, true},
		{" inf", math.Inf(1), true}, {"-Infinity", math.Inf(-1), true}, {"+3", 3, true}, {".5", 0.5, true}, {"5.", 5, true},
		{" ", 0, false}, {"5 ", 0, false}, {"abc", 0, false}, {"nan", 0, false}, {"-", 0, false}, {".", 0, false}, {"1e", 0, false},
		{"0x", 0, false}, {"1 2", 0, false},
	} {
		got, ok := ParseBound([]byte(c.text))
		if ok != c.ok || got != c.want {
			t.Errorf("%q: %v, %v, want %v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}
