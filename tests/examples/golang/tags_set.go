package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// tagsSet: each tag is a set of the keys that carry it; dropping a tag drops them all. For groups
// that no key pattern describes.
func tagsSet(ctx context.Context, cache *redis.Client, out io.Writer) error {
	put := func(key, value string, tags ...string) error {
		_, err := cache.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, key, value, time.Hour)
			for _, tag := range tags {
				p.SAdd(ctx, "tag:"+tag, key)
				p.Expire(ctx, "tag:"+tag, 2*time.Hour) // a tag outlives what it tags
			}
			return nil
		})
		return err
	}
	p := &printer{out: out}
	drop := func(what, tag string) error {
		keys, err := cache.SMembers(ctx, "tag:"+tag).Result()
		if err == nil && len(keys) > 0 {
			err = cache.Del(ctx, append(keys, "tag:"+tag)...).Err()
		}
		p.line("%s: %d", what, len(keys))
		return err
	}
	if err := errors.Join(put("article:1", "one", "author:ada", "topic:go"), put("article:2", "two", "author:ada"),
		put("article:3", "three", "author:bob", "topic:go")); err != nil {
		return err
	}
	both, err := cache.SInter(ctx, "tag:author:ada", "tag:topic:go").Result()
	p.line("by ada and about go: %s", strings.Join(both, " "))
	err = errors.Join(err, drop("dropped with author:ada", "author:ada"), drop("dropped again", "author:ada"))
	left, err2 := cache.Keys(ctx, "article:*").Result()
	slices.Sort(left)
	p.line("left: %s", strings.Join(left, " "))
	return errors.Join(err, err2, p.err)
}
