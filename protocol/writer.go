package protocol

import (
	"strconv"
	"strings"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/protocol/chain"
)

// Writer writes replies to a chain.Buffer in the client's version of the protocol: what RESP2
// cannot say (maps, sets, booleans ...) becomes the nearest thing that Redis sends to a RESP2
// client. An aggregate is its header followed by that many replies; the caller counts. Before the
// first Reset a Writer must not be used.
type Writer struct {
	*chain.Buffer
	resp3 bool
}

const (
	// shortLine bounds a reply of one short line, and a header: a type, digits, a line end.
	shortLine = 32
	// bulkFrame is what a bulk string has beside its bytes at most.
	bulkFrame = shortLine + len("\r\n")
)

// NewWriter makes a Writer of RESP2 that appends to a slice of its own.
func NewWriter() *Writer { return &Writer{Buffer: new(chain.Buffer)} }

// Reset makes w append to b.
func (w *Writer) Reset(b *chain.Buffer, resp3 bool) { w.Buffer, w.resp3 = b, resp3 }

// SetRESP3 changes the version of the protocol for the replies to come.
func (w *Writer) SetRESP3(on bool) { w.resp3 = on }

// RESP3 says whether the client has asked for version 3.
func (w *Writer) RESP3() bool { return w.resp3 }

// Raw appends bytes that are complete replies already.
func (w *Writer) Raw(b []byte) { w.Write(b) }

// line appends a constant of one line.
func (w *Writer) line(s string) { w.Put(append(w.Room(shortLine), s...)) }

// OK appends +OK.
func (w *Writer) OK() { w.line("+OK\r\n") }

// Status appends a simple string. Line ends in s become blanks.
func (w *Writer) Status(s string) {
	if !w.Fits(len(s) + bulkFrame) {
		w.Write(redcon.AppendString(nil, s))
		return
	}
	w.Put(redcon.AppendString(w.Room(0), s))
}

// Error appends an error; text starts with its code ("ERR ...") and has no leading minus. As in
// Redis, line ends at either end of it are cut off and others become blanks.
func (w *Writer) Error(text string) {
	text = strings.Trim(text, "\r\n")
	if !w.Fits(len(text) + bulkFrame) {
		w.Write(redcon.AppendError(nil, text))
		return
	}
	w.Put(redcon.AppendError(w.Room(0), text))
}

// Int appends an integer.
func (w *Writer) Int(n int64) { w.Put(AppendInt(w.Room(shortLine), n)) }

// Bulk appends a bulk string.
func (w *Writer) Bulk(b []byte) {
	if !w.Fits(len(b) + bulkFrame) {
		w.header('$', len(b))
		w.Write(b)
		w.line("\r\n")
		return
	}
	w.Put(AppendBulk(w.Room(0), b))
}

// AppendBulk appends a bulk string to b.
func AppendBulk(b, bulk []byte) []byte {
	n := len(bulk)
	if n < 10 || n > 99 {
		return redcon.AppendBulk(b, bulk)
	}
	b = append(b, '$', byte('0'+n/10), byte('0'+n%10), '\r', '\n') // three calls less
	return append(append(b, bulk...), '\r', '\n')
}

// BulkString appends a bulk string.
func (w *Writer) BulkString(s string) {
	if !w.Fits(len(s) + bulkFrame) {
		w.header('$', len(s))
		w.WriteString(s)
		w.line("\r\n")
		return
	}
	w.Put(redcon.AppendBulkString(w.Room(0), s))
}

// BulkInt appends an integer as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var digits [20]byte
	w.Bulk(strconv.AppendInt(digits[:0], n, 10))
}

// Null appends the null of a missing value.
func (w *Writer) Null() { w.Put(w.AppendNull(w.Room(shortLine))) }

// AppendNull appends the null of a missing value to b.
func (w *Writer) AppendNull(b []byte) []byte {
	if w.resp3 {
		return append(b, "_\r\n"...)
	}
	return append(b, "$-1\r\n"...)
}

// NullArray appends the null of a missing array (an EXEC that WATCH refused, a blocking command
// that timed out).
func (w *Writer) NullArray() {
	if w.resp3 {
		w.line("_\r\n")
		return
	}
	w.line("*-1\r\n")
}

// Array starts an array of n replies.
func (w *Writer) Array(n int) { w.Put(redcon.AppendArray(w.Room(shortLine), n)) }

// Map starts a map of n pairs: 2n replies, which RESP2 gets as a flat array.
func (w *Writer) Map(n int) {
	if w.resp3 {
		w.header('%', n)
		return
	}
	w.Array(2 * n)
}

// Set starts a set of n replies.
func (w *Writer) Set(n int) {
	if w.resp3 {
		w.header('~', n)
		return
	}
	w.Array(n)
}

// Push starts an out-of-band message of n replies. Clients of RESP2 get an array, which they
// understand only in the state that asked for such messages (SUBSCRIBE).
func (w *Writer) Push(n int) {
	if w.resp3 {
		w.header('>', n)
		return
	}
	w.Array(n)
}

// Attribute starts n pairs that say something about the reply that follows them. RESP2 has none:
// the caller must not write them then.
func (w *Writer) Attribute(n int) { w.header('|', n) }

// Double appends a floating point number.
func (w *Writer) Double(f float64) {
	if w.resp3 {
		b := FormatDouble(append(w.Room(maxDouble+shortLine), ','), f)
		w.Put(append(b, '\r', '\n'))
		return
	}
	var digits [maxDouble]byte
	w.Bulk(FormatDouble(digits[:0], f))
}

// Bool appends a boolean: 1 or 0 in RESP2.
func (w *Writer) Bool(v bool) {
	switch {
	case w.resp3 && v:
		w.line("#t\r\n")
	case w.resp3:
		w.line("#f\r\n")
	case v:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// BigNumber appends an integer of any size, given as digits.
func (w *Writer) BigNumber(digits string) {
	if !w.resp3 {
		w.BulkString(digits)
		return
	}
	w.line("(")
	w.WriteString(digits)
	w.line("\r\n")
}

// Verbatim appends text for people; format is its kind in three letters ("txt", "mkd").
func (w *Writer) Verbatim(format, text string) {
	if !w.resp3 {
		w.BulkString(text)
		return
	}
	w.header('=', len(format)+1+len(text))
	w.WriteString(format)
	w.line(":")
	w.WriteString(text)
	w.line("\r\n")
}

// header appends the line that starts a value of a type that only RESP3 has.
func (w *Writer) header(kind byte, n int) {
	b := strconv.AppendInt(append(w.Room(shortLine), kind), int64(n), 10)
	w.Put(append(b, '\r', '\n'))
}
