package clients

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

func goRedisLists(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, int64(3))(c.RPush(ctx, "l", "a", "b", "c").Result())
	is(t, int64(4))(c.LPush(ctx, "l", "z").Result())
	is(t, int64(0))(c.LPushX(ctx, "none", "x").Result())
	is(t, int64(5))(c.RPushX(ctx, "l", "d").Result())
	is(t, []string{"z", "a", "b", "c", "d"})(c.LRange(ctx, "l", 0, -1).Result())
	is(t, "d")(c.LIndex(ctx, "l", -1).Result())
	isNil(t, c.LIndex(ctx, "l", 99).Err())
	is(t, "OK")(c.LSet(ctx, "l", 0, "y").Result())
	is(t, int64(6))(c.LInsertBefore(ctx, "l", "a", "x").Result())
	is(t, int64(-1))(c.LInsertAfter(ctx, "l", "?", "x").Result())
	is(t, int64(1))(c.LPos(ctx, "l", "x", redis.LPosArgs{}).Result())
	is(t, []int64{1})(c.LPosCount(ctx, "l", "x", 0, redis.LPosArgs{}).Result())
	is(t, int64(1))(c.LRem(ctx, "l", 0, "x").Result())
	is(t, "OK")(c.LTrim(ctx, "l", 1, 3).Result())
	is(t, int64(3))(c.LLen(ctx, "l").Result())
	is(t, "a")(c.LPop(ctx, "l").Result())
	is(t, []string{"c", "b"})(c.RPopCount(ctx, "l", 5).Result())
	isNil(t, c.RPop(ctx, "l").Err())
	c.RPush(ctx, "src", 1, 2, 3)
	//lint:ignore SA1019 programs in use still send RPOPLPUSH
	is(t, "3")(c.RPopLPush(ctx, "src", "dst").Result())
	is(t, "1")(c.LMove(ctx, "src", "dst", "LEFT", "RIGHT").Result())
	key, popped, err := c.LMPop(ctx, "LEFT", 5, "none", "dst").Result()
	is(t, []string{"3", "1"})(popped, err)
	is(t, "dst")(key, nil)
	for i := range 5000 {
		c.RPush(ctx, "big", "element:"+strconv.Itoa(i))
	}
	is(t, []string{"element:2500", "element:2501"})(c.LRange(ctx, "big", 2500, 2501).Result())
}

func goRedisZsets(t *testing.T, ctx context.Context, c *redis.Client) {
	a, b, cc := redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2.5, Member: "b"}, redis.Z{Score: 3, Member: "c"}
	is(t, int64(3))(c.ZAdd(ctx, "z", a, b, cc).Result())
	is(t, int64(0))(c.ZAddNX(ctx, "z", redis.Z{Score: 9, Member: "a"}).Result())
	is(t, int64(1))(c.ZAddArgs(ctx, "z", redis.ZAddArgs{GT: true, Ch: true, Members: []redis.Z{{Score: 4, Member: "c"}}}).Result())
	is(t, 5.5)(c.ZAddArgsIncr(ctx, "z", redis.ZAddArgs{XX: true, Members: []redis.Z{{Score: 1.5, Member: "c"}}}).Result())
	is(t, 3.0)(c.ZIncrBy(ctx, "z", -2.5, "c").Result())
	is(t, int64(3))(c.ZCard(ctx, "z").Result())
	is(t, int64(2))(c.ZCount(ctx, "z", "(1", "+inf").Result())
	is(t, 2.5)(c.ZScore(ctx, "z", "b").Result())
	isNil(t, c.ZScore(ctx, "z", "?").Err())
	is(t, int64(1))(c.ZRank(ctx, "z", "b").Result())
	is(t, redis.RankScore{Rank: 0, Score: 3})(c.ZRevRankWithScore(ctx, "z", "c").Result())
	is(t, []string{"a", "b", "c"})(c.ZRange(ctx, "z", 0, -1).Result())
	is(t, []redis.Z{cc, b})(c.ZRevRangeWithScores(ctx, "z", 0, 1).Result())
	is(t, []string{"c"})(c.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "z", Start: 2, Stop: "+inf", ByScore: true, Offset: 1, Count: 1}).Result())
	is(t, int64(2))(c.ZRangeStore(ctx, "top", redis.ZRangeArgs{Key: "z", Start: 1, Stop: 2}).Result())
	is(t, int64(1))(c.ZRem(ctx, "z", "b", "?").Result())
	is(t, []string{"a", "b", "c"})(c.ZUnion(ctx, redis.ZStore{Keys: []string{"z", "top"}}).Result())
	is(t, []redis.Z{{Score: 9, Member: "c"}})(c.ZInterWithScores(ctx, &redis.ZStore{Keys: []string{"z", "top"}, Weights: []float64{1, 2}}).Result())
	is(t, []string{"a"})(c.ZDiff(ctx, "z", "top").Result())
	is(t, int64(1))(c.ZInterCard(ctx, 0, "z", "top").Result())
	is(t, int64(3))(c.ZUnionStore(ctx, "u", &redis.ZStore{Keys: []string{"z", "top"}}).Result())
	is(t, []redis.Z{{Score: 1, Member: "a"}})(c.ZPopMin(ctx, "u").Result())
	is(t, []redis.Z{{Score: 6, Member: "c"}, {Score: 2.5, Member: "b"}})(c.ZPopMax(ctx, "u", 5).Result())
	for i := range 3000 {
		c.ZAdd(ctx, "big", redis.Z{Score: float64(i), Member: "m" + strconv.Itoa(i)})
	}
	seen := map[string]string{}
	iter := c.ZScan(ctx, "big", 0, "m*", 50).Iterator()
	for iter.Next(ctx) {
		m := iter.Val()
		iter.Next(ctx)
		seen[m] = iter.Val()
	}
	if iter.Err() != nil || len(seen) != 3000 || seen["m77"] != "77" {
		t.Errorf("ZSCAN found %d members, %v", len(seen), iter.Err())
	}
	is(t, int64(100))(c.ZRemRangeByScore(ctx, "big", "-inf", "(100").Result())
	is(t, []string{"m100"})(c.ZRange(ctx, "big", 0, 0).Result())
}

func goRedisBlocking(t *testing.T, ctx context.Context, c *redis.Client) {
	c.RPush(ctx, "q", "now")
	is(t, []string{"q", "now"})(c.BLPop(ctx, time.Second, "none", "q").Result())
	for _, wait := range []struct {
		name   string
		call   func() (any, error)
		wake   func() error
		expect any
	}{
		{"BLPOP", func() (any, error) { return c.BLPop(ctx, time.Minute, "q1", "q2").Result() },
			func() error { return c.RPush(ctx, "q2", "x").Err() }, []string{"q2", "x"}},
		{"BLMOVE", func() (any, error) { return c.BLMove(ctx, "q", "done", "LEFT", "RIGHT", time.Minute).Result() },
			func() error { return c.RPush(ctx, "q", "x").Err() }, "x"},
		{"BZPOPMIN", func() (any, error) { return c.BZPopMin(ctx, time.Minute, "zq").Result() },
			func() error { return c.ZAdd(ctx, "zq", redis.Z{Score: 1, Member: "m"}).Err() },
			&redis.ZWithKey{Key: "zq", Z: redis.Z{Score: 1, Member: "m"}}},
	} {
		type answer struct {
			value any
			err   error
		}
		got := make(chan answer, 1)
		go func() {
			v, err := wait.call()
			got <- answer{v, err}
		}()
		harness.Eventually(t, harness.Patience, wait.name+" waits", func() bool {
			return c.InfoMap(ctx, "clients").Item("Clients", "blocked_clients") == "1"
		})
		if err := wait.wake(); err != nil {
			t.Fatal(err)
		}
		a := <-got
		is(t, wait.expect)(a.value, a.err)
	}
	isNil(t, c.BLPop(ctx, time.Second, "q").Err())
}

func goRedisSort(t *testing.T, ctx context.Context, c *redis.Client) {
	c.RPush(ctx, "ids", 3, 1, 2)
	c.MSet(ctx, "weight:1", 30, "weight:2", 20, "weight:3", 10)
	c.HSet(ctx, "user:1", "name", "Ada")
	is(t, []string{"1", "2", "3"})(c.Sort(ctx, "ids", &redis.Sort{}).Result())
	is(t, []string{"3", "2"})(c.SortRO(ctx, "ids", &redis.Sort{By: "weight:*", Count: 2}).Result())
	is(t, []any{nil, "3", nil, "2", "Ada", "1"})(c.SortInterfaces(ctx, "ids", &redis.Sort{By: "weight:*", Get: []string{"user:*->name", "#"}}).Result())
	is(t, int64(3))(c.SortStore(ctx, "ids", "sorted", &redis.Sort{Order: "DESC"}).Result())
	is(t, []string{"3", "2", "1"})(c.LRange(ctx, "sorted", 0, -1).Result())
}
