package codec

import (
	"encoding/binary"
	"math"

	"github.com/larderkv/larder/server/lua"
)

// The library cmsgpack: values as MessagePack, of the version that had neither binary strings nor
// extensions.

// maxPackNesting is how deep tables may nest: instead of what lies deeper, nil is packed. So a table
// that contains itself is no endless loop.
const maxPackNesting = 16

// cmsgpackTable makes the table of the library.
func (l *Libraries) cmsgpackTable(s *lua.State) *lua.Table {
	t := s.Table(0, 0)
	s.Register(t, "pack", l.msgPack)
	s.Register(t, "unpack", l.msgUnpack)
	s.Register(t, "unpack_one", l.msgUnpackOne)
	s.Register(t, "unpack_limit", l.msgUnpackLimit)
	field(t, "_NAME", "cmsgpack")
	field(t, "_VERSION", "lua-cmsgpack 0.4.0")
	field(t, "_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")
	field(t, "_DESCRIPTION", "MessagePack C implementation for Lua")
	return t
}

// msgPack packs its arguments, one behind the other.
func (l *Libraries) msgPack(t *lua.Thread) (int, error) {
	count := t.Count()
	if count == 0 {
		return 0, t.ArgError(0, "MessagePack pack needs input.")
	}
	p := packer{buffer{thread: t, libs: l, bytes: l.buf[:0]}}
	for i := 1; i <= count; i++ {
		if err := p.value(t.Arg(i), 0); err != nil {
			return 0, err
		}
	}
	return p.push()
}

// packer writes MessagePack.
type packer struct{ buffer }

// maxPackHeader is the size of the longest header, and of the longest number.
const maxPackHeader = 9

func (p *packer) value(v lua.Value, level int) error {
	if err := p.room(maxPackHeader); err != nil {
		return err
	}
	if err := p.thread.Step(1); err != nil {
		return err
	}
	switch v.Kind() {
	case lua.KindString:
		return p.text(v.AsString().Str())
	case lua.KindBool:
		if v.Truth() {
			p.bytes = append(p.bytes, 0xc3)
		} else {
			p.bytes = append(p.bytes, 0xc2)
		}
		return nil
	case lua.KindNumber:
		p.number(v.Num())
		return nil
	case lua.KindTable:
		if level < maxPackNesting {
			return p.table(v.AsTable(), level)
		}
	}
	p.bytes = append(p.bytes, 0xc0)
	return nil
}

// number writes an integer if the number is one, and otherwise as few bytes as keep its value.
// Infinities are floats; NaN, which is equal to nothing, is a double.
func (p *packer) number(n float64) {
	i := lua.ToInt(n)
	switch {
	case float64(i) == n && n < 1<<63:
		p.integer(int64(i))
	case float64(float32(n)) == n:
		p.bytes = append(p.bytes, 0xca)
		p.bytes = binary.BigEndian.AppendUint32(p.bytes, math.Float32bits(float32(n)))
	default:
		p.bytes = append(p.bytes, 0xcb)
		p.bytes = binary.BigEndian.AppendUint64(p.bytes, math.Float64bits(n))
	}
}

func (p *packer) integer(n int64) {
	switch {
	case n >= -32 && n <= math.MaxInt8:
		p.bytes = append(p.bytes, byte(n))
	case n >= 0:
		p.header(uint64(n), 0xcc, 0xcd, 0xce, 0xcf)
	case n >= math.MinInt8:
		p.bytes = append(p.bytes, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.bytes = binary.BigEndian.AppendUint16(append(p.bytes, 0xd1), uint16(n))
	case n >= math.MinInt32:
		p.bytes = binary.BigEndian.AppendUint32(append(p.bytes, 0xd2), uint32(n))
	default:
		p.bytes = binary.BigEndian.AppendUint64(append(p.bytes, 0xd3), uint64(n))
	}
}

// header writes the shortest form of a number that is 0 or more, behind the tag of that form; a tag
// of 0 says that there is no such form.
func (p *packer) header(n uint64, tag8, tag16, tag32, tag64 byte) {
	switch {
	case n <= math.MaxUint8 && tag8 != 0:
		p.bytes = append(p.bytes, tag8, byte(n))
	case n <= math.MaxUint16:
		p.bytes = binary.BigEndian.AppendUint16(append(p.bytes, tag16), uint16(n))
	case n <= math.MaxUint32 || tag64 == 0:
		p.bytes = binary.BigEndian.AppendUint32(append(p.bytes, tag32), uint32(n))
	default:
		p.bytes = binary.BigEndian.AppendUint64(append(p.bytes, tag64), n)
	}
}

func (p *packer) text(s string) error {
	if len(s) < 32 {
		p.bytes = append(p.bytes, 0xa0|byte(len(s)))
	} else {
		p.header(uint64(len(s)), 0xd9, 0xda, 0xdb, 0)
	}
	if err := p.room(len(s)); err != nil {
		return err
	}
	p.bytes = append(p.bytes, s...)
	return nil
}

func (p *packer) table(table *lua.Table, level int) error {
	count, array, err := p.survey(table)
	if err != nil {
		return err
	}
	if array {
		p.count(count, 0x90, 0xdc, 0xdd)
		for i := 1; i <= count; i++ {
			if err := p.value(table.GetInt(i), level+1); err != nil {
				return err
			}
		}
		return nil
	}
	p.count(count, 0x80, 0xde, 0xdf)
	for i := 0; ; {
		key, v, next := table.Walk(i)
		if next == 0 {
			return nil
		}
		i = next
		if err := p.value(key, level+1); err != nil {
			return err
		}
		if err := p.value(v, level+1); err != nil {
			return err
		}
	}
}

// count writes the header of an array or a map; short is that of less than 16 elements.
func (p *packer) count(n int, short, tag16, tag32 byte) {
	if n < 16 {
		p.bytes = append(p.bytes, short|byte(n))
	} else {
		p.header(uint64(n), 0, tag16, tag32, 0)
	}
}

// survey counts the elements of a table, and reports whether it is an array: its keys are the
// integers from 1 to their count. An empty table is one.
func (p *packer) survey(table *lua.Table) (count int, array bool, err error) {
	largest := 0.0
	array = true
	for i := 0; ; {
		key, _, next := table.Walk(i)
		if next == 0 {
			return count, array && largest == float64(count), nil
		}
		i = next
		if err := p.thread.Step(1); err != nil {
			return 0, false, err
		}
		count++
		n, ok := key.AsNumber()
		if !ok || n <= 0 || float64(int32(n)) != n {
			array = false
		}
		largest = max(largest, n)
	}
}
