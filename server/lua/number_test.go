package lua

import (
	"math"
	"strconv"
	"testing"
)

// TestNumberTexts pins what redis-server 7.0.15 answers to tostring.
func TestNumberTexts(t *testing.T) {
	for _, c := range []struct {
		n    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-1, "-1"}, {0.1, "0.1"}, {1e14 - 1, "99999999999999"},
		{1e14, "1e+14"}, {-1e14, "-1e+14"}, {1e15, "1e+15"}, {1 << 53, "9.007199254741e+15"}, {1e100, "1e+100"},
		{1e-4, "0.0001"}, {1e-5, "1e-05"}, {1.0 / 3, "0.33333333333333"}, {123456.789e3, "123456789"},
		{math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.NaN(), "nan"}, {math.Copysign(math.NaN(), -1), "-nan"},
		{math.MaxFloat64, "1.7976931348623e+308"}, {5e-324, "4.9406564584125e-324"}, {99999999999999.5, "1e+14"},
	} {
		if got := string(AppendNumber(nil, c.n)); got != c.want {
			t.Errorf("%v is %q, want %q", c.n, got, c.want)
		}
	}
}

func TestNumberParsing(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " ": "", "1": "1", " 12 ": "12", "\t\n\v\f\r1\t\n\v\f\r": "1",
		"1 2": "", "+1": "1", "-1": "-1", "- 1": "",
		"--1": "", "1.": "1", ".5": "0.5", ".": "", "1e": "",
		"1e+": "", "1e5": "100000", "1E-2": "0.01", "e5": "", "1e400": "inf",
		"-1e400": "-inf", "1e-400": "0", "-0": "-0", "0x": "",
		"0x10": "16", "-0x10": "-16", "0X1p4": "16", "0x.8": "0.5",
		"0x1p": "", "0xg": "", "0x1.8": "1.5", "0x.p1": "", "0xffffffffffffffffff": "4.7223664828696e+21", "1_000": "",
		"0x1_0": "", "inf": "inf", "-INF": "-inf", "infinity": "inf", "infinit": "", "infinityx": "",
		"nan": "nan", "-NaN": "-nan",
		"nan(12)": "nan", "nan(": "", "nan(a-b)": "", "10\x00x": "10", "\x0010": "", "1\xa0": "", "1d": "", "1f": "",
		"179769313486231590793728971405301e276": "inf", "0b1": "", "0o7": "", "07": "7",
	} {
		got := ""
		if n, ok := ParseNumber(text); ok {
			got = string(AppendNumber(nil, n))
		}
		if got != want {
			t.Errorf("%q reads as %q, want %q", text, got, want)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"12", " 0x1p-4 ", "nan(1)", "1e308", "-.5e+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := ParseNumber(text)
		if !ok || n != n {
			return
		}
		again, ok := ParseNumber(strconv.FormatFloat(n, 'g', 17, 64))
		if !ok || again != n {
			t.Fatalf("%q is %v, which reads as %v, %v", text, n, again, ok)
		}
	})
}

func TestNumberAllocates(t *testing.T) {
	b := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendNumber(AppendNumber(b[:0], 123), 0.1)
		ParseNumber("123")
		ParseNumber(" 12.5e3 ")
	}); n != 0 {
		t.Errorf("numbers take %v allocations", n)
	}
}
