package codec

import (
	"encoding/binary"
	"math"

	"github.com/larderkv/larder/server/lua"
)

// msgUnpack returns all values of a string.
func (l *Libraries) msgUnpack(t *lua.Thread) (int, error) { return l.unpackValues(t, 0, 0) }

// msgUnpackOne returns where the next value begins, and a value: the first, or that at an offset.
func (l *Libraries) msgUnpackOne(t *lua.Thread) (int, error) {
	offset, err := t.OptInt(2, 0)
	if err != nil {
		return 0, err
	}
	t.Pop(max(t.Count()-1, 0))
	return l.unpackValues(t, 1, offset)
}

// msgUnpackLimit returns where the next value begins, and up to so many values.
func (l *Libraries) msgUnpackLimit(t *lua.Thread) (int, error) {
	limit, err := t.CheckInt(2)
	if err != nil {
		return 0, err
	}
	offset, err := t.OptInt(3, 0)
	if err != nil {
		return 0, err
	}
	t.Pop(t.Count() - 1)
	return l.unpackValues(t, limit, offset)
}

// unpackValues returns the values from an offset on, with the next offset before them: -1 at the end.
// Neither a limit nor an offset means all values, and no offset before them.
func (l *Libraries) unpackValues(t *lua.Thread, limit, offset int) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	data := s.Str()
	if offset < 0 || limit < 0 { // the C code names the length instead of the limit, too
		return 0, t.Errorf("Invalid request to unpack with offset of %d and limit of %d.",
			int32(offset), len(data))
	}
	if offset > len(data) {
		return 0, t.Errorf("Start offset %d greater than input length %d.", int32(offset), len(data))
	}
	all := limit == 0 && offset == 0
	if all {
		limit = math.MaxInt32
	}
	u := unpacker{thread: t, libs: l, source: s, data: data[offset:]}
	count := 0
	for ; u.data != "" && count < limit; count++ {
		if err := u.value(); err != nil {
			return 0, err
		}
	}
	if all {
		return count, nil
	}
	if !t.Room(1) {
		return 0, t.Errorf("stack overflow (in function mp_unpack_full)")
	}
	next := -1
	if u.data != "" {
		next = len(data) - len(u.data)
	}
	t.Insert(t.Count()-count+1, lua.Int(next))
	return count + 1, nil
}

// unpacker reads MessagePack. It pushes what it reads: so the tables under construction are
// alive for the memory account, and the thread's stack bounds how deep they nest.
type unpacker struct {
	thread *lua.Thread
	libs   *Libraries
	source *lua.String
	data   string // what is left of it
	key    bool   // the next value is a key
}

// take takes n bytes off.
func (u *unpacker) take(n int) (string, error) {
	if len(u.data) < n {
		return "", u.thread.Errorf("Missing bytes in input.")
	}
	taken := u.data[:n]
	u.data = u.data[n:]
	return taken, nil
}

// value reads a value and pushes it.
func (u *unpacker) value() error {
	if u.data == "" {
		_, err := u.take(1)
		return err
	}
	if !u.thread.Room(1) {
		return u.thread.Errorf("stack overflow (too many return values at once; " +
			"use unpack_one or unpack_limit instead.)")
	}
	if err := u.thread.Step(1); err != nil {
		return err
	}
	tag := u.data[0]
	u.data = u.data[1:]
	key := u.key
	u.key = false
	switch {
	case tag < 0x80:
		u.thread.Push(lua.Int(int(tag)))
	case tag < 0x90:
		return u.table(int(tag & 0x0f))
	case tag < 0xa0:
		return u.array(int(tag & 0x0f))
	case tag < 0xc0:
		return u.text(int(tag&0x1f), key)
	case tag >= 0xe0:
		u.thread.Push(lua.Int(int(int8(tag))))
	default:
		return u.tagged(tag)
	}
	return nil
}

// tagged reads what stands behind a tag that holds no value itself.
func (u *unpacker) tagged(tag byte) error {
	switch tag {
	case 0xc0:
		u.thread.Push(lua.Nil)
		return nil
	case 0xc2, 0xc3:
		u.thread.Push(lua.Bool(tag == 0xc3))
		return nil
	}
	size := operandSize(tag)
	if size == 0 {
		return u.thread.Errorf("Bad data format in input.")
	}
	operand, err := u.take(size)
	if err != nil {
		return err
	}
	var wide [8]byte
	copy(wide[8-size:], operand)
	n := binary.BigEndian.Uint64(wide[:])
	switch tag {
	case 0xca:
		u.thread.Push(lua.Number(float64(math.Float32frombits(uint32(n)))))
	case 0xcb:
		u.thread.Push(lua.Number(math.Float64frombits(n)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		// Lua's integers have a sign: 2^64-1 becomes -1.
		u.thread.Push(lua.Int(int(n)))
	case 0xd0:
		u.thread.Push(lua.Int(int(int8(n))))
	case 0xd1:
		u.thread.Push(lua.Int(int(int16(n))))
	case 0xd2:
		u.thread.Push(lua.Int(int(int32(n))))
	case 0xd3:
		u.thread.Push(lua.Int(int(n)))
	case 0xd9, 0xda, 0xdb:
		return u.text(int(n), false)
	case 0xdc, 0xdd:
		return u.array(int(n))
	case 0xde, 0xdf:
		return u.table(int(n))
	}
	return nil
}

// operandSize is the size of the number behind a tag, 0 if the tag is not known: binary strings and
// extensions are not.
func operandSize(tag byte) int {
	switch tag {
	case 0xcc, 0xd0, 0xd9:
		return 1
	case 0xcd, 0xd1, 0xda, 0xdc, 0xde:
		return 2
	case 0xca, 0xce, 0xd2, 0xdb, 0xdd, 0xdf:
		return 4
	case 0xcb, 0xcf, 0xd3:
		return 8
	}
	return 0
}

func (u *unpacker) text(size int, key bool) (err error) {
	start := len(u.source.Str()) - len(u.data)
	if _, err := u.take(size); err != nil {
		return err
	}
	var s *lua.String
	if key {
		s, err = u.libs.key(u.thread, u.source, start, start+size)
	} else {
		s, err = u.thread.Substring(u.source, start, start+size)
	}
	if err == nil {
		u.thread.Push(s.Value())
	}
	return err
}

// array reads an array of n elements.
func (u *unpacker) array(n int) error {
	t := u.thread
	table := t.State().Table(0, 0)
	t.Push(table.Value())
	if !t.Room(1) {
		return t.Errorf("stack overflow (in function mp_decode_to_lua_array)")
	}
	for i := 1; i <= n; i++ {
		t.Push(lua.Nil) // the index, in C: nesting is bounded at the same depth
		if err := u.value(); err != nil {
			return err
		}
		if err := t.RawSetInt(table, i, t.Arg(t.Count())); err != nil {
			return err
		}
		t.Pop(2)
	}
	return nil
}

// table reads a map of n pairs.
func (u *unpacker) table(n int) error {
	t := u.thread
	table := t.State().Table(0, 0)
	t.Push(table.Value())
	for range n {
		u.key = true
		if err := u.value(); err != nil {
			return err
		}
		if err := u.value(); err != nil {
			return err
		}
		if err := t.RawSet(table, t.Arg(t.Count()-1), t.Arg(t.Count())); err != nil {
			return err
		}
		t.Pop(2)
	}
	return nil
}
