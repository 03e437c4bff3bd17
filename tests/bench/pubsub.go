//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"
)

// Messages: what it costs to deliver one, to find out that nobody wants it, and to remember who
// wants it.
//
// The publisher waits for its replies alone, as publishers do; the trial is over when the last
// subscriber has the last message. Every subscriber is a goroutine that counts bytes.

const (
	messageSize      = 64
	messageChannel   = "channel:0"
	deliveredWithin  = time.Minute
	messagesPerStall = 100 // a second
)

// audience is the connections of subscribers.
type audience struct {
	conns []*client
	bytes atomic.Int64 // that have come since the subscriptions were confirmed
}

// gather opens n connections, each subscribed to one channel.
func gather(s *server, n int) (*audience, error) {
	a := &audience{}
	confirmed := len("*3\r\n$9\r\nsubscribe\r\n:1\r\n") + len(redcon.AppendBulkString(nil, messageChannel))
	for range n {
		c, err := dial(s.addr)
		if err != nil {
			a.leave()
			return nil, err
		}
		a.conns = append(a.conns, c)
		c.buf = appendRequest(c.buf[:0], "SUBSCRIBE", messageChannel)
		if _, err := c.conn.Write(c.buf); err != nil {
			a.leave()
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, c.r, int64(confirmed)); err != nil {
			a.leave()
			return nil, err
		}
		go a.listen(c)
	}
	return a, nil
}

// listen counts what comes until the connection is closed.
func (a *audience) listen(c *client) {
	buf := make([]byte, 16<<10)
	for {
		n, err := c.conn.Read(buf)
		a.bytes.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func (a *audience) leave() {
	for _, c := range a.conns {
		dropNow(c)
	}
}

// await waits until so many bytes have come.
func (a *audience) await(bytes int64) error {
	for began := time.Now(); a.bytes.Load() < bytes; time.Sleep(time.Millisecond) {
		if time.Since(began) > deliveredWithin {
			return fmt.Errorf("%d of %d bytes of messages have come in %v", a.bytes.Load(), bytes, deliveredWithin)
		}
	}
	return nil
}

// publishAll sends n messages to a channel, depth at a time, and reads the replies.
func publishAll(c *client, channel string, n, depth int) error {
	text := string(bytes.Repeat([]byte{'m'}, messageSize))
	var batch []byte
	for range depth {
		batch = appendRequest(batch, "PUBLISH", channel, text)
	}
	if err := c.conn.SetDeadline(time.Now().Add(deliveredWithin)); err != nil {
		return err
	}
	for range n / depth {
		if _, err := c.conn.Write(batch); err != nil {
			return err
		}
		for range depth {
			line, err := c.r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if line[0] != ':' {
				return fmt.Errorf("PUBLISH: %q", line)
			}
		}
	}
	return nil
}

// messageBytes is the length of one message.
func messageBytes() int64 {
	return int64(len(appendRequest(nil, "message", messageChannel, string(make([]byte, messageSize)))))
}

// publishFigure gives the server's processor time per delivered message in microseconds.
func (b *bench) publishFigure(subscribers, messages, depth int) figure {
	f := figure{name: fmt.Sprintf("publish-%d-p%d", subscribers, depth), files: uint64(subscribers + 1000),
		trial: asking(func(s *server, c *client) ([]float64, error) {
			a, err := gather(s, subscribers)
			if err != nil {
				return nil, err
			}
			defer a.leave()
			spent, err := s.cpuOf(func() error {
				if err := publishAll(c, messageChannel, messages, depth); err != nil {
					return err
				}
				return a.await(int64(messages) * int64(subscribers) * messageBytes())
			})
			return []float64{micros(int64(spent)) / float64(messages*subscribers)}, err
		})}
	f.measures = []measure{{
		what: fmt.Sprintf("PUBLISH, subscribers: %d, P=%d: server CPU per message delivered", subscribers, depth),
		unit: "us", bars: []bar{ratio(0.75)},
	}}
	return f
}

// patternsFigure publishes on a channel that one of n patterns matches.
func (b *bench) patternsFigure(n, messages int) figure {
	f := figure{
		name: "publish-patterns",
		trial: asking(func(s *server, c *client) ([]float64, error) {
			listener, err := subscribeMany(s, "PSUBSCRIBE", "room:%d:*", 0, n)
			if err != nil {
				return nil, err
			}
			defer listener.close()
			if err := c.awaitInfo("pubsub_patterns", int64(n)); err != nil {
				return nil, err
			}
			spent, err := s.cpuOf(func() error { return publishAll(c, "room:77:said", messages, 1) })
			return []float64{micros(int64(spent)) / float64(messages)}, err
		}),
	}
	f.measures = []measure{{
		what: "PUBLISH with 10,000 patterns subscribed, one matches: server CPU per message",
		unit: "us", bars: []bar{ratio(0.10)},
	}}
	return f
}

// subscribeMany subscribes a new connection to the topics from a number on, and reads what comes
// until it is closed.
func subscribeMany(s *server, verb, format string, from, n int) (*client, error) {
	const chunk = 100
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, c.conn) }() // until it is closed
	for i := 0; i < n; i += chunk {
		args := []string{verb}
		for j := i; j < min(i+chunk, n); j++ {
			args = append(args, fmt.Sprintf(format, from+j))
		}
		c.buf = appendRequest(c.buf[:0], args...)
		if _, err := c.conn.Write(c.buf); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// awaitInfo waits until a field of INFO stats has a value.
func (c *client) awaitInfo(field string, want int64) error {
	for began := time.Now(); ; time.Sleep(pollEvery) {
		info, err := c.do("INFO", "stats")
		if err != nil {
			return err
		}
		got, err := parseInfo(info, field)
		if err != nil || got == want {
			return err
		}
		if time.Since(began) > loadWithin {
			return fmt.Errorf("%s is %d, want %d", field, got, want)
		}
	}
}

// subscriptionsFigure gives what the resident memory grows by per channel, when some clients share
// n channels of 20 bytes among them.
func (b *bench) subscriptionsFigure(clients, n int) figure {
	f := figure{
		name: fmt.Sprintf("rss-subscriptions-%d", clients), fresh: true, memory: spaceNeeded, files: uint64(clients + 1000),
		trial: asking(func(s *server, c *client) ([]float64, error) {
			before, err := s.settledRSS()
			if err != nil {
				return nil, err
			}
			for i := range clients {
				listener, err := subscribeMany(s, "SUBSCRIBE", "channel:%012d", i*(n/clients), n/clients)
				if err != nil {
					return nil, err
				}
				defer dropNow(listener)
			}
			if err := c.awaitInfo("pubsub_channels", int64(n)); err != nil {
				return nil, err
			}
			after, err := s.settledRSS()
			return []float64{perKey(after-before, n)}, err
		}),
	}
	f.measures = []measure{{
		what: fmt.Sprintf("RSS per subscription, 1M channels of 20 B, clients: %d", clients), unit: "B", bars: []bar{ratio(0.80)},
	}}
	return f
}

// publishStallFigure publishes at a fixed rate to n subscribers of one channel, and gives the longest
// PING of another client in milliseconds.
func (b *bench) publishStallFigure(n int, length time.Duration) figure {
	f := figure{name: "stall-publish", files: uint64(n + 1000), flags: []string{"--maxclients", fmt.Sprint(n + 1000)},
		trial: asking(func(s *server, c *client) ([]float64, error) {
			a, err := gather(s, n)
			if err != nil {
				return nil, err
			}
			defer a.leave()
			p, err := startPinger(s, []string{"PING"})
			if err != nil {
				return nil, err
			}
			for began, i := time.Now(), 0; time.Since(began) < length; i++ {
				if err := publishAll(c, messageChannel, 1, 1); err != nil {
					return nil, err
				}
				time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Second / messagesPerStall)))
			}
			worst, err := p.stop()
			return []float64{worst}, err
		})}
	f.measures = []measure{{
		what: "longest PING while one channel has 10,000 subscribers and 100 messages/s", unit: "ms", bars: []bar{atMost(2), belowRedis},
	}}
	return f
}

// messageFigures are all figures of publish and subscribe.
func (b *bench) messageFigures() []figure {
	var out []figure
	for _, row := range []struct{ subscribers, deliveries int }{
		{1, b.size(200_000, 20_000)}, {100, b.size(1_000_000, 100_000)}, {1000, b.size(1_000_000, 100_000)},
	} {
		for _, depth := range []int{1, 16} {
			messages := row.deliveries / row.subscribers / 16 * 16
			out = append(out, b.publishFigure(row.subscribers, messages, depth))
		}
	}
	return append(out,
		b.patternsFigure(10_000, b.size(20_000, 2_000)),
		b.subscriptionsFigure(1, b.size(1_000_000, 50_000)),
		b.subscriptionsFigure(1000, b.size(1_000_000, 50_000)),
		b.publishStallFigure(b.size(10_000, 1_000), b.duration(2*time.Second, 500*time.Millisecond)))
}
