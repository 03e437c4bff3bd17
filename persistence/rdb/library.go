package rdb

import (
	"errors"
	"fmt"
)

// Libraries of functions. A file has them in front of the keys, each as an opcode and one string:
// the library's source, of which its name, its functions and their flags follow when it is run. A
// payload of FUNCTION DUMP is the same without a file around it, and with the footer of a value's.

// ErrOldLibrary: the payload has functions in the form of Redis 7.0's previews, which no server
// reads.
var ErrOldLibrary = errors.New("rdb: functions in the form of a preview of Redis 7.0")

// ErrNotLibrary: the payload has something else than functions.
var ErrNotLibrary = errors.New("rdb: not a library of functions")

// LibraryError is a library in a file that cannot be loaded. Offset is where it begins.
type LibraryError struct {
	Offset int64
	Err    error
}

func (e *LibraryError) Error() string {
	return fmt.Sprintf("a library of functions cannot be loaded: %v (offset %d)", e.Err, e.Offset)
}

func (e *LibraryError) Unwrap() error { return e.Err }

// AppendLibraries appends to dst the payload that FUNCTION DUMP returns for libraries with these
// sources. compress is what an Encoder's Options say of it.
func AppendLibraries(dst []byte, sources []string, compress bool) []byte {
	c := compressor{on: compress}
	from := len(dst)
	for _, source := range sources {
		dst = c.appendString(append(dst, opFunction), []byte(source))
	}
	return appendFooter(dst, from, Version)
}

// EachLibrary calls yield for the source of each library in a payload that CheckPayload has accepted,
// until that returns an error, which is then its own. The others are ErrOldLibrary, ErrNotLibrary
// and ErrBadFormat.
func EachLibrary(payload []byte, yield func(source string) error) error {
	c := cursor{b: payload[:len(payload)-footerSize]}
	var it items
	for c.p < len(c.b) {
		switch c.b[c.p] {
		case opFunction:
		case opFunctionPreGA:
			return ErrOldLibrary
		default:
			return ErrNotLibrary
		}
		c.p++
		it.reset()
		source := c.str(&it)
		if c.bad != "" {
			return ErrBadFormat
		}
		if err := yield(string(source)); err != nil {
			return err
		}
	}
	return nil
}

// library reads a library of a file.
func (s *splitter) library() bool {
	s.doing = doingFunctions
	if !s.skipString() {
		return false
	}
	at := s.base + int64(s.keep)
	var d decoder
	source, err := d.textOf(s.buf[s.keep+1 : s.pos])
	if err != nil {
		return s.fail(at, "malformed string in a library of functions")
	}
	if err := s.h.library(string(source), at); err != nil {
		s.err = err
		return false
	}
	return true
}
