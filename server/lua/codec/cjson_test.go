package codec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/tests/randtest"
)

// TestJSONRoundTrip: what encode writes, encoding/json and decode read as the value that it was.
func TestJSONRoundTrip(t *testing.T) {
	r, g := newRig(t), randtest.New(t)
	for range 3000 {
		v := randomValue(g, 4)
		encoded := r.one("cjson.encode", v)
		var other any
		if err := json.Unmarshal([]byte(text(encoded)), &other); err != nil {
			t.Fatalf("%s: %v", text(encoded), err)
		}
		if !reflect.DeepEqual(other, plain(v)) {
			t.Fatalf("%s is for encoding/json %v", show(v), other)
		}
		if back := r.one("cjson.decode", encoded); !same(v, back) {
			t.Fatalf("%s came back as %s", show(v), show(back))
		}
	}
}

// TestJSONArrays: with decode_array_with_array_mt an empty array comes back as one, and Reset ends it.
func TestJSONArrays(t *testing.T) {
	r := newRig(t)
	const document = `{"a":[[],[{}],{"b":[]}]}`
	again := func() string { return text(r.one("cjson.encode", r.one("cjson.decode", str(document)))) }
	if got, want := again(), `{"a":[{},[{}],{"b":{}}]}`; got != want {
		t.Errorf("without: %s, want %s", got, want)
	}
	if on := r.one("cjson.decode_array_with_array_mt", lua.True); on != lua.True {
		t.Errorf("the setting is %v", show(on))
	}
	if got := again(); got != document {
		t.Errorf("with: %s, want %s", got, document)
	}
	r.libs.Reset()
	if on := r.one("cjson.decode_array_with_array_mt"); on != lua.False {
		t.Errorf("after Reset the setting is %v", show(on))
	}
	if !r.libs.arrayMT.ReadOnly() {
		t.Error("a script can change the metatable of arrays, and so leave something to the next one")
	}
}

// TestReset: settings of cjson end with the script, those of its copies are their own.
func TestReset(t *testing.T) {
	r := newRig(t)
	other := r.one("cjson.new").AsTable()
	r.one("cjson.encode_max_depth", lua.Int(1))
	r.fails("Cannot serialise, excessive nesting (2)", "cjson.encode", array(array()))
	encode := other.GetStr(lua.NewString("encode")).AsFunction()
	if _, err := r.state.Main().Run(encode, array(array())); err != nil {
		t.Errorf("a copy has the setting of the original: %v", err)
	}
	r.libs.Reset()
	r.one("cjson.encode", array(array()))
}

// TestReadOnly: scripts cannot change the libraries, but their copies of cjson.
func TestReadOnly(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"cjson", "cmsgpack", "struct", "bit"} {
		if !r.state.Globals().GetStr(lua.NewString(name)).AsTable().ReadOnly() {
			t.Errorf("%s can be changed", name)
		}
	}
	if r.one("cjson.new").AsTable().ReadOnly() {
		t.Error("a copy of cjson cannot be changed")
	}
}

// TestJSONKeys: keys that are kept for the next object are those that were read.
func TestJSONKeys(t *testing.T) {
	r, g := newRig(t), randtest.New(t)
	for range 2000 {
		key := randomText(g) + strings.Repeat("k", g.IntN(2*maxKey))
		document, err := json.Marshal(map[string]int{key: 1})
		if err != nil {
			t.Fatal(err)
		}
		decoded := r.one("cjson.decode", str(string(document))).AsTable()
		if v := decoded.GetStr(lua.NewString(key)); !lua.Equal(v, lua.Int(1)) {
			t.Fatalf("%s became %s", document, show(decoded.Value()))
		}
	}
}

// FuzzJSON: what decode reads, encode writes so that decode reads the same; and what is JSON is read.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,-3e10,true,false,null,"x"],"b":{"c":{}},"d":[]}`, `[[[[[[]]]]]]`, `"\ud83d\ude00\u0041\n"`,
		`[NaN,-inf,0x1p4,+5,1e400,01]`, `{"a":1,}`, `[1,`, `"\ud800"`, "[\x00]",
		"\x00\x00", `{"a":{"a":{"a":1}},"a":2}`, ` [ 1 ] x`,
		`"` + strings.Repeat("x", 600) + `\t"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		r := newRig(t)
		results, err := r.call("cjson.decode", str(document))
		if err != nil {
			if json.Valid([]byte(document)) && !strings.Contains(err.Error(), "too many nested") &&
				!strings.Contains(document, `\ud`) && !strings.Contains(document, `\uD`) &&
				!strings.Contains(err.Error(), "UTF-16") {
				t.Fatalf("%q: %v", document, err)
			}
			return
		}
		r.one("cjson.encode_invalid_numbers", lua.True)
		encoded, err := r.call("cjson.encode", results[0])
		if err != nil {
			t.Fatalf("%q: %s cannot be encoded: %v", document, show(results[0]), err)
		}
		once := r.one("cjson.decode", encoded[0])
		twice := r.one("cjson.decode", r.one("cjson.encode", once))
		if !same(once, twice) {
			t.Fatalf("%q: %s, then %s", document, show(once), show(twice))
		}
	})
}

// TestJSONAllocations: encoding allocates the result alone, decoding the tables and strings.
func TestJSONAllocations(t *testing.T) {
	r := newRig(t)
	v := object(str("id"), lua.Int(7), str("name"), str("x/y"), str("list"), array(lua.Int(1), lua.Number(2.5)))
	document := r.one("cjson.encode", v)
	encode, decode := r.function("cjson.encode"), r.function("cjson.decode")
	run := func(f *lua.Function, v lua.Value) func() {
		return func() {
			if _, err := r.state.Main().Run(f, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(100, run(encode, v)); n > 2 {
		t.Errorf("encode allocates %v times, want the string's 2", n)
	}
	// Two tables with 2 and 1 allocations of parts, which grow: 1, 2, 4 nodes; 1, 2 slots. A string of 2.
	if n := testing.AllocsPerRun(100, run(decode, document)); n > 9 {
		t.Errorf("decode allocates %v times", n)
	}
}
