package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// slidingWindow: a rate limiter, a sorted set per client of its requests by time. Unlike a counter
// per window it never lets twice the limit pass around the end of a window. What is older than the
// window goes, the rest is counted and the new request noted in one transaction.
func slidingWindow(ctx context.Context, cache *redis.Client, out io.Writer) error {
	l := &limiter{ctx: ctx, cache: cache}
	tries := func(n int, client string, limit int64, window time.Duration) (allowed int) {
		for range n {
			if l.allow(client, limit, window) {
				allowed++
			}
		}
		return allowed
	}
	p := &printer{out: out}
	p.line("allowed of 60: %d", tries(60, "10.0.0.1", 50, time.Minute))
	p.line("noted: %d", cache.ZCard(ctx, "window:10.0.0.1").Val())
	verdict := map[bool]string{true: "allowed", false: "refused"}
	p.line("another client: %s", verdict[l.allow("10.0.0.2", 50, time.Minute)])
	p.line("allowed of 3: %d", tries(3, "10.0.0.3", 2, time.Minute))
	for l.failure == nil && !l.allow("10.0.0.3", 2, 300*time.Millisecond) { // a shorter window is soon free again
	}
	p.line("later: allowed")
	if err := waitUntilGone(ctx, cache, "window:10.0.0.3"); err != nil {
		return err
	}
	p.line("a client that is gone: nothing kept")
	return errors.Join(l.failure, p.err)
}

type limiter struct {
	ctx     context.Context
	cache   *redis.Client
	asked   int
	failure error
}

func (l *limiter) allow(client string, limit int64, window time.Duration) bool {
	key, now := "window:"+client, time.Now().UnixMilli()
	l.asked++
	request := strconv.FormatInt(now, 10) + "-" + strconv.Itoa(l.asked)
	var count *redis.IntCmd
	_, err := l.cache.TxPipelined(l.ctx, func(p redis.Pipeliner) error {
		p.ZRemRangeByScore(l.ctx, key, "-inf", strconv.FormatInt(now-window.Milliseconds(), 10))
		p.ZAdd(l.ctx, key, redis.Z{Score: float64(now), Member: request})
		count = p.ZCard(l.ctx, key)
		p.PExpire(l.ctx, key, window)
		return nil
	})
	if err == nil && count.Val() > limit {
		err = l.cache.ZRem(l.ctx, key, request).Err() // what was refused does not count
	}
	l.failure = errors.Join(l.failure, err)
	return err == nil && count.Val() <= limit
}
