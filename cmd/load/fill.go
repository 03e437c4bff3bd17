package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Fill sends n requests over one connection without ever waiting, while another goroutine counts the
// replies, and returns when the last one is answered. next appends the i-th request; its reply must
// be one line, and an error reply ends the filling. It closes the connection at an error.
func Fill(conn net.Conn, n int, next func(b []byte, i int) []byte) error {
	const chunk = 64 << 10
	counted := make(chan error, 1)
	go func() {
		err := countReplies(conn, n)
		if err != nil {
			_ = conn.Close() // ends the writing below, which then reports err
		}
		counted <- err
	}()
	buf := make([]byte, 0, chunk+4<<10)
	for i := range n {
		if buf = next(buf, i); len(buf) < chunk && i < n-1 {
			continue
		}
		if _, err := conn.Write(buf); err != nil {
			_ = conn.Close() // ends the counting
			return errors.Join(<-counted, err)
		}
		buf = buf[:0]
	}
	return <-counted
}

// countReplies reads n replies of one line each; an error reply ends it.
func countReplies(r io.Reader, n int) error {
	buf := make([]byte, 64<<10)
	lineStart := true
	for n > 0 {
		got, err := r.Read(buf)
		if err != nil {
			return fmt.Errorf("%d replies missing: %w", n, err)
		}
		for rest := buf[:got]; len(rest) > 0; {
			if lineStart && rest[0] == '-' {
				text, _, _ := strings.Cut(string(rest), "\r\n")
				return errors.New(text[1:])
			}
			at := bytes.IndexByte(rest, '\n')
			if lineStart = at >= 0; !lineStart {
				break
			}
			rest = rest[at+1:]
			n--
		}
	}
	return nil
}
