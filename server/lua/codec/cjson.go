package codec

import (
	"fmt"
	"math"

	"github.com/larderkv/larder/server/lua"
)

// cjson is the library of that name, or a copy that a script has made with cjson.new() to have
// settings of its own.
type cjson struct {
	libs *Libraries
	settings
}

// settings are what scripts can change.
type settings struct {
	sparseConvert bool // tables with large holes become objects; otherwise they are errors
	sparseRatio   int  // a hole is large if the last index is beyond this many times the elements
	sparseSafe    int  // and beyond this
	encodeDepth   int
	decodeDepth   int
	precision     int // digits of numbers
	keepBuffer    bool
	encodeInvalid int // what becomes of NaN and infinities, see invalidNames
	decodeInvalid bool
	markArrays    bool // decoded arrays stay arrays, even if they are empty
}

var defaultSettings = settings{
	sparseRatio:   2,
	sparseSafe:    10,
	encodeDepth:   1000,
	decodeDepth:   1000,
	precision:     14,
	keepBuffer:    true,
	decodeInvalid: true,
}

// What becomes of NaN and infinities: an error, what printf makes of them, or null. The names are
// those of cjson's options, in this order.
const (
	invalidOff = iota
	invalidOn
	invalidNull
)

var (
	switchNames  = []string{"off", "on"}
	invalidNames = []string{"off", "on", "null"}
)

// table makes the table of the library.
func (j *cjson) table(s *lua.State) *lua.Table {
	t := s.Table(0, 0)
	s.Register(t, "encode", j.encode)
	s.Register(t, "decode", j.decode)
	s.Register(t, "encode_sparse_array", j.setSparse)
	s.Register(t, "encode_max_depth", func(t *lua.Thread) (int, error) {
		return setting(t, integer(&j.encodeDepth, 1, math.MaxInt32))
	})
	s.Register(t, "decode_max_depth", func(t *lua.Thread) (int, error) {
		return setting(t, integer(&j.decodeDepth, 1, math.MaxInt32))
	})
	s.Register(t, "encode_number_precision", func(t *lua.Thread) (int, error) {
		return setting(t, integer(&j.precision, 1, 14))
	})
	s.Register(t, "encode_keep_buffer", func(t *lua.Thread) (int, error) {
		return setting(t, onOff(&j.keepBuffer))
	})
	s.Register(t, "encode_invalid_numbers", func(t *lua.Thread) (int, error) {
		return setting(t, choice(&j.encodeInvalid, invalidNames))
	})
	s.Register(t, "decode_invalid_numbers", func(t *lua.Thread) (int, error) {
		return setting(t, onOff(&j.decodeInvalid))
	})
	s.Register(t, "decode_array_with_array_mt", func(t *lua.Thread) (int, error) {
		return setting(t, onOff(&j.markArrays))
	})
	s.Register(t, "new", func(t *lua.Thread) (int, error) {
		other := &cjson{libs: j.libs, settings: defaultSettings}
		return t.Return(other.table(t.State()).Value())
	})
	t.SetStr(lua.NewString("null"), lua.Light(0))
	field(t, "_NAME", "cjson")
	field(t, "_VERSION", "2.1.0")
	return t
}

func (j *cjson) setSparse(t *lua.Thread) (int, error) {
	return setting(t, onOff(&j.sparseConvert),
		integer(&j.sparseRatio, 0, math.MaxInt32), integer(&j.sparseSafe, 0, math.MaxInt32))
}

// option changes a setting to argument i, unless that is nil, and returns what it is then.
type option func(t *lua.Thread, i int) (lua.Value, error)

// setting is a native with an argument for each option, all of which may be missing.
func setting(t *lua.Thread, options ...option) (int, error) {
	if most := len(options); t.Count() > most {
		return 0, t.ArgError(most+1, "found too many arguments")
	}
	var now [3]lua.Value
	for i, set := range options {
		var err error
		if now[i], err = set(t, i+1); err != nil {
			return 0, err
		}
	}
	return t.Return(now[:len(options)]...)
}

// integer is the option of a number. Of a wrong one, lua-cjson names the first argument, whichever
// it is.
func integer(value *int, least, most int) option {
	return func(t *lua.Thread, i int) (lua.Value, error) {
		if !t.Arg(i).IsNil() {
			n, err := t.CheckInt(i)
			if err != nil {
				return lua.Nil, err
			}
			if n = int(int32(n)); n < least || n > most {
				return lua.Nil, t.ArgError(1, fmt.Sprintf("expected integer between %d and %d", least, most))
			}
			*value = n
		}
		return lua.Int(*value), nil
	}
}

// onOff is the option of a switch: a boolean, or its name.
func onOff(value *bool) option {
	return func(t *lua.Thread, i int) (lua.Value, error) {
		n := 0
		if *value {
			n = 1
		}
		v, err := choice(&n, switchNames)(t, i)
		*value = n == 1
		return v, err
	}
}

// choice is the option of one of several names. The first two, off and on, are booleans too, and
// are answered as such.
func choice(value *int, names []string) option {
	return func(t *lua.Thread, i int) (lua.Value, error) {
		arg := t.Arg(i)
		if on, ok := arg.AsBool(); ok {
			*value = 0
			if on {
				*value = 1
			}
		} else if !arg.IsNil() {
			n, err := checkOption(t, i, names)
			if err != nil {
				return lua.Nil, err
			}
			*value = n
		}
		if *value <= 1 {
			return lua.Bool(*value == 1), nil
		}
		return t.State().String(names[*value]).Value(), nil
	}
}

// checkOption is which of the names argument i is.
func checkOption(t *lua.Thread, i int, names []string) (int, error) {
	s, err := t.CheckString(i)
	if err != nil {
		return 0, err
	}
	text := lua.CText(s.Str())
	for n, name := range names {
		if name == text {
			return n, nil
		}
	}
	return 0, t.ArgError(i, "invalid option '"+text+"'")
}
