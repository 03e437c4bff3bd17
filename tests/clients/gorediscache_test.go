package clients

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// TestGoRedisCache: go-redis' client-side cache answers without asking, and follows every way in
// which a key may change.
func TestGoRedisCache(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		ctx, writer := t.Context(), goRedis(t, s, 3)
		c := patient(&redis.Options{Addr: s.Addr, Protocol: 3, ClientSideCacheConfig: &redis.ClientSideCacheConfig{}})
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		reads := func(key, want string) bool {
			got, err := c.Get(ctx, key).Result()
			return got == want && (err == nil || want == "" && errors.Is(err, redis.Nil))
		}
		soon := func(key, want string) {
			t.Helper()
			harness.Eventually(t, patience, key+" is "+want, func() bool { return reads(key, want) })
		}
		is(t, "OK")(writer.Set(ctx, "k", "old", 0).Result())
		soon("k", "old")
		for range 100 {
			if !reads("k", "old") {
				t.Error("k is not old")
			}
		}
		if stats := c.CSCStats(); stats.Hits < 90 {
			t.Errorf("%+v", stats)
		}
		is(t, "OK")(writer.Set(ctx, "k", "new", 0).Result())
		soon("k", "new")
		is(t, int64(1))(writer.Del(ctx, "k").Result())
		soon("k", "")
		is(t, "OK")(writer.Set(ctx, "k", "short", 40*time.Millisecond).Result())
		soon("k", "")
		is(t, "OK")(writer.Set(ctx, "k", "flushed", 0).Result())
		soon("k", "flushed")
		is(t, "OK")(writer.FlushAll(ctx).Result())
		soon("k", "")
	})
}
