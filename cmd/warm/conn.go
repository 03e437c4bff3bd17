package warm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// conn is a bare connection. go-redis' pipelines would do: they cost a command object, a context
// and some allocations per key, which is more than all the rest of the work, and after a lost
// connection they do not say which commands had been answered.
type conn struct {
	nc      net.Conn
	r       *bufio.Reader
	timeout time.Duration // without a byte read or written
	db      int           // selected
}

// Bounds of replies. Servers are believed less than users: a port may be another service's.
const (
	longestBulk  = 1 << 30
	deepestReply = 16
	connBuffer   = 64 << 10
)

// reply is an answer of a server. Text is valid until the next one, unless it is an element.
type reply struct {
	kind  byte // + - : $ * as in RESP2; _ for null
	n     int64
	text  []byte
	elems []reply
}

// failed is what an error reply says, "" if it is none. A transaction fails with the first command
// in it that does.
func (r *reply) failed() string {
	if r.kind == '-' {
		return string(r.text)
	}
	for i := range r.elems {
		if text := r.elems[i].failed(); text != "" {
			return text
		}
	}
	return ""
}

// refused is an error reply to what a tool asks by itself.
type refused struct{ text string }

func (e *refused) Error() string { return e.text }

// passing reports whether an error reply is about a state of the server that passes by itself.
func passing(text string) bool {
	return strings.HasPrefix(text, "LOADING ") || strings.HasPrefix(text, "ERR max number of clients reached")
}

// dial connects and logs in. The error is *refused if the server is there and says no for good.
func dial(ctx context.Context, o *redis.Options, timeout time.Duration) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	nc, err := redis.NewDialer(o)(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc, timeout: timeout}
	c.r = bufio.NewReaderSize(c, connBuffer)
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() }) // it fails what waits for it
	err = c.logIn(o)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

func (c *conn) logIn(o *redis.Options) error {
	if o.Password != "" {
		auth := []string{"AUTH", o.Password}
		if o.Username != "" {
			auth = []string{"AUTH", o.Username, o.Password}
		}
		if _, err := c.ask(auth...); err != nil {
			return err
		}
	}
	if err := c.selectDB(o.DB); err != nil {
		return err
	}
	_, err := c.ask("PING") // which a server that is loading refuses
	if no := (*refused)(nil); errors.As(err, &no) && strings.HasPrefix(no.text, "NOPERM") {
		return nil
	}
	return err
}

func (c *conn) selectDB(db int) error {
	if db == c.db {
		return nil
	}
	if _, err := c.ask("SELECT", strconv.Itoa(db)); err != nil {
		return err
	}
	c.db = db
	return nil
}

// ask sends a command and waits for its reply.
func (c *conn) ask(args ...string) (*reply, error) {
	b := appendHead(nil, len(args))
	for _, a := range args {
		b = appendBulk(b, a)
	}
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	var r reply
	if err := c.read(&r, false); err != nil {
		return nil, err
	}
	if r.kind == '-' {
		if text := string(r.text); passing(text) {
			return nil, errors.New(text)
		}
		return nil, &refused{string(r.text)}
	}
	return &r, nil
}

// Read and Write bound how long nothing may happen.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.nc.Read(b)
}

// Write sends in parts, so that a long value on a slow line is progress.
func (c *conn) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		if err = c.nc.SetWriteDeadline(time.Now().Add(c.timeout)); err == nil {
			var part int
			part, err = c.nc.Write(b[n:min(len(b), n+1<<20)])
			n += part
		}
	}
	return n, err
}

func (c *conn) close() { _ = c.nc.Close() } // nothing is lost by it

// errProtocol: what came is no reply.
var errProtocol = errors.New("the server answers something that is not Redis' protocol")

// read reads a reply. skip: the bytes of strings are of no interest.
func (c *conn) read(r *reply, skip bool) error { return c.readDeep(r, skip, deepestReply) }

func (c *conn) readDeep(r *reply, skip bool, depth int) error {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return errProtocol
	} else if err != nil {
		return err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return errProtocol
	}
	*r = reply{kind: line[0], text: line[1 : len(line)-2], elems: r.elems[:0]}
	switch r.kind {
	case '+', '-':
		return nil
	case ':', '$', '*':
	default:
		return errProtocol
	}
	if r.n, err = strconv.ParseInt(string(r.text), 10, 64); err != nil {
		return errProtocol
	}
	r.text = nil
	switch {
	case r.kind == ':':
		return nil
	case r.n == -1:
		r.kind = '_'
		return nil
	case r.n < 0 || r.kind == '$' && r.n > longestBulk || depth == 0:
		return errProtocol
	case r.kind == '$':
		return c.readBulk(r, skip)
	}
	return c.readElements(r, skip, depth)
}

func (c *conn) readBulk(r *reply, skip bool) error {
	if skip {
		_, err := c.r.Discard(int(r.n) + 2)
		return err
	}
	// Memory grows with what comes, not with what is announced.
	const first = 1 << 20
	text := make([]byte, 0, min(r.n+2, first))
	for int64(len(text)) < r.n+2 {
		if len(text) == cap(text) {
			text = append(make([]byte, 0, min(2*int64(cap(text)), r.n+2)), text...)
		}
		n, err := c.r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err != nil {
			return err
		}
	}
	if string(text[r.n:]) != "\r\n" {
		return errProtocol
	}
	r.text = text[:r.n]
	return nil
}

// readElements: elements are kept, for their errors; of those that are skipped only errors are.
func (c *conn) readElements(r *reply, skip bool, depth int) error {
	for range r.n {
		var e reply
		if err := c.readDeep(&e, skip, depth-1); err != nil {
			return err
		}
		if skip && e.failed() == "" {
			continue
		}
		e.text = append([]byte(nil), e.text...)
		r.elems = append(r.elems, e)
	}
	return nil
}

func appendHead(b []byte, args int) []byte {
	return append(strconv.AppendInt(append(b, '*'), int64(args), 10), '\r', '\n')
}

func appendBulk[T string | []byte](b []byte, arg T) []byte {
	b = append(strconv.AppendInt(append(b, '$'), int64(len(arg)), 10), '\r', '\n')
	return append(append(b, arg...), '\r', '\n')
}

// reason is what to say of a lost connection.
func reason(err error) string {
	switch timeout := net.Error(nil); {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return "the server closed the connection"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the server does not answer"
	}
	return fmt.Sprint(err)
}
