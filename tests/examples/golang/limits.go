package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// limits: rate limits by larder's own commands, one round trip each. The functions below the example
// are there to be copied.
func limits(ctx context.Context, cache *redis.Client, out io.Writer) error {
	p := &printer{out: out}
	var failure error
	allowed := func(n int, ask func() (Verdict, error)) (passed int) {
		for range n {
			v, err := ask()
			failure = errors.Join(failure, err)
			if v.Allowed {
				passed++
			}
		}
		return passed
	}
	throttle := func() (Verdict, error) { return Throttle(ctx, cache, "throttle:10.0.0.1", 49, 1, time.Hour, 1) }
	p.line("throttled, allowed of 60: %d", allowed(60, throttle))
	v, err := Throttle(ctx, cache, "throttle:10.0.0.1", 49, 1, time.Hour, 0)
	p.line("left: %d of %d", v.Remaining, v.Limit)
	failure = errors.Join(failure, err)

	window := func() (Verdict, error) { return SlidingWindow(ctx, cache, "hits:10.0.0.1", 50, time.Hour, 1) }
	p.line("in a window, allowed of 60: %d", allowed(60, window))
	v, err = SlidingWindow(ctx, cache, "hits:10.0.0.2", 50, time.Hour, 40)
	p.line("another client: %d left", v.Remaining)
	failure = errors.Join(failure, err)
	short := func() (Verdict, error) {
		return SlidingWindow(ctx, cache, "hits:10.0.0.3", 2, 3*time.Second, 1)
	}
	p.line("a short window: %d", allowed(3, short))
	for v.Allowed = false; !v.Allowed && failure == nil; time.Sleep(max(0, v.RetryAfter)) {
		v, err = short()
		failure = errors.Join(failure, err)
	}
	p.line("later: allowed")

	count, added, err := IncrWithin(ctx, cache, "quota:10.0.0.1", 700, 1000, time.Hour)
	p.line("of the quota: %d, %d more", count, added)
	failure = errors.Join(failure, err)
	count, added, err = IncrWithin(ctx, cache, "quota:10.0.0.1", 700, 1000, time.Hour)
	p.line("of the quota: %d, %d more", count, added)
	return errors.Join(failure, err, p.err)
}

// Verdict is the answer of a limiter.
type Verdict struct {
	Allowed    bool
	Limit      int64         // that can pass at once if nothing has before
	Remaining  int64         // that can pass now
	RetryAfter time.Duration // when to ask again; negative if it has passed, or never can
	ResetAfter time.Duration // when all that has passed is forgotten
}

// doer is a client, a cluster's client or a pipeline of go-redis.
type doer interface {
	Do(ctx context.Context, args ...any) *redis.Cmd
}

// Throttle asks for quantity of a limit that lets burst + 1 pass at once, and on and on count per
// period, which is whole seconds.
func Throttle(ctx context.Context, c doer, key string, burst, count int64, period time.Duration, quantity int64) (Verdict, error) {
	return verdict(c.Do(ctx, "CL.THROTTLE", key, burst, count, int64(period/time.Second), quantity), time.Second)
}

// SlidingWindow asks for quantity of a limit within any stretch of time as long as the window.
func SlidingWindow(ctx context.Context, c doer, key string, limit int64, window time.Duration, quantity int64) (Verdict, error) {
	return verdict(c.Do(ctx, "CL.WINDOW", key, limit, window.Milliseconds(), quantity), time.Millisecond)
}

func verdict(reply *redis.Cmd, unit time.Duration) (Verdict, error) {
	n, err := reply.Int64Slice()
	if err != nil {
		return Verdict{}, err
	}
	if len(n) != 5 {
		return Verdict{}, fmt.Errorf("%d numbers in place of 5", len(n))
	}
	return Verdict{n[0] == 0, n[1], n[2], time.Duration(n[3]) * unit, time.Duration(n[4]) * unit}, nil
}

// IncrWithin adds to a counter up to a bound. It returns the counter, and what was added. The first
// to add something starts the time that the counter lives.
func IncrWithin(ctx context.Context, c doer, key string, by, bound int64, ttl time.Duration) (count, added int64, err error) {
	n, err := c.Do(ctx, "INCREX", key, "BYINT", by, "UBOUND", bound, "SATURATE", "PX", ttl.Milliseconds(), "ENX").Int64Slice()
	if err != nil {
		return 0, 0, err
	}
	if len(n) != 2 {
		return 0, 0, fmt.Errorf("%d numbers in place of 2", len(n))
	}
	return n[0], n[1], nil
}
