package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// recentItems: the latest items of a user in a list that never grows beyond what is shown. LPUSH
// puts the newest first and LTRIM cuts off the oldest; both in one transaction, so that nobody sees
// a list that is too long.
func recentItems(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const kept = 10
	viewed := func(article string) error {
		_, err := cache.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.LRem(ctx, "recent:ada", 0, article) // what is seen again moves to the front
			p.LPush(ctx, "recent:ada", article)
			p.LTrim(ctx, "recent:ada", 0, kept-1)
			return nil
		})
		return err
	}
	p := &printer{out: out}
	show := func(what string, from, to int64) error {
		page, err := cache.LRange(ctx, "recent:ada", from, to).Result()
		p.line("%s: %s", what, strings.Join(page, " "))
		return err
	}
	for i := range 100 {
		if err := viewed("article-" + strconv.Itoa(i)); err != nil {
			return err
		}
	}
	n, err := cache.LLen(ctx, "recent:ada").Result()
	p.line("kept: %d", n)
	if err := errors.Join(err, show("latest", 0, 2), viewed("article-95"), show("seen again", 0, 2)); err != nil {
		return err
	}
	oldest, err := cache.LIndex(ctx, "recent:ada", -1).Result()
	p.line("oldest: %s", oldest)
	place, err2 := cache.LPos(ctx, "recent:ada", "article-93", redis.LPosArgs{}).Result()
	p.line("place of article-93: %d", place)
	return errors.Join(err, err2, show("second page", 5, 9), p.err)
}
