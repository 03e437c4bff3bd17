package codec

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/tests/randtest"
)

// TestBit compares with Go's operators on 32 bits.
func TestBit(t *testing.T) {
	r, g := newRig(t), randtest.New(t)
	for range 2000 {
		a, b := g.Uint32(), g.Uint32()
		n := b & 31
		x, y := lua.Int(int(a)), lua.Int(int(int32(b))) // with and without a sign it is the same
		for name, want := range map[string]uint32{
			"band": a & b, "bor": a | b, "bxor": a ^ b, "bnot": ^a, "tobit": a, "lshift": a << n, "rshift": a >> n,
			"arshift": uint32(int32(a) >> n), "rol": a<<n | a>>(32-n), "ror": a>>n | a<<(32-n),
			"bswap": a<<24 | a<<8&0xff0000 | a>>8&0xff00 | a>>24,
		} {
			args := []lua.Value{x, y}
			if name == "bnot" || name == "tobit" || name == "bswap" {
				args = args[:1]
			}
			if got := r.one("bit."+name, args...).Num(); got != float64(int32(want)) {
				t.Fatalf("%s of %#x and %#x is %v, want %v", name, a, b, got, int32(want))
			}
		}
		if got, want := text(r.one("bit.tohex", x)), fmt.Sprintf("%08x", a); got != want {
			t.Fatalf("tohex of %#x is %s", a, got)
		}
	}
}
