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
	return readReply(r, 0)
}

func readReply(r *bufio.Reader, depth int) (Reply, error) {
	if depth > maxReplyDepth {
		return Reply{}, errors.New("reply nested too deeply")
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return Reply{Raw: line}, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return Reply{Raw: line}, fmt.Errorf("malformed reply line %q", line)
	}
	rep := Reply{Kind: line[0], Text: line[1 : len(line)-2], Raw: line}
	switch rep.Kind {
	case '+', '-', ':', '_', '#', ',', '(':
		return rep, nil
	case '$', '=', '!':
		return readBlob(r, rep)
	case '*', '~', '>', '%', '|':
		return readAggregate(r, rep, depth)
	}
	return rep, fmt.Errorf("unknown reply type in %q", line)
}

func readBlob(r *bufio.Reader, rep Reply) (Reply, error) {
	n, err := strconv.Atoi(rep.Text)
	if err != nil || n < -1 {
		return rep, fmt.Errorf("malformed length in %q", rep.Raw)
	}
	if n == -1 {
		return rep, nil
	}
	body := make([]byte, n+2)
	if _, err := io.ReadFull(r, body); err != nil {
		return rep, err
	}
	if body[n] != '\r' || body[n+1] != '\n' {
		return rep, fmt.Errorf("blob of %d bytes does not end in CRLF", n)
	}
	rep.Text = string(body[:n])
	rep.Raw += string(body)
	return rep, nil
}

func readAggregate(r *bufio.Reader, rep Reply, depth int) (Reply, error) {
	n, err := strconv.Atoi(rep.Text)
	if err != nil || n < -1 {
		return rep, fmt.Errorf("malformed count in %q", rep.Raw)
	}
	if rep.Kind == '%' || rep.Kind == '|' {
		n *= 2
	}
	var raw strings.Builder
	raw.WriteString(rep.Raw)
	for range max(n, 0) {
		e, err := readReply(r, depth+1)
		raw.WriteString(e.Raw)
		rep.Elems = append(rep.Elems, e)
		if err != nil {
			rep.Raw = raw.String()
			return rep, err
		}
	}
	rep.Raw = raw.String()
	return rep, nil
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
