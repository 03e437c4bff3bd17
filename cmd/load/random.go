package load

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Uniform is a number in (0, 1) that belongs to i: the mixing step of splitmix64.
func Uniform(i int) float64 {
	x := (uint64(i) + 1) * 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return (float64((x^x>>31)>>11) + 0.5) / (1 << 53)
}

// Scatter is a permutation of 0..n-1, for n up to 2^36 that is no multiple of its factor, a prime:
// it takes neighbours far apart.
func Scatter(i, n int) int { return i * 15_485_863 % n }

// Zipf draws ranks 0..n-1, rank k with a probability proportional to 1/(k+1)^s, for s > 0 other
// than 1. It inverts the integral of the density and rejects the little that is too much (Hörmann,
// Derflinger: "Rejection-inversion to generate variates from monotone discrete distributions",
// 1996); rand.Zipf knows only s > 1.
type Zipf struct {
	rnd             *rand.Rand
	n, s            float64
	first, last     float64 // of the integral
	acceptedOutside float64
}

// NewZipf makes one for n ranks.
func NewZipf(rnd *rand.Rand, n int, s float64) *Zipf {
	z := &Zipf{rnd: rnd, n: float64(n), s: s}
	z.first = z.integral(1.5) - 1
	z.last = z.integral(z.n + 0.5)
	z.acceptedOutside = 2 - z.inverse(z.integral(2.5)-z.density(2))
	return z
}

func (z *Zipf) density(x float64) float64  { return math.Pow(x, -z.s) }
func (z *Zipf) integral(x float64) float64 { return (math.Pow(x, 1-z.s) - 1) / (1 - z.s) }
func (z *Zipf) inverse(y float64) float64  { return math.Pow(1+y*(1-z.s), 1/(1-z.s)) }

// Next draws a rank.
func (z *Zipf) Next() int {
	for {
		y := z.last + z.rnd.Float64()*(z.first-z.last)
		x := z.inverse(y)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.acceptedOutside || y >= z.integral(k+0.5)-z.density(k) {
			return int(k) - 1
		}
	}
}

// Choice says which keys are asked for.
type Choice struct {
	text string
	s    float64 // Zipf's exponent; 0: all equally often
}

// ParseChoice reads "uniform" or "zipf:EXPONENT".
func ParseChoice(text string) (Choice, error) {
	if text == "uniform" {
		return Choice{text: text}, nil
	}
	exponent, ok := strings.CutPrefix(text, "zipf:")
	s, err := strconv.ParseFloat(exponent, 64)
	if !ok || err != nil || !(s > 0 && s <= 10) {
		return Choice{}, fmt.Errorf("%q is no choice of keys: it takes uniform, or zipf: and an exponent from above 0 to 10", text)
	}
	if math.Abs(s-1) < 1e-6 {
		s = 1 + 1e-6 // where the integral is a logarithm; no sample could tell the difference
	}
	return Choice{text: text, s: s}, nil
}

// of returns what draws keys 0..n-1. The most frequent ones of Zipf's are no neighbours.
func (c Choice) of(rnd *rand.Rand, n int) func() int {
	if c.s == 0 {
		return func() int { return rnd.IntN(n) }
	}
	z := NewZipf(rnd, n, c.s)
	return func() int { return Scatter(z.Next(), n) }
}

// Size is the length of a key's value in bytes: the same whenever the key is written.
type Size struct {
	text        string
	least, most int
	of          func(key int) int
}

const largestValue = 64 << 20

// ParseSize reads a number of bytes, "MIN-MAX" (all equally often) or "lognormal:MEDIAN:SIGMA:MAX",
// which is what values of caches look like (Yang, Yue, Rashmi: "A large-scale analysis of hundreds of
// in-memory key-value cache clusters at Twitter", 2021).
func ParseSize(text string) (Size, error) {
	s := Size{text: text}
	err := errors.New("it takes bytes: N, MIN-MAX, or lognormal:MEDIAN:SIGMA:MAX, up to 67108864")
	numbers, parameters := strings.Split(text, "-"), strings.Split(text, ":")
	switch {
	case len(parameters) == 4 && parameters[0] == "lognormal":
		median, bad1 := strconv.Atoi(parameters[1])
		sigma, bad2 := strconv.ParseFloat(parameters[2], 64)
		most, bad3 := strconv.Atoi(parameters[3])
		if errors.Join(bad1, bad2, bad3) != nil || median < 1 ||
			!(sigma > 0 && sigma <= 10) || most < median || most > largestValue {
			break
		}
		s.least, s.most = 1, most
		s.of = func(key int) int { return LogNormal(key, float64(median), sigma, 1, most) }
		return s, nil
	case len(numbers) == 2:
		least, bad1 := strconv.Atoi(numbers[0])
		most, bad2 := strconv.Atoi(numbers[1])
		if errors.Join(bad1, bad2) != nil || least < 0 || most < least || most > largestValue {
			break
		}
		s.least, s.most = least, most
		s.of = func(key int) int { return least + int(Uniform(key)*float64(most-least+1)) }
		return s, nil
	case len(numbers) == 1:
		n, bad := strconv.Atoi(text)
		if bad != nil || n < 0 || n > largestValue {
			break
		}
		s.least, s.most = n, n
		s.of = func(int) int { return n }
		return s, nil
	}
	return Size{}, fmt.Errorf("%q is no size of values: %w", text, err)
}

// LogNormal is a size for key i of a log-normal distribution, cut off at both ends.
func LogNormal(i int, median, sigma float64, least, most int) int {
	normal := math.Sqrt2 * math.Erfinv(2*Uniform(i)-1)
	return min(max(int(median*math.Exp(sigma*normal)), least), most)
}

// Noise is bytes that do not compress; values are pieces of it.
type Noise []byte

const leastNoise = 1 << 20

// NewNoise makes enough of it for values of up to so many bytes.
func NewNoise(longest int) Noise {
	const seed = "of larder's incompressible values"
	out := make([]byte, max(leastNoise, 2*longest))
	_, _ = rand.NewChaCha8([32]byte([]byte(seed))).Read(out) // it never fails
	return out
}

// At returns the size bytes of the i-th value.
func (n Noise) At(i, size int) []byte {
	at := i * 61 % (len(n) - size)
	return n[at : at+size]
}

// TTL is a range of times to live, all equally likely; the zero value is none.
type TTL struct{ Least, Most time.Duration }

// ParseTTL reads "1m" or "30s-5m"; "" is none.
func ParseTTL(text string) (TTL, error) {
	if text == "" {
		return TTL{}, nil
	}
	least, most, ranged := strings.Cut(text, "-")
	if !ranged {
		most = least
	}
	from, bad := time.ParseDuration(least)
	to, bad2 := time.ParseDuration(most)
	if bad != nil || bad2 != nil || from < time.Millisecond || to < from {
		return TTL{}, fmt.Errorf("%q is no time to live: it takes a duration of at least 1ms, or two, as in 30s-5m",
			text)
	}
	return TTL{from, to}, nil
}
