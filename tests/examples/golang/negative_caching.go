package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// negativeCaching remembers for a short while that a row does not exist. It keeps made-up or
// mistyped ids from reaching the database each time they are asked for.
func negativeCaching(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const nothing = "\x00nothing" // no value looks like this
	db := &database[string]{rows: map[string]string{"item:1": "a thing"}}
	get := func(key string) (value string, ok bool, err error) {
		value, err = cache.Get(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			ttl := time.Hour
			if value, ok = db.read(key); !ok {
				value, ttl = nothing, time.Minute
			}
			err = cache.Set(ctx, key, value, ttl).Err()
		}
		return value, value != nothing, err
	}
	first, _, err := get("item:1")
	second, _, err2 := get("item:1")
	p := &printer{out: out}
	p.line("found: %s and %s", first, second)
	missing := 0
	for range 3 {
		_, ok, err := get("item:404")
		if err != nil {
			return err
		}
		if !ok {
			missing++
		}
	}
	p.line("missing: %d times", missing)
	p.line("database reads: %d", db.reads)
	short, err3 := cache.TTL(ctx, "item:404").Result()
	long, err4 := cache.TTL(ctx, "item:1").Result()
	p.line("the negative entry lives shorter: %s", yesNo(short <= time.Minute && long > time.Minute))
	return errors.Join(err, err2, err3, err4, p.err)
}
