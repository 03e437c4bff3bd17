package lua

import (
	"math"
	"math/big"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestExactFunctions compares with sums of 200 bits.
func TestExactFunctions(t *testing.T) {
	r := randtest.New(t)
	for range 300 {
		x := (r.Float64() - 0.5) * 40
		want, _ := bigExp(x).Float64()
		if got := exp(x); got != want {
			t.Fatalf("exp(%v) is %v, want %v", x, got, want)
		}
		// Logarithms and powers are checked by what exp makes of them.
		p := math.Abs(x)
		low, high := bigExp(math.Nextafter(log(p), -100)), bigExp(math.Nextafter(log(p), 100))
		if low.Cmp(big.NewFloat(p)) >= 0 ||
			high.Cmp(big.NewFloat(p)) <= 0 {
			t.Fatalf("log(%v) is not %v", p, log(p))
		}
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"log10(1000)", log10(1000), 3}, {"log10(1e15)", log10(1e15), 15}, {"log10(1e-3)", log10(1e-3), -3},
		{"log(8)/log(2)", log(8) / log(2), 3}, {"10^15", pow(10, 15), 1e15}, {"10^-2", pow(10, -2), 0.01},
		{"10^22", pow(10, 22), 1e22}, {"10^300", pow(10, 300), 1e300}, {"2^-1074", pow(2, -1074), 5e-324},
		{"8^(1/3)", pow(8, 1.0/3), 2}, {"(-2)^3", pow(-2, 3), -8}, {"2^1024", pow(2, 1024), math.Inf(1)},
		{"(-2)^-1201", pow(-2, -1201), math.Copysign(0, -1)}, {"4^0.5", pow(4, 0.5), 2}, {"0^0", pow(0, 0), 1},
		{"exp(0)", exp(0), 1}, {"exp(-1000)", exp(-1000), 0}, {"log(1)", log(1), 0},
		{"sin(0)", sin(0), 0}, {"cos(0)", cos(0), 1},
		{"atan(1)", atan(1), math.Pi / 4}, {"asin(1)", asin(1), math.Pi / 2},
		{"acos(-1)", acos(-1), math.Pi}, {"acos(0)", acos(0), math.Pi / 2},
		{"sin(pi)", sin(math.Pi), 1.2246467991473532e-16}, {"tan(pi/2)", tan(math.Pi / 2), 1.633123935319537e+16},
	} {
		if math.Float64bits(c.got) != math.Float64bits(c.want) {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
}

func bigExp(x float64) *big.Float {
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
	sum, term := number(1), number(1)
	for n := 1.0; n < 300; n++ {
		term.Mul(term, number(x))
		term.Quo(term, number(n))
		sum.Add(sum, term)
	}
	return sum
}
