//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// Reads with a lease: what they cost on a hit, beside GET, which Redis has as well.

func (b *bench) leaseFigures() []figure {
	return []figure{
		b.leaseReadFigure(1, b.size(400_000, 20_000)), b.leaseReadFigure(16, b.size(2_000_000, 150_000)),
		b.leaseStallFigure(b.size(10_000, 1_000), b.size(10, 2)),
	}
}

// leaseHit is the length of CACHE.GET's reply with a value of 64 bytes that has just become fresh for
// freshFor milliseconds, which has as many digits throughout a run.
const (
	leaseHit = len("*5\r\n$64\r\n\r\n$3\r\nhit\r\n:99999999\r\n$-1\r\n:1795964948461000\r\n") + 64
	freshFor = 99_999_999
)

// readSlices is in how many parts a trial sends each of its commands, in turn, so that what else the
// machine does meets both.
const readSlices = 8

// leaseReadFigure sends n of each: GET, and CACHE.GET with a lease, of the same keys. They were filled by
// holders of leases, so the server knows what they cost and looks whether it is time to make one anew.
func (b *bench) leaseReadFigure(depth, n int) figure {
	get := piped{conns: cpuConns, depth: depth, mark: '$', reply: len("$64\r\n\r\n") + 64, next: func(b []byte, rnd *rand.Rand) []byte {
		return appendNamed(append(b, "*2\r\n$3\r\nGET\r\n"...), "key:", rnd.IntN(benchKeys))
	}}
	lease := get
	lease.mark, lease.reply = '*', leaseHit
	lease.next = func(b []byte, rnd *rand.Rand) []byte {
		b = appendNamed(append(b, "*4\r\n$9\r\nCACHE.GET\r\n"...), "key:", rnd.IntN(benchKeys))
		return append(b, "$5\r\nLEASE\r\n$4\r\n5000\r\n"...)
	}
	f := figure{
		name: fmt.Sprintf("lease-read-p%d", depth),
		note: fmt.Sprintf("%d keys of 64 B that have been filled by holders of leases; both commands in %d slices each, in turn", benchKeys, readSlices),
		measures: []measure{
			{what: fmt.Sprintf("CPU per CACHE.GET with LEASE of a value that is fresh, against GET, P=%d", depth), unit: "x", bars: []bar{atMost(1.15)}},
			{what: fmt.Sprintf("the same: GET 64 B, P=%d", depth), unit: "us"},
		},
	}
	f.prepare = func(s *server) error {
		if s.side == redisSide {
			return s.fillKeys(benchKeys, fillStrings)
		}
		return s.fillLeased(benchKeys)
	}
	f.trial = func(s *server) ([]float64, error) {
		var gets, leases time.Duration
		for range readSlices {
			spent, err := s.spentOn(get, n/readSlices)
			if err != nil {
				return nil, err
			}
			gets += spent
			if s.side == redisSide {
				continue
			}
			if spent, err = s.spentOn(lease, n/readSlices); err != nil {
				return nil, err
			}
			leases += spent
		}
		cost := gets.Seconds() * 1e6 / float64(n)
		if s.side == redisSide {
			return []float64{notMeasured, cost}, nil
		}
		return []float64{leases.Seconds() / gets.Seconds(), cost}, nil
	}
	return f
}

// spentOn is the processor time of the server while n of these requests are sent.
func (s *server) spentOn(load piped, n int) (time.Duration, error) {
	return s.cpuOf(func() error {
		l, err := startPipedUpTo(s, int64(n/cpuConns), load)
		if err != nil {
			return err
		}
		return l.await()
	})
}

// fillLeased fills n keys, each with the lease that it has been given for it.
func (s *server) fillLeased(n int) error {
	const atOnce = 1000
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.addr, Protocol: 2, ReadTimeout: replyWithin})
	defer c.Close()
	key := func(i int) string { return fmt.Sprintf("key:%012d", i) }
	for from := 0; from < n; from += atOnce {
		args := []any{"CACHE.MGET", atOnce}
		for i := range atOnce {
			args = append(args, key(from+i))
		}
		found, err := c.Do(ctx, append(args, "LEASE", 60_000)...).Slice()
		if err != nil {
			return err
		}
		p := c.Pipeline()
		for i, one := range found {
			token, ok := one.([]any)[3].(int64)
			if !ok {
				return fmt.Errorf("no lease on %s: %v", key(from+i), one)
			}
			p.Do(ctx, "CACHE.SET", key(from+i), value[:64], "PX", freshFor, "FRESH", freshFor, "LEASE", token)
		}
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
