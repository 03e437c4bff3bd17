//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/redcon"
)

// replyWithin bounds a single command; Redis takes most of a second to free a million members.
const replyWithin = 30 * time.Second

// client asks single questions. It knows the replies that have one line or one bulk, which is all
// that is asked here.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, replyWithin)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReader(conn)}, nil
}

// close drops the connection. Nothing was written that could still be lost.
func (c *client) close() { _ = c.conn.Close() }

// asking is a trial that has a connection of its own to the server, for its questions.
func asking(trial func(s *server, c *client) ([]float64, error)) func(*server) ([]float64, error) {
	return func(s *server) ([]float64, error) {
		c, err := dial(s.addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		return trial(s, c)
	}
}

// send sends a command.
func (c *client) send(args ...string) error {
	if err := c.conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return err
	}
	c.buf = appendRequest(c.buf[:0], args...)
	_, err := c.conn.Write(c.buf)
	return err
}

// do sends a command and returns its reply without type mark; a nil bulk is "".
func (c *client) do(args ...string) (string, error) {
	if err := c.send(args...); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("empty reply")
	}
	switch line[0] {
	case '+', ':':
		return line[1:], nil
	case '-':
		return "", fmt.Errorf("%s: %s", args[0], line[1:])
	case '$':
		return c.bulk(line[1:])
	}
	return "", fmt.Errorf("%s: unexpected reply %q", args[0], line)
}

func (c *client) bulk(size string) (string, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return "", err
	}
	if n < 0 {
		return "", nil
	}
	body := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return "", err
	}
	return string(body[:n]), nil
}

// integer sends a command that is answered by a number.
func (c *client) integer(args ...string) (int64, error) {
	s, err := c.do(args...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

// usedMemory is what the server says it holds, in bytes.
func (c *client) usedMemory() (int64, error) {
	info, err := c.do("INFO", "memory")
	if err != nil {
		return 0, err
	}
	return parseInfo(info, "used_memory")
}

// parseInfo finds "name:123" among the lines of INFO.
func parseInfo(info, name string) (int64, error) {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, fmt.Errorf("INFO has no %s", name)
}

func appendRequest(b []byte, args ...string) []byte {
	b = redcon.AppendArray(b, len(args))
	for _, a := range args {
		b = redcon.AppendBulkString(b, a)
	}
	return b
}
