package codec

import (
	"math"

	"github.com/larderkv/larder/server/lua"
)

// layout reads a format of the library struct: options of one letter, with a size behind some, and
// what says how the bytes lie from there on.
type layout struct {
	thread    *lua.Thread
	format    string // what is left of it
	bigEndian bool
	align     int // the largest alignment
	padding   int // before the option that was read last
}

// Sizes and alignments of C on x86-64.
const (
	maxIntegerSize = 32
	defaultAlign   = 8 // of a ! without a number
	defaultInt     = 4
)

// newLayout reads the native's first argument.
func newLayout(t *lua.Thread) (layout, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return layout{}, err
	}
	return layout{thread: t, format: lua.CText(s.Str()), align: 1}, nil
}

// more reports whether an option is left.
func (f *layout) more() bool { return f.format != "" }

// next reads an option and its size, and sets the padding that it needs at pos. A size of 0 is that
// of options without one, of a string that ends itself, or of one whose size comes before it.
func (f *layout) next(pos int) (opt byte, size int, err error) {
	if err := f.thread.Step(1); err != nil {
		return 0, 0, err
	}
	opt = f.format[0]
	f.format = f.format[1:]
	size, err = f.size(opt)
	f.padding = 0
	if size > 0 && opt != 'c' {
		// Of a size that is no power of two this is what C computes, too.
		unit := min(size, f.align)
		f.padding = (unit - pos&(unit-1)) & (unit - 1)
	}
	return opt, size, err
}

func (f *layout) size(opt byte) (int, error) {
	switch opt {
	case 'b', 'B', 'x':
		return 1, nil
	case 'h', 'H':
		return 2, nil
	case 'l', 'L', 'T', 'd':
		return 8, nil
	case 'f':
		return 4, nil
	case 'c':
		return f.number10(1)
	case 'i', 'I':
		size, err := f.number10(defaultInt)
		if size > maxIntegerSize {
			err = f.thread.Errorf("integral size %d is larger than limit of %d", size, maxIntegerSize)
		}
		return size, err
	}
	return 0, nil
}

// number10 reads a decimal number behind an option, which may be missing.
func (f *layout) number10(missing int) (int, error) {
	if f.format == "" || !isDigit(f.format[0]) {
		return missing, nil
	}
	n := 0
	for f.format != "" && isDigit(f.format[0]) {
		n = n*10 + int(f.format[0]-'0')
		if n > math.MaxInt32 {
			return 0, f.thread.Errorf("integral size overflow")
		}
		f.format = f.format[1:]
	}
	return n, nil
}

// control obeys an option that stands for no value.
func (f *layout) control(opt byte) error {
	switch opt {
	case ' ':
	case '>':
		f.bigEndian = true
	case '<':
		f.bigEndian = false
	case '!':
		align, err := f.number10(defaultAlign)
		if err != nil {
			return err
		}
		if align <= 0 || align&(align-1) != 0 {
			return f.thread.Errorf("alignment %d is not a power of 2", align)
		}
		f.align = align
	default:
		return f.thread.ArgError(1, "invalid format option '"+string([]byte{opt})+"'")
	}
	return nil
}

// isInteger reports whether an option stands for an integer.
func isInteger(opt byte) bool {
	switch opt {
	case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
		return true
	}
	return false
}

func isDigit(c byte) bool { return c-'0' < 10 }
func isUpper(c byte) bool { return c-'A' < 26 }
func isAlnum(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 26 }
