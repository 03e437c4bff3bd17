package lex

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// Extended numbers: C's long double on x86-64, which is what INCRBYFLOAT and
// HINCRBYFLOAT calculate in.
//
// Redis reads the counter and the increment with strtold, adds them in the
// x87's 80-bit format (64 bits of mantissa, 15 of exponent) and prints the sum
// with %.17Lf, less the zeros at the end. The eleven bits beyond a double are
// visible: they are why 10.5 + 0.1 reads 10.6 and 0.1 + 0.2 reads 0.3, and why
// a counter of cents does not drift. Go has no such type. Rounding doubles to
// fewer digits would hide the drift in common cases and differ from Redis in
// the others, so the format is carried out here, exactly: one rounding to
// nearest, ties to even, in each of parse, add and print. Results agree with
// Redis byte for byte.
//
// Common values (up to 19 digits, exponents within 27, sums below 2^64) take
// 128-bit integer arithmetic and do not allocate; the rest goes through
// math/big. Values below the normal range keep the full mantissa here where
// the x87 would lose bits; every one of them prints as 0, so none can tell.

// Extended is a finite or infinite number in the x87 extended format. The zero
// value is the number 0.
type Extended struct {
	mant     uint64 // top bit set unless the number is 0 or infinite
	exp      int32  // value = mant x 2^exp
	negative bool
	infinite bool
}

const (
	maxExp2 = 16383 - 63  // exponent of the largest finite mantissa
	tinyExp = -16445 - 64 // a magnitude of 2^(tinyExp+63) = 2^-16446 or less rounds to zero

	// maxExtendedText bounds the text of a number, as the buffer in Redis does.
	maxExtendedText = 5*1024 - 1

	maxDigits = 19 // decimal digits that always fit 64 bits
	maxPow5   = 27 // 5^27 is the largest power of five below 2^64
)

// ParseExtended reads b as Redis reads the increment or the counter of
// INCRBYFLOAT (string2ld). It accepts what ParseFloat does, in the wider range,
// up to 5119 bytes of text.
func ParseExtended(b []byte) (Extended, bool) {
	if len(b) > maxExtendedText {
		return Extended{}, false
	}
	n, ok := scan(b)
	if !ok {
		return Extended{}, false
	}
	if n.infinite {
		return Extended{negative: n.negative, infinite: true}, true
	}
	if n.zero {
		return Extended{negative: n.negative}, true
	}
	var x Extended
	if n.hex {
		x = n.binary()
	} else if x, ok = n.decimal(); !ok {
		x = n.longDecimal()
	}
	x.negative = n.negative
	if x.infinite || x.mant == 0 {
		return Extended{}, false // ERANGE
	}
	return x, true
}

// Add returns x + y. It reports false when the sum is not finite, where Redis
// answers that the increment would produce NaN or Infinity.
func (x Extended) Add(y Extended) (Extended, bool) {
	if x.infinite || y.infinite {
		return Extended{}, false
	}
	if y.mant == 0 {
		return x, true
	}
	if x.mant == 0 {
		return y, true
	}
	if x.exp < y.exp || x.exp == y.exp && x.mant < y.mant {
		x, y = y, x
	}
	// |x| >= |y|. Both become 128-bit fractions of x's exponent; what y loses
	// off the end is kept as one sticky bit.
	yh, yl, sticky := shiftRight(y.mant, 0, uint(x.exp-y.exp))
	exp := x.exp
	var hi, lo, carry uint64
	if x.negative == y.negative {
		lo, carry = bits.Add64(0, yl, 0)
		hi, carry = bits.Add64(x.mant, yh, carry)
		if carry != 0 {
			sticky = sticky || lo&1 != 0
			lo = lo>>1 | hi<<63
			hi = hi>>1 | 1<<63
			exp++
		}
	} else {
		if sticky {
			carry = 1 // y is a little more than yh:yl, so the difference is a little more than one less
		}
		lo, carry = bits.Sub64(0, yl, carry)
		hi, _ = bits.Sub64(x.mant, yh, carry)
	}
	sum := round(hi, lo, sticky, exp)
	sum.negative = x.negative && sum.mant != 0
	return sum, !sum.infinite
}

// Infinity is a number beyond all finite ones.
func Infinity(negative bool) Extended { return Extended{negative: negative, infinite: true} }

// Neg returns -x.
func (x Extended) Neg() Extended {
	x.negative = !x.negative
	return x
}

// Less reports whether x < y.
func (x Extended) Less(y Extended) bool {
	if x.sign() != y.sign() {
		return x.sign() < y.sign()
	}
	if x.sign() < 0 {
		x, y = y, x
	}
	switch { // magnitudes: the top bit of each is set
	case x.infinite || y.infinite:
		return !x.infinite
	case x.exp != y.exp:
		return x.exp < y.exp
	}
	return x.mant < y.mant
}

// Float64 is the double nearest to x, infinite for what is beyond all of them. Zero has no sign.
func (x Extended) Float64() float64 {
	f := math.Ldexp(float64(x.mant), int(x.exp))
	if x.infinite {
		f = math.Inf(1)
	}
	if x.negative && f != 0 {
		return -f
	}
	return f
}

func (x Extended) sign() int {
	switch {
	case x.mant == 0 && !x.infinite:
		return 0
	case x.negative:
		return -1
	}
	return 1
}

// Append appends the number as INCRBYFLOAT prints it: 17 digits behind the
// point, correctly rounded, then without the zeros at the end. Large numbers
// are written out in full, up to 4933 digits.
func (x Extended) Append(dst []byte) []byte {
	if x.infinite {
		if x.negative {
			dst = append(dst, '-')
		}
		return append(dst, "inf"...)
	}
	if x.exp > 0 { // an integer of more than 64 bits
		i := new(big.Int).SetUint64(x.mant)
		i.Lsh(i, uint(x.exp))
		if x.negative {
			i.Neg(i)
		}
		return i.Append(dst, 10)
	}
	whole, frac := x.split()
	if whole == 0 && frac == 0 {
		return append(dst, '0') // never "-0"
	}
	if x.negative {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, whole, 10)
	if frac == 0 {
		return dst
	}
	digits := 17
	for frac%10 == 0 {
		frac /= 10
		digits--
	}
	dst = append(dst, '.')
	var text [20]byte
	tail := strconv.AppendUint(text[:0], frac, 10)
	for range digits - len(tail) {
		dst = append(dst, '0')
	}
	return append(dst, tail...)
}

// split cuts the magnitude of a number with exp <= 0 at the point: the whole
// part, and the rest in units of 10^-17 rounded to nearest, ties to even.
func (x Extended) split() (whole, frac uint64) {
	const unit = 100_000_000_000_000_000
	s := uint(-x.exp)
	rest := x.mant
	if s < 64 {
		whole = x.mant >> s
		rest = x.mant & (1<<s - 1)
	}
	hi, lo := bits.Mul64(rest, unit)
	// One bit of quotient more than needed, for the rounding.
	if s == 0 {
		return whole, 0
	}
	qh, q, sticky := shiftRight(hi, lo, s-1)
	// rest < 2^s, hence rest x unit / 2^(s-1) < 2^58: qh is 0.
	q |= qh
	frac = q >> 1
	if q&1 != 0 && (sticky || frac&1 != 0) {
		frac++
	}
	if frac == unit {
		return whole + 1, 0
	}
	return whole, frac
}

// binary rounds a hexadecimal numeral.
func (n *numeral) binary() Extended {
	var hi, lo uint64
	var sticky bool
	exp := n.exp - 4*int64(n.point)
	for _, c := range n.digits {
		if c == '.' {
			continue
		}
		d := digit(c)
		if hi>>60 != 0 { // 128 bits are full
			sticky = sticky || d != 0
			exp += 4
			continue
		}
		hi = hi<<4 | lo>>60
		lo = lo<<4 | uint64(d)
	}
	return round(hi, lo, sticky, clampExp(exp+64))
}

// decimal rounds a decimal numeral whose digits fit 64 bits and whose power of
// ten is m x 10^e with |e| <= 27: one exact 128-bit product, or one exact
// division. It reports false for the others.
func (n *numeral) decimal() (Extended, bool) {
	e := n.exp - int64(n.point)
	if e < -maxPow5 || e > maxPow5 {
		return Extended{}, false
	}
	var m uint64
	count := 0
	for _, c := range n.digits {
		if c == '.' || c == '0' && count == 0 {
			continue
		}
		if count++; count > maxDigits {
			return Extended{}, false
		}
		m = m*10 + uint64(c-'0')
	}
	if e >= 0 {
		hi, lo := bits.Mul64(m, pow5(int(e)))
		return round(hi, lo, false, 64+int32(e)), true
	}
	// m / 5^-e, both with their top bits set, so that the quotient of the
	// 128-bit numerator has 64 bits and the remainder decides the rounding.
	d := pow5(int(-e))
	ms, ds := bits.LeadingZeros64(m), bits.LeadingZeros64(d)
	m <<= ms
	d <<= ds
	exp := int32(e) - int32(ms) + int32(ds) - 64
	var low uint64
	if m >= d {
		m, low = m>>1, m<<63
		exp++
	}
	q, r := bits.Div64(m, low, d)
	// Compare the remainder with half of d: a tie is exactly half.
	var tail uint64
	switch {
	case r > d-r:
		tail = 3 << 62
	case r == d-r:
		tail = 1 << 63
	case r > 0:
		tail = 1 << 62
	}
	return round(q, tail, false, exp), true
}

func pow5(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 5
	}
	return p
}

// longDecimal rounds any decimal numeral. Both operands of the one division
// are exact, so the result is correctly rounded; big.Float's own parser rounds
// twice and is not.
func (n *numeral) longDecimal() Extended {
	text := make([]byte, 0, len(n.digits))
	for _, c := range n.digits {
		if c != '.' {
			text = append(text, c)
		}
	}
	e := n.exp - int64(n.point)
	// Value < 10^(len+e), and >= 10^e. Outside these bounds the result is
	// known, inside them the power of ten below stays small.
	if e > 5000 {
		return Extended{infinite: true}
	}
	if e+int64(len(text)) < -5000 {
		return Extended{}
	}
	m, ok := new(big.Int).SetString(string(text), 10)
	if !ok {
		panic("BUG: lex: scanned digits are not a number")
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(e, -e)), nil)
	z := new(big.Float).SetPrec(64)
	if e >= 0 {
		return fromBig(z.SetInt(m.Mul(m, power)))
	}
	return fromBig(z.Quo(new(big.Float).SetInt(m), new(big.Float).SetInt(power)))
}

// fromBig converts a positive value of at most 64 bits of mantissa.
func fromBig(z *big.Float) Extended {
	frac := new(big.Float)
	exp := z.MantExp(frac) // z = frac x 2^exp, 0.5 <= frac < 1
	mant, _ := frac.SetMantExp(frac, 64).Uint64()
	return round(mant, 0, false, clampExp(int64(exp)-64))
}

// round makes the number hi:lo x 2^(exp-64), plus a little if sticky, with hi:lo
// a 128-bit integer. All sticky numbers have their high half filled, or nearly so.
func round(hi, lo uint64, sticky bool, exp int32) Extended {
	if hi == 0 {
		hi, lo, exp = lo, 0, exp-64
	}
	if hi == 0 {
		return Extended{}
	}
	if s := bits.LeadingZeros64(hi); s > 0 {
		hi = hi<<s | lo>>(64-s)
		lo <<= s
		exp -= int32(s)
	}
	const half = 1 << 63
	if lo > half || lo == half && (sticky || hi&1 != 0) {
		if hi++; hi == 0 {
			hi = 1 << 63
			exp++
		}
	}
	switch {
	case exp > maxExp2:
		return Extended{infinite: true}
	case exp < tinyExp || exp == tinyExp && hi == 1<<63:
		return Extended{}
	}
	return Extended{mant: hi, exp: exp}
}

// shiftRight shifts hi:lo by n bits of any number and reports whether a one was lost.
func shiftRight(hi, lo uint64, n uint) (h, l uint64, sticky bool) {
	switch {
	case n == 0:
		return hi, lo, false
	case n < 64:
		return hi >> n, lo>>n | hi<<(64-n), lo<<(64-n) != 0
	case n < 128:
		n -= 64
		return 0, hi >> n, lo != 0 || hi&(1<<n-1) != 0
	}
	return 0, 0, hi|lo != 0
}

// clampExp narrows an exponent; what it cuts off is outside the format anyway.
func clampExp(e int64) int32 {
	return int32(min(max(e, -1<<30), 1<<30))
}
