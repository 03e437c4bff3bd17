//go:build linux

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tidwall/redcon"
)

// How long others wait while millions of keys with tags go: half of them by a tag, all of them by a purge, and
// all of them by FLUSHALL. Each is compared with the same client's wait while the server is idle.

// tagStallFigure has n keys with three tags each.
func (b *bench) tagStallFigure(n int) figure {
	ways := []struct {
		what string
		args []string
		gone int // of n
	}{
		{"CACHE.INVALIDATE of a tag of half of the keys", []string{"CACHE.INVALIDATE", "half:1"}, n / 2},
		{"CACHE.PURGE of all", []string{"CACHE.PURGE", "START", "PREFIX", "page:"}, n},
		{"FLUSHALL", []string{"FLUSHALL"}, n},
	}
	f := figure{
		name: "stall-tag", fresh: true, memory: 4 << 30, most: 2,
		note: fmt.Sprintf("%d keys of 64 B with three tags each, until the last that is to go has gone, and %v more; "+
			"a process of its own pings every %v", n, quietAfter, pingEvery),
	}
	longest := func(of string) measure { return measure{what: of + ": longest", unit: "ms", bars: []bar{atMost(2)}} }
	for _, way := range ways {
		f.measures = append(f.measures,
			measure{what: "PING of another client during " + way.what + ": median", unit: "ms"},
			measure{what: "the same: p99", unit: "ms"}, longest("the same"))
	}
	f.measures = append(f.measures, measure{what: "PING while the server is idle: median", unit: "ms"},
		measure{what: "the same: p99", unit: "ms"}, measure{what: "the same: longest", unit: "ms"})
	f.trial = func(s *server) ([]float64, error) {
		values := make([]float64, len(f.measures))
		if s.side == redisSide {
			for i := range values {
				values[i] = notMeasured
			}
			return values, nil
		}
		c, err := dial(s.addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		p, err := startPingProcess(s)
		if err != nil {
			return nil, err
		}
		var spans []span
		for _, way := range ways {
			if err := s.fill(n, setHalfTagged); err != nil {
				return nil, err
			}
			time.Sleep(idleFor)
			now := span{from: time.Now()}
			if _, err := c.do(way.args...); err != nil {
				return nil, err
			}
			if err := c.awaitKeys(int64(n - way.gone)); err != nil {
				return nil, err
			}
			time.Sleep(quietAfter)
			now.to = time.Now()
			spans = append(spans, now)
		}
		time.Sleep(idleFor)
		idle := span{from: time.Now()}
		time.Sleep(idleFor)
		idle.to = time.Now()
		all, err := p.stop()
		if err != nil {
			return nil, err
		}
		for i, one := range append(spans, idle) {
			quantiles, err := during(all, one)
			if err != nil {
				return nil, err
			}
			copy(values[3*i:], quantiles[:])
		}
		return values, nil
	}
	return f
}

// setHalfTagged sets keys that have the tag half:1 if their number is odd.
func setHalfTagged(b []byte, i int) []byte {
	b = appendNamed(redcon.AppendBulkString(redcon.AppendArray(b, 8), "CACHE.SET"), "page:", i)
	b = redcon.AppendBulk(b, value[:64])
	tags := tagsOf(i)
	for _, word := range []string{"TAGS", "3", "half:" + strconv.Itoa(i%2), tags[0], tags[1]} {
		b = redcon.AppendBulkString(b, word)
	}
	return b
}

// awaitKeys waits until the server has so many keys.
func (c *client) awaitKeys(n int64) error {
	for began := time.Now(); ; time.Sleep(lookEvery) {
		left, err := c.integer("DBSIZE")
		if err != nil || left == n {
			return err
		}
		if time.Since(began) > goneWithin {
			return fmt.Errorf("%d keys are left, want %d", left, n)
		}
	}
}
