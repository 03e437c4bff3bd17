package lua

import "math"

// degree is one degree in radians. C rounds it like this.
var degree = math.Float64frombits(math.Float64bits(math.Pi)) / 180

// OpenMath installs the mathematical library. Its random numbers come from a source that States
// may share.
func (s *State) OpenMath(random *Random) {
	degrees := func(x float64) float64 { return x / degree }
	radians := func(x float64) float64 { return x * degree }
	functions := s.openGlobal("math", library{
		{"abs", mathAbs}, {"acos", mathUnary(acos)}, {"asin", mathUnary(asin)}, {"atan2", mathBinary(atan2)},
		{"atan", mathUnary(atan)}, {"ceil", mathUnary(math.Ceil)}, {"cosh", mathUnary(cosh)}, {"cos", mathUnary(cos)},
		{"deg", mathUnary(degrees)}, {"exp", mathUnary(exp)}, {"floor", mathUnary(math.Floor)},
		{"fmod", mathBinary(fmod)}, {"frexp", mathFrexp}, {"ldexp", mathLdexp}, {"log10", mathUnary(log10)},
		{"log", mathUnary(log)}, {"max", mathMax}, {"min", mathMin}, {"modf", mathModf}, {"pow", mathBinary(pow)},
		{"rad", mathUnary(radians)}, {"random", random.next}, {"randomseed", random.seed},
		{"sinh", mathUnary(sinh)}, {"sin", mathUnary(sin)}, {"sqrt", mathUnary(math.Sqrt)},
		{"tanh", mathUnary(tanh)}, {"tan", mathUnary(tan)},
	})
	functions.SetStr(NewString("pi"), Number(math.Pi))
	functions.SetStr(NewString("huge"), Number(math.Inf(1)))
	functions.SetStr(NewString("mod"), functions.GetStr(NewString("fmod"))) // its name in Lua 5.0
}

// mathUnary returns a NaN as it is: it has a sign, which tostring shows.
func mathUnary(f func(float64) float64) Native {
	return func(t *Thread) (int, error) {
		x, err := t.CheckNumber(1)
		if err != nil {
			return 0, err
		}
		if x == x {
			x = f(x)
		}
		return t.Return(Number(x))
	}
}

func mathAbs(t *Thread) (int, error) {
	x, err := t.CheckNumber(1)
	if err != nil {
		return 0, err
	}
	return t.Return(Number(math.Abs(x)))
}

// mathBinary looks at the second argument first: compilers of C evaluate arguments from the right
// where processors pass them in registers, and so do the errors of Redis.
func mathBinary(f func(x, y float64) float64) Native {
	return func(t *Thread) (int, error) {
		y, err := t.CheckNumber(2)
		if err != nil {
			return 0, err
		}
		x, err := t.CheckNumber(1)
		if err != nil {
			return 0, err
		}
		return t.Return(Number(f(x, y)))
	}
}

func mathFrexp(t *Thread) (int, error) {
	x, err := t.CheckNumber(1)
	if err != nil {
		return 0, err
	}
	fraction, exponent := math.Frexp(x)
	return t.Return(Number(fraction), Int(exponent))
}

func mathLdexp(t *Thread) (int, error) {
	exponent, err := t.checkInt32(2)
	if err != nil {
		return 0, err
	}
	x, err := t.CheckNumber(1)
	if err != nil {
		return 0, err
	}
	return t.Return(Number(math.Ldexp(x, exponent)))
}

func mathModf(t *Thread) (int, error) {
	x, err := t.CheckNumber(1)
	if err != nil {
		return 0, err
	}
	if math.IsInf(x, 0) {
		return t.Return(Number(x), Number(math.Copysign(0, x)))
	}
	whole, fraction := math.Modf(x)
	return t.Return(Number(whole), Number(fraction))
}

func mathMax(t *Thread) (int, error) {
	return mathBest(t, func(x, best float64) bool { return x > best })
}

func mathMin(t *Thread) (int, error) {
	return mathBest(t, func(x, best float64) bool { return x < best })
}

func mathBest(t *Thread, better func(x, best float64) bool) (int, error) {
	best, err := t.CheckNumber(1)
	if err != nil {
		return 0, err
	}
	for i := 2; i <= t.Count(); i++ {
		x, err := t.CheckNumber(i)
		if err != nil {
			return 0, err
		}
		if better(x, best) {
			best = x
		}
	}
	return t.Return(Number(best))
}
