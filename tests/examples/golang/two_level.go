package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// twoLevelCache puts a small cache in the process before the shared one. The hottest entries cost
// no network at all; the price is that a process may show an old value for as long as its own copy
// lives.
type twoLevelCache struct {
	local  map[string]string
	shared *redis.Client
	db     *database[string]

	localHits, sharedHits, loads int
}

func (c *twoLevelCache) get(ctx context.Context, key string) (string, error) {
	if value, ok := c.local[key]; ok {
		c.localHits++
		return value, nil
	}
	value, err := c.shared.Get(ctx, key).Result()
	switch {
	case err == nil:
		c.sharedHits++
	case errors.Is(err, redis.Nil):
		c.loads++
		value, _ = c.db.read(key)
		err = c.shared.Set(ctx, key, value, 5*time.Minute).Err()
	}
	c.local[key] = value
	return value, err
}

func (c *twoLevelCache) drop(ctx context.Context, key string) error {
	delete(c.local, key)
	return c.shared.Del(ctx, key).Err()
}

func twoLevel(ctx context.Context, cache *redis.Client, out io.Writer) error {
	db := &database[string]{rows: map[string]string{"page:1": "hello"}}
	first := &twoLevelCache{local: map[string]string{}, shared: cache, db: db}
	second := &twoLevelCache{local: map[string]string{}, shared: cache, db: db}
	for _, process := range []*twoLevelCache{first, first, first, second, second} {
		if _, err := process.get(ctx, "page:1"); err != nil {
			return err
		}
	}
	p := &printer{out: out}
	p.line("first: local=%d shared=%d database=%d", first.localHits, first.sharedHits, first.loads)
	p.line("second: local=%d shared=%d database=%d", second.localHits, second.sharedHits, second.loads)
	db.write("page:1", "new")
	if err := first.drop(ctx, "page:1"); err != nil {
		return err
	}
	a, err := first.get(ctx, "page:1")
	b, err2 := second.get(ctx, "page:1")
	p.line("first after the drop: %s", a)
	p.line("second still has: %s", b)
	return errors.Join(err, err2, p.err)
}
