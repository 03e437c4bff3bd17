package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// ttlPerType gives each type of content a lifetime: as long as a stale copy may be shown. The
// simplest invalidation there is: nobody has to remember to do it.
func ttlPerType(ctx context.Context, cache *redis.Client, out io.Writer) error {
	lifetimes := []struct {
		kind string
		ttl  time.Duration
	}{{"breaking", 30 * time.Second}, {"feed", time.Minute}, {"profile", 30 * time.Minute}, {"article", time.Hour}, {"country", 24 * time.Hour}}
	p := &printer{out: out}
	for _, l := range lifetimes {
		if err := cache.Set(ctx, l.kind+":x", "content", l.ttl).Err(); err != nil {
			return err
		}
	}
	for _, l := range lifetimes {
		ttl, err := cache.TTL(ctx, l.kind+":x").Result()
		if err != nil {
			return err
		}
		verdict := "wrong"
		if ttl > l.ttl/2 && ttl <= l.ttl {
			verdict = "ok"
		}
		p.line("%s: %s", l.kind, verdict)
	}
	if err := cache.Set(ctx, "flash:x", "gone in a moment", 40*time.Millisecond).Err(); err != nil {
		return err
	}
	if err := waitUntilGone(ctx, cache, "flash:x"); err != nil {
		return err
	}
	if err := cache.Get(ctx, "flash:x").Err(); !errors.Is(err, redis.Nil) {
		return errors.Join(errors.New("still there"), err)
	}
	p.line("after its time: gone")
	return p.err
}

// waitUntilGone polls until the key has expired.
func waitUntilGone(ctx context.Context, cache *redis.Client, key string) error {
	for {
		n, err := cache.Exists(ctx, key).Result()
		if err != nil || n == 0 {
			return err
		}
	}
}
