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

// versionedKeys: the key contains a version; raising it makes all older entries unreachable, and
// they expire in their own time. Invalidation in one INCR, however many entries there are, and
// never a race between dropping and filling.
func versionedKeys(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const user = "user:1"
	db := &database[string]{rows: map[string]string{user: "v1 of the profile"}}
	p := &printer{out: out}
	show := func() error {
		version, err := cache.Get(ctx, user+":version").Result()
		if errors.Is(err, redis.Nil) {
			version = "1"
		} else if err != nil {
			return err
		}
		key := user + ":v" + version + ":profile"
		value, err := cache.Get(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			value, _ = db.read(user)
			err = cache.Set(ctx, key, value, 10*time.Minute).Err()
		}
		p.line("%s", value)
		return err
	}
	update := func(value string) error {
		db.write(user, value)
		n, err := cache.Incr(ctx, user+":version").Result()
		if err == nil && n == 1 { // readers took a missing version for 1
			err = cache.Incr(ctx, user+":version").Err()
		}
		return err
	}
	if err := errors.Join(show(), update("v2 of the profile"), show(), show(), update("v3 of the profile"), show()); err != nil {
		return err
	}
	version, err := cache.Get(ctx, user+":version").Result()
	entries, err2 := cache.Keys(ctx, user+":v[0-9]*").Result()
	slices.Sort(entries)
	p.line("version: %s", version)
	p.line("entries: %s", strings.Join(entries, " "))
	p.line("database reads: %d", db.reads)
	return errors.Join(err, err2, p.err)
}
