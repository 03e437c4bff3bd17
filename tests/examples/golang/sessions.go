package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// sessions have a sliding lifetime: each visit moves the end of the session away; who stays away is
// logged out. A hash per session keeps its fields apart; nobody has to clean up.
func sessions(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const lifetime = time.Minute
	logIn := func(user string) (key string, err error) {
		key = "session:" + rand.Text()
		return key, errors.Join(cache.HSet(ctx, key, "user", user, "visits", 0).Err(), cache.PExpire(ctx, key, lifetime).Err())
	}
	visit := func(key string) (map[string]string, error) {
		if there, err := cache.PExpire(ctx, key, lifetime).Result(); err != nil || !there {
			return map[string]string{"user": "no session"}, err
		}
		if err := cache.HIncrBy(ctx, key, "visits", 1).Err(); err != nil {
			return nil, err
		}
		return cache.HGetAll(ctx, key).Result()
	}
	p := &printer{out: out}
	show := func(what, key, field string) error {
		s, err := visit(key)
		p.line("%s: %s", what, s[field])
		return err
	}
	ada, err := logIn("ada")
	err = errors.Join(err, cache.PExpire(ctx, ada, lifetime/2).Err()) // time goes by
	if err := errors.Join(err, show("visit", ada, "user")); err != nil {
		return err
	}
	ttl, err := cache.PTTL(ctx, ada).Result()
	p.line("the visit moved the end: %s", yesNo(ttl > lifetime/2))
	err = errors.Join(err, show("visits", ada, "visits"), cache.Del(ctx, ada).Err(), show("after logging out", ada, "user"))
	if err != nil {
		return err
	}
	bob, err := logIn("bob")
	err = errors.Join(err, cache.PExpire(ctx, bob, 20*time.Millisecond).Err(), waitUntilGone(ctx, cache, bob))
	return errors.Join(err, show("after staying away", bob, "user"), p.err)
}
