package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Reply is one RESP2 or RESP3 reply, read without interpretation: Raw holds exactly the bytes that
// the server sent.
type Reply struct {
	Kind  byte    // the type byte: + - : $ * _ # , ( = % ~ > ! |
	Text  string  // the payload of a scalar; the count of an aggregate as it was sent
	Elems []Reply // elements of an aggregate; a map yields key, value, key, value
	Raw   string  // every byte, nested replies included
}

// maxReplyDepth bounds nesting, so that a broken server fails a test and does not exhaust the
// test's stack.
const maxReplyDepth = 32

// ReadReply reads one whole reply. Malformed framing is an error: a test must not resynchronize by
// luck.
func ReadReply(r *bufio.Reader) (Reply, error) {
	var rr replyReader
	return rr.next(r)
}

// replyReader reads replies. All texts of one are parts of one string: replies of megabytes are what
// whole data sets are compared by.
type replyReader struct {
	r     *bufio.Reader
	all   []byte // what has come of the reply
	parts []part // the reply, and those nested in it, in the order in which they begin
}

// part says where a reply lies within the outermost one.
type part struct {
	kind          byte
	begin, end    int
	text, textEnd int
	elems         int
}

// mostKept is how much memory a replyReader keeps from one reply to the next.
const mostKept = 1 << 20

func (rr *replyReader) next(r *bufio.Reader) (Reply, error) {
	if cap(rr.all) > mostKept {
		rr.all, rr.parts = nil, nil
	}
	rr.r, rr.all, rr.parts = r, rr.all[:0], rr.parts[:0]
	err := rr.read(0)
	rest := rr.parts
	return made(string(rr.all), &rest), err
}

// made is the reply that the first of the parts describes, which are taken off.
func made(all string, parts *[]part) Reply {
	p := (*parts)[0]
	*parts = (*parts)[1:]
	rep := Reply{Kind: p.kind, Text: all[p.text:p.textEnd], Raw: all[p.begin:p.end]}
	if p.elems > 0 {
		rep.Elems = make([]Reply, p.elems)
	}
	for i := range rep.Elems {
		rep.Elems[i] = made(all, parts)
	}
	return rep
}

func (rr *replyReader) read(depth int) error {
	at, begin := len(rr.parts), len(rr.all)
	rr.parts = append(rr.parts, part{begin: begin, text: begin, textEnd: begin})
	err := rr.readLine()
	if err == nil {
		err = rr.readRest(at, depth)
	}
	rr.parts[at].end = len(rr.all)
	return err
}

func (rr *replyReader) readLine() error {
	for {
		line, err := rr.r.ReadSlice('\n')
		rr.all = append(rr.all, line...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// readRest takes what comes behind the first line of a reply.
func (rr *replyReader) readRest(at, depth int) error {
	p := &rr.parts[at]
	line := rr.all[p.begin:]
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return fmt.Errorf("malformed reply line %q", line)
	}
	p.kind, p.text, p.textEnd = line[0], p.begin+1, len(rr.all)-2
	switch p.kind {
	case '+', '-', ':', '_', '#', ',', '(':
		return nil
	case '$', '=', '!', '*', '~', '>', '%', '|':
	default:
		return fmt.Errorf("unknown reply type in %q", line)
	}
	n, err := strconv.Atoi(string(rr.all[p.text:p.textEnd]))
	if err != nil || n < -1 {
		return fmt.Errorf("malformed length in %q", line)
	}
	switch p.kind {
	case '$', '=', '!':
		return rr.readBlob(p, n)
	case '%', '|':
		n *= 2
	}
	if n > 0 && depth == maxReplyDepth {
		return errors.New("reply nested too deeply")
	}
	for range max(n, 0) {
		err := rr.read(depth + 1)
		rr.parts[at].elems++
		if err != nil {
			return err
		}
	}
	return nil
}

func (rr *replyReader) readBlob(p *part, n int) error {
	if n == -1 {
		return nil
	}
	begin := len(rr.all)
	end := begin + n
	rr.all = slices.Grow(rr.all, n+2)[:end+2]
	if _, err := io.ReadFull(rr.r, rr.all[begin:]); err != nil {
		rr.all = rr.all[:begin]
		return err
	}
	if rr.all[end] != '\r' || rr.all[end+1] != '\n' {
		return fmt.Errorf("blob of %d bytes does not end in CRLF", n)
	}
	p.text, p.textEnd = begin, end
	return nil
}

// IsError reports whether the reply is an error.
func (r Reply) IsError() bool { return r.Kind == '-' || r.Kind == '!' }

// IsNull reports whether the reply is one of the three nulls.
func (r Reply) IsNull() bool {
	return r.Kind == '_' || (r.Kind == '$' || r.Kind == '*') && r.Raw[1] == '-'
}

// Int is the value of an integer reply, ok=false for any other reply.
func (r Reply) Int() (n int64, ok bool) {
	if r.Kind != ':' {
		return 0, false
	}
	n, err := strconv.ParseInt(r.Text, 10, 64)
	return n, err == nil
}

// Strings are the texts of an aggregate's elements, in the order sent.
func (r Reply) Strings() []string {
	out := make([]string, len(r.Elems))
	for i, e := range r.Elems {
		out[i] = e.Text
	}
	return out
}

// Fields are the values of a map by their names, also of one that RESP2 sends as an array.
func (r Reply) Fields() map[string]Reply {
	fields := make(map[string]Reply, len(r.Elems)/2)
	for i := 0; i+1 < len(r.Elems); i += 2 {
		fields[r.Elems[i].Text] = r.Elems[i+1]
	}
	return fields
}

// Sorted is the reply with the elements of its outermost aggregate in a canonical order, group
// elements at a time: 1 for a set, 2 for the pairs of a map or of its RESP2 form. Two unordered
// replies are equal when their sorted forms are.
func (r Reply) Sorted(group int) string {
	if len(r.Elems) == 0 || len(r.Elems)%group != 0 {
		return r.Raw
	}
	var parts []string
	for i := 0; i < len(r.Elems); i += group {
		var p strings.Builder
		for _, e := range r.Elems[i : i+group] {
			p.WriteString(e.Raw)
		}
		parts = append(parts, p.String())
	}
	slices.Sort(parts)
	head := r.Raw[:strings.IndexByte(r.Raw, '\n')+1]
	return head + strings.Join(parts, "")
}

// String shows the reply for a failure message, shortened to a readable length.
func (r Reply) String() string {
	const most = 600
	if len(r.Raw) > most {
		return fmt.Sprintf("%q... (%d bytes)", r.Raw[:most], len(r.Raw))
	}
	return strconv.Quote(r.Raw)
}

// Value is the text of a scalar, "" for a null.
func (r Reply) Value() string {
	if r.IsNull() {
		return ""
	}
	return r.Text
}
