package lex

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func TestExtendedAdd(t *testing.T) {
	for _, c := range [][3]string{
		{"10.5", "0.1", "10.6"}, {"3.0e3", "200", "3200"}, {"5.0e3", "2.0e2", "5200"}, {"0.1", "0.2", "0.3"}, {"0", "-0", "0"},
		{"-0", "-0", "0"}, {"1", "-1", "0"}, {"-0.000000000000000001", "0", "0"}, {"0.00000000000000001", "0", "0.00000000000000001"},
		{"0.000000000000000005", "0", "0"}, {"0.0000000000000000051", "0", "0.00000000000000001"},
		{"9223372036854775807", "1", "9223372036854775808"}, {"18446744073709551615", "1", "18446744073709551616"},
		{"18446744073709551616", "1", "18446744073709551616"}, {"18446744073709551616", "3", "18446744073709551620"},
		{"36893488147419103232", "1", "36893488147419103232"}, {"1e30", "-1e30", "0"}, {"1e30", "1", "1000000000000000000024696061952"},
		{"0.99999999999999999999", "0", "1"}, {"-0.5", "0.25", "-0.25"}, {"0x10", "0x.8", "16.5"}, {"1e-4950", "0", "0"}, {"1e-20", "1", "1"},
		{"1.1", "2.2", "3.3"}, {"3.3", "-1.1", "2.2"}, {"0.3", "-0.1", "0.2"}, {"100", "-99.99", "0.01"},
	} {
		if got := addText(t, c[0], c[1]); got != c[2] {
			t.Errorf("%s + %s = %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestExtendedRefuses(t *testing.T) {
	long := strings.Repeat("0", maxExtendedText)
	for _, text := range append([]string{"1e4933", "-1e4933", "1e-4951", "1.8e-4951", "0x1p16384", "0x1p-16446", "1e99999999999999999999", "1e-99999999999999999999", long + "1"}, notNumbers...) {
		if x, ok := ParseExtended([]byte(text)); ok {
			t.Errorf("ParseExtended(%.40q) = %s, want refusal", text, x.Append(nil))
		}
	}
	for _, text := range []string{long, "0e99999999999999999999", "1e-4950", "3.6451995318824746025e-4951", "0x1p16383", "0x1.8p-16446", "inf", "-Infinity"} {
		if _, ok := ParseExtended([]byte(text)); !ok {
			t.Errorf("ParseExtended(%.40q) refused", text)
		}
	}
	for _, c := range [][2]string{{"inf", "1"}, {"1", "-inf"}, {"inf", "-inf"}, {"1e4932", "1e4932"}, {"-1e4932", "-1e4932"}} {
		x, _ := ParseExtended([]byte(c[0]))
		y, _ := ParseExtended([]byte(c[1]))
		if sum, ok := x.Add(y); ok {
			t.Errorf("%s + %s = %s, want refusal", c[0], c[1], sum.Append(nil))
		}
	}
}

// TestExtendedOrder compares numbers in the order of the list with one another, and with doubles.
func TestExtendedOrder(t *testing.T) {
	texts := []string{"-inf", "-1e4000", "-1e308", "-3.5", "-3", "-0.1", "-1e-300", "0", "1e-4000", "0.1", "0.10000000000000000001", "1", "3", "1e308", "1e309", "inf"}
	for i, a := range texts {
		x, ok := ParseExtended([]byte(a))
		if !ok {
			t.Fatal(a)
		}
		want, _ := strconv.ParseFloat(a, 64) // what is out of range is infinite, or 0
		if got := x.Float64(); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("%s as a double is %v, want %v", a, got, want)
		}
		if got := x.Neg().Float64(); got != -want || math.Signbit(got) && want == 0 {
			t.Errorf("-(%s) is %v", a, got)
		}
		for j, b := range texts {
			y, _ := ParseExtended([]byte(b))
			if x.Less(y) != (i < j) || y.Neg().Less(x.Neg()) != (i < j) {
				t.Errorf("%s < %s is %t, their negatives %t", a, b, x.Less(y), y.Neg().Less(x.Neg()))
			}
		}
	}
}

// TestExtendedAgainstRedis replays sums that a real redis-server 7.0.15 (x86-64) printed.
func TestExtendedAgainstRedis(t *testing.T) {
	f, err := os.Open("testdata/incrbyfloat.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	count := 0
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			t.Fatalf("bad line %q", lines.Text())
		}
		if got := addText(t, fields[0], fields[1]); got != fields[2] {
			t.Errorf("%s + %s = %s, Redis says %s", fields[0], fields[1], got, fields[2])
		}
		count++
	}
	if err := lines.Err(); err != nil || count < 1000 {
		t.Fatalf("%d lines, %v", count, err)
	}
}

// TestExtendedAgainstBig compares random sums with math/big carried out at 64 bits.
func TestExtendedAgainstBig(t *testing.T) {
	rng := randtest.New(t)
	for range 50_000 {
		a, b := randomNumber(rng), randomNumber(rng)
		x, xok := ParseExtended([]byte(a))
		y, yok := ParseExtended([]byte(b))
		if !xok || !yok {
			t.Fatalf("%q or %q refused", a, b)
		}
		sum, ok := x.Add(y)
		if !ok {
			t.Fatalf("%q + %q refused", a, b)
		}
		want := modelText(new(big.Float).SetPrec(64).Add(modelParse(t, a), modelParse(t, b)))
		if got := string(sum.Append(nil)); got != want {
			t.Fatalf("%s + %s = %s, want %s", a, b, got, want)
		}
	}
}

func TestExtendedAllocatesNothing(t *testing.T) {
	a, b := []byte("10.5"), []byte("-3.14e2")
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		x, _ := ParseExtended(a)
		y, _ := ParseExtended(b)
		x, _ = x.Add(y)
		buf = x.Append(buf[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParseExtended feeds arbitrary text to both parsers; what is accepted must print and read
// back.
func FuzzParseExtended(f *testing.F) {
	for _, s := range []string{"1", "-0x1.8p-3", "1e4932", "inf", "123456789012345678901234567890.5", "1e-4951", ".", "0x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := ParseFloat(b); ok {
			if _, ok := ParseExtended(b); !ok && len(b) <= maxExtendedText {
				t.Fatalf("%q is a double but no extended number", b)
			}
		}
		x, ok := ParseExtended(b)
		if !ok {
			return
		}
		text := x.Append(nil)
		y, ok := ParseExtended(text)
		if !ok {
			t.Fatalf("%q prints as %q, which is refused", b, text)
		}
		if again := y.Append(nil); !bytes.Equal(text, again) {
			t.Fatalf("%q prints as %q, then as %q", b, text, again)
		}
	})
}

func addText(t *testing.T, a, b string) string {
	t.Helper()
	x, xok := ParseExtended([]byte(a))
	y, yok := ParseExtended([]byte(b))
	if !xok || !yok {
		t.Errorf("%q or %q refused", a, b)
		return ""
	}
	sum, ok := x.Add(y)
	if !ok {
		return "refused"
	}
	return string(sum.Append(nil))
}

// randomNumber writes a number of any form, small, large or awkward.
func randomNumber(rng *rand.Rand) string {
	switch rng.IntN(6) {
	case 0:
		return strconv.FormatInt(rng.Int64()>>rng.IntN(63), 10)
	case 1:
		return fmt.Sprintf("%.*f", rng.IntN(20), rng.NormFloat64()*math.Pow(10, float64(rng.IntN(8))))
	case 2:
		return strconv.FormatFloat(rng.NormFloat64(), 'g', -1, 64)
	case 3:
		return fmt.Sprintf("%s%d.%0*de%d", []string{"", "-", "+"}[rng.IntN(3)], rng.IntN(1000), 1+rng.IntN(25), rng.IntN(1<<30), rng.IntN(60)-30)
	case 4:
		return fmt.Sprintf("%de%d", rng.Uint64(), rng.IntN(400)-200)
	}
	return fmt.Sprintf("0x%x.%xp%d", rng.Uint64(), rng.Uint64()>>rng.IntN(63), rng.IntN(100)-80)
}

// modelParse rounds exactly once, from a rational.
func modelParse(t *testing.T, s string) *big.Float {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("model cannot read %q", s)
	}
	return new(big.Float).SetPrec(64).SetRat(r)
}

func modelText(f *big.Float) string {
	s := f.Text('f', 17)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if strings.HasSuffix(s, "-0") || s == "" {
		return "0"
	}
	return s
}
