package codec

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/lua"
)

// encode returns a value as JSON.
func (j *cjson) encode(t *lua.Thread) (int, error) {
	if t.Count() != 1 {
		return 0, t.ArgError(1, "expected 1 argument")
	}
	e := encoder{buffer{thread: t, libs: j.libs, bytes: j.libs.buf[:0]}, &j.settings}
	if err := e.value(t.Arg(1), 0, 1); err != nil {
		return 0, err
	}
	if !j.keepBuffer {
		j.libs.buf = nil
	}
	return e.push()
}

// encoder writes JSON.
type encoder struct {
	buffer
	*settings
}

// maxScalar is more than any number, null, true, false or bracket takes.
const maxScalar = 32

// refuse makes the error of a value that JSON cannot have.
func (e *encoder) refuse(v lua.Value, reason string) error {
	return e.thread.Errorf("Cannot serialise %s: %s", v.Kind(), reason)
}

// value writes a value that lies in depth tables. Slots is what C has on the stack then.
func (e *encoder) value(v lua.Value, depth, slots int) error {
	if err := e.room(maxScalar); err != nil {
		return err
	}
	switch v.Kind() {
	case lua.KindString:
		return e.text(v.AsString().Str())
	case lua.KindNumber:
		return e.number(v)
	case lua.KindBool:
		e.bytes = strconv.AppendBool(e.bytes, v.Truth())
		return nil
	case lua.KindTable:
		return e.table(v.AsTable(), depth+1, slots)
	case lua.KindNil:
		e.bytes = append(e.bytes, "null"...)
		return nil
	case lua.KindLight:
		if n, _ := v.AsLight(); n == 0 {
			e.bytes = append(e.bytes, "null"...)
			return nil
		}
	}
	return e.refuse(v, "type not supported")
}

// table writes a table. The encoder keeps nothing on the stack, but counts what C has there: that
// bounds the nesting if the setting does not.
func (e *encoder) table(t *lua.Table, depth, slots int) error {
	if depth > e.encodeDepth || slots+3 > lua.MostSlots {
		return e.thread.Errorf("Cannot serialise, excessive nesting (%d)", depth)
	}
	if t.Meta() == e.libs.arrayMT {
		return e.array(t, t.Len(), depth, slots)
	}
	length, err := e.arrayLength(t)
	if err != nil {
		return err
	}
	if length > 0 {
		return e.array(t, length, depth, slots)
	}
	return e.object(t, depth, slots)
}

// arrayLength is the last index of an array; 0 if the table is none: if it is empty, has other keys
// than integers from 1 on, or holes that are too large. Numbers are C's int, and wrap around.
func (e *encoder) arrayLength(t *lua.Table) (int, error) {
	var last, items int32
	for i := 0; ; {
		key, _, next := t.Walk(i)
		if next == 0 {
			break
		}
		i = next
		k, ok := key.AsNumber()
		if !ok || k < 1 || math.Floor(k) != k {
			return 0, nil
		}
		if k > float64(last) {
			last = lua.ToInt32(k)
		}
		items++
		if items%64 == 0 {
			if err := e.thread.Step(16); err != nil {
				return 0, err
			}
		}
	}
	if e.sparseRatio > 0 && last > items*int32(e.sparseRatio) && int(last) > e.sparseSafe {
		if !e.sparseConvert {
			return 0, e.refuse(t.Value(), "excessively sparse array")
		}
		return 0, nil
	}
	return int(last), nil
}

func (e *encoder) array(t *lua.Table, length, depth, slots int) error {
	e.bytes = append(e.bytes, '[')
	for i := 1; i <= length; i++ {
		if err := e.thread.Step(1); err != nil {
			return err
		}
		if i > 1 {
			e.bytes = append(e.bytes, ',')
		}
		if err := e.value(t.GetInt(i), depth, slots+1); err != nil {
			return err
		}
	}
	if err := e.room(maxScalar); err != nil {
		return err
	}
	e.bytes = append(e.bytes, ']')
	return nil
}

func (e *encoder) object(t *lua.Table, depth, slots int) error {
	e.bytes = append(e.bytes, '{')
	first := true
	for i := 0; ; {
		key, v, next := t.Walk(i)
		if next == 0 {
			break
		}
		i = next
		if err := e.thread.Step(1); err != nil {
			return err
		}
		if !first {
			e.bytes = append(e.bytes, ',')
		}
		first = false
		if err := e.key(key); err != nil {
			return err
		}
		if err := e.value(v, depth, slots+2); err != nil {
			return err
		}
	}
	if err := e.room(maxScalar); err != nil {
		return err
	}
	e.bytes = append(e.bytes, '}')
	return nil
}

// key writes the key of an object with its colon.
func (e *encoder) key(key lua.Value) error {
	if err := e.room(maxScalar); err != nil {
		return err
	}
	switch key.Kind() {
	case lua.KindString:
		if err := e.text(key.AsString().Str()); err != nil {
			return err
		}
		e.bytes = append(e.bytes, ':')
		return nil
	case lua.KindNumber:
		e.bytes = append(e.bytes, '"')
		if err := e.number(key); err != nil {
			return err
		}
		e.bytes = append(e.bytes, '"', ':')
		return nil
	}
	return e.refuse(key, "table key must be a number or string")
}

func (e *encoder) number(v lua.Value) error {
	n := v.Num()
	if math.IsNaN(n) || math.IsInf(n, 0) {
		switch e.encodeInvalid {
		case invalidOff:
			return e.refuse(v, "must not be NaN or Inf")
		case invalidNull:
			e.bytes = append(e.bytes, "null"...)
			return nil
		}
		n = math.Abs(n) // NaN has no sign, whichever it has
		if math.IsInf(v.Num(), -1) {
			n = -n
		}
		e.bytes = lua.AppendNumber(e.bytes, n)
		return nil
	}
	if e.precision == defaultSettings.precision {
		e.bytes = lua.AppendNumber(e.bytes, n)
	} else {
		e.bytes = strconv.AppendFloat(e.bytes, n, 'g', e.precision, 64) // C's %.*g
	}
	return nil
}

// textPiece is how much of a string is written with one look at the room: six bytes may come of one.
const textPiece = 512

// text writes a string. Bytes that are no UTF-8 are written as they are.
func (e *encoder) text(s string) error {
	e.bytes = append(e.bytes, '"')
	for s != "" {
		piece := s[:min(len(s), textPiece)]
		s = s[len(piece):]
		if err := e.thread.Step(1 + len(piece)/64); err != nil {
			return err
		}
		if err := e.room(6*len(piece) + maxScalar); err != nil {
			return err
		}
		e.bytes = appendEscaped(e.bytes, piece)
	}
	e.bytes = append(e.bytes, '"')
	return nil
}

// appendEscaped appends a string, its runs of plain bytes at once.
func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := range len(s) {
		c := s[i]
		escape := escapes[c]
		if escape == 0 {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		if escape == 'u' {
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		} else {
			b = append(b, '\\', escape)
		}
	}
	return append(b, s[start:]...)
}

// escapes is what follows the backslash where a byte has to be escaped, u for its number. The
// slash and DEL need not, but lua-cjson does it.
var escapes = func() (table [256]byte) {
	for c := range 0x20 {
		table[c] = 'u'
	}
	table[0x7f] = 'u'
	table['\b'], table['\t'], table['\n'], table['\f'], table['\r'] = 'b', 't', 'n', 'f', 'r'
	table['"'], table['\\'], table['/'] = '"', '\\', '/'
	return table
}()
