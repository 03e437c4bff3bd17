package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// stampedeLock: when a hot entry is missing, one client takes a lock by SET NX EX and rebuilds it;
// the others wait for it. The lock expires by itself if its owner dies, and only its owner removes
// it (WATCH makes the check and the removal one step).
func stampedeLock(ctx context.Context, cache *redis.Client, out io.Writer) error {
	var rebuilt atomic.Int32
	get := func() error {
		for {
			if err := cache.Get(ctx, "page").Err(); !errors.Is(err, redis.Nil) {
				return err
			}
			token := rand.Text()
			mine, err := cache.SetNX(ctx, "page:lock", token, 10*time.Second).Result()
			if err != nil {
				return err
			}
			if !mine {
				continue
			}
			err = cache.Get(ctx, "page").Err() // somebody may have been faster
			if errors.Is(err, redis.Nil) {
				rebuilt.Add(1)
				err = cache.Set(ctx, "page", "expensive", time.Minute).Err()
			}
			_, unlockErr := unlock(ctx, cache, "page:lock", token)
			return errors.Join(err, unlockErr)
		}
	}
	const clients = 20
	if err := together(clients, get); err != nil {
		return err
	}
	left, err := cache.Exists(ctx, "page:lock").Result()
	if err := cache.SetNX(ctx, "other:lock", "somebody else's", 10*time.Second).Err(); err != nil {
		return err
	}
	stranger, err2 := unlock(ctx, cache, "other:lock", "mine")
	p := &printer{out: out}
	p.line("clients: %d", clients)
	p.line("rebuilt: %d", rebuilt.Load())
	p.line("lock left: %d", left)
	p.line("a stranger unlocks: %s", yesNo(stranger))
	return errors.Join(err, err2, p.err)
}

// unlock removes the lock if it still holds the token.
func unlock(ctx context.Context, cache *redis.Client, lock, token string) (done bool, err error) {
	err = cache.Watch(ctx, func(tx *redis.Tx) error {
		held, err := tx.Get(ctx, lock).Result()
		if errors.Is(err, redis.Nil) || held != token {
			return nil
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Del(ctx, lock).Err() })
		done = err == nil
		return err
	}, lock)
	if errors.Is(err, redis.TxFailedErr) {
		return false, nil
	}
	return done, err
}

// together runs work n times at once and returns the errors.
func together(n int, work func() error) error {
	failures := make(chan error, n)
	for range n {
		go func() { failures <- work() }()
	}
	var err error
	for range n {
		err = errors.Join(err, <-failures)
	}
	return err
}
