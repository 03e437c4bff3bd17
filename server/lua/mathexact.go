package lua

import "math"

// Functions of C's libm that agree with glibc's. Those of Go's package math err by up to a few units
// in the last place: there log10(1000) is less than 3, so that math.floor makes 2 of it, and such
// differences get into keys and scores with Redis' 17 digits. glibc's errors are little above half
// a unit, which is as good as rounding correctly: so these compute with about 70 bits and more, and round once.
// They take a fraction of a microsecond.

// double is the unevaluated sum of two numbers, the second below half a unit of the first.
type double struct{ hi, lo float64 }

func quickSum(a, b float64) double {
	s := a + b
	return double{s, b - (s - a)}
}

func exactSum(a, b float64) double {
	s := a + b
	v := s - a
	return double{s, (a - (s - v)) + (b - v)}
}

func exactProduct(a, b float64) double {
	p := a * b
	return double{p, math.FMA(a, b, -p)}
}

func (a double) add(b double) double {
	s, t := exactSum(a.hi, b.hi), exactSum(a.lo, b.lo)
	s = quickSum(s.hi, s.lo+t.hi)
	return quickSum(s.hi, s.lo+t.lo)
}

func (a double) sub(b double) double { return a.add(double{-b.hi, -b.lo}) }

func (a double) mul(b double) double {
	p := exactProduct(a.hi, b.hi)
	return quickSum(p.hi, p.lo+(a.hi*b.lo+a.lo*b.hi))
}

func (a double) times(b float64) double {
	p := exactProduct(a.hi, b)
	return quickSum(p.hi, p.lo+a.lo*b)
}

func (a double) div(b double) double {
	q := a.hi / b.hi
	r := a.sub(b.times(q))
	q2 := r.hi / b.hi
	r = r.sub(b.times(q2))
	s := quickSum(q, q2)
	return s.add(double{r.hi / b.hi, 0})
}

func (a double) scale(by float64) double { return double{a.hi * by, a.lo * by} } // by a power of 2

func (a double) sqrt() double {
	if a.hi <= 0 {
		return double{}
	}
	s := math.Sqrt(a.hi)
	rest := a.sub(exactProduct(s, s))
	return quickSum(s, rest.hi/(2*s))
}

// ln2, ln10 and half of pi, to so many doubles as the reductions of arguments need.
const (
	ln2a, ln2b, ln2c = 6.931471805599452862e-01, 2.319046813846299558e-17, 5.707708438416212066e-34
	halfPiA, halfPiB = 1.570796326794896558e+00, 6.123233995736766036e-17
	halfPiC          = -1.497384904859169777e-33
)

// reduce is a minus k times the sum of three parts.
func (a double) reduce(k, p1, p2, p3 float64) double {
	return a.sub(exactProduct(k, p1)).sub(exactProduct(k, p2)).sub(exactProduct(k, p3))
}

// Inverses of factorials, each as two numbers. What polynomials have beyond them is so small that
// the second halves do not count.
var (
	over6    = double{0.16666666666666666, 9.25185853854297e-18}
	over24   = double{0.041666666666666664, 2.3129646346357427e-18}
	over120  = double{0.008333333333333333, 1.1564823173178714e-19}
	over720  = double{0.001388888888888889, -5.300543954373577e-20}
	over5040 = double{0.0001984126984126984, 1.7209558293420705e-22}
)

// expDouble is e^a as a number near 1 and a power of 2.
func expDouble(a double) (double, int) {
	const halvings = 6
	k := math.RoundToEven(a.hi / math.Ln2)
	r := a.reduce(k, ln2a, ln2b, ln2c).scale(1.0 / (1 << halvings))
	square, x := r.mul(r), r.hi
	rest := x * x * x * x * (1.0/24 + x*(1.0/120+x*(1.0/720+x*(1.0/5040+x/40320))))
	sum := square.mul(r).mul(over6).add(double{rest, 0}).add(square.scale(0.5)).add(r) // e^r-1
	for range halvings {
		sum = sum.scale(2).add(sum.mul(sum)) // e^2r-1
	}
	return sum.add(double{1, 0}), int(k)
}

// logDouble is the logarithm of a number that is positive and finite.
func logDouble(x float64) double {
	if math.Abs(x-1) < 1.0/16 {
		s := double{x - 1, 0}.div(exactSum(x, 1))
		square := s.mul(s)
		z := square.hi
		rest := z * z * (1.0/5 + z*(1.0/7+z*(1.0/9+z*(1.0/11+z*(1.0/13+z/15)))))
		return square.div(double{3, 0}).add(double{rest, 0}).mul(s).add(s).scale(2)
	}
	if x < 0x1p-1022 { // for which math.Log is wrong on amd64
		return logDouble(x*(1<<60)).reduce(60, ln2a, ln2b, ln2c)
	}
	y := math.Log(x)
	e, k := expDouble(double{-y, 0})
	rest := e.times(math.Ldexp(x, k)).sub(double{1, 0}) // a step of Newton's
	return double{y, 0}.add(rest).sub(double{rest.hi * rest.hi / 2, 0})
}

func exp(x float64) float64 {
	if !(math.Abs(x) < 746) {
		return math.Exp(x)
	}
	e, k := expDouble(double{x, 0})
	return math.Ldexp(e.hi, k)
}

func log(x float64) float64 {
	switch {
	case x < 0:
		return math.Copysign(math.NaN(), -1)
	case x > 0 && !math.IsInf(x, 1):
		return logDouble(x).hi
	}
	return math.Log(x)
}

// log10 follows glibc's formula, whose error is larger than that of its other functions.
func log10(x float64) float64 {
	const (
		invLn10          = 4.34294481903251816668e-01
		log10Of2, rest10 = 3.01029995663611771306e-01, 3.69423907715893078616e-13
	)
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log10(x)
	}
	fraction, k := math.Frexp(x)
	fraction, k = fraction*2, k-1 // from 1 to 2
	if k < 0 {
		fraction, k = fraction/2, k+1
	}
	y := float64(k)
	z := y*rest10 + invLn10*log(fraction)
	return z + y*log10Of2
}

// pow is also what ^ does.
func pow(x, y float64) float64 {
	switch {
	case x != x && y != 0 || y != y && x != 1:
		return powNaN(x, y)
	case y == 1:
		return x
	case y == 2:
		return x * x
	case y == 0.5 && x > 0:
		return math.Sqrt(x)
	case x == 0 || x == 1 || y == 0 || math.IsInf(x, 0) || math.IsInf(y, 0):
		return math.Pow(x, y)
	}
	sign := 1.0
	if x < 0 {
		if y != math.Floor(y) {
			return math.Copysign(math.NaN(), -1)
		}
		if math.Mod(y, 2) != 0 {
			sign = -1
		}
		x = -x
	}
	if r, ok := powExact(x, y); ok {
		return sign * r
	}
	p := logDouble(x).times(y)
	if !(math.Abs(p.hi) < 746) {
		return sign * math.Exp(p.hi) // 0 or infinity
	}
	e, k := expDouble(p)
	return sign * math.Ldexp(e.hi, k)
}

// powExact multiplies as long as the result is an integer that a number holds exactly.
func powExact(x, y float64) (float64, bool) {
	if !(y > 0 && y <= 52) || y != math.Floor(y) || x != math.Floor(x) {
		return 0, false
	}
	r := x
	for range int(y) - 1 {
		if r *= x; r > 1<<53 {
			return 0, false
		}
	}
	return r, true
}

// powNaN is pow of a NaN: which has a sign.
func powNaN(x, y float64) float64 {
	if y != y {
		return x + y
	}
	if odd := math.Abs(math.Mod(y, 2)) == 1; odd && math.Signbit(x) {
		return math.Copysign(x, 1)
	}
	return x
}

// maxReduced bounds the angles that reduce brings below pi/4 exactly enough.
const maxReduced = 1 << 25

// sinCosDouble is the sine and the cosine of an angle up to maxReduced.
func sinCosDouble(x float64) (sine, cosine double) {
	k := math.RoundToEven(x / (math.Pi / 2))
	r := double{x, 0}.reduce(k, halfPiA, halfPiB, halfPiC)
	square := r.mul(r)
	z, one := square.hi, double{1, 0}
	rest := z * (1.0/362880 - z*(1.0/39916800-z*(1.0/6227020800-
		z*(1.0/1307674368000-z*(1.0/355687428096000-z/121645100408832000)))))
	sine = over120.sub(over5040.sub(double{rest, 0}).mul(square))
	sine = r.sub(over6.sub(sine.mul(square)).mul(square).mul(r))
	rest = z * (1.0/40320 - z*(1.0/3628800-z*(1.0/479001600-
		z*(1.0/87178291200-z*(1.0/20922789888000-z/6402373705728000)))))
	cosine = over24.sub(over720.sub(double{rest, 0}).mul(square))
	cosine = one.sub(double{0.5, 0}.sub(cosine.mul(square)).mul(square))
	switch int(k) & 3 {
	case 1:
		sine, cosine = cosine, sine.scale(-1)
	case 2:
		sine, cosine = sine.scale(-1), cosine.scale(-1)
	case 3:
		sine, cosine = cosine.scale(-1), sine
	}
	return sine, cosine
}

func sin(x float64) float64 {
	switch {
	case math.IsInf(x, 0):
		return math.Copysign(math.NaN(), -1)
	case x == 0 || !(math.Abs(x) < maxReduced):
		return math.Sin(x)
	}
	sine, _ := sinCosDouble(x)
	return sine.hi
}

func cos(x float64) float64 {
	switch {
	case math.IsInf(x, 0):
		return math.Copysign(math.NaN(), -1)
	case !(math.Abs(x) < maxReduced):
		return math.Cos(x)
	}
	_, cosine := sinCosDouble(x)
	return cosine.hi
}

func tan(x float64) float64 {
	switch {
	case math.IsInf(x, 0):
		return math.Copysign(math.NaN(), -1)
	case x == 0 || !(math.Abs(x) < maxReduced):
		return math.Tan(x)
	}
	sine, cosine := sinCosDouble(x)
	return sine.div(cosine).hi
}

// atan2Double is the angle of a point whose coordinates are of moderate size.
func atan2Double(y, x double) float64 {
	angle := math.Atan2(y.hi, x.hi)
	sine, cosine := sinCosDouble(angle)
	off := y.mul(cosine).sub(x.mul(sine)).div(x.mul(cosine).add(y.mul(sine)))
	return double{angle, 0}.add(off).hi
}

func atan2(y, x float64) float64 {
	const small, large = 1e-100, 1e100
	a, b := math.Abs(y), math.Abs(x)
	switch {
	case x != x:
		return x // with its sign
	case y != y:
		return y
	}
	if !(small < a && a < large && small < b && b < large) {
		return math.Atan2(y, x)
	}
	return atan2Double(double{y, 0}, double{x, 0})
}

func atan(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return x
	}
	return atan2(x, 1)
}

func asin(x float64) float64 {
	if math.Abs(x) < 1e-9 || !(math.Abs(x) <= 1) {
		return math.Asin(x)
	}
	return atan2Double(double{x, 0}, double{1, 0}.sub(exactProduct(x, x)).sqrt())
}

func acos(x float64) float64 {
	if !(math.Abs(x) < 1) {
		return math.Acos(x)
	}
	return atan2Double(double{1, 0}.sub(exactProduct(x, x)).sqrt(), double{x, 0})
}

// The hyperbolic functions follow glibc's formulas.

func sinh(x float64) float64 {
	a, half := math.Abs(x), math.Copysign(0.5, x)
	switch {
	case a < 1.0/(1<<28) || x != x || math.IsInf(x, 0):
		return x
	case a < 1:
		e := math.Expm1(a)
		return half * (2*e - e*e/(e+1))
	case a < 22:
		e := math.Expm1(a)
		return half * (e + e/(e+1))
	}
	return 2 * half * largeCosh(a)
}

func cosh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x:
		return x
	case a < 0.5*math.Ln2:
		e := math.Expm1(a)
		w := 1 + e
		return 1 + e*e/(w+w)
	case a < 22:
		e := exp(a)
		return 0.5*e + 0.5/e
	}
	return largeCosh(a)
}

// largeCosh is the hyperbolic cosine, and sine, of what is large.
func largeCosh(a float64) float64 {
	if a <= 709.78 {
		return 0.5 * exp(a)
	}
	w := exp(0.5 * a)
	return 0.5 * w * w
}

func tanh(x float64) float64 {
	a, z := math.Abs(x), 1.0
	switch {
	case x != x || a < 1.0/(1<<55):
		return x
	case a < 1:
		e := math.Expm1(-2 * a)
		z = -e / (e + 2)
	case a < 22:
		e := math.Expm1(2 * a)
		z = 1 - 2/(e+2)
	}
	return math.Copysign(z, x)
}

// fmod is C's: of what has no remainder it makes a NaN with a sign, as x86-64 does.
func fmod(x, y float64) float64 {
	switch {
	case x != x || y != y:
		return x + y
	case math.IsInf(x, 0) || y == 0:
		return math.Copysign(math.NaN(), -1)
	}
	return math.Mod(x, y)
}
