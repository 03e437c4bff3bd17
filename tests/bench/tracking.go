//go:build linux

package main

import (
	"errors"
	"time"
)

// Client-side caching: what it costs to note what is read, and to tell what changes.

func (b *bench) trackingFigures() []figure {
	load := commandLoad{pipeline: 16, ops: b.size(1_000_000, 100_000), limit: 0.75, standard: "GET", fill: fillStrings}
	load.name, load.what, load.args = "tracking-get", "GET 64 B of clients that track keys", []string{"--enable-tracking"}
	noted := b.commandFigure(load)
	load.name, load.what, load.args = "tracking-bcast", "GET 64 B beside a client that is told of all changes", nil
	return []figure{noted, b.besideTracker(load), b.invalidationFigure()}
}

// besideTracker is commandFigure with a client in BCAST mode for each trial.
func (b *bench) besideTracker(l commandLoad) figure {
	f := b.commandFigure(l)
	trial := f.trial
	f.trial = func(s *server) (values []float64, err error) {
		tr, err := s.track("BCAST")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, tr.end()) }()
		return trial(s)
	}
	return f
}

// invalidation is one message to a client of RESP3.
const invalidation = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$16\r\nkey:000000000000\r\n"

// invalidationFigure is SETs of keys each of which one client has read before. That is not measured;
// what is told is, to its last byte.
func (b *bench) invalidationFigure() figure {
	keys := b.size(500_000, 50_000)
	return figure{
		name:     "tracking-set",
		measures: []measure{{what: "CPU per SET 64 B that tells one client, one pipeline", unit: "us", bars: []bar{ratio(0.75)}}},
		prepare:  func(s *server) error { return s.fillKeys(keys, fillStrings) },
		trial: func(s *server) (values []float64, err error) {
			tr, err := s.track()
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, tr.end()) }()
			read, err := tr.readAll(keys)
			if err != nil {
				return nil, err
			}
			before, err := s.cpu()
			if err != nil {
				return nil, err
			}
			if err := s.fillKeys(keys, fillStrings); err != nil {
				return nil, err
			}
			if err := tr.await(read + int64(keys*len(invalidation))); err != nil {
				return nil, err
			}
			after, err := s.cpu()
			return []float64{float64(after-before) / float64(time.Microsecond) / float64(keys)}, err
		},
	}
}

// track makes a client of RESP3 that tracks keys, and then throws away what it is told.
func (s *server) track(options ...string) (*subscriber, error) {
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	hello := appendRequest(nil, "HELLO", "3")
	hello = appendRequest(hello, append([]string{"CLIENT", "TRACKING", "ON"}, options...)...)
	if _, err := c.conn.Write(appendRequest(hello, "PING")); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	for line := ""; line != "+PONG\r\n"; {
		if line, err = c.r.ReadString('\n'); err != nil {
			return nil, errors.Join(err, c.conn.Close())
		}
	}
	tr := &subscriber{c: c, ended: make(chan error, 1)}
	go tr.drain()
	return tr, nil
}

// readAll has the client look at all keys, and returns how many bytes it has got by then.
func (sub *subscriber) readAll(keys int) (int64, error) {
	const atOnce = 1000
	for i := 0; i < keys; i += atOnce {
		b := sub.c.buf[:0]
		for j := range atOnce {
			b = append(b, "*2\r\n$6\r\nEXISTS\r\n"...)
			b = appendNamed(b, "key:", i+j)
		}
		sub.c.buf = b
		if _, err := sub.c.conn.Write(b); err != nil {
			return 0, err
		}
		if err := sub.await(int64(i+atOnce) * int64(len(":1\r\n"))); err != nil {
			return 0, err
		}
	}
	return sub.bytes.Load(), nil
}
