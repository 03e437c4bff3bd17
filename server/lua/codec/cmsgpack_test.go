package codec

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/tests/randtest"
	"github.com/vmihailenco/msgpack/v5"
)

// TestPackRoundTrip: what pack writes, another library and unpack read as the value that it was.
func TestPackRoundTrip(t *testing.T) {
	r, g := newRig(t), randtest.New(t)
	for range 3000 {
		v := randomValue(g, 4)
		packed := r.one("cmsgpack.pack", v)
		d := msgpack.NewDecoder(strings.NewReader(text(packed)))
		other, err := d.DecodeInterfaceLoose()
		if err != nil {
			t.Fatalf("%s: %v", show(v), err)
		}
		if got, want := floats(other), plain(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s is for msgpack %v", show(v), got)
		}
		if back := r.one("cmsgpack.unpack", packed); !same(v, back) {
			t.Fatalf("%s came back as %s", show(v), show(back))
		}
	}
}

// floats makes all numbers those of Lua.
func floats(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	default:
		if n := reflect.ValueOf(v); n.IsValid() && n.CanConvert(reflect.TypeFor[float64]()) {
			return n.Convert(reflect.TypeFor[float64]()).Interface()
		}
	}
	return v
}

// TestUnpackOther: what another library writes, with headers longer than need be, is read.
func TestUnpackOther(t *testing.T) {
	r, g := newRig(t), randtest.New(t)
	for range 2000 {
		v := randomValue(g, 4)
		var b bytes.Buffer
		e := msgpack.NewEncoder(&b)
		e.UseCompactInts(g.IntN(2) == 0)
		e.UseCompactFloats(g.IntN(2) == 0)
		if err := e.Encode(plain(v)); err != nil {
			t.Fatal(err)
		}
		if back := r.one("cmsgpack.unpack", str(b.String())); !same(v, back) {
			t.Fatalf("%s came back as %s", show(v), show(back))
		}
	}
}

// TestPackNumbers: every integer is as short as it can be, and no number changes.
func TestPackNumbers(t *testing.T) {
	r := newRig(t)
	for bit := range 65 {
		for _, n := range []float64{math.Ldexp(1, bit), -math.Ldexp(1, bit)} {
			for _, n := range []float64{n, n - 1, n + 1, n + 0.5, 1 / n} {
				packed := r.one("cmsgpack.pack", lua.Number(n))
				if back := r.one("cmsgpack.unpack", packed).Num(); back != n {
					t.Errorf("%v came back as %v", n, back)
				}
				if n == math.Floor(n) && math.Abs(n) < 1<<62 {
					var b bytes.Buffer
					e := msgpack.NewEncoder(&b)
					e.UseCompactInts(true)
					if err := e.EncodeInt(int64(n)); err != nil {
						t.Fatal(err)
					}
					if text(packed) != b.String() {
						t.Errorf("%v is packed as %x, not as %x", n, text(packed), b.String())
					}
				}
			}
		}
	}
}

// FuzzUnpack: unpack takes any bytes, and what it reads, pack writes so that unpack reads the same.
func FuzzUnpack(f *testing.F) {
	for _, seed := range []string{
		"\x01\xff\xc0\xc2\xc3", "\x93\x01\x02\x03\x82\xa1a\x01\xa1b\x02",
		"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff\x01", "\xdb\xff\xff\xff\xff",
		"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xca\x3f\xc0\x00\x00",
		"\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
		"\xd9\x03abc\xda\x00\x03abc\xdb\x00\x00\x00\x03abc", "\xc4\x01a", "\x81\xc0\x01", "\x81\x91\x01\x02",
		strings.Repeat("\x91", 40) + "\x01",
		"\xdc\x00\x02\x01\x02\xde\x00\x01\x01\x02",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		r := newRig(t)
		values, err := r.call("cmsgpack.unpack", str(data))
		if err != nil || len(values) == 0 {
			return
		}
		packed, err := r.call("cmsgpack.pack", values...)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		once, err := r.call("cmsgpack.unpack", packed[0])
		if err != nil && err.Error() == "table index is nil" {
			return // a key that was a table of nesting 16, and was packed as nil
		}
		if err != nil || len(once) != len(values) {
			t.Fatalf("%q: %d values, then %d, %v", data, len(values), len(once), err)
		}
		twice, err := r.call("cmsgpack.unpack", r.one("cmsgpack.pack", once...))
		if err != nil || !same(array(once...), array(twice...)) {
			t.Fatalf("%q: %s, then %s, %v", data, show(array(once...)), show(array(twice...)), err)
		}
	})
}

// TestUnpackOne: a string of many values is read one by one.
func TestUnpackOne(t *testing.T) {
	r := newRig(t)
	packed := r.one("cmsgpack.pack", lua.Int(1), str("two"), array(lua.Int(3)))
	offset, values := 0, []lua.Value{}
	for offset >= 0 {
		results, err := r.call("cmsgpack.unpack_one", packed, lua.Int(offset))
		if err != nil || len(results) != 2 {
			t.Fatal(results, err)
		}
		offset = int(results[0].Num())
		values = append(values, results[1])
	}
	if got, want := show(array(values...)), `{[1]=1,[2]="two",[3]={[1]=3}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	r.fails(fmt.Sprintf("Start offset %d greater than input length %d.", 100, len(text(packed))),
		"cmsgpack.unpack_one", packed, lua.Int(100))
}
