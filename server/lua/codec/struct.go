package codec

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/larderkv/larder/server/lua"
)

// The library struct: values as the bytes of C's structures.

// structTable makes the table of the library.
func (l *Libraries) structTable(s *lua.State) *lua.Table {
	t := s.Table(0, 0)
	s.Register(t, "pack", l.structPack)
	s.Register(t, "unpack", structUnpack)
	s.Register(t, "size", structSize)
	return t
}

// structPack writes its arguments by a format.
func (l *Libraries) structPack(t *lua.Thread) (int, error) {
	f, err := newLayout(t)
	if err != nil {
		return 0, err
	}
	// C separates the arguments from what it pushes with a nil, which is what it meets where an
	// argument is missing.
	t.Push(lua.Nil)
	out := buffer{thread: t, libs: l, bytes: l.buf[:0]}
	arg := 2
	for f.more() {
		opt, size, err := f.next(out.len())
		if err != nil {
			return 0, err
		}
		if err := out.room(f.padding + maxIntegerSize); err != nil {
			return 0, err
		}
		out.zeros(f.padding)
		switch {
		case isInteger(opt), opt == 'f', opt == 'd':
			n, err := t.CheckNumber(arg)
			if err != nil {
				return 0, err
			}
			arg++
			out.bytes = f.appendNumber(out.bytes, opt, size, n)
		case opt == 'x':
			out.zeros(1)
		case opt == 'c', opt == 's':
			arg++
			if err := f.packString(&out, opt, size, arg); err != nil {
				return 0, err
			}
		default:
			if err := f.control(opt); err != nil {
				return 0, err
			}
		}
	}
	return out.push()
}

// packString writes the string of the argument before arg: C counts arguments before it complains
// of a string's length.
func (f *layout) packString(out *buffer, opt byte, size, arg int) error {
	s, err := f.thread.CheckString(arg - 1)
	if err != nil {
		return err
	}
	text := s.Str()
	if size == 0 {
		size = len(text)
	}
	if len(text) < size {
		return f.thread.ArgError(arg, "string too short")
	}
	if err := out.room(size + 1); err != nil {
		return err
	}
	out.bytes = append(out.bytes, text[:size]...)
	if opt == 's' {
		out.zeros(1)
	}
	return nil
}

// appendNumber writes a number of any type but strings.
func (f *layout) appendNumber(b []byte, opt byte, size int, n float64) []byte {
	var little [maxIntegerSize]byte
	switch opt {
	case 'f':
		binary.LittleEndian.PutUint32(little[:], math.Float32bits(float32(n)))
	case 'd':
		binary.LittleEndian.PutUint64(little[:], math.Float64bits(n))
	default:
		// Bytes beyond eight stay 0, of negative numbers as well.
		binary.LittleEndian.PutUint64(little[:], lua.ToUint64(n))
	}
	for i := range size {
		if f.bigEndian {
			i = size - 1 - i
		}
		b = append(b, little[i])
	}
	return b
}

// structUnpack reads a string by a format. It returns the values and the place behind them.
func structUnpack(t *lua.Thread) (int, error) {
	f, err := newLayout(t)
	if err != nil {
		return 0, err
	}
	s, err := t.CheckString(2)
	if err != nil {
		return 0, err
	}
	start, err := t.OptInt(3, 1)
	if err != nil {
		return 0, err
	}
	if start == 0 {
		return 0, t.ArgError(3, "offset must be 1 or greater")
	}
	data, pos, args := s.Str(), start-1, t.Count()
	for f.more() {
		opt, size, err := f.next(pos)
		if err != nil {
			return 0, err
		}
		// Before the padding too, lest it carries a negative place to the beginning.
		if !holds(data, pos, size) || !holds(data, pos+f.padding, size) {
			return 0, t.ArgError(2, "data string too short")
		}
		pos += f.padding
		if !t.Room(2) {
			return 0, t.Errorf("stack overflow (too many results)")
		}
		size, err = f.unpack(opt, size, s, pos, t.Count()-args)
		if err != nil {
			return 0, err
		}
		pos += size
	}
	t.Push(lua.Int(pos + 1))
	return t.Count() - args, nil
}

// holds reports whether data has size bytes at pos, which may be negative: C takes that for a place
// far behind the end.
func holds(data string, pos, size int) bool {
	return pos >= 0 && size >= 0 && size <= len(data) && pos <= len(data)-size
}

// unpack pushes what stands at pos, where s has size bytes, and returns how many bytes it took.
// n is how many values have been pushed.
func (f *layout) unpack(opt byte, size int, s *lua.String, pos, n int) (int, error) {
	t, data := f.thread, s.Str()
	switch {
	case isInteger(opt), opt == 'f', opt == 'd':
		t.Push(lua.Number(f.number(opt, data[pos:pos+size])))
	case opt == 'x':
	case opt == 'c':
		if size == 0 {
			var err error
			if size, err = f.previousSize(data, pos, n); err != nil {
				return 0, err
			}
		}
		if err := f.pushString(s, pos, size); err != nil {
			return 0, err
		}
	case opt == 's':
		size = strings.IndexByte(data[pos:], 0)
		if size < 0 {
			return 0, t.Errorf("unfinished string in data")
		}
		if err := f.pushString(s, pos, size); err != nil {
			return 0, err
		}
		size++
	default:
		return size, f.control(opt)
	}
	return size, nil
}

// previousSize takes off the value pushed last, which is the size of the string at pos.
func (f *layout) previousSize(data string, pos, n int) (int, error) {
	t := f.thread
	previous, ok := t.Arg(t.Count()).ToNumber()
	if n == 0 || !ok {
		return 0, t.Errorf("format 'c0' needs a previous size")
	}
	t.Pop(1)
	// A size of C has no sign: what is negative here is beyond any string.
	size := int(lua.ToUint64(previous))
	if !holds(data, pos, size) {
		return 0, t.ArgError(2, "data string too short")
	}
	return size, nil
}

func (f *layout) pushString(from *lua.String, start, size int) error {
	s, err := f.thread.Substring(from, start, start+size)
	if err == nil {
		f.thread.Push(s.Value())
	}
	return err
}

// number reads a number of any type but strings.
func (f *layout) number(opt byte, data string) float64 {
	var l uint64
	for i := range len(data) {
		if !f.bigEndian {
			i = len(data) - 1 - i
		}
		l = l<<8 | uint64(data[i])
	}
	switch {
	case opt == 'f':
		return float64(math.Float32frombits(uint32(l)))
	case opt == 'd':
		return math.Float64frombits(l)
	case isUpper(opt):
		return float64(l)
	}
	// The processor takes a shift modulo 64, so that of nine bytes the sign is sought in the first.
	mask := ^uint64(0) << (uint(len(data)*8-1) % 64)
	if l&mask != 0 {
		l |= mask
	}
	return float64(int64(l))
}

// structSize is how many bytes a format takes that has no strings of variable size.
func structSize(t *lua.Thread) (int, error) {
	f, err := newLayout(t)
	if err != nil {
		return 0, err
	}
	pos := 0
	for f.more() {
		opt, size, err := f.next(pos)
		if err != nil {
			return 0, err
		}
		switch {
		case opt == 's':
			return 0, t.ArgError(1, "option 's' has no fixed size")
		case opt == 'c' && size == 0:
			return 0, t.ArgError(1, "option 'c0' has no fixed size")
		case !isAlnum(opt): // letters that mean nothing are let through
			if err := f.control(opt); err != nil {
				return 0, err
			}
		}
		pos += f.padding + size
	}
	return t.Return(lua.Int(pos))
}
