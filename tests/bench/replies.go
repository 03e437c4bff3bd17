//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Big replies: what they take, when it is given back, and who waits while they are made.

// bigReply is a request for a long reply.
type bigReply struct {
	name    string // in figures' names
	what    string // in the report
	fill    func(s *server) error
	request []string
	size    int64 // of the reply in bytes, at least
}

// bigReplies are the long replies that others wait for.
func (b *bench) bigReplies() []bigReply {
	const value = megabyte
	values, elements := b.size(400, 10), b.size(1_000_000, 10_000)
	mget := []string{"MGET"}
	for i := range values {
		mget = append(mget, fmt.Sprint("big:", i))
	}
	return []bigReply{
		{"mget", fmt.Sprintf("MGET of %d values of 1 MB", values), func(s *server) error { return s.fillBig(values, value) }, mget, int64(values * value)},
		{"keys", fmt.Sprintf("KEYS * of %d keys", elements), func(s *server) error { return s.fillKeys(elements, fillStrings) }, []string{"KEYS", "*"}, int64(elements * 10)},
		{"smembers", fmt.Sprintf("SMEMBERS of %d members", elements), func(s *server) error { return bigSet.fill(s, elements) }, []string{"SMEMBERS", bigKey}, int64(elements * 10)},
	}
}

// fillBig stores n values of so many bytes.
func (s *server) fillBig(n, size int) error {
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	value := strings.Repeat("v", size)
	for i := range n {
		if _, err := c.do("SET", fmt.Sprint("big:", i), value); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a request over a connection of its own, whose replies nobody reads.
func (s *server) ask(args ...string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(appendRequest(nil, args...)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// replyStallFigure asks for a long reply and reads all of it: the longest PING of another client in
// milliseconds, and milliseconds until the reply's last byte.
func (b *bench) replyStallFigure(r bigReply) figure {
	return figure{name: "stall-" + r.name, memory: spaceNeeded, prepare: r.fill, trial: func(s *server) ([]float64, error) {
		p, err := startPinger(s, []string{"PING"})
		if err != nil {
			return nil, err
		}
		time.Sleep(quietBefore)
		began := time.Now()
		conn, err := s.ask(r.request...)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
			return nil, err
		}
		buf := make([]byte, megabyte)
		for left := r.size; left > 0; {
			n, err := conn.Read(buf)
			if err != nil {
				return nil, err
			}
			left -= int64(n)
		}
		took := time.Since(began)
		time.Sleep(quietAfter)
		worst, err := p.stop()
		return []float64{worst, float64(took) / float64(time.Millisecond)}, err
	}}
}

// replyRSSFigure asks for a reply of so many megabytes and does not read it: what RSS grows by,
// beyond the reply, in percent of it, and what of it is still there a second after the client has
// gone.
func (b *bench) replyRSSFigure(name string, size int) figure {
	return figure{name: name, fresh: true, memory: spaceNeeded, prepare: func(s *server) error { return s.fillBig(1, megabyte) },
		trial: func(s *server) ([]float64, error) {
			before, err := s.settledRSS()
			if err != nil {
				return nil, err
			}
			request := []string{"MGET"}
			for range size {
				request = append(request, "big:0")
			}
			watch := s.watchMemory()
			conn, err := s.ask(request...)
			if err != nil {
				return nil, err
			}
			time.Sleep(3 * time.Second)
			peak, err := watch.stop()
			if err := errors.Join(err, conn.Close()); err != nil {
				return nil, err
			}
			time.Sleep(time.Second)
			after, err := s.rss()
			share := func(rss int64) float64 { return 100 * float64(rss-before) / float64(size*megabyte) }
			return []float64{share(peak) - 100, share(after)}, err
		}}
}

// cappedRepliesFigure has clients ask a server at its cap for big replies that they do not read,
// for the time of length: the highest RSS / cap.
func (b *bench) cappedRepliesFigure(name, policy string, limit int64, clients int, length time.Duration) figure {
	values := int(limit/(20*megabyte)) * 10
	return figure{name: name, fresh: true, most: 2, flags: capFlags(limit), memory: 6 * limit,
		prepare: func(s *server) error {
			c, err := dial(s.addr)
			if err != nil {
				return err
			}
			defer c.close()
			if err := errors.Join(s.fillBig(values, megabyte/2), bigSet.fill(s, int(limit/2000)), s.fill(int(limit/400), fillNoise)); err != nil {
				return err
			}
			_, err = c.do("CONFIG", "SET", "maxmemory-policy", policy)
			return err
		},
		trial: func(s *server) ([]float64, error) {
			asked := [][]string{{"SMEMBERS", bigKey}, {"KEYS", "*"}, {"SRANDMEMBER", bigKey, "-500000"}, {"SUNION", bigKey, bigKey}, {"MGET"}}
			for i := range 60 {
				asked[4] = append(asked[4], fmt.Sprint("big:", i%values))
			}
			watch := s.watchMemory()
			conns := make([]net.Conn, clients)
			for i, began := 0, time.Now(); time.Since(began) < length; i++ {
				at := i % clients
				if conns[at] != nil {
					if _, err := conns[at].Write(appendRequest(nil, asked[i*7%len(asked)]...)); err == nil {
						time.Sleep(pollEvery)
						continue
					}
					_ = conns[at].Close() // the server has closed it
				}
				conn, err := s.ask(asked[i*7%len(asked)]...)
				if err != nil {
					return nil, err
				}
				conns[at] = conn
			}
			peak, err := watch.stop()
			for _, conn := range conns {
				if conn != nil {
					err = errors.Join(err, conn.Close())
				}
			}
			return []float64{float64(peak) / float64(limit)}, err
		}}
}

// replyFigures look at big replies.
func (b *bench) replyFigures() []figure {
	size := b.size(420, 20)
	rss := b.replyRSSFigure("reply-rss", size)
	rss.measures = []measure{
		{what: fmt.Sprintf("RSS for a reply of %d MB that nobody reads, beyond the reply", size), unit: "% of it", bars: []bar{atMost(5)}},
		{what: "the same: still there 1 s after the client has gone", unit: "% of it", bars: []bar{atMost(5)}},
	}
	out := []figure{rss}
	for _, policy := range []string{"noeviction", "allkeys-lru"} {
		f := b.cappedRepliesFigure("reply-rss-capped-"+policy, policy, 100*megabyte, 20, b.duration(10*time.Second, time.Second))
		what := "RSS / cap of 100 MB, 20 clients that ask for big replies and never read, " + policy
		f.measures = []measure{{what: what, unit: "x", bars: []bar{atMost(1.10)}}}
		portable := f
		portable.name += "-portable"
		portable.larderFlags = []string{"--network-driver", "portable"}
		portable.measures = []measure{{what: what + ", larder's portable driver", unit: "x", bars: f.measures[0].bars}}
		out = append(out, f, portable)
	}
	for _, r := range b.bigReplies() {
		f := b.replyStallFigure(r)
		f.measures = []measure{
			{what: "longest PING beside " + r.what, unit: "ms", bars: []bar{belowRedis}},
			{what: "the same: until the last byte", unit: "ms"},
		}
		out = append(out, f)
	}
	return out
}
