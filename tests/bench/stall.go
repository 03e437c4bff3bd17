//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tidwall/redcon"
)

// How long others wait while a server gets rid of much at once, or takes much in: one client asks
// again and again, and the longest wait counts.

const (
	pingEvery   = 200 * time.Microsecond
	pollEvery   = 5 * time.Millisecond
	quietBefore = 100 * time.Millisecond // of pinging before anything happens
	quietAfter  = 300 * time.Millisecond // and after it is over
	goneWithin  = time.Minute            // for everything to be gone
	giveBack    = 0.75                   // of the memory counts as all of it: tables shrink later
)

// pinger asks the same questions in turn until it is stopped, and measures how long it waits.
type pinger struct {
	cancel context.CancelFunc
	done   chan error
	worst  time.Duration // owned by the goroutine until done
}

func startPinger(s *server, questions ...[]string) (*pinger, error) {
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	p := &pinger{cancel: cancel, done: make(chan error, 1)}
	go func() {
		defer c.close()
		for i := 0; ctx.Err() == nil; i++ {
			began := time.Now()
			if _, err := c.do(questions[i%len(questions)]...); err != nil {
				p.done <- err
				return
			}
			p.worst = max(p.worst, time.Since(began))
			time.Sleep(pingEvery)
		}
		p.done <- nil
	}()
	return p, nil
}

// stop ends the asking and returns the longest wait in milliseconds.
func (p *pinger) stop() (float64, error) {
	p.cancel()
	err := <-p.done
	return float64(p.worst) / float64(time.Millisecond), err
}

// quietFigure pings a server that has nothing else to do.
func (b *bench) quietFigure(name string, length time.Duration) figure {
	return figure{name: name, trial: func(s *server) ([]float64, error) {
		p, err := startPinger(s, []string{"PING"})
		if err != nil {
			return nil, err
		}
		time.Sleep(length)
		worst, err := p.stop()
		return []float64{worst}, err
	}}
}

// gone waits until the server has no key left and has given back the memory above base; it returns
// when each was so, from began on.
func gone(c *client, base, loaded int64, began time.Time) (keys, memory time.Duration, err error) {
	for time.Since(began) < goneWithin {
		if keys == 0 {
			left, err := c.integer("DBSIZE")
			if err != nil {
				return 0, 0, err
			}
			if left == 0 {
				keys = time.Since(began)
			}
		}
		if keys > 0 {
			used, err := c.usedMemory()
			if err != nil {
				return 0, 0, err
			}
			if float64(used-base) <= (1-giveBack)*float64(loaded-base) {
				return keys, time.Since(began), nil
			}
		}
		time.Sleep(pollEvery)
	}
	return 0, 0, fmt.Errorf("keys or their memory are still there after %v", goneWithin)
}

// massExpiryFigure loads n keys that all expire at one moment, ttl after the start of loading. It
// gives the seconds after that moment until DBSIZE is 0 and until the memory is back, the processor
// seconds spent, their share of a core over that time, and the longest PING in milliseconds. What
// asking costs the server, a few per cent of a core, is in it.
func (b *bench) massExpiryFigure(name string, n int, ttl time.Duration) figure {
	return figure{name: name, fresh: true, memory: spaceNeeded,
		trial: asking(func(s *server, c *client) ([]float64, error) {
			base, err := c.usedMemory()
			if err != nil {
				return nil, err
			}
			at := time.Now().Add(ttl)
			if err := s.fillKeys(n, fillExpiringAt(at)); err != nil {
				return nil, err
			}
			loaded, err := c.usedMemory()
			if err != nil {
				return nil, err
			}
			if wait := time.Until(at) - quietBefore; wait > 0 {
				time.Sleep(wait)
			} else {
				return nil, fmt.Errorf("loading %d keys took longer than their time to live of %v", n, ttl)
			}
			return watchExpiry(s, c, base, loaded, at)
		})}
}

// fillExpiringAt makes keys that expire at one moment.
func fillExpiringAt(at time.Time) request {
	when := strconv.FormatInt(at.UnixMilli(), 10)
	return func(b []byte, i int) []byte {
		b = append(b, "*5\r\n$3\r\nSET\r\n"...)
		b = appendNamed(b, "key:", i)
		b = redcon.AppendBulk(b, value[:64])
		b = append(b, "$4\r\nPXAT\r\n"...)
		return redcon.AppendBulkString(b, when)
	}
}

// watchExpiry starts shortly before the moment at.
func watchExpiry(s *server, c *client, base, loaded int64, at time.Time) ([]float64, error) {
	p, err := startPinger(s, []string{"PING"})
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Until(at))
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	keys, memory, err := gone(c, base, loaded, at)
	if err != nil {
		return nil, err
	}
	after, err := s.cpu()
	if err != nil {
		return nil, err
	}
	worst, err := p.stop()
	if err != nil {
		return nil, err
	}
	spent := (after - before).Seconds()
	return []float64{keys.Seconds(), memory.Seconds(), spent, spent / memory.Seconds(), worst}, nil
}

// removal is a way in which a key goes.
type removal struct {
	name string
	args []string
}

var (
	byDel    = removal{"DEL", []string{"DEL", bigKey}}
	byFlush  = removal{"FLUSHALL", []string{"FLUSHALL"}}
	byExpiry = removal{"expiry", []string{"PEXPIRE", bigKey, "50"}}
)

// bigRemovalFigure fills one key with n members, removes it, and gives the longest PING of another
// client in milliseconds.
func (b *bench) bigRemovalFigure(name string, kind bigValue, way removal, n int) figure {
	return figure{name: name, fresh: true, trial: asking(func(s *server, c *client) ([]float64, error) {
		base, err := c.usedMemory()
		if err != nil {
			return nil, err
		}
		if err := kind.fill(s, n); err != nil {
			return nil, err
		}
		loaded, err := c.usedMemory()
		if err != nil {
			return nil, err
		}
		p, err := startPinger(s, []string{"PING"})
		if err != nil {
			return nil, err
		}
		time.Sleep(quietBefore)
		if _, err := c.do(way.args...); err != nil {
			return nil, err
		}
		if _, _, err := gone(c, base, loaded, time.Now()); err != nil {
			return nil, err
		}
		time.Sleep(quietAfter)
		worst, err := p.stop()
		return []float64{worst}, err
	})}
}
