package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// responseCache keeps the responses of a web application: HMSET, EXPIRE and HGETALL under a hash of
// the full path. The view is not called at all while the response is fresh; the query string makes
// entries of their own.
func responseCache(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const lifetime = time.Minute
	calls := 0
	view := func(w http.ResponseWriter, r *http.Request) error {
		sum := sha256.Sum256([]byte(r.URL.RequestURI()))
		key := "response:" + hex.EncodeToString(sum[:])
		cached, err := cache.HGetAll(ctx, key).Result()
		if err != nil {
			return err
		}
		if len(cached) > 0 {
			_, err = fmt.Fprintf(w, "%s from cache", cached["message"])
			return err
		}
		calls++
		message := fmt.Sprintf("computed %d", calls)
		if err := cache.HMSet(ctx, key, "message", message, "path", r.URL.RequestURI()).Err(); err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s from view", message)
		return errors.Join(err, cache.Expire(ctx, key, lifetime).Err())
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := view(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	p := &printer{out: out}
	show := func(path string) {
		answer := httptest.NewRecorder()
		app.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, strings.NewReader("")))
		p.line("%s: %s", path, answer.Body)
	}
	for _, path := range []string{"/data", "/data", "/data?page=2", "/data?page=2"} {
		show(path)
	}
	keys, err := cache.Keys(ctx, "response:*").Result()
	for _, key := range keys {
		err = errors.Join(err, cache.PExpire(ctx, key, time.Millisecond).Err(), waitUntilGone(ctx, cache, key))
	}
	show("/data")
	return errors.Join(err, p.err)
}
