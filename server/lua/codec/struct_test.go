package codec

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/tests/randtest"
)

// TestStructBinary: fields without padding are those of encoding/binary.
func TestStructBinary(t *testing.T) {
	type fields struct {
		B int8
		U uint8
		H int16
		I uint32
		L int64
		F float32
		D float64
	}
	r, g := newRig(t), randtest.New(t)
	for range 500 {
		f := fields{
			int8(g.Uint32()), uint8(g.Uint32()), int16(g.Uint32()), g.Uint32(),
			g.Int64() >> 11, g.Float32(), g.NormFloat64(),
		}
		values := []lua.Value{
			lua.Int(int(f.B)), lua.Int(int(f.U)), lua.Int(int(f.H)), lua.Int(int(f.I)), lua.Int(int(f.L)),
			lua.Number(float64(f.F)), lua.Number(f.D),
		}
		for format, order := range map[string]binary.ByteOrder{
			"<bBhIlfd": binary.LittleEndian, ">bBhIlfd": binary.BigEndian,
		} {
			var want bytes.Buffer
			if err := binary.Write(&want, order, f); err != nil {
				t.Fatal(err)
			}
			packed := r.one("struct.pack", append([]lua.Value{str(format)}, values...)...)
			if text(packed) != want.String() {
				t.Fatalf("%s of %v is %x, want %x", format, f, text(packed), want.Bytes())
			}
			back, err := r.call("struct.unpack", str(format), packed)
			if err != nil || !same(array(back[:len(values)]...), array(values...)) {
				t.Fatalf("%v came back as %s, %v", f, show(array(back...)), err)
			}
			if size := r.one("struct.size", str(format)).Num(); int(size) != want.Len() {
				t.Fatalf("size of %s: %v", format, size)
			}
		}
	}
}

// FuzzStruct: formats and data of any kind; what unpack reads, pack writes as it was, if the format
// has neither padding nor integers wider than numbers are exact.
func FuzzStruct(f *testing.F) {
	for _, seed := range [][2]string{
		{"<bBhHlLTfd", "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"},
		{">i3I5!4bi8 x", "abcdefghijklmnopqrstuvwxyz"},
		{"sc3bc0", "one\x00two\x03six"}, {"c0", ""},
		{"i33", "a"}, {"i99999999999", ""}, {"!3", ""}, {"c2147483647", "a"}, {"!64i32i32", "a"},
		{"i0", ""}, {"i9", "123456789"}, {"!1073741824bi", "abcdefgh"}, {"fc0", "\x00\x00\x80\xff"},
	} {
		f.Add(seed[0], seed[1], 1)
	}
	f.Fuzz(func(t *testing.T, format, data string, start int) {
		r := newRig(t)
		values, err := r.call("struct.unpack", str(format), str(data), lua.Int(start))
		if err != nil {
			values = append(values, lua.Int(1), str("some text"), lua.Int(-5), lua.Nil)
		}
		packed, packErr := r.call("struct.pack", append([]lua.Value{str(format)}, values...)...)
		if packErr != nil {
			return
		}
		size, sizeErr := r.call("struct.size", str(format))
		if sizeErr == nil && int(size[0].Num()) != len(text(packed[0])) {
			t.Fatalf("size of %q is %v, but it packed %d bytes", format, size[0].Num(), len(text(packed[0])))
		}
	})
}
