package lex

import (
	"math"
	"testing"
)

func TestParseFloat(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"0", 0}, {"1", 1}, {"-1.5", -1.5}, {"+1", 1}, {".5", 0.5}, {"5.", 5}, {"1e5", 1e5}, {"1E-5", 1e-5}, {"1e+5", 1e5},
		{"0x10", 16}, {"0X.8", 0.5}, {"0x1p3", 8}, {"-0x1.8P-1", -0.75}, {"0xe", 14},
		{"inf", math.Inf(1)}, {"+Inf", math.Inf(1)}, {"-INFINITY", math.Inf(-1)},
		{"0e99999999999999999999", 0}, {"007", 7}, {"0.1", 0.1}, {"5e-324", 5e-324}, {"1.7976931348623157e308", math.MaxFloat64},
	} {
		if got, ok := ParseFloat([]byte(c.text)); !ok || got != c.want {
			t.Errorf("ParseFloat(%q) = %v, %v; want %v", c.text, got, ok, c.want)
		}
	}
	for _, text := range notNumbers {
		if got, ok := ParseFloat([]byte(text)); ok {
			t.Errorf("ParseFloat(%q) = %v, want refusal", text, got)
		}
	}
	for _, text := range []string{"1e309", "-1e309", "1e-400", "1e4932", "0x1p1024", "0x1p-1080"} {
		if got, ok := ParseFloat([]byte(text)); ok {
			t.Errorf("ParseFloat(%q) = %v, want refusal of what the format cannot hold", text, got)
		}
	}
}

// notNumbers are refused by every float parser.
var notNumbers = []string{
	"", " ", " 1", "1 ", "\t1", "1\x00", "+", "-", "+-1", "--1", ".", "-.", "e", "e5", "1e", "1e+", "1e-", "1e5.", "1.2.3", "1,5", "1_000",
	"0x", "0x.", "0xg", "0x1p", "0x1p+", "0b1", "0o7", "1p3", "in", "infi", "infinit", "infinityx", "infx", "nan", "NaN", "-nan", "nan(1)", "abc", "1a", "１",
}
