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
	mark  byte                                  // its first byte
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
	got := make([]byte, loadPipeline*size)
	var buf []byte
	for sent := int64(0); !l.stopping.Load() && (l.most == 0 || sent < l.most); sent += loadPipeline {
		buf = buf[:0]
		for range loadPipeline {
			buf = k.next(buf, rnd)
		}
		if _, err := conn.Write(buf); err != nil {
			return err
		}
		if err := k.receive(conn, got); err != nil {
			return fmt.Errorf("replies of a load: %w", err)
		}
		answered.Add(loadPipeline)
	}
	return nil
}

// receive reads the replies of a batch. What comes first is looked at before the rest is waited
// for, since an error is shorter than most replies.
func (k piped) receive(r io.Reader, into []byte) error {
	for n := 0; ; {
		more, err := r.Read(into[n:])
		if err != nil {
			return err
		}
		n += more
		got := into[:n]
		if got[0] != k.mark || k.reply == 0 && bytes.Contains(got, []byte("\n-")) {
			return fmt.Errorf("%.60q, each should begin with %q", got, k.mark)
		}
		if k.reply == 0 && bytes.Count(got, []byte("\n")) == loadPipeline {
			return nil
		}
		if n < len(into) {
			continue
		}
		if k.reply == 0 {
			return fmt.Errorf("%.60q..., more than %d lines", got, loadPipeline)
		}
		return k.check(got)
	}
}

// check reports a reply of a batch that does not begin where or as it should.
func (k piped) check(batch []byte) error {
	for at := 0; at < len(batch); at += k.reply {
		if batch[at] != k.mark {
			return fmt.Errorf("%.60q, each should be %d bytes from %q on", batch, k.reply, k.mark)
		}
	}
	return nil
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
