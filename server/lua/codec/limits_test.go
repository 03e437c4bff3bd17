package codec

import (
	"errors"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/lua"
)

// bomb is a table whose text takes more than a thousand times the memory limit: each level holds the
// next one sixteen times.
func bomb(levels int) lua.Value {
	v := str(strings.Repeat("x", 1000))
	for range levels {
		var values [16]lua.Value
		for i := range values {
			values[i] = v
		}
		v = array(values[:]...)
	}
	return v
}

// TestResultsBounded: results that would not fit into memory are refused before they are built.
func TestResultsBounded(t *testing.T) {
	r := newRig(t)
	r.fails("not enough memory", "cjson.encode", bomb(12))
	r.fails("not enough memory", "cmsgpack.pack", bomb(12))
	wide := []lua.Value{str(strings.Repeat("s", 200))}
	for range 200 {
		wide = append(wide, str(strings.Repeat("x", 1<<20)))
	}
	r.fails("not enough memory", "struct.pack", wide...)
	r.one("cjson.encode_sparse_array", lua.Bool(false), lua.Int(0))
	r.fails("not enough memory", "cjson.encode", object(lua.Int(1<<31-1), lua.True))
	if n := cap(r.libs.buf); n > keptBuffer {
		t.Errorf("a buffer of %d bytes was kept", n)
	}
}

// TestInputBounded: tables that input would make beyond the limit are refused in time, although one
// byte makes one table.
func TestInputBounded(t *testing.T) {
	r := newRig(t)
	r.fails("not enough memory", "cjson.decode", str("["+strings.Repeat("[],", 4<<20)+"[]]"))
	r.fails("not enough memory", "cmsgpack.unpack", str("\xdd\x7f\xff\xff\xff"+strings.Repeat("\x90", 4<<20)))
}

// TestHeadersBounded: what a header announces takes no memory.
func TestHeadersBounded(t *testing.T) {
	r := newRig(t)
	for _, data := range []string{
		"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff",
		"\xda\xff\xff", "\xdc\xff\xff\x01", "\xde\xff\xff\x01\x02",
	} {
		r.fails("Missing bytes in input.", "cmsgpack.unpack", str(data))
	}
	r.fails("bad argument #2 to '?' (data string too short)", "struct.unpack", str("c2147483647"), str("x"))
	r.fails("bad argument #3 to '?' (string too short)", "struct.pack", str("c2147483647"), str("x"))
	if n := r.state.Memory(); n > 1<<20 {
		t.Errorf("%d bytes are accounted for", n)
	}
}

// TestNestingBounded: the stack bounds nesting, whatever the settings say, at the depths of C.
func TestNestingBounded(t *testing.T) {
	r := newRig(t)
	r.one("cjson.encode_max_depth", lua.Int(1<<31-1))
	r.one("cjson.decode_max_depth", lua.Int(1<<31-1))
	nested := func(depth int, wrap func(lua.Value) lua.Value) lua.Value {
		v := array()
		for range depth {
			v = wrap(v)
		}
		return v
	}
	lists := nested(100_000, func(v lua.Value) lua.Value { return array(v) })
	objects := nested(100_000, func(v lua.Value) lua.Value { return object(str("x"), v) })
	r.fails("Cannot serialise, excessive nesting (7998)", "cjson.encode", lists)
	r.fails("Cannot serialise, excessive nesting (4000)", "cjson.encode", objects)
	r.fails("Found too many nested data structures (7999) at character 7999",
		"cjson.decode", str(strings.Repeat("[", 1<<20)))
	r.fails("stack overflow (in function mp_decode_to_lua_array)",
		"cmsgpack.unpack", str(strings.Repeat("\x91", 1<<20)))
	r.one("cmsgpack.pack", lists)
}

// TestStepsTaken: what takes long calls the hook, whose error ends it.
func TestStepsTaken(t *testing.T) {
	enough := errors.New("enough")
	r := newRig(t)
	r.state.SetHook(func() error { return enough })
	numbers := lua.NewTable(0, 0)
	for i := range 100_000 {
		numbers.SetInt(i+1, lua.Int(i))
	}
	long := str(strings.Repeat(`"`, 1<<20))
	for path, args := range map[string][]lua.Value{
		"cjson.encode":    {numbers.Value()},
		"cmsgpack.pack":   {numbers.Value()},
		"cjson.decode":    {str("[" + strings.Repeat("1,", 100_000) + "1]")},
		"cmsgpack.unpack": {str("\xdd\x00\x0f\xff\xff" + strings.Repeat("\x01", 1<<20))},
		"struct.size":     {str(strings.Repeat("b", 100_000))},
		"struct.pack":     {str(strings.Repeat(" ", 100_000))},
	} {
		if _, err := r.call(path, args...); !errors.Is(err, enough) {
			t.Errorf("%s was not ended: %v", path, err)
		}
	}
	if _, err := r.call("cjson.encode", long); !errors.Is(err, enough) {
		t.Errorf("encoding a long string was not ended: %v", err)
	}
}
