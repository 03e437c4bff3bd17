//go:build linux

package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/cmd/load"
)

// A server whose maxmemory is lowered far below what it holds.

const (
	lowerDivisor = 64     // memory counts as lowered when one part in so many of the limit is above it
	lowerRest    = 500    // milliseconds from the end of filling to the CONFIG SET
	lowerRate    = 1000   // SETs a second of the light load
	lowerExpiry  = 86_400 // seconds; volatile policies need keys that expire
	lowerWithin  = 30 * time.Second
)

// lowerSize is that of small and medium values, in bytes.
func lowerSize(i int) int { return 20 + int(load.Uniform(i)*980) }

// fillLowered makes a key of such a size that expires, each at another time.
func fillLowered(b []byte, i int) []byte {
	b = append(b, "*5\r\n$3\r\nSET\r\n"...)
	b = redcon.AppendBulk(appendNamed(b, "key:", i), noiseAt(i, lowerSize(i)))
	return redcon.AppendBulkString(append(b, "$2\r\nEX\r\n"...), strconv.Itoa(lowerExpiry+i%lowerExpiry))
}

// lowerFigure fills a server to the limit from, and sets it to the limit to: seconds until what
// counts is there, keys left, the longest PING meanwhile in milliseconds. busy adds a light load of
// SETs of new keys.
func (b *bench) lowerFigure(name string, p policyPair, from, to int64, full int, busy bool) figure {
	return figure{
		name: name, fresh: true, flags: capFlags(from), memory: 4 * from, cores: 2,
		prepare: func(s *server) error {
			return errors.Join(p.apply(s), s.fillToCap(full, fillLowered))
		},
		trial: func(s *server) ([]float64, error) {
			time.Sleep(lowerRest * time.Millisecond)
			done, load := make(chan struct{}), make(chan error, 1)
			go func() { load <- lightLoad(s, busy, full, done) }()
			out, err := s.lower(to)
			close(done)
			return out, errors.Join(err, <-load)
		},
	}
}

// lightLoad sends SETs of new keys until done is closed, or nothing.
func lightLoad(s *server, busy bool, full int, done <-chan struct{}) error {
	if !busy {
		return nil
	}
	next := full
	l := openLoop{keys: manyKeys, sets: lowerRate, fill: func(b []byte, _ int) []byte {
		next++
		return fillLowered(b, next)
	}}
	_, err := l.run(s, func(time.Duration) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	return err
}

// lower sets maxmemory and waits.
func (s *server) lower(limit int64) ([]float64, error) {
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	pings, err := startPinger(s, []string{"PING"})
	if err != nil {
		return nil, err
	}
	time.Sleep(quietBefore)
	began := time.Now()
	if _, err := c.do("CONFIG", "SET", "maxmemory", strconv.FormatInt(limit, 10)); err != nil {
		return nil, err
	}
	for used := limit * 2; used > limit+limit/lowerDivisor; time.Sleep(pollEvery) {
		if used, err = c.usedMemory(); err != nil {
			return nil, err
		}
		if time.Since(began) > lowerWithin {
			return nil, fmt.Errorf("%d bytes are in use %v after the limit was set to %d", used, lowerWithin, limit)
		}
	}
	took := time.Since(began)
	time.Sleep(quietAfter)
	worst, err := pings.stop()
	if err != nil {
		return nil, err
	}
	keys, err := c.integer("DBSIZE")
	return []float64{took.Seconds(), float64(keys), worst}, err
}

// lowerFigures are those of the policies, without and with a light load.
func (b *bench) lowerFigures() []figure {
	from, to := int64(b.size(110, 30)*megabyte), int64(b.size(40, 15)*megabyte)
	var out []figure
	for _, p := range []policyPair{
		bothPolicies("allkeys-lru"), bothPolicies("allkeys-lfu"), bothPolicies("allkeys-random"),
		adaptivePolicies(), bothPolicies("volatile-ttl"),
	} {
		for _, busy := range []bool{false, true} {
			name, beside := "evict-lower-"+p.name(), ""
			if busy {
				name, beside = name+"-busy", fmt.Sprintf(", beside %d SET/s", lowerRate)
			}
			f := b.lowerFigure(name, p, from, to, b.size(300_000, 80_000), busy)
			f.note = fmt.Sprintf("maxmemory from %dmb to %dmb; values of 20 to 1000 B, all expire in a day or two", from/megabyte, to/megabyte)
			f.measures = []measure{
				{what: "maxmemory lowered, " + p.what() + beside + ": memory is below it after", unit: "s", bars: []bar{notAboveRedis}},
				{what: "the same: keys left", unit: "keys", bars: []bar{notBelowRedis}},
				{what: "the same: longest PING meanwhile", unit: "ms", bars: []bar{atMost(5)}},
			}
			out = append(out, f)
		}
	}
	return out
}
