package load

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Stream is what one connection sends, and what it makes of the replies. One goroutine uses it.
type Stream interface {
	// Next appends the next request to b.
	Next(b []byte) []byte
	// Reply goes on with the reply under way, which b, never empty, continues: it returns how many
	// bytes belong to it, and whether it ends with them. It consumes all of b if the reply does not
	// end. An error ends the load.
	Reply(b []byte) (n int, whole bool, err error)
	// Took follows each whole reply with the time it took.
	Took(d time.Duration)
}

// errUnasked: a server out of step with its client.
var errUnasked = errors.New("a reply without a request")

// direct is how many bytes of requests are written before replies are looked at. A server that
// bounds its queue of replies stops reading requests, so beyond what the system's buffers hold, a
// client that only writes could wait for a server that waits for the client.
const direct = 64 << 10

// Closed sends batches of requests over a connection, each when the last one has been answered. more
// says how large the next one is; 0 ends the loop. Replies are read in pieces of up to buffer bytes.
// The time a reply took is counted from before the batch was written.
func Closed(conn io.ReadWriter, s Stream, buffer int, more func() int) error {
	var out []byte
	in := make([]byte, buffer)
	for n := more(); n > 0; n = more() {
		out = out[:0]
		for range n {
			out = s.Next(out)
		}
		began := time.Now()
		if err := exchange(conn, s, out, in, n, began); err != nil {
			return err
		}
	}
	return nil
}

// exchange writes a batch of n requests and reads their replies.
func exchange(conn io.ReadWriter, s Stream, out, in []byte, n int, began time.Time) (err error) {
	if len(out) <= direct {
		if _, err := conn.Write(out); err != nil {
			return err
		}
		return receive(conn, s, in, n, began)
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(out)
		written <- err
	}()
	if err := receive(conn, s, in, n, began); err != nil {
		return err // the caller closes the connection, which ends the writing
	}
	return <-written
}

// receive reads n replies.
func receive(conn io.Reader, s Stream, in []byte, n int, began time.Time) error {
	for n > 0 {
		got, err := conn.Read(in)
		if err != nil {
			return err
		}
		took := time.Since(began)
		for b := in[:got]; len(b) > 0; {
			if n == 0 {
				return fmt.Errorf("%w: %.40q", errUnasked, b)
			}
			used, whole, err := s.Reply(b)
			if err != nil {
				return err
			}
			if b = b[used:]; whole {
				s.Took(took)
				n--
			}
		}
	}
	return nil
}
