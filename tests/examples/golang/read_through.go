package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// readThroughCache knows how to load what it misses; the application talks to nothing else. It
// keeps caching out of the business logic: one place decides about keys, loading and lifetimes.
type readThroughCache[T any] struct {
	client *redis.Client
	load   func(key string) (T, bool)
	ttl    time.Duration
}

func (c readThroughCache[T]) get(ctx context.Context, key string) (value T, err error) {
	cached, err := c.client.Get(ctx, key).Bytes()
	if err == nil {
		err = json.Unmarshal(cached, &value)
		return value, err
	}
	if !errors.Is(err, redis.Nil) {
		return value, err
	}
	value, _ = c.load(key)
	text, err := json.Marshal(value)
	if err != nil {
		return value, err
	}
	return value, c.client.Set(ctx, key, text, c.ttl).Err()
}

func readThrough(ctx context.Context, cache *redis.Client, out io.Writer) error {
	type product struct{ Price int }
	db := &database[product]{rows: map[string]product{"product:1": {10}, "product:2": {20}}}
	products := readThroughCache[product]{cache, db.read, time.Minute}
	sum := 0
	for _, key := range []string{"product:1", "product:2", "product:1", "product:2"} {
		p, err := products.get(ctx, key)
		if err != nil {
			return err
		}
		sum += p.Price
	}
	p := &printer{out: out}
	p.line("sum of four reads: %d", sum)
	p.line("database reads: %d", db.reads)
	return p.err
}
