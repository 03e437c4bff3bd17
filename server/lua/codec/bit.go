package codec

import (
	"math"
	"math/bits"

	"github.com/larderkv/larder/server/lua"
)

// The library bit: operations on integers of 32 bits.

// bitTable makes the table of the library.
func bitTable(s *lua.State) *lua.Table {
	t := s.Table(0, 0)
	unary := func(name string, f func(uint32) uint32) {
		s.Register(t, name, func(t *lua.Thread) (int, error) {
			b, err := bitArg(t, 1)
			if err != nil {
				return 0, err
			}
			return bitResult(t, f(b))
		})
	}
	many := func(name string, f func(a, b uint32) uint32) {
		s.Register(t, name, func(t *lua.Thread) (int, error) { return bitFold(t, f) })
	}
	shift := func(name string, f func(b uint32, n int) uint32) {
		s.Register(t, name, func(t *lua.Thread) (int, error) { return bitShift(t, f) })
	}
	unary("tobit", func(b uint32) uint32 { return b })
	unary("bnot", func(b uint32) uint32 { return ^b })
	many("band", func(a, b uint32) uint32 { return a & b })
	many("bor", func(a, b uint32) uint32 { return a | b })
	many("bxor", func(a, b uint32) uint32 { return a ^ b })
	shift("lshift", func(b uint32, n int) uint32 { return b << n })
	shift("rshift", func(b uint32, n int) uint32 { return b >> n })
	shift("arshift", func(b uint32, n int) uint32 { return uint32(int32(b) >> n) })
	shift("rol", func(b uint32, n int) uint32 { return bits.RotateLeft32(b, n) })
	shift("ror", func(b uint32, n int) uint32 { return bits.RotateLeft32(b, -n) })
	unary("bswap", bits.ReverseBytes32)
	s.Register(t, "tohex", bitToHex)
	return t
}

// bitArg is argument i as 32 bits. The sum has its unit in the lowest bit of the mantissa: so it is
// rounded to an integer (to even, of two that are as near), whose low bits are there in two's
// complement. Beyond 2^51 lower bits get lost, and NaN and the infinities are 0.
func bitArg(t *lua.Thread, i int) (uint32, error) {
	n, err := t.CheckNumber(i)
	return uint32(math.Float64bits(n + (1<<52 + 1<<51))), err
}

func bitResult(t *lua.Thread, b uint32) (int, error) {
	return t.Return(lua.Int(int(int32(b))))
}

// bitFold joins all arguments. C looks at the first one, and then from the last to the second: of
// several wrong ones it names that which it meets first.
func bitFold(t *lua.Thread, f func(a, b uint32) uint32) (int, error) {
	b, err := bitArg(t, 1)
	if err != nil {
		return 0, err
	}
	for i := t.Count(); i > 1; i-- {
		other, err := bitArg(t, i)
		if err != nil {
			return 0, err
		}
		b = f(b, other)
	}
	return bitResult(t, b)
}

// bitShift shifts the first argument by the lower five bits of the second.
func bitShift(t *lua.Thread, f func(b uint32, n int) uint32) (int, error) {
	b, err := bitArg(t, 1)
	if err != nil {
		return 0, err
	}
	n, err := bitArg(t, 2)
	if err != nil {
		return 0, err
	}
	return bitResult(t, f(b, int(n&31)))
}

// bitToHex writes the lowest digits, in upper case if their number is negative.
func bitToHex(t *lua.Thread) (int, error) {
	b, err := bitArg(t, 1)
	if err != nil {
		return 0, err
	}
	n := 8
	if t.Count() >= 2 {
		arg, err := bitArg(t, 2)
		if err != nil {
			return 0, err
		}
		n = int(int32(arg))
	}
	digits := "0123456789abcdef"
	if n < 0 {
		n, digits = -n, "0123456789ABCDEF"
	}
	var text [8]byte
	n = min(n, len(text))
	for i := n - 1; i >= 0; i-- {
		text[i] = digits[b&15]
		b >>= 4
	}
	return t.Return(t.State().String(string(text[:n])).Value())
}
