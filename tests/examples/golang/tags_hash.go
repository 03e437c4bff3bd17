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

// tagsHash: each tag is a hash from a role ("profile", "avatar") to the key that plays it. Where a
// group has named parts: one part can be found, or replaced, without reading the others.
func tagsHash(ctx context.Context, cache *redis.Client, out io.Writer) error {
	put := func(tag, role, key, value string) error {
		return errors.Join(cache.Set(ctx, key, value, 5*time.Minute).Err(), cache.HSet(ctx, "tags:"+tag, role, key).Err())
	}
	p := &printer{out: out}
	drop := func(what, tag string) error {
		keys, err := cache.HVals(ctx, "tags:"+tag).Result()
		if err == nil && len(keys) > 0 {
			err = cache.Del(ctx, append(keys, "tags:"+tag)...).Err()
		}
		p.line("%s: %d", what, len(keys))
		return err
	}
	if err := errors.Join(put("user:1", "profile", "user:1:profile", "Ada"), put("user:1", "avatar", "user:1:avatar", "image"),
		put("org:9", "members", "org:9:members", "1 2 3")); err != nil {
		return err
	}
	roles, err := cache.HKeys(ctx, "tags:user:1").Result()
	slices.Sort(roles)
	p.line("roles: %s", strings.Join(roles, " "))
	avatar, err2 := cache.HGet(ctx, "tags:user:1", "avatar").Result()
	p.line("the avatar is at: %s", avatar)
	err = errors.Join(err, err2, drop("dropped", "user:1"), drop("dropped again", "user:1"))
	left, err2 := cache.Keys(ctx, "*").Result()
	slices.Sort(left)
	p.line("left: %s", strings.Join(left, " "))
	return errors.Join(err, err2, p.err)
}
