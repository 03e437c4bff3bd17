package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// cacheAside: the application asks the cache first, fills it on a miss, and drops the entry when
// the row changes. For data that is read far more often than written.
func cacheAside(ctx context.Context, cache *redis.Client, out io.Writer) error {
	type user struct{ Name string }
	db := &database[user]{rows: map[string]user{"user:1": {"Ada"}}}
	get := func(key string) (u user, source string, err error) {
		cached, err := cache.Get(ctx, key).Bytes()
		if err == nil {
			err = json.Unmarshal(cached, &u)
			return u, "cache", err
		}
		if !errors.Is(err, redis.Nil) {
			return u, "", err
		}
		u, _ = db.read(key)
		text, err := json.Marshal(u)
		if err != nil {
			return u, "", err
		}
		return u, "database", cache.Set(ctx, key, text, time.Hour).Err()
	}
	p := &printer{out: out}
	show := func(moment string) error {
		u, source, err := get("user:1")
		p.line("%s: %s from %s", moment, u.Name, source)
		return err
	}
	if err := errors.Join(show("first read"), show("second read")); err != nil {
		return err
	}
	db.write("user:1", user{"Grace"})
	if err := errors.Join(cache.Del(ctx, "user:1").Err(), show("after the update")); err != nil {
		return err
	}
	ttl, err := cache.TTL(ctx, "user:1").Result()
	p.line("expires within the hour: %s", yesNo(ttl > 0 && ttl <= time.Hour))
	p.line("database reads: %d", db.reads)
	return errors.Join(err, p.err)
}
