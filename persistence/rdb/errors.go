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
)

// CorruptError says what is wrong with a file, and where.
type CorruptError struct {
	Offset int64 // of the byte, or of the beginning of the value, in the file
	Reason string
}

func (e *CorruptError) Error() string { return fmt.Sprintf("%s (offset %d)", e.Reason, e.Offset) }

// UnknownTypeError: the file has a key of a type that larder does not have, or,
// without a key, functions or what a module keeps.
type UnknownTypeError struct {
	Key    []byte
	Type   string // as TYPE says it; "function"; "hash with field TTLs"; of a module its name
	DB     int
	Offset int64
}

func (e *UnknownTypeError) Error() string {
	if e.Key == nil {
		return fmt.Sprintf("a %s beside the keys is not supported (offset %d)", e.Type, e.Offset)
	}
	return fmt.Sprintf("key %q in database %d is a %s, which is not supported (offset %d)", e.Key, e.DB, e.Type, e.Offset)
}

// Names of what cannot be loaded and is no data type of Redis'.
const (
	typeNameFunction = "function"
	typeNameTTLHash  = "hash with field TTLs"
)

// corruption is what is wrong with a value; the one who knows where it stands
// makes a CorruptError of it.
type corruption string

func (c corruption) Error() string { return string(c) }
