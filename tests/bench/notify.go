//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// SETs that are told of: what notify-keyspace-events costs, with and without somebody who listens.
// That it costs nothing when it is off is the figure cpu-SET-p16 beside an older larder.

// notifyFigures are SETs with all keyspace notifications on.
func (b *bench) notifyFigures() []figure {
	load := commandLoad{pipeline: 16, ops: b.size(1_000_000, 100_000), limit: 0.75, standard: "SET", fill: fillStrings}
	load.setup = func(s *server) error { return s.once("CONFIG", "SET", "notify-keyspace-events", "KEA") }
	load.name, load.what = "notify-nobody", "SET 64 B, notifications on, nobody subscribed"
	nobody := b.commandFigure(load)
	load.name, load.what = "notify-subscriber", "SET 64 B, notifications on, one client gets an event of each"
	return []figure{nobody, b.toldFigure(load)}
}

// setEvents is the channel on which SETs are published, setEvent one message of it to a subscriber.
const (
	setEvents = "__keyevent@0__:set"
	setEvent  = "*3\r\n$7\r\nmessage\r\n$18\r\n" + setEvents + "\r\n$16\r\nkey:000000000000\r\n"
)

// toldFigure is commandFigure with a subscriber for each trial. What it costs to tell him counts to
// the last byte, for a server may fall behind with that.
func (b *bench) toldFigure(l commandLoad) figure {
	f := b.commandFigure(l)
	f.flags = []string{"--client-output-buffer-limit", "pubsub 0 0 0"}
	f.trial = func(s *server) (values []float64, err error) {
		sub, err := s.subscribe(setEvents)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, sub.end()) }()
		before, err := s.cpu()
		if err != nil {
			return nil, err
		}
		if err := b.sendCommands(s, l, l.ops); err != nil {
			return nil, err
		}
		if err := sub.await(int64(l.ops * len(setEvent))); err != nil {
			return nil, err
		}
		after, err := s.cpu()
		return []float64{float64(after-before) / float64(time.Microsecond) / float64(l.ops)}, err
	}
	return f
}

// subscriber is a client that throws away what it is told.
type subscriber struct {
	c     *client
	bytes atomic.Int64 // received so far
	ended chan error
}

func (s *server) subscribe(channel string) (*subscriber, error) {
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	sub := &subscriber{c: c, ended: make(chan error, 1)}
	if _, err := c.conn.Write(appendRequest(nil, "SUBSCRIBE", channel)); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	confirmed := fmt.Sprintf("*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n", len(channel), channel)
	if _, err := io.ReadFull(c.r, make([]byte, len(confirmed))); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	go sub.drain()
	return sub, nil
}

// drain reads until the connection is closed.
func (sub *subscriber) drain() {
	buf := make([]byte, 256<<10)
	for {
		n, err := sub.c.r.Read(buf)
		sub.bytes.Add(int64(n))
		if err != nil {
			sub.ended <- err
			return
		}
	}
}

// await returns when so many bytes have come.
func (sub *subscriber) await(bytes int64) error {
	for began := time.Now(); sub.bytes.Load() < bytes; time.Sleep(time.Millisecond) {
		if time.Since(began) > loadWithin {
			return fmt.Errorf("a subscriber got %d of %d bytes", sub.bytes.Load(), bytes)
		}
	}
	return nil
}

// end closes the connection, and returns when nobody reads from it any more.
func (sub *subscriber) end() error {
	err := sub.c.conn.Close()
	<-sub.ended
	return err
}
