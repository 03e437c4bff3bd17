package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// reply skips replies of RESP2 and notes what counts of them. Values are never kept, and a reply may
// come in any pieces.
type reply struct {
	missing int    // elements of the reply under way that have not begun; it is one itself
	under   bool   // a reply is under way
	skip    int    // bytes of a bulk string, with its line end, that are still to come
	line    []byte // beginning of a line that was cut

	// Of the reply that ended last:
	mark     byte   // its first byte
	size     int    // its number; -1 if it was nil
	nils     int    // elements that are nil
	errorOut string // its text, if it was an error
}

// longestLine bounds a line of a reply.
const longestLine = 64 << 10

// Reply goes on with the reply under way, as Stream asks for.
func (r *reply) Reply(b []byte) (n int, whole bool, err error) {
	if !r.under {
		r.under, r.missing, r.mark, r.size, r.nils, r.errorOut = true, 1, 0, 0, 0, ""
	}
	for n < len(b) {
		if r.skip > 0 {
			k := min(r.skip, len(b)-n)
			n, r.skip = n+k, r.skip-k
		} else {
			k := bytes.IndexByte(b[n:], '\n') + 1
			if k == 0 {
				r.line = append(r.line, b[n:]...)
				if len(r.line) > longestLine {
					return n, false, fmt.Errorf("a line of a reply is longer than %d bytes: %.40q", longestLine, r.line)
				}
				return len(b), false, nil
			}
			line := b[n : n+k]
			if len(r.line) > 0 {
				line = append(r.line, line...)
				r.line = line[:0]
			}
			if err := r.header(line); err != nil {
				return n, false, err
			}
			n += k
		}
		if r.skip == 0 && r.missing == 0 {
			r.under = false
			return n, true, nil
		}
	}
	return n, false, nil
}

// header takes the line with which a reply, or an element of one, begins.
func (r *reply) header(line []byte) error {
	text, ended := bytes.CutSuffix(line, []byte("\r\n"))
	if !ended || len(text) == 0 {
		return fmt.Errorf("%.40q is no beginning of a reply", line)
	}
	mark, rest, size := text[0], text[1:], 0
	switch mark {
	case '+', '-':
	case ':', '$', '*':
		var err error
		if size, err = strconv.Atoi(string(rest)); err != nil || mark != ':' && (size < -1 || size > 1<<32) {
			return fmt.Errorf("%.40q is no beginning of a reply", line)
		}
	default:
		return fmt.Errorf("%.40q is no beginning of a reply", line)
	}
	if r.mark == 0 {
		r.mark, r.size = mark, size
		if mark == '-' {
			r.errorOut = string(rest)
		}
	} else if size == -1 && mark != ':' {
		r.nils++
	}
	r.missing--
	switch {
	case mark == '$' && size >= 0:
		r.skip = size + len("\r\n")
	case mark == '*' && size > 0:
		r.missing += size
	}
	return nil
}

// empty reports whether the reply was nil, or an array without elements.
func (r *reply) empty() bool { return r.mark == '$' && r.size < 0 || r.mark == '*' && r.size <= 0 }

// zero reports whether the reply was the number 0.
func (r *reply) zero() bool { return r.mark == ':' && r.size == 0 }
