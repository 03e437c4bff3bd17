package codec

import "github.com/larderkv/larder/server/lua"

// decode returns the value of a JSON text.
func (j *cjson) decode(t *lua.Thread) (int, error) {
	if t.Count() != 1 {
		return 0, t.ArgError(1, "expected 1 argument")
	}
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	data := s.Str()
	if len(data) >= 2 && (data[0] == 0 || data[1] == 0) {
		return 0, t.Errorf("JSON parser does not support UTF-16 or UTF-32")
	}
	// For strings with escapes, which are put together in a buffer.
	if err := t.Reserve(len(data)); err != nil {
		return 0, err
	}
	d := decoder{
		scanner: scanner{data: data, scratch: j.libs.buf[:0], strict: !j.decodeInvalid},
		thread:  t, source: s, cjson: j,
	}
	d.next()
	err = d.value()
	if cap(d.scratch) <= keptBuffer && j.keepBuffer {
		j.libs.buf = d.scratch[:0]
	}
	if err != nil {
		return 0, err
	}
	if d.next(); d.token != tokenEnd {
		return 0, d.unexpected("the end")
	}
	return 1, nil
}

// decoder reads JSON. It pushes what it reads: so the tables under construction are alive for
// the memory account, and the thread's stack bounds how deep they nest.
type decoder struct {
	scanner
	thread *lua.Thread
	source *lua.String
	cjson  *cjson
	depth  int // of tables, around what is read
}

// unexpected makes the error of a token that must not be where it is.
func (d *decoder) unexpected(expected string) error {
	found := tokenNames[d.token]
	if d.token == tokenError {
		found = d.problem
	}
	return d.thread.Errorf("Expected %s but found %s at character %d", expected, found, d.start+1)
}

// value pushes the value that begins with the token read last.
func (d *decoder) value() error {
	t := d.thread
	if err := t.Step(1); err != nil {
		return err
	}
	switch d.token {
	case tokenString:
		s, err := d.newString()
		if err != nil {
			return err
		}
		t.Push(s.Value())
	case tokenNumber:
		t.Push(lua.Number(d.number))
	case tokenTrue, tokenFalse:
		t.Push(lua.Bool(d.token == tokenTrue))
	case tokenNull: // nil would delete the key
		t.Push(lua.Light(0))
	case tokenObject:
		return d.object()
	case tokenArray:
		return d.array()
	default:
		return d.unexpected("value")
	}
	return nil
}

// newString makes a string of the token.
func (d *decoder) newString() (*lua.String, error) {
	t := d.thread
	if err := t.Step(d.textLen() / 64); err != nil {
		return nil, err
	}
	if d.escaped {
		return t.MakeString(string(d.scratch))
	}
	return t.Substring(d.source, d.first, d.last)
}

// newKey is newString of a key.
func (d *decoder) newKey() (*lua.String, error) {
	if d.escaped {
		return d.newString()
	}
	return d.cjson.libs.key(d.thread, d.source, d.first, d.last)
}

// descend enters a table, which needs so many stack slots in C. Ascending is d.depth--.
func (d *decoder) descend(slots int) (*lua.Table, error) {
	d.depth++
	t := d.thread
	if d.depth > d.cjson.decodeDepth || !t.Room(slots) {
		return nil, t.Errorf("Found too many nested data structures (%d) at character %d", d.depth, d.pos)
	}
	table := t.State().Table(0, 0)
	t.Push(table.Value())
	return table, nil
}

// object pushes an object, behind its opening brace.
func (d *decoder) object() error {
	table, err := d.descend(3)
	if err != nil {
		return err
	}
	t := d.thread
	d.next()
	for d.token != tokenObjectEnd {
		if d.token != tokenString {
			return d.unexpected("object key string")
		}
		key, err := d.newKey()
		if err != nil {
			return err
		}
		t.Push(key.Value())
		if d.next(); d.token != tokenColon {
			return d.unexpected("colon")
		}
		d.next()
		if err := d.value(); err != nil {
			return err
		}
		if err := t.RawSet(table, key.Value(), t.Arg(t.Count())); err != nil {
			return err
		}
		t.Pop(2)
		if d.next(); d.token == tokenObjectEnd {
			break
		}
		if d.token != tokenComma {
			return d.unexpected("comma or object end")
		}
		if d.next(); d.token == tokenObjectEnd { // a comma has to be followed by a key
			return d.unexpected("object key string")
		}
	}
	d.depth--
	return nil
}

// array pushes an array, behind its opening bracket.
func (d *decoder) array() error {
	table, err := d.descend(2)
	if err != nil {
		return err
	}
	if d.cjson.markArrays {
		table.SetMeta(d.cjson.libs.arrayMT)
	}
	t := d.thread
	if d.next(); d.token == tokenArrayEnd {
		d.depth--
		return nil
	}
	for i := 1; ; i++ {
		if err := d.value(); err != nil {
			return err
		}
		if err := t.RawSetInt(table, i, t.Arg(t.Count())); err != nil {
			return err
		}
		t.Pop(1)
		if d.next(); d.token == tokenArrayEnd {
			d.depth--
			return nil
		}
		if d.token != tokenComma {
			return d.unexpected("comma or array end")
		}
		d.next()
	}
}
