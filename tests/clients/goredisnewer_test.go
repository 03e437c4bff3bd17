package clients

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/helper"

	"github.com/larderkv/larder/tests/harness"
)

// goRedisNewer makes the calls that go-redis has for commands of Redis 8. What they answer is what its
// own tests expect of such a Redis.
func goRedisNewer(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, "OK")(c.Set(ctx, "k", "v1", 0).Result())
	isNil(t, c.SetIFEQ(ctx, "k", "v2", "other", time.Minute).Err())
	is(t, "OK")(c.SetIFEQ(ctx, "k", "v2", "v1", time.Minute).Result())
	is(t, "v2")(c.SetIFNEGet(ctx, "k", "v3", "other", 0).Result())
	digest := must[uint64](t)(c.Digest(ctx, "k").Result())
	is(t, helper.DigestString("v3"))(digest, nil)
	isNil(t, c.SetIFDNE(ctx, "k", "v4", digest, 0).Err())
	is(t, "v3")(c.SetIFDEQGet(ctx, "k", "v4", digest, 0).Result())
	is(t, int64(0))(c.DelExArgs(ctx, "k", redis.DelExArgs{Mode: "IFDEQ", MatchDigest: digest}).Result())
	is(t, int64(1))(c.DelExArgs(ctx, "k", redis.DelExArgs{Mode: "IFEQ", MatchValue: "v4"}).Result())
	isNil(t, c.Digest(ctx, "k").Err())
	ttl := redis.MSetEXArgs{Condition: redis.NX, Expiration: &redis.ExpirationOption{Mode: redis.EX, Value: 60}}
	is(t, int64(1))(c.MSetEX(ctx, ttl, "a", "1", "b", "2").Result())
	is(t, int64(0))(c.MSetEX(ctx, ttl, "b", "3", "c", "4").Result())
	is(t, time.Minute)(c.TTL(ctx, "a").Result())

	c.SAdd(ctx, "s1", "a", "b", "c")
	c.SAdd(ctx, "s2", "c", "d")
	is(t, int64(4))(c.SUnionCard(ctx, nil, "s1", "s2", "none").Result())
	is(t, int64(3))(c.SUnionCard(ctx, &redis.SUnionCardOptions{Approx: true, Limit: 3}, "s1", "s2").Result())
	is(t, int64(2))(c.SDiffCard(ctx, nil, "s1", "s2").Result())
	is(t, int64(1))(c.SDiffCard(ctx, &redis.SDiffCardOptions{Limit: 1}, "s1", "s2").Result())

	c.RPush(ctx, "l", "1", "2", "3", "4", "5")
	is(t, []string{"3", "2", "1"})(c.LMoveM(ctx, "l", "m", "LEFT", "LEFT", redis.LMoveMArgs{Count: 3, Order: redis.LMoveMOBO}).Result())
	isNil(t, c.LMoveM(ctx, "l", "m", "LEFT", "LEFT", redis.LMoveMArgs{Mode: redis.LMoveMExactly, Count: 3}).Err())
	is(t, []string{"5"})(c.LMoveM(ctx, "l", "m", "RIGHT", "RIGHT", redis.LMoveMArgs{}).Result())
	is(t, []string{"2", "1", "5"})(c.BLMoveM(ctx, "m", "l", "RIGHT", "LEFT", time.Second, redis.LMoveMArgs{Count: 3}).Result())
	isNil(t, c.BLMoveM(ctx, "none", "l", "RIGHT", "LEFT", time.Millisecond, redis.LMoveMArgs{Count: 3}).Err())

	c.ZAdd(ctx, "z1", redis.Z{Score: 100, Member: "foo"}, redis.Z{Score: 100, Member: "bar"})
	c.ZAdd(ctx, "z2", redis.Z{Score: 200, Member: "foo"})
	weighted := redis.ZStore{Keys: []string{"z1", "z2"}, Weights: []float64{10, 5}, Aggregate: "COUNT"}
	is(t, []redis.Z{{Score: 10, Member: "bar"}, {Score: 15, Member: "foo"}})(c.ZUnionWithScores(ctx, weighted).Result())
}

// goRedisOwn makes the calls of README.
func goRedisOwn(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, "OK")(c.Set(ctx, "page:1", "<html>", time.Hour).Result())
	found := must[[]any](t)(c.Do(ctx, "CACHE.GETTTL", "page:1").Slice())
	if len(found) != 2 || found[0] != "<html>" || found[1].(int64) < 3_500_000 {
		t.Errorf("CACHE.GETTTL: %v", found)
	}
	isNil(t, c.Do(ctx, "CACHE.GETTTL", "none").Err())
	if r := must[[]any](t)(c.Do(ctx, "RM", 0, "MATCH", "page:*").Slice()); len(r) != 2 {
		t.Errorf("RM: %v", r)
	}
	c.Set(ctx, "page:1", "<html>", 0)
	id := must[int64](t)(c.Do(ctx, "CACHE.PURGE", "START", "PREFIX", "page:").Int64())
	harness.Eventually(t, harness.Patience, "the page has gone", func() bool { return c.Exists(ctx, "page:1").Val() == 0 })
	if list := must[[]any](t)(c.Do(ctx, "CACHE.PURGE", "STATUS", id).Slice()); len(list) != 1 {
		t.Errorf("CACHE.PURGE STATUS: %v", list)
	}
}

// TestBigConditions: values of some megabytes are received where they are kept, which may not be where
// they are compared.
func TestBigConditions(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	a, b := bigValue(3<<20), strings.Repeat("b", 2<<20)
	c.MustOK("SET", "k", a)
	for _, request := range [][]string{
		{"SET", "k", b, "IFEQ", b}, {"SET", "k", b, "IFNE", a, "EX", "100"}, {"DELEX", "k", "IFEQ", b}, {"DELIFEQ", "k", a + "x"},
	} {
		if r := c.Do(request...); r.Text == "1" || r.Raw == "+OK\r\n" {
			t.Errorf("%s with another value: %v", request[0], r)
		}
		whole(t, c, "k", a)
	}
	c.MustOK("SET", "k", b, "IFEQ", a)
	whole(t, c, "k", b)
	if r := c.Do("SET", "k", a, "GET", "IFEQ", b, "PX", "100000"); r.Text != b {
		t.Errorf("SET GET: %d bytes", len(r.Text))
	}
	whole(t, c, "k", a)
	if r := c.Do("MSETEX", "4", "m", b, "n", a, "m", a, "o", b, "XX", "EX", "10"); r.Text != "0" {
		t.Error(r)
	}
	if r := c.Do("MSETEX", "4", "m", b, "n", a, "m", a, "o", b, "NX", "EX", "100"); r.Text != "1" {
		t.Error(r)
	}
	whole(t, c, "m", a)
	whole(t, c, "n", a)
	whole(t, c, "o", b)
	if r := c.Do("DELIFEQ", "k", a); r.Text != "1" {
		t.Error(r)
	}
}
