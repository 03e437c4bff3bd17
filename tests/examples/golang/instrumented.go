package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// cacheMetrics counts hits and misses by prefix in a hook of the client, and prints them as
// Prometheus reads them. A hit ratio that nobody watches falls unnoticed.
type cacheMetrics struct {
	prefixes []string
	results  map[string]int // "prefix result" to count
	reads    int
	spent    time.Duration
}

// ProcessHook sees every command on its way.
func (m *cacheMetrics) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "get" {
			return next(ctx, cmd)
		}
		start := time.Now()
		err := next(ctx, cmd)
		m.spent += time.Since(start)
		m.reads++
		key, _ := cmd.Args()[1].(string)
		prefix, _, _ := strings.Cut(key, ":")
		result := "hit"
		if errors.Is(err, redis.Nil) {
			result = "miss"
		}
		m.results[prefix+" "+result]++
		return err
	}
}

// DialHook and ProcessPipelineHook change nothing.
func (m *cacheMetrics) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *cacheMetrics) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func instrumented(ctx context.Context, cache *redis.Client, out io.Writer) error {
	m := &cacheMetrics{prefixes: []string{"user", "page"}, results: map[string]int{}}
	cache.AddHook(m)
	if err := cache.MSet(ctx, "user:1", "ada", "user:2", "bob").Err(); err != nil {
		return err
	}
	for _, key := range []string{"user:1", "user:2", "user:1", "user:3", "page:1"} {
		if err := cache.Get(ctx, key).Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	p := &printer{out: out}
	for _, prefix := range m.prefixes {
		for _, result := range []string{"hit", "miss"} {
			if n := m.results[prefix+" "+result]; n > 0 {
				p.line(`cache_requests_total{prefix=%q,result=%q} %d.0`, prefix, result, n)
			}
		}
	}
	p.line("cache_seconds_count %d.0", m.reads)
	if m.spent <= 0 {
		return errors.New("no time was measured")
	}
	return p.err
}
