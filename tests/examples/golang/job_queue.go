package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// jobQueue: producers push, workers wait. BLMOVE hands a job to one worker and keeps it in a list
// of that worker until it is done, in one step: the jobs of a worker that died are still there, and
// go back to the queue.
func jobQueue(ctx context.Context, cache *redis.Client, out io.Writer) error {
	q := queue{cache}
	const workers, jobs = 3, 20
	finished := make(chan string, 2*jobs)
	var group sync.WaitGroup
	failures := make(chan error, workers)
	for i := range workers {
		group.Go(func() { failures <- q.work(ctx, strconv.Itoa(i), finished) })
	}
	for i := range jobs {
		if err := cache.LPush(ctx, "jobs", "job-"+strconv.Itoa(i)).Err(); err != nil {
			return err
		}
	}
	for range workers {
		if err := cache.LPush(ctx, "jobs", "stop").Err(); err != nil {
			return err
		}
	}
	group.Wait()
	close(finished)
	for range workers {
		if err := <-failures; err != nil {
			return err
		}
	}
	different, all := map[string]bool{}, 0
	for job := range finished {
		different[job] = true
		all++
	}
	p := &printer{out: out}
	p.line("jobs done: %d of %d", len(different), all)
	return errors.Join(q.inherit(ctx, p), p.err)
}

// inherit lets a worker die with a job in its hands.
func (q queue) inherit(ctx context.Context, p *printer) error {
	if err := q.cache.LPush(ctx, "jobs", "first", "second").Err(); err != nil {
		return err
	}
	job, err := q.take(ctx, "mortal", 10*time.Second)
	if err != nil {
		return err
	}
	p.line("taken: %s", job)
	held, err := q.cache.LRange(ctx, "working:mortal", 0, -1).Result()
	if err != nil {
		return err
	}
	p.line("in its hands: %s", strings.Join(held, " "))
	n, err := q.bringBack(ctx, "mortal")
	if err != nil {
		return err
	}
	p.line("brought back: %d", n)
	for _, what := range []string{"taken again", "then"} {
		if job, err = q.take(ctx, "heir", 10*time.Second); err != nil {
			return err
		}
		p.line("%s: %s", what, job)
	}
	_, err = q.take(ctx, "heir", time.Second)
	p.line("more: %s", yesNo(!errors.Is(err, redis.Nil)))
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

type queue struct{ cache *redis.Client }

// take waits for a job, for whole seconds, since the client sends no fractions.
func (q queue) take(ctx context.Context, worker string, patience time.Duration) (string, error) {
	return q.cache.BLMove(ctx, "jobs", "working:"+worker, "RIGHT", "LEFT", patience).Result()
}

func (q queue) done(ctx context.Context, worker, job string) error {
	return q.cache.LRem(ctx, "working:"+worker, 1, job).Err()
}

// work does jobs until it is told to stop.
func (q queue) work(ctx context.Context, worker string, finished chan<- string) error {
	for {
		job, err := q.take(ctx, worker, 10*time.Second)
		if err == nil {
			err = q.done(ctx, worker, job)
		}
		if err != nil || job == "stop" {
			return err
		}
		finished <- job
	}
}

// bringBack returns what a worker left to the end of the queue that is served first.
func (q queue) bringBack(ctx context.Context, worker string) (n int, err error) {
	for {
		err := q.cache.LMove(ctx, "working:"+worker, "jobs", "LEFT", "RIGHT").Err()
		if errors.Is(err, redis.Nil) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}
