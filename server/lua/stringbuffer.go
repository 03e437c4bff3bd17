package lua

import (
	"strings"
	"unsafe"
)

// keptScratch is how large a buffer a State keeps for the next string that is put together.
const keptScratch = 64 << 10

// emptyString and byteStrings are the strings that scripts make most: States share them.
var (
	emptyString = NewString("")
	byteStrings = makeByteStrings()
)

func makeByteStrings() (all [256]*String) {
	for c := range all {
		all[c] = NewString(string([]byte{byte(c)}))
	}
	return all
}

// Short strings are one object with their bytes behind the String, which takes half the time of two.
// The sizes are those of Go's allocator: 32, 48, 64 and 96 bytes.
type (
	string8 struct {
		String
		bytes [8]byte
	}
	string24 struct {
		String
		bytes [24]byte
	}
	string40 struct {
		String
		bytes [40]byte
	}
	string72 struct {
		String
		bytes [shortString]byte
	}
)

// shortString is up to what length strings are one object.
const shortString = 72

// CopyString makes a string with bytes of its own, and counts it.
func (s *State) CopyString(text string) *String {
	var object *String
	var bytes []byte
	switch n := len(text); {
	case n == 0:
		return emptyString
	case n == 1:
		return byteStrings[text[0]]
	case n <= 8:
		o := new(string8)
		object, bytes = &o.String, o.bytes[:n]
	case n <= 24:
		o := new(string24)
		object, bytes = &o.String, o.bytes[:n]
	case n <= 40:
		o := new(string40)
		object, bytes = &o.String, o.bytes[:n]
	case n <= shortString:
		o := new(string72)
		object, bytes = &o.String, o.bytes[:n]
	default:
		return s.String(strings.Clone(text))
	}
	copy(bytes, text)
	object.kind, object.s = KindString, unsafe.String(&bytes[0], len(bytes))
	s.count += stringSize + int64(len(text))
	return object
}

// CopyBytes is CopyString of bytes.
func (s *State) CopyBytes(b []byte) *String {
	return s.CopyString(unsafe.String(unsafe.SliceData(b), len(b)))
}

// MakeString makes a string of a text that nothing else will use. The account is asked first.
func (t *Thread) MakeString(text string) (*String, error) {
	switch len(text) {
	case 0:
		return emptyString, nil
	case 1:
		return byteStrings[text[0]], nil
	}
	if err := t.Reserve(len(text)); err != nil {
		return nil, err
	}
	return t.state.String(text), nil
}

// Substring makes a string of a part of another one. It is a copy: else a small part would
// keep all of it in memory.
func (t *Thread) Substring(s *String, start, end int) (*String, error) {
	if end-start == len(s.s) {
		return s, nil
	}
	if err := t.Reserve(end - start); err != nil {
		return nil, err
	}
	return t.state.CopyString(s.s[start:end]), nil
}

// mapBytes makes a string of so many bytes as s has; fill writes them.
func (t *Thread) mapBytes(s *String, fill func(to []byte, from string)) (*String, error) {
	if len(s.s) == 0 {
		return s, nil
	}
	if err := t.spend(len(s.s)); err != nil {
		return nil, err
	}
	if err := t.Reserve(len(s.s)); err != nil {
		return nil, err
	}
	b := make([]byte, len(s.s))
	fill(b, s.s)
	return t.state.String(unsafe.String(&b[0], len(b))), nil
}

// spend takes the steps for a native that works through so many bytes.
func (t *Thread) spend(bytes int) error { return t.Step(1 + bytes/64) }

// buffer puts a string together. Its memory is the State's, which lends it to one native at a time:
// one that is called meanwhile, as by a function that gsub calls, gets fresh memory.
//
// Its memory counts as alive until result. If an error comes in between, the native just returns it:
// what catches the error sets the account to what was held before.
type buffer struct {
	t    *Thread
	b    []byte
	held int // bytes that are counted
}

// newBuffer is an empty buffer, to be ended with result.
func (t *Thread) newBuffer() buffer {
	b := t.state.scratch
	t.state.scratch = nil
	return buffer{t: t, b: b[:0]}
}

// grow makes room for n bytes more.
func (b *buffer) grow(n int) error {
	size := max(len(b.b)+n, 2*cap(b.b), 256)
	if err := b.t.Reserve(size); err != nil {
		return err
	}
	if err := b.t.spend(len(b.b)); err != nil {
		return err
	}
	b.t.state.count += int64(size)
	b.t.state.held += int64(size - b.held)
	b.held = size
	b.b = append(make([]byte, 0, size), b.b...)
	return nil
}

// add appends a text.
func (b *buffer) add(s string) error {
	if len(b.b)+len(s) > cap(b.b) {
		if err := b.grow(len(s)); err != nil {
			return err
		}
	}
	b.b = append(b.b, s...)
	return nil
}

// addByte appends a byte.
func (b *buffer) addByte(c byte) error {
	if len(b.b) == cap(b.b) {
		if err := b.grow(1); err != nil {
			return err
		}
	}
	b.b = append(b.b, c)
	return nil
}

// addNumber appends a number as tostring writes it.
func (b *buffer) addNumber(n float64) error {
	var digits [32]byte
	return b.add(string(AppendNumber(digits[:0], n)))
}

// addValue appends a string or a number, and reports whether v is one.
func (b *buffer) addValue(v Value) (bool, error) {
	if s := v.AsString(); s != nil {
		return true, b.add(s.s)
	}
	if n, ok := v.AsNumber(); ok {
		return true, b.addNumber(n)
	}
	return false, nil
}

// result makes the string, and gives the memory back.
func (b *buffer) result() (*String, error) {
	b.t.state.held -= int64(b.held)
	if b.held > keptScratch && len(b.b) >= b.held/4*3 {
		// The buffer becomes the string. What is too much of it is not worth a copy.
		return b.t.state.String(unsafe.String(&b.b[0], len(b.b))), nil
	}
	if cap(b.b) <= keptScratch {
		b.t.state.scratch = b.b
	}
	if err := b.t.Reserve(len(b.b)); err != nil {
		return nil, err
	}
	return b.t.state.CopyBytes(b.b), nil
}
