package protocol

import (
	"strconv"
	"strings"

	"github.com/tidwall/redcon"
)

// Writer appends replies to a byte slice in the client's version of the protocol: what RESP2 cannot
// say (maps, sets, booleans ...) becomes the nearest thing that Redis sends to a RESP2 client. An
// aggregate is its header followed by that many replies; the caller counts. The zero value writes
// RESP2 to a slice of its own.
type Writer struct {
	buf   []byte
	resp3 bool
}

// Reset makes w append to buf, which the writer owns until the next Reset.
func (w *Writer) Reset(buf []byte, resp3 bool) { w.buf, w.resp3 = buf, resp3 }

// SetRESP3 changes the version of the protocol for the replies to come.
func (w *Writer) SetRESP3(on bool) { w.resp3 = on }

// RESP3 says whether the client has asked for version 3.
func (w *Writer) RESP3() bool { return w.resp3 }

// Bytes returns everything in the buffer; it aliases the writer's memory.
func (w *Writer) Bytes() []byte { return w.buf }

// Len returns the number of bytes in the buffer.
func (w *Writer) Len() int { return len(w.buf) }

// Truncate takes back everything behind the first n bytes.
func (w *Writer) Truncate(n int) { w.buf = w.buf[:n] }

// Raw appends bytes that are complete replies already.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// OK appends +OK.
func (w *Writer) OK() { w.buf = append(w.buf, "+OK\r\n"...) }

// Status appends a simple string. Line ends in s become blanks.
func (w *Writer) Status(s string) { w.buf = redcon.AppendString(w.buf, s) }

// Error appends an error; text starts with its code ("ERR ...") and has no leading minus. As in
// Redis, line ends at either end of it are cut off and others become blanks.
func (w *Writer) Error(text string) {
	w.buf = redcon.AppendError(w.buf, strings.Trim(text, "\r\n"))
}

// Int appends an integer.
func (w *Writer) Int(n int64) { w.buf = redcon.AppendInt(w.buf, n) }

// Bulk appends a bulk string.
func (w *Writer) Bulk(b []byte) { w.buf = redcon.AppendBulk(w.buf, b) }

// BulkString appends a bulk string.
func (w *Writer) BulkString(s string) { w.buf = redcon.AppendBulkString(w.buf, s) }

// BulkInt appends an integer as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var digits [20]byte
	w.buf = redcon.AppendBulk(w.buf, strconv.AppendInt(digits[:0], n, 10))
}

// Null appends the null of a missing value.
func (w *Writer) Null() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = redcon.AppendNull(w.buf)
}

// NullArray appends the null of a missing array (an EXEC that WATCH refused, a blocking command
// that timed out).
func (w *Writer) NullArray() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "*-1\r\n"...)
}

// Array starts an array of n replies.
func (w *Writer) Array(n int) { w.buf = redcon.AppendArray(w.buf, n) }

// Map starts a map of n pairs: 2n replies, which RESP2 gets as a flat array.
func (w *Writer) Map(n int) {
	if w.resp3 {
		w.header('%', n)
		return
	}
	w.buf = redcon.AppendArray(w.buf, 2*n)
}

// Set starts a set of n replies.
func (w *Writer) Set(n int) {
	if w.resp3 {
		w.header('~', n)
		return
	}
	w.buf = redcon.AppendArray(w.buf, n)
}

// Push starts an out-of-band message of n replies. Clients of RESP2 get an array, which they
// understand only in the state that asked for such messages (SUBSCRIBE).
func (w *Writer) Push(n int) {
	if w.resp3 {
		w.header('>', n)
		return
	}
	w.buf = redcon.AppendArray(w.buf, n)
}

// Attribute starts n pairs that say something about the reply that follows them. RESP2 has none:
// the caller must not write them then.
func (w *Writer) Attribute(n int) { w.header('|', n) }

// Double appends a floating point number.
func (w *Writer) Double(f float64) {
	if w.resp3 {
		w.buf = append(w.buf, ',')
		w.buf = FormatDouble(w.buf, f)
		w.buf = append(w.buf, '\r', '\n')
		return
	}
	var digits [maxDouble]byte
	w.buf = redcon.AppendBulk(w.buf, FormatDouble(digits[:0], f))
}

// Bool appends a boolean: 1 or 0 in RESP2.
func (w *Writer) Bool(v bool) {
	switch {
	case w.resp3 && v:
		w.buf = append(w.buf, "#t\r\n"...)
	case w.resp3:
		w.buf = append(w.buf, "#f\r\n"...)
	case v:
		w.buf = redcon.AppendInt(w.buf, 1)
	default:
		w.buf = redcon.AppendInt(w.buf, 0)
	}
}

// BigNumber appends an integer of any size, given as digits.
func (w *Writer) BigNumber(digits string) {
	if !w.resp3 {
		w.buf = redcon.AppendBulkString(w.buf, digits)
		return
	}
	w.buf = append(w.buf, '(')
	w.buf = append(w.buf, digits...)
	w.buf = append(w.buf, '\r', '\n')
}

// Verbatim appends text for people; format is its kind in three letters ("txt", "mkd").
func (w *Writer) Verbatim(format, text string) {
	if !w.resp3 {
		w.buf = redcon.AppendBulkString(w.buf, text)
		return
	}
	w.header('=', len(format)+1+len(text))
	w.buf = append(w.buf, format...)
	w.buf = append(w.buf, ':')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

// header appends the line that starts a value of a type that only RESP3 has.
func (w *Writer) header(kind byte, n int) {
	w.buf = append(w.buf, kind)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
	w.buf = append(w.buf, '\r', '\n')
}
