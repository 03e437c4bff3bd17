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

// AppendFloat prints what C prints with %.17g: redis-server 7.0.15 has these in its files.
func TestAppendFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "3": 3, "-1.5": -1.5, "0.10000000000000001": 0.1, "1e+100": 1e100, "5e+18": 5e18,
		"9.9999999999999995e-08": 1e-7, "0.0001": 0.0001, "1.0000000000000001e-05": 0.00001, "1000000000000000.5": 1e15 + 0.5,
		"10000000000000000": 1e16, "1e+17": 1e17, "123456789012": 123456789012, "0.33333333333333331": 1.0 / 3, "inf": math.Inf(1),
		"-inf": math.Inf(-1), "4.9406564584124654e-324": 5e-324, "-1.7976931348623157e+308": -math.MaxFloat64,
	} {
		b := AppendFloat(nil, f)
		if string(b) != want || len(b) > FloatSize {
			t.Errorf("%v is printed as %s, want %s", f, b, want)
		}
		if back, ok := ParseFloat(b); !ok || back != f {
			t.Errorf("%s reads back as %v", b, back)
		}
	}
}
