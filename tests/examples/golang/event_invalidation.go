package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// eventInvalidation: whoever changes data announces it, and subscribers drop what depended on it,
// related entries too. More exact than lifetimes; every writer must announce, or readers see old
// data.
func eventInvalidation(ctx context.Context, cache *redis.Client, out io.Writer) error {
	type article struct{ id, category string }
	type handler func(article) (dropped int64, err error)
	handlers := map[string][]handler{
		"article_updated": {
			func(a article) (int64, error) {
				return cache.Del(ctx, "article:"+a.id, "category:"+a.category, "feed:home").Result()
			},
			func(article) (int64, error) { return cache.Unlink(ctx, "search:recent").Result() },
		},
	}
	announce := func(event string, a article) (sum int64, err error) {
		for _, handle := range handlers[event] {
			n, e := handle(a)
			sum, err = sum+n, errors.Join(err, e)
		}
		return sum, err
	}
	if err := cache.MSet(ctx, "article:1", "a", "article:2", "b", "category:go", "c", "feed:home", "d", "search:recent", "e").Err(); err != nil {
		return err
	}
	dropped, err := announce("article_updated", article{"1", "go"})
	left, err2 := cache.Keys(ctx, "*").Result()
	slices.Sort(left)
	none, err3 := announce("nothing_happened", article{})
	p := &printer{out: out}
	p.line("entries dropped: %d", dropped)
	p.line("left: %s", strings.Join(left, " "))
	p.line("unknown event dropped: %d", none)
	return errors.Join(err, err2, err3, p.err)
}
