package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// writeBehind: counters are incremented in the cache and flushed to the database in batches. A
// thousand increments become one write; what was not flushed yet is lost with the cache.
func writeBehind(ctx context.Context, cache *redis.Client, out io.Writer) error {
	db := &database[int]{rows: map[string]int{}}
	viewed := func(article string) error {
		_, err := cache.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Incr(ctx, "views:"+article)
			p.SAdd(ctx, "views:dirty", article)
			return nil
		})
		return err
	}
	flush := func() (int, error) {
		var dirty *redis.StringSliceCmd
		_, err := cache.TxPipelined(ctx, func(p redis.Pipeliner) error { // take the list of what changed and empty it, in one step
			dirty = p.SMembers(ctx, "views:dirty")
			p.Del(ctx, "views:dirty")
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, article := range dirty.Val() {
			count, err := cache.Get(ctx, "views:"+article).Int()
			if err != nil {
				return 0, err
			}
			db.write(article, count)
		}
		return len(dirty.Val()), nil
	}
	p := &printer{out: out}
	show := func(what string) error {
		n, err := flush()
		p.line("%s: %d", what, n)
		return err
	}
	for i := range 1000 {
		if err := viewed("article-" + strconv.Itoa(i%3)); err != nil {
			return err
		}
	}
	if err := show("flushed articles"); err != nil {
		return err
	}
	p.line("article-0: %d", db.rows["article-0"])
	p.line("article-2: %d", db.rows["article-2"])
	if err := show("flushed again"); err != nil {
		return err
	}
	if err := viewed("article-2"); err != nil {
		return fmt.Errorf("one view: %w", err)
	}
	if err := show("flushed after one view"); err != nil {
		return err
	}
	p.line("article-2: %d", db.rows["article-2"])
	p.line("database writes: %d", db.writes)
	return p.err
}
