//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/cmd/load"
)

// A server at its cap that is written to: what evicting costs, who notices it, and how far its
// memory is from the cap.

const (
	manyKeys  = 1_000_000_000_000 // random numbers below it are new keys, all but never the same one twice
	benchMany = 2_000_000_000     // the same for redis-benchmark, which takes an int
	bigName   = "big"
)

// fillToCap stores n keys, which must be more than fit.
func (s *server) fillToCap(n int, next request) error {
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	before, err := c.evictedKeys()
	if err != nil {
		return err
	}
	if err := s.fill(n, next); err != nil {
		return err
	}
	return c.mustEvict(before)
}

// evictCostFigure compares the processor time of n SETs of new keys under a cap that full keys have
// reached, and of n without a cap, on two servers of the same side in the order without, with,
// with, without: the ratio, and microseconds per SET with and without. Without a cap the server
// grows from nothing to n keys.
func (b *bench) evictCostFigure(name string, p policyPair, limit int64, full, n int) figure {
	l := commandLoad{pipeline: 16, standard: "SET", ops: n / 2, keys: benchMany}
	return figure{
		name: name, fresh: true, flags: capFlags(limit), memory: 2*limit + int64(n)*300,
		prepare: func(s *server) (err error) {
			if err := p.apply(s); err != nil {
				return err
			}
			if s.twin, err = b.start(s.side, launch{}); err != nil {
				return err
			}
			if err := s.fillToCap(full, fillStrings); err != nil {
				return err
			}
			// The client's and the server's first steps belong to neither.
			return errors.Join(b.sendCommands(s, l, n/20), b.sendCommands(s.twin, l, n/20))
		},
		trial: asking(func(s *server, c *client) ([]float64, error) {
			evicted, err := c.evictedKeys()
			if err != nil {
				return nil, err
			}
			var spent [2]time.Duration // without and with
			for _, with := range []int{0, 1, 1, 0} {
				target := s
				if with == 0 {
					target = s.twin
				}
				used, err := target.cpuOf(func() error { return b.sendCommands(target, l, l.ops) })
				if err != nil {
					return nil, err
				}
				spent[with] += used
			}
			per := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(2*l.ops) }
			return []float64{float64(spent[1]) / float64(spent[0]), per(spent[1]), per(spent[0])}, c.mustEvict(evicted)
		}),
	}
}

// cpuOf is the processor time that the server used while do ran.
func (s *server) cpuOf(do func() error) (time.Duration, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return after - before, err
}

// evictLatencyFigure sends SETs of new keys at a fixed rate to servers at their cap: median, p99.9
// and longest latency in microseconds.
func (b *bench) evictLatencyFigure(name string, p policyPair, limit int64, full, rate int, length time.Duration) figure {
	var used [2]int // keys, by side
	return figure{
		name: name, flags: capFlags(limit), memory: 4 * limit, cores: 2,
		prepare: func(s *server) error {
			if err := p.apply(s); err != nil {
				return err
			}
			used[s.side] = full
			return s.fillToCap(full, fillNoise)
		},
		trial: asking(func(s *server, c *client) ([]float64, error) {
			evicted, err := c.evictedKeys()
			if err != nil {
				return nil, err
			}
			l := openLoop{keys: manyKeys, sets: rate, record: sets, fill: func(b []byte, _ int) []byte {
				used[s.side]++
				return fillNoise(b, used[s.side])
			}}
			hist, err := l.run(s, func(now time.Duration) bool { return now >= length })
			if err != nil {
				return nil, err
			}
			return []float64{micros(hist.ValueAtQuantile(50)), micros(hist.ValueAtQuantile(99.9)), micros(hist.Max())}, c.mustEvict(evicted)
		}),
	}
}

// fillOf makes a key with a value of the size that belongs to its number.
func fillOf(size func(i int) int) request {
	return func(b []byte, i int) []byte { return appendValue(b, i, noiseAt(i, size(i)), nil) }
}

// Sizes of values in bytes, where many are mixed.
const (
	smallest = 16
	widest   = 32 * kilobyte
)

// anySize is between smallest and widest, from one power of two to the next equally often.
func anySize(i int) int {
	return int(smallest * math.Pow(widest/smallest, load.Uniform(i)))
}

// overshootFigure sends SETs of new keys over loadConns connections for the time of length after
// the cap was reached, and asks again and again what memory is in use: the most that was above the
// cap, in MB of 2^20 bytes, the same of RSS, and how often it was looked at.
func (b *bench) overshootFigure(name string, limit int64, next request, length time.Duration) figure {
	return figure{
		name: name, fresh: true, most: 2, flags: capFlags(limit), memory: 6 * limit,
		prepare: bothPolicies("allkeys-lru").apply,
		trial: asking(func(s *server, c *client) ([]float64, error) {
			load, err := startPiped(s, pipedSets(manyKeys, next))
			if err != nil {
				return nil, err
			}
			out, err := s.overshoot(c, load, limit, length)
			return out, errors.Join(err, load.stop())
		}),
	}
}

// overshoot watches a load that has begun.
func (s *server) overshoot(c *client, load *pipedLoad, limit int64, length time.Duration) ([]float64, error) {
	watch := s.watchMemory()
	most, looks, err := c.watchUsed(load, limit, length)
	peak, watched := watch.stop()
	return []float64{above(most, limit), above(peak, limit), float64(looks)}, errors.Join(err, watched)
}

// watchUsed asks until the time of length after the first eviction, and returns the highest
// used_memory.
func (c *client) watchUsed(load *pipedLoad, limit int64, length time.Duration) (most int64, looks int, err error) {
	var full time.Time // since when; zero: not yet
	for full.IsZero() || time.Since(full) < length {
		used, err := c.usedMemory()
		if err != nil {
			return 0, 0, err
		}
		looks++
		most = max(most, used)
		switch {
		case load.failed.Load():
			return 0, 0, errors.New("the load has ended")
		case used > 2*limit:
			return 0, 0, fmt.Errorf("%d bytes are used, the cap is %d", used, limit)
		case full.IsZero():
			evicted, err := c.evictedKeys()
			if err != nil {
				return 0, 0, err
			}
			if evicted > 0 {
				full = time.Now()
			}
		}
	}
	return most, looks, nil
}

// above is what exceeds a limit, in MB of 2^20 bytes.
func above(v, limit int64) float64 { return float64(max(v-limit, 0)) / megabyte }

// churnFigure writes new keys with values of one size after the other to a server at its cap, as
// fast as it takes them: the highest RSS / cap, the same at the end, MB of 2^20 bytes of keys and
// values written, SETs per second. Of each size so many keys are written that they would fill the
// cap turnover times.
func (b *bench) churnFigure(name string, limit int64, sizes []int, turnover float64) figure {
	return figure{
		name: name, fresh: true, most: 1, flags: capFlags(limit), memory: 6 * limit,
		prepare: bothPolicies("allkeys-lru").apply,
		trial: asking(func(s *server, c *client) ([]float64, error) {
			watch := s.watchMemory()
			began := time.Now()
			written, sets, err := s.churn(limit, sizes, turnover)
			took := time.Since(began)
			peak, watched := watch.stop()
			if err := errors.Join(err, watched, c.mustEvict(0)); err != nil {
				return nil, err
			}
			end, err := s.settledRSS()
			share := func(rss int64) float64 { return float64(rss) / float64(limit) }
			return []float64{share(peak), share(end), float64(written) / megabyte, float64(sets) / took.Seconds()}, err
		}),
	}
}

// entryCost is about what a server needs for a small key beside its value, in bytes; it decides how
// long a phase of churn is.
const entryCost = 80

// churn writes the sizes in turn and returns the bytes of keys and values, and the number of SETs.
func (s *server) churn(limit int64, sizes []int, turnover float64) (written, sets int64, err error) {
	var size atomic.Int64
	size.Store(int64(sizes[0]))
	load, err := startPiped(s, pipedSets(manyKeys, func(b []byte, i int) []byte {
		return appendValue(b, i, noiseAt(i, int(size.Load())), nil)
	}))
	if err != nil {
		return 0, 0, err
	}
	for _, now := range sizes {
		size.Store(int64(now))
		from := load.total()
		target := from + int64(turnover*float64(limit)/float64(now+entryCost))
		for load.total() < target && !load.failed.Load() {
			time.Sleep(pollEvery)
		}
		written += (load.total() - from) * int64(keySize+now)
	}
	return written, load.total(), load.stop()
}

// bigValueFigure pushes a value of size bytes into a cache that is full of keys of 16 bytes with
// values of 84: the longest PING or GET of another client in milliseconds, milliseconds until the
// reply to the push, and 1 if it was stored, 0 if it was refused.
func (b *bench) bigValueFigure(name string, limit int64, full, size int) figure {
	const small = 100 - keySize
	var used [2]int // keys, by side
	fill := func(s *server, n int) error {
		from := used[s.side]
		used[s.side] += n
		return s.fillToCap(n, func(b []byte, i int) []byte {
			i += from
			return appendValue(b, i, noiseAt(i, small), nil)
		})
	}
	return figure{
		name: name, flags: capFlags(limit), memory: 4 * limit,
		prepare: func(s *server) error {
			return errors.Join(bothPolicies("allkeys-lru").apply(s), fill(s, full))
		},
		trial: func(s *server) ([]float64, error) {
			if err := s.once("DEL", bigName); err != nil {
				return nil, err
			}
			// What the last trial's big value took is filled again.
			if err := fill(s, full/4); err != nil {
				return nil, err
			}
			return s.pushBig(size)
		},
	}
}

// pushBig stores one big value while others are served.
func (s *server) pushBig(size int) ([]float64, error) {
	conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return nil, err
	}
	push := redcon.AppendArray(make([]byte, 0, size+100), 3)
	push = redcon.AppendBulkString(push, "SET")
	push = redcon.AppendBulkString(push, bigName)
	push = redcon.AppendBulk(push, make([]byte, size))
	p, err := startPinger(s, []string{"PING"}, []string{"GET", "key:000000000001"})
	if err != nil {
		return nil, err
	}
	time.Sleep(quietBefore)
	began := time.Now()
	// A server may refuse before it has read everything: the reply is what counts, unless there is
	// none.
	_, pushed := conn.Write(push)
	line, err := bufio.NewReader(conn).ReadString('\n')
	took := time.Since(began)
	stored, verdict := storedOrRefused(line, errors.Join(pushed, err))
	time.Sleep(quietAfter)
	worst, err := p.stop()
	return []float64{worst, float64(took) / float64(time.Millisecond), stored}, errors.Join(verdict, err)
}

// storedOrRefused reads the reply to SET: 1 for OK, 0 for an error that says that there is no room.
// failed is what went wrong on the way.
func storedOrRefused(line string, failed error) (float64, error) {
	switch {
	case line == "+OK\r\n":
		return 1, nil
	case strings.HasPrefix(line, "-OOM "):
		return 0, nil
	}
	return 0, fmt.Errorf("reply to SET of a big value: %.80q, %w", line, errors.Join(failed, errors.New("it should be OK or OOM")))
}
