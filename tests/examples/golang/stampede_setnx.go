package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// stampedeSetNX is the older form of the lock, SETNX and then EXPIRE, as much code still has it.
// Between the two calls a crash would leave a lock for ever; SET NX EX has no such gap.
func stampedeSetNX(ctx context.Context, cache *redis.Client, out io.Writer) error {
	var rebuilt atomic.Int32
	get := func() error {
		for {
			if err := cache.Get(ctx, "page").Err(); !errors.Is(err, redis.Nil) {
				return err
			}
			mine, err := cache.SetNX(ctx, "page:lock", 1, 0).Result() // without a lifetime this is SETNX
			if err != nil {
				return err
			}
			if !mine {
				continue
			}
			err = cache.Expire(ctx, "page:lock", 10*time.Second).Err()
			if errors.Is(cache.Get(ctx, "page").Err(), redis.Nil) {
				rebuilt.Add(1)
				err = errors.Join(err, cache.Set(ctx, "page", "expensive", time.Minute).Err())
			}
			return errors.Join(err, cache.Del(ctx, "page:lock").Err())
		}
	}
	const clients = 20
	if err := together(clients, get); err != nil {
		return err
	}
	left, err := cache.Exists(ctx, "page:lock").Result()
	p := &printer{out: out}
	p.line("clients: %d", clients)
	p.line("rebuilt: %d", rebuilt.Load())
	p.line("lock left: %d", left)
	return errors.Join(err, p.err)
}
