//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/cmd/load"
)

// A pipelined load: requests in batches over several connections, as fast as they are answered.

const (
	loadConns    = 8
	loadPipeline = 16
	loadSeed     = 30_000
)

// longestLine is enough for a reply of one line.
const longestLine = 128

// piped is what some connections of such a load send. Its replies all have one size, or are lines:
// reading them must cost little.
type piped struct {
	conns int
	next  func(b []byte, rnd *rand.Rand) []byte // appends a request
	reply int                                   // bytes of its reply; 0: one line
	depth int                                   // requests in a batch; 0: loadPipeline
	mark  byte                                  // its first byte
}

func (k piped) batch() int {
	if k.depth > 0 {
		return k.depth
	}
	return loadPipeline
}

// pipedSets are SETs of random keys.
func pipedSets(keys int, fill request) piped {
	return piped{conns: loadConns, reply: len("+OK\r\n"), mark: '+', next: func(b []byte, rnd *rand.Rand) []byte {
		return fill(b, rnd.IntN(keys))
	}}
}

// pipedLoad is a load under way. answered counts the replies by kind, as the kinds were given.
type pipedLoad struct {
	answered []atomic.Int64
	most     int64 // requests of each connection; 0: until it is stopped
	stopping atomic.Bool
	failed   atomic.Bool
	conns    []net.Conn
	ended    chan error
}

func startPiped(s *server, kinds ...piped) (*pipedLoad, error) { return startPipedUpTo(s, 0, kinds...) }

// startPipedUpTo starts a load of which every connection sends that many requests, in whole
// batches.
func startPipedUpTo(s *server, most int64, kinds ...piped) (*pipedLoad, error) {
	conns := 0
	for _, k := range kinds {
		conns += k.conns
	}
	l := &pipedLoad{answered: make([]atomic.Int64, len(kinds)), most: most, ended: make(chan error, conns)}
	for i, k := range kinds {
		for range k.conns {
			if err := l.open(s, k, &l.answered[i]); err != nil {
				return nil, errors.Join(err, l.stop())
			}
		}
	}
	return l, nil
}

func (l *pipedLoad) open(s *server, k piped, answered *atomic.Int64) error {
	conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * loadWithin)); err != nil {
		return errors.Join(err, conn.Close())
	}
	rnd := rand.New(rand.NewPCG(loadSeed, uint64(len(l.conns))))
	l.conns = append(l.conns, conn)
	go func() {
		err := l.send(conn, k, rnd, answered)
		if err != nil {
			l.failed.Store(true)
		}
		l.ended <- err
	}()
	return nil
}

// send works one connection until the load stops.
func (l *pipedLoad) send(conn io.ReadWriter, k piped, rnd *rand.Rand, answered *atomic.Int64) error {
	size := k.reply
	if size == 0 {
		size = longestLine
	}
	batch := k.batch()
	stream := &pipedStream{next: k.next, rnd: rnd, replies: replies{size: k.reply, mark: k.mark}}
	began, sent := false, int64(0)
	err := load.Closed(conn, stream, batch*size, func() int {
		if began {
			answered.Add(int64(batch))
			sent += int64(batch)
		}
		began = true
		if l.stopping.Load() || l.most > 0 && sent >= l.most {
			return 0
		}
		return batch
	})
	if err != nil {
		return fmt.Errorf("replies of a load: %w", err)
	}
	return nil
}

// pipedStream is what one connection sends.
type pipedStream struct {
	next func(b []byte, rnd *rand.Rand) []byte
	rnd  *rand.Rand
	replies
}

func (p *pipedStream) Next(b []byte) []byte { return p.next(b, p.rnd) }
func (p *pipedStream) Took(time.Duration)   {}

// replies are all alike: of one size, or one line each.
type replies struct {
	size int  // bytes of a reply; 0: one line
	mark byte // its first byte
	at   int  // bytes seen of the reply under way
}

// Reply reports a reply that does not begin as it should. Its beginning is looked at before the rest
// is there, since an error is shorter than most replies.
func (r *replies) Reply(b []byte) (n int, whole bool, err error) {
	if r.at == 0 && b[0] != r.mark {
		return 0, false, fmt.Errorf("%.60q, it should begin with %q", b, r.mark)
	}
	if r.size > 0 {
		n = min(r.size-r.at, len(b))
		whole = r.at+n == r.size
	} else if n = bytes.IndexByte(b, '\n') + 1; n > 0 {
		whole = true
	} else if n = len(b); r.at+n > longestLine {
		return 0, false, fmt.Errorf("%.60q..., more than a line", b)
	}
	if r.at += n; whole {
		r.at = 0
	}
	return n, whole, nil
}

// total is the number of replies of all kinds.
func (l *pipedLoad) total() (n int64) {
	for i := range l.answered {
		n += l.answered[i].Load()
	}
	return n
}

// await returns when the load has sent what it was to send.
func (l *pipedLoad) await() error {
	var err error
	for _, conn := range l.conns {
		err = errors.Join(err, <-l.ended)
		defer conn.Close()
	}
	return err
}

// stop ends the load when what is under way is answered.
func (l *pipedLoad) stop() error {
	l.stopping.Store(true)
	return l.await()
}
