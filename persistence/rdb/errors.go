package rdb

import (
	"errors"
	"fmt"
)

// Errors of DUMP payloads.
var (
	// ErrPayload: not a payload, of a newer version, or its checksum is wrong.
	ErrPayload = errors.New("rdb: payload version or checksum are wrong")
	// ErrBadFormat: the payload is whole, and what it holds is malformed or of
	// a type that larder does not have.
	ErrBadFormat = errors.New("rdb: bad data format")
	// ErrExpired: all elements of the value have expired.
	ErrExpired = errors.New("rdb: all elements have expired")
)

// CorruptError says what is wrong with a file, and where.
type CorruptError struct {
	Offset int64 // of the byte, or of the beginning of the value, in the file
	Reason string
}

func (e *CorruptError) Error() string { return fmt.Sprintf("%s (offset %d)", e.Reason, e.Offset) }

// UnknownTypeError: the file has a key of a type that larder does not have, or,
// without a key, functions of a preview or what a module keeps.
type UnknownTypeError struct {
	Key    []byte
	Type   string // as TYPE says it; "function"; "hash with field TTLs"; of a module its name
	Number byte   // of the type, or of the opcode of what is no key, in the file
	Origin string // who wrote the file: family and version of the server, version of the format
	DB     int
	Offset int64
}

func (e *UnknownTypeError) Error() string {
	if e.Key == nil {
		return fmt.Sprintf("a %s beside the keys is not supported (opcode %d in a file of %s, offset %d)",
			e.Type, e.Number, e.Origin, e.Offset)
	}
	return fmt.Sprintf("key %q in database %d is a %s, which is not supported (type %d in a file of %s, offset %d)",
		e.Key, e.DB, e.Type, e.Number, e.Origin, e.Offset)
}

// Names of what cannot be loaded and is no data type of Redis'.
const (
	typeNameFunction = "function"
	withMemberTTLs   = " with member TTLs" // behind the name of a type
)

// corruption is what is wrong with a value; the one who knows where it stands
// makes a CorruptError of it.
type corruption string

func (c corruption) Error() string { return string(c) }

// isCorrupt reports whether an error is about what the file holds, and not about the disk.
func isCorrupt(err error) bool { return errors.As(err, new(*CorruptError)) }
