// Command golang runs small programs that use larder for the usual caching patterns, through
// go-redis.
//
//	go run ./tests/examples/golang -addr 127.0.0.1:6379 cache_aside
//
// Each pattern is one file, and has a twin of the same name in ../python that prints the same.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// pattern shows one use of a cache and prints what happened. The server is empty when it begins.
type pattern func(ctx context.Context, cache *redis.Client, out io.Writer) error

func patterns() map[string]pattern {
	return map[string]pattern{
		"cache_aside":           cacheAside,
		"delayed_jobs":          delayedJobs,
		"distributed_lock":      distributedLock,
		"event_invalidation":    eventInvalidation,
		"instrumented":          instrumented,
		"invalidation_messages": invalidationMessages,
		"job_queue":             jobQueue,
		"leaderboard":           leaderboard,
		"leases":                leases,
		"limits":                limits,
		"negative_caching":      negativeCaching,
		"pattern_invalidation":  patternInvalidation,
		"rate_limiter":          rateLimiter,
		"read_through":          readThrough,
		"recent_items":          recentItems,
		"response_cache":        responseCache,
		"sessions":              sessions,
		"sliding_window":        slidingWindow,
		"stampede_lock":         stampedeLock,
		"stampede_setnx":        stampedeSetNX,
		"tags_hash":             tagsHash,
		"tags_set":              tagsSet,
		"token_bucket":          tokenBucket,
		"ttl_per_type":          ttlPerType,
		"two_level":             twoLevel,
		"versioned_keys":        versionedKeys,
		"write_behind":          writeBehind,
		"write_through":         writeThrough,
	}
}

func main() {
	addr := flag.String("addr", "127.0.0.1:6379", "where larder listens")
	flag.Parse()
	run, ok := patterns()[flag.Arg(0)]
	if !ok {
		fmt.Fprintf(os.Stderr, "choose one of %s\n", strings.Join(slices.Sorted(maps.Keys(patterns())), " "))
		os.Exit(2)
	}
	cache := redis.NewClient(&redis.Options{Addr: *addr})
	if err := run(context.Background(), cache, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
