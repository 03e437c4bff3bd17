package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// patternInvalidation drops all pages of a feed at once. KEYS walks the whole keyspace, which is
// fine for thousands of keys and rare events; SCAN does so in small steps, where others must not
// wait.
func patternInvalidation(ctx context.Context, cache *redis.Client, out io.Writer) error {
	fill := func() error {
		_, err := cache.Pipelined(ctx, func(p redis.Pipeliner) error {
			for page := range 250 {
				p.Set(ctx, "feed:"+strconv.Itoa(page), "page", 0)
			}
			p.MSet(ctx, "feedback", "stays", "article:1", "stays")
			return nil
		})
		return err
	}
	if err := fill(); err != nil {
		return err
	}
	keys, err := cache.Keys(ctx, "feed:*").Result()
	if err != nil {
		return err
	}
	byKeys, err := cache.Del(ctx, keys...).Result()
	if err := errors.Join(err, fill()); err != nil {
		return err
	}
	var byScan int64
	iter := cache.Scan(ctx, 0, "feed:*", 100).Iterator()
	for iter.Next(ctx) {
		n, err := cache.Unlink(ctx, iter.Val()).Result()
		if err != nil {
			return err
		}
		byScan += n
	}
	left, err := cache.Keys(ctx, "*").Result()
	slices.Sort(left)
	p := &printer{out: out}
	p.line("dropped by KEYS: %d", byKeys)
	p.line("dropped by SCAN: %d", byScan)
	p.line("left: %s", strings.Join(left, " "))
	return errors.Join(iter.Err(), err, p.err)
}
