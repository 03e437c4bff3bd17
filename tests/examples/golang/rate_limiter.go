package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// rateLimiter: a counter per client and window that expires with the window. INCR is atomic, so
// that many web servers can share the count; EXPIRE cleans up after them.
func rateLimiter(ctx context.Context, cache *redis.Client, out io.Writer) error {
	var failure error
	allow := func(client string, limit int64, window time.Duration) bool {
		key := "rate:" + client
		count, err := cache.Incr(ctx, key).Result()
		if err == nil && count == 1 {
			err = cache.PExpire(ctx, key, window).Err()
		}
		failure = errors.Join(failure, err)
		return err == nil && count <= limit
	}
	tries := func(n int, client string, limit int64, window time.Duration) (allowed int) {
		for range n {
			if allow(client, limit, window) {
				allowed++
			}
		}
		return allowed
	}
	verdict := map[bool]string{true: "allowed", false: "refused"}
	p := &printer{out: out}
	p.line("allowed of 60: %d", tries(60, "10.0.0.1", 50, time.Minute))
	p.line("another client: %s", verdict[allow("10.0.0.2", 50, time.Minute)])
	p.line("allowed of 3: %d", tries(3, "10.0.0.3", 2, time.Minute))
	err := cache.PExpire(ctx, "rate:10.0.0.3", time.Millisecond).Err() // a minute goes by
	if err := errors.Join(err, waitUntilGone(ctx, cache, "rate:10.0.0.3")); err != nil {
		return err
	}
	p.line("next window: %s", verdict[allow("10.0.0.3", 2, time.Minute)])
	return errors.Join(failure, p.err)
}
