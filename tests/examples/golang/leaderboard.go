package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/go-redis/v9"
)

// leaderboard: a sorted set of players by points. ZINCRBY counts, and the set is always in order:
// the best, a player's place and who is around him are one question each, however many players
// there are.
func leaderboard(ctx context.Context, cache *redis.Client, out io.Writer) error {
	_, err := cache.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 10_000 {
			p.ZAdd(ctx, "board", redis.Z{Score: float64(i), Member: fmt.Sprint("player-", i)})
		}
		p.ZIncrBy(ctx, "board", 500_000, "player-77")
		p.ZIncrBy(ctx, "board", 250_000, "player-5000")
		return nil
	})
	if err != nil {
		return err
	}
	best, err := cache.ZRevRangeWithScores(ctx, "board", 0, 2).Result()
	if err != nil {
		return err
	}
	p := &printer{out: out}
	for _, z := range best {
		p.line("%s: %.0f", z.Member, z.Score)
	}
	place, err := cache.ZRevRank(ctx, "board", "player-5001").Result()
	if err != nil {
		return err
	}
	p.line("place of player-5001: %d", place+1)
	around, err := cache.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "board", Start: place - 1, Stop: place + 1, Rev: true}).Result()
	p.line("around: %s", strings.Join(around, " "))
	many, err2 := cache.ZCount(ctx, "board", "9000", "+inf").Result()
	p.line("with 9000 points and more: %d", many)
	removed, err3 := cache.ZRemRangeByScore(ctx, "board", "-inf", "(100").Result()
	p.line("removed below 100: %d", removed)
	left, err4 := cache.ZCard(ctx, "board").Result()
	p.line("players: %d", left)
	return errors.Join(err, err2, err3, err4, week(ctx, cache, p), p.err)
}

// week adds boards up; yesterday counts twice.
func week(ctx context.Context, cache *redis.Client, p *printer) error {
	_, err := cache.ZAdd(ctx, "yesterday", redis.Z{Score: 1000, Member: "player-77"}, redis.Z{Score: 7, Member: "player-1"}).Result()
	if err != nil {
		return err
	}
	err = cache.ZUnionStore(ctx, "week", &redis.ZStore{Keys: []string{"board", "yesterday"}, Weights: []float64{1, 2}}).Err()
	if err != nil {
		return err
	}
	points, err := cache.ZScore(ctx, "week", "player-77").Result()
	p.line("player-77 in the week: %.0f", points)
	return err
}
