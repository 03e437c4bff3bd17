package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// leases: many readers of one value, which one of them makes. The functions below the example are there
// to be copied.
func leases(ctx context.Context, cache *redis.Client, out io.Writer) error {
	p := &printer{out: out}
	var made atomic.Int64
	fetch := func(context.Context) (string, error) {
		time.Sleep(50 * time.Millisecond)
		return fmt.Sprintf("page %d", made.Add(1)), nil
	}
	options := CacheOptions{TTL: time.Hour, Fresh: time.Minute, Tags: []string{"pages"}}
	read := func() (value string, failure error) {
		var readers sync.WaitGroup
		var mu sync.Mutex
		for range 20 {
			readers.Go(func() {
				v, err := Fetch(ctx, cache, "page:17", options, fetch)
				mu.Lock()
				defer mu.Unlock()
				value, failure = v, errors.Join(failure, err)
			})
		}
		readers.Wait()
		return value, failure
	}
	value, err := read()
	p.line("20 readers: %s, made %d times", value, made.Load())
	failure := errors.Join(err, cache.Do(ctx, "CACHE.INVALIDATE", "pages").Err())
	value, err = read()
	p.line("after its tag was invalidated: %s, made %d times", value, made.Load())
	failure = errors.Join(failure, err, cache.Do(ctx, "CACHE.STALE", "pages").Err())

	broken := func(context.Context) (string, error) { return "", errors.New("the database is down") }
	value, err = Fetch(ctx, cache, "page:17", options, broken)
	p.line("stale, and the database is down: %s", value)
	failure = errors.Join(failure, err)

	value, err = Fetch(ctx, cache, "page:18", CacheOptions{TTL: time.Hour}, fetch)
	p.line("without a fresh time: %s", value)
	failure = errors.Join(failure, err)
	impatient, stop := context.WithCancel(ctx)
	giveUp := func(context.Context) (string, error) { stop(); return "", impatient.Err() }
	if _, err = Fetch(impatient, cache, "page:19", options, giveUp); !errors.Is(err, context.Canceled) {
		failure = errors.Join(failure, fmt.Errorf("given up: %w", err))
	}
	reply, err := cache.Do(ctx, "CACHE.GET", "page:19", "LEASE", 1000).Slice()
	p.line("a reader gave up, the next may make it: %s", yesNo(err == nil && reply[3] != nil))
	return errors.Join(failure, err, p.err)
}

// CacheOptions say how a value is kept.
type CacheOptions struct {
	TTL   time.Duration
	Fresh time.Duration // 0: as long as it lives
	Tags  []string
}

const (
	leaseTime = 10 * time.Second // in which a value can be made
	waitTime  = 2 * time.Second  // that one request waits: less than ReadTimeout, which is 5 s by default
	staleMore = time.Minute      // that a stale value lives on when its maker fails
)

// Fetch reads a value, which one of all its readers makes if it is absent or stale, or soon will be. The
// others wait for it, or get the stale one. A stale value is also what a reader gets whose make fails.
func Fetch(ctx context.Context, c doer, key string, o CacheOptions, make func(context.Context) (string, error)) (string, error) {
	var old string
	var token int64
	var there, leased bool
	for start := time.Now(); ; {
		reply, err := c.Do(ctx, "CACHE.GET", key, "LEASE", leaseTime.Milliseconds(), "WAIT", waitTime.Milliseconds(), "STALE").Slice()
		if err != nil {
			return "", err
		}
		if len(reply) != 5 {
			return "", fmt.Errorf("%d elements in place of 5", len(reply))
		}
		old, there = reply[0].(string)
		token, leased = reply[3].(int64)
		if there && !leased {
			return old, nil
		}
		if leased || time.Since(start) > leaseTime {
			break
		}
	}
	value, err := make(ctx)
	switch {
	case err != nil && leased:
		// Also when ctx is over: otherwise the others wait until the lease's time is up.
		failed := c.Do(context.WithoutCancel(ctx), "CACHE.FAIL", key, token, "STALE", staleMore.Milliseconds()).Err()
		if there {
			return old, failed
		}
		return "", errors.Join(err, failed)
	case err != nil || !leased:
		return value, err
	}
	args := []any{"CACHE.SET", key, value, "PX", o.TTL.Milliseconds(), "LEASE", token}
	if o.Fresh > 0 {
		args = append(args, "FRESH", o.Fresh.Milliseconds())
	}
	args = append(args, "TAGS", len(o.Tags))
	for _, tag := range o.Tags {
		args = append(args, tag)
	}
	if err := c.Do(ctx, args...).Err(); err != nil && !errors.Is(err, redis.Nil) { // nil: changed meanwhile, so not kept
		return value, err
	}
	return value, nil
}
