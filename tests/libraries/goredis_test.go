package libraries

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// TestGoRedisScripts runs scripts as go-redis offers it, in both protocols and with both drivers.
func TestGoRedisScripts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(*testing.T, context.Context, *redis.Client)
	}{
		{"run", goRedisRun}, {"load", goRedisLoad}, {"read-only", goRedisReadOnly}, {"values", goRedisValues},
		{"pipelines", goRedisPipelines}, {"errors", goRedisErrors}, {"limiter", goRedisLimiter}, {"cancelled", goRedisCancelled},
	}
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for protocol := 2; protocol <= 3; protocol++ {
			s := harness.Start(t, "network-driver "+driver)
			for _, test := range tests {
				t.Run(fmt.Sprintf("RESP%d/%s", protocol, test.name), func(t *testing.T) {
					c := client(t, s, protocol)
					must(t, c.FlushAll(t.Context()).Err())
					must(t, c.ScriptFlush(t.Context()).Err())
					test.run(t, t.Context(), c)
				})
			}
		}
	})
}

// is compares a reply with what it must be; the error must be nil.
func is[T any](t *testing.T, want T) func(got T, err error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// failsWith wants an error whose text has a part.
func failsWith(t *testing.T, part string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, want one with %q", err, part)
	}
}

func goRedisRun(t *testing.T, ctx context.Context, c *redis.Client) {
	raise := redis.NewScript(`
		local now = tonumber(redis.call("GET", KEYS[1]) or "0")
		if tonumber(ARGV[1]) > now then
			redis.call("SET", KEYS[1], ARGV[1])
			return {ARGV[1], 1}
		end
		return {tostring(now), 0}`)
	is(t, []bool{false})(raise.Exists(ctx, c).Result())
	is[any](t, []any{"5", int64(1)})(raise.Run(ctx, c, []string{"high"}, 5).Result()) // EVALSHA, and EVAL after NOSCRIPT
	is(t, []bool{true})(raise.Exists(ctx, c).Result())
	is[any](t, []any{"5", int64(0)})(raise.Run(ctx, c, []string{"high"}, 3).Result())
	is[any](t, []any{"9", int64(1)})(raise.Eval(ctx, c, []string{"high"}, 9).Result())
	is[any](t, []any{"9", int64(0)})(raise.EvalSha(ctx, c, []string{"high"}, 1).Result())
	is(t, "9")(c.Get(ctx, "high").Result())
}

func goRedisLoad(t *testing.T, ctx context.Context, c *redis.Client) {
	add := redis.NewScript(`return redis.call("INCRBY", KEYS[1], ARGV[1])`)
	is(t, add.Hash())(add.Load(ctx, c).Result())
	is(t, int64(7))(add.EvalSha(ctx, c, []string{"n"}, 7).Int64())
	is(t, []bool{true, false})(c.ScriptExists(ctx, add.Hash(), strings.Repeat("0", 40)).Result())
	is(t, "OK")(c.ScriptFlush(ctx).Result())
	failsWith(t, "NOSCRIPT", add.EvalSha(ctx, c, []string{"n"}, 7).Err())
	is(t, int64(8))(add.Run(ctx, c, []string{"n"}, 1).Int64())
	failsWith(t, "NOTBUSY", c.ScriptKill(ctx).Err())
}

func goRedisReadOnly(t *testing.T, ctx context.Context, c *redis.Client) {
	must(t, c.HSet(ctx, "h", "a", 1, "b", 2).Err())
	sum := redis.NewScript(`
		local total = 0
		for _, v in ipairs(redis.call("HVALS", KEYS[1])) do total = total + v end
		return total`)
	is(t, int64(3))(sum.RunRO(ctx, c, []string{"h"}).Int64())
	is(t, int64(3))(sum.EvalRO(ctx, c, []string{"h"}).Int64())
	is(t, int64(3))(sum.EvalShaRO(ctx, c, []string{"h"}).Int64())
	write := redis.NewScript(`return redis.call("DEL", KEYS[1])`)
	failsWith(t, "Write commands are not allowed from read-only scripts", write.RunRO(ctx, c, []string{"h"}).Err())
	is(t, int64(1))(c.Exists(ctx, "h").Result())
}

func goRedisValues(t *testing.T, ctx context.Context, c *redis.Client) {
	is[any](t, []any{int64(3), "s", []any{int64(1), []any{}}, int64(1)})(
		c.Eval(ctx, `return {3.99, "s", {1, {}}, true, nil, "after nil"}`, nil).Result())
	if err := c.Eval(ctx, `return false`, nil).Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("false is %v", err)
	}
	is[any](t, "FINE")(c.Eval(ctx, `return redis.status_reply("FINE")`, nil).Result())
	is[any](t, "a\x00\xff\r\n")(c.Eval(ctx, `return ARGV[1]`, nil, "a\x00\xff\r\n").Result())
	is(t, []string{"k1", "k2", "a"})(c.Eval(ctx, `return {KEYS[1], KEYS[2], ARGV[1]}`, []string{"k1", "k2"}, "a").StringSlice())
	is(t, 1.5)(c.Eval(ctx, `return tostring(ARGV[1] + 0.25)`, nil, 1.25).Float64())
	is[any](t, strings.Repeat("x", 1<<20))(c.Eval(ctx, `return string.rep("x", 1048576)`, nil).Result())
	is(t, `{"a":[1,2,3]}`)(c.Eval(ctx, `return cjson.encode({a = {1, 2, 3}})`, nil).Text())
}

func goRedisPipelines(t *testing.T, ctx context.Context, c *redis.Client) {
	add := redis.NewScript(`return redis.call("INCRBY", KEYS[1], ARGV[1])`)
	must(t, add.Load(ctx, c).Err())
	const n = 1000
	got, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for range n {
			add.EvalSha(ctx, p, []string{"n"}, 2)
		}
		return nil
	})
	must(t, err)
	is(t, int64(2*n))(got[n-1].(*redis.Cmd).Int64())
	var last *redis.Cmd
	_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "n", 1, 0)
		last = add.EvalSha(ctx, p, []string{"n"}, 10)
		return nil
	})
	must(t, err)
	is(t, int64(11))(last.Int64())
}

func goRedisErrors(t *testing.T, ctx context.Context, c *redis.Client) {
	must(t, c.Set(ctx, "s", "text", 0).Err())
	failsWith(t, "WRONGTYPE Operation against a key", c.Eval(ctx, `return redis.call("LPUSH", KEYS[1], 1)`, []string{"s"}).Err())
	is[any](t, "caught WRONGTYPE")(c.Eval(ctx, `
		local reply = redis.pcall("LPUSH", KEYS[1], 1)
		return "caught " .. string.match(reply.err, "%u+")`, []string{"s"}).Result())
	failsWith(t, "MINE of my own", c.Eval(ctx, `return redis.error_reply("MINE of my own")`, nil).Err())
	failsWith(t, "Error compiling script", c.Eval(ctx, `return (`, nil).Err())
	failsWith(t, "user_script:2:", c.Eval(ctx, "local x\nreturn x.y", nil).Err())
	failsWith(t, "Unknown Redis command called from script", c.Eval(ctx, `return redis.call("NOSUCH")`, nil).Err())
	failsWith(t, "not allowed from script", c.Eval(ctx, `return redis.call("SUBSCRIBE", "c")`, nil).Err())
	failsWith(t, "Script attempted to access nonexistent global variable 'typo'", c.Eval(ctx, `return typo`, nil).Err())
}

// goRedisLimiter is a token bucket, whose state is a hash, by the server's clock.
func goRedisLimiter(t *testing.T, ctx context.Context, c *redis.Client) {
	bucket := redis.NewScript(`
		local capacity, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
		local time = redis.call("TIME")
		local now = time[1] + time[2] / 1000000
		local state = redis.call("HMGET", KEYS[1], "tokens", "at")
		local tokens = tonumber(state[1]) or capacity
		tokens = math.min(capacity, tokens + math.max(0, now - (tonumber(state[2]) or now)) * per_second)
		local allowed = tokens >= 1
		if allowed then tokens = tokens - 1 end
		redis.call("HSET", KEYS[1], "tokens", tostring(tokens), "at", string.format("%.6f", now))
		redis.call("PEXPIRE", KEYS[1], math.ceil(capacity / per_second * 1000))
		return allowed and 1 or 0`)
	take := func(key string, perSecond float64) bool {
		ok, err := bucket.Run(ctx, c, []string{key}, 10, perSecond).Bool()
		must(t, err)
		return ok
	}
	allowed := 0
	for range 50 {
		if take("slow", 0.001) {
			allowed++
		}
	}
	if allowed != 10 {
		t.Errorf("%d of 50 were allowed", allowed)
	}
	for take("fast", 10) { // until it is empty
	}
	harness.Eventually(t, harness.Patience, "a token comes back", func() bool { return take("fast", 10) })
}

// goRedisCancelled: a caller that gives up does not spoil the connection for the next one.
func goRedisCancelled(t *testing.T, ctx context.Context, c *redis.Client) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Eval(gone, `return 1`, nil).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	is(t, int64(1))(c.Eval(ctx, `return 1`, nil).Int64())
}
