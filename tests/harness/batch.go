package harness

import "strings"

// Batch is requests that are sent in one piece. The zero value has none.
type Batch struct {
	raw strings.Builder
	n   int
}

// Add appends a request.
func (b *Batch) Add(args ...string) {
	b.raw.WriteString(Encode(args...))
	b.n++
}

// Len is the number of requests.
func (b *Batch) Len() int { return b.n }

// Exchange sends the batch over a connection and reads the replies, an error of which is a reply too. It
// fails if the server closes the connection.
func (b *Batch) Exchange(c *Conn) ([]Reply, error) {
	if err := c.TryWrite(b.raw.String()); err != nil {
		return nil, err
	}
	replies := make([]Reply, b.n)
	for i := range replies {
		var err error
		if replies[i], err = c.TryRead(); err != nil {
			return nil, err
		}
	}
	return replies, nil
}
