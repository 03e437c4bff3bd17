package client

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// What is believed of a reply. go-redis takes memory for any length that a server announces, before its
// bytes are there, and goes as deep as replies are nested: one line from whatever listens at an address
// would end a tool by a panic or for lack of memory.
const (
	longestLine   = 64 << 10
	longestString = 256 << 20
	mostElements  = 4 << 20 // of a reply with all that is in it
	deepestReply  = 32
	longestHeader = 32 // bytes of a line that are looked at: a mark and a number
)

var errNotBelieved = errors.New("the server answers something that is not Redis' protocol, or more than a tool can use")

// believing makes connections of which the replies stay within what is believed.
func believing(o *redis.Options) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := redis.NewDialer(o)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &believed{Conn: conn}, nil
	}
}

// believed is a connection that fails where its server is not to be believed.
type believed struct {
	net.Conn
	replies replies
	wrong   error // for good: where the next reply begins is not known
}

func (c *believed) Read(p []byte) (int, error) {
	if c.wrong != nil {
		return 0, c.wrong
	}
	n, err := c.Conn.Read(p)
	if c.wrong = c.replies.follow(p[:n]); c.wrong != nil {
		return 0, c.wrong
	}
	return n, err
}

// replies follows a stream of replies in any pieces, and keeps nothing of it but the beginning of a line.
type replies struct {
	skip     int    // bytes of a string, with its end of line, that are still to come
	line     []byte // beginning of the line under way
	length   int    // of that line so far
	missing  []int  // elements that are still to come of each list that the reply under way is in
	elements int    // of the reply under way
}

func (r *replies) follow(b []byte) error {
	for len(b) > 0 {
		if r.skip > 0 {
			n := min(r.skip, len(b))
			r.skip, b = r.skip-n, b[n:]
			continue
		}
		n := bytes.IndexByte(b, '\n') + 1
		whole := n > 0
		if !whole {
			n = len(b)
		}
		r.line = append(r.line, b[:min(n, longestHeader-len(r.line))]...)
		if r.length += n; r.length > longestLine {
			return errNotBelieved
		}
		if b = b[n:]; !whole {
			return nil
		}
		if err := r.header(); err != nil {
			return err
		}
		r.line, r.length = r.line[:0], 0
	}
	return nil
}

// header takes a line with which a reply, or an element of one, begins.
func (r *replies) header() error {
	kind := r.line[0]
	if bytes.IndexByte([]byte("+-:,#(_"), kind) >= 0 {
		r.element()
		return nil
	}
	n, err := strconv.Atoi(string(bytes.TrimRight(r.line[1:], "\r\n")))
	if err != nil || n < -1 || r.length > longestHeader || bytes.IndexByte([]byte("$=!*~>%|"), kind) < 0 {
		return errNotBelieved
	}
	switch kind {
	case '*', '~', '>', '%', '|':
		if n >= 0 {
			return r.list(kind, n)
		}
	default:
		if n > longestString {
			return errNotBelieved
		}
		if n >= 0 {
			r.skip = n + len("\r\n")
		}
	}
	r.element()
	return nil
}

// list begins a list of n elements or pairs.
func (r *replies) list(kind byte, n int) error {
	if n > mostElements {
		return errNotBelieved
	}
	if kind == '%' || kind == '|' {
		n *= 2
	}
	if r.elements += n; r.elements > mostElements || len(r.missing) >= deepestReply {
		return errNotBelieved
	}
	if in := len(r.missing); in > 0 && kind != '|' { // what stands in front of an element is none
		r.missing[in-1]--
	}
	if r.missing = append(r.missing, n); n == 0 {
		r.end()
	}
	return nil
}

// element notes an element, or a reply, that is no list.
func (r *replies) element() {
	if in := len(r.missing); in > 0 {
		r.missing[in-1]--
	}
	r.end()
}

// end leaves the lists that have come to their ends.
func (r *replies) end() {
	for len(r.missing) > 0 && r.missing[len(r.missing)-1] == 0 {
		r.missing = r.missing[:len(r.missing)-1]
	}
	if len(r.missing) == 0 {
		r.elements = 0
	}
}
