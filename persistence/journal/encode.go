package journal

import (
	"slices"
	"strconv"
)

// AppendCommand appends a command as the journal has it: an array of bulk strings.
func AppendCommand(dst []byte, args ...[]byte) []byte {
	room := maxHeader
	for _, a := range args {
		room += len(a) + maxHeader + len("\r\n")
	}
	dst = slices.Grow(dst, room)
	at := len(dst)
	b := dst[:at+room] // one check of the room for all that follows
	at += putHeader(b[at:], '*', len(args))
	for _, a := range args {
		at += putHeader(b[at:], '$', len(a))
		at += copy(b[at:], a)
		b[at], b[at+1] = '\r', '\n'
		at += 2
	}
	return b[:at]
}

// isCommand reports whether wire, from which args were parsed, is what AppendCommand makes of them.
// A request that may be written in several ways is shortest in this one, so its length tells.
func isCommand(wire []byte, args [][]byte) bool {
	if len(wire) == 0 || wire[0] != '*' {
		return false
	}
	size := headerSize(len(args))
	for _, a := range args {
		size += headerSize(len(a)) + len(a) + len("\r\n")
	}
	return size == len(wire)
}

// headerSize is the length of the line that putHeader writes.
func headerSize(n int) int {
	size := len("$0\r\n")
	for ; n >= 10; n /= 10 {
		size++
	}
	return size
}

// maxHeader is the room that putHeader needs.
const maxHeader = len("$") + 19 + len("\r\n")

// putHeader writes the line that says how many arguments or bytes follow, and returns its length.
func putHeader(b []byte, kind byte, n int) int {
	_ = b[maxHeader-1]
	b[0] = kind
	switch {
	case n < 10:
		b[1], b[2], b[3] = '0'+byte(n), '\r', '\n'
		return 4
	case n < 100:
		b[1], b[2], b[3], b[4] = '0'+byte(n/10), '0'+byte(n%10), '\r', '\n'
		return 5
	}
	end := len(strconv.AppendInt(b[:1], int64(n), 10))
	b[end], b[end+1] = '\r', '\n'
	return end + 2
}

// AppendHeader is putHeader behind a slice.
func AppendHeader(dst []byte, kind byte, n int) []byte {
	var b [maxHeader]byte
	return append(dst, b[:putHeader(b[:], kind, n)]...)
}

// AppendBulk appends one argument.
func AppendBulk(dst, arg []byte) []byte {
	dst = AppendHeader(dst, '$', len(arg))
	dst = append(dst, arg...)
	return append(dst, '\r', '\n')
}

// AppendSelect appends the command that makes those after it work on a database.
func AppendSelect(dst []byte, db int) []byte {
	var digits [20]byte
	n := strconv.AppendInt(digits[:0], int64(db), 10)
	dst = append(dst, "*2\r\n$6\r\nSELECT\r\n"...)
	dst = AppendHeader(dst, '$', len(n))
	dst = append(dst, n...)
	return append(dst, '\r', '\n')
}

const (
	multi = "*1\r\n$5\r\nMULTI\r\n"
	exec  = "*1\r\n$4\r\nEXEC\r\n"
)

// Effects collects the effects of one request, to be appended together. The zero value is empty;
// its memory is used again after Reset.
type Effects struct {
	buf  []byte
	ends []effect
}

// effect is where one of the commands in the buffer ends, and the database it works on.
type effect struct{ db, end int }

// Add appends a command, which is copied.
func (e *Effects) Add(db int, args ...[]byte) {
	e.buf = AppendCommand(e.buf, args...)
	e.ends = append(e.ends, effect{db, len(e.buf)})
}

// AddOwn is Add for a command that only larder knows.
func (e *Effects) AddOwn(db int, args ...[]byte) {
	e.buf = AppendOwn(e.buf, args...)
	e.ends = append(e.ends, effect{db, len(e.buf)})
}

// Len is the number of commands.
func (e *Effects) Len() int { return len(e.ends) }

// keepEffects is how many bytes of memory an empty Effects keeps.
const keepEffects = 64 << 10

// Reset empties e.
func (e *Effects) Reset() {
	if cap(e.buf) > keepEffects {
		*e = Effects{}
		return
	}
	e.buf, e.ends = e.buf[:0], e.ends[:0]
}
