package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// delayedJobs: jobs for later in a sorted set by the time when they are due. Whoever removes a job
// runs it: ZREM says 1 to one of the workers that saw it. A job that is planned anew is moved, not
// doubled.
func delayedJobs(ctx context.Context, cache *redis.Client, out io.Writer) error {
	for _, plan := range []redis.Z{
		{Score: 100, Member: "send mail"}, {Score: 50, Member: "renew cache"}, {Score: 200, Member: "close session"}, {Score: 120, Member: "renew cache"},
	} {
		if err := cache.ZAdd(ctx, "later", plan).Err(); err != nil {
			return err
		}
	}
	p := &printer{out: out}
	planned, err := cache.ZCard(ctx, "later").Result()
	p.line("planned: %d", planned)
	next, err2 := cache.ZRangeWithScores(ctx, "later", 0, 0).Result()
	if err := errors.Join(err, err2); err != nil || len(next) != 1 {
		return errors.Join(err, p.err)
	}
	p.line("next at: %.0f", next[0].Score)
	for _, now := range []int{110, 300} {
		jobs, err := dueJobs(ctx, cache, now)
		if err != nil {
			return err
		}
		p.line("due at %d: %s", now, strings.Join(jobs, ", "))
	}
	left, err := cache.ZCard(ctx, "later").Result()
	p.line("left: %d", left)
	return errors.Join(err, p.err)
}

// dueJobs are the jobs that are this worker's to run, the earliest first.
func dueJobs(ctx context.Context, cache *redis.Client, now int) (mine []string, err error) {
	jobs, err := cache.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "later", Start: "-inf", Stop: strconv.Itoa(now), ByScore: true}).Result()
	for _, job := range jobs {
		removed, err := cache.ZRem(ctx, "later", job).Result()
		if err != nil {
			return mine, err
		}
		if removed == 1 {
			mine = append(mine, job)
		}
	}
	return mine, err
}
