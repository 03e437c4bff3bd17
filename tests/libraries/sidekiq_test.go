package libraries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// What Sidekiq and the extensions for throttling and unique jobs say of themselves, as scripts. A
// job is JSON and names its queue, so that scripts build the queues' keys.
var (
	// pollDue moves the jobs of a schedule whose time has come into their queues. KEYS: schedule.
	// ARGV: now, at most how many.
	pollDue = redis.NewScript(`
		local moved = 0
		while moved < tonumber(ARGV[2]) do
			local job = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 1)[1]
			if not job then break end
			redis.call('ZREM', KEYS[1], job)
			local queue = cjson.decode(job).queue
			redis.call('SADD', 'queues', queue)
			redis.call('LPUSH', 'queue:' .. queue, job)
			moved = moved + 1
		end
		return moved`)

	// fetch takes a job from the first queue that has one and may be worked on, into the worker's
	// own list. KEYS: the worker's list. ARGV: queues by rank.
	fetch = redis.NewScript(`
		for _, queue in ipairs(ARGV) do
			if redis.call('SISMEMBER', 'paused', queue) == 0 then
				local job = redis.call('RPOPLPUSH', 'queue:' .. queue, KEYS[1])
				if job then return {'queue:' .. queue, job} end
			end
		end
		return nil`)

	// requeue gives the jobs of workers that have not been heard of back to their queues. KEYS:
	// workers by the time when they were last heard of. ARGV: before when.
	requeue = redis.NewScript(`
		local n = 0
		for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])) do
			local own = 'working:' .. worker
			for _, job in ipairs(redis.call('LRANGE', own, 0, -1)) do
				redis.call('RPUSH', 'queue:' .. cjson.decode(job)['queue'], job)
				n = n + 1
			end
			redis.call('DEL', own)
			redis.call('ZREM', KEYS[1], worker)
		end
		return n`)

	// atOnce lets a number of jobs of a kind run at a time. KEYS: who runs, by when they are taken
	// to be dead. ARGV: job's id, limit, lifetime, now. 1 is throttled.
	atOnce = redis.NewScript(`
		local id, limit, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
		redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
		if limit <= redis.call('ZCARD', KEYS[1]) and not redis.call('ZSCORE', KEYS[1], id) then return 1 end
		redis.call('ZADD', KEYS[1], now + ARGV[3], id)
		redis.call('EXPIRE', KEYS[1], ARGV[3])
		return 0`)

	// perPeriod lets a number of jobs of a kind begin in any period. KEYS: their times, the latest
	// first. ARGV: limit, period, now. 1 is throttled.
	perPeriod = redis.NewScript(`
		local limit, period, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
		if limit <= redis.call('LLEN', KEYS[1]) then
			local oldest = redis.call('LINDEX', KEYS[1], -1)
			if oldest and now - tonumber(oldest) < period then return 1 end
		end
		redis.call('LPUSH', KEYS[1], now)
		redis.call('LTRIM', KEYS[1], 0, limit - 1)
		redis.call('EXPIRE', KEYS[1], math.ceil(period))
		return 0`)

	// lockUnique takes one of the places of a digest. KEYS: digest. ARGV: job's id, places,
	// lifetime in milliseconds, now. It returns who has it.
	lockUnique = redis.NewScript(`
		local digest, id = KEYS[1], ARGV[1]
		local locked = digest .. ':LOCKED'
		if redis.call('HEXISTS', locked, id) == 1 then return id end
		if redis.call('HLEN', locked) >= tonumber(ARGV[2]) then
			return redis.call('HKEYS', locked)[1]
		end
		redis.call('HSET', locked, id, ARGV[4])
		redis.call('PEXPIRE', locked, ARGV[3])
		redis.call('ZADD', 'uniquejobs:digests', ARGV[4], digest)
		redis.call('PUBLISH', 'uniquejobs', digest)
		return id`)

	// reap removes digests whose jobs are in no queue and no schedule. ARGV: before when.
	reap = redis.NewScript(`
		local alive = {}
		local function note(jobs)
			for _, job in ipairs(jobs) do
				local ok, body = pcall(cjson.decode, job)
				if ok and body.digest then alive[body.digest] = true end
			end
		end
		for _, queue in ipairs(redis.call('SMEMBERS', 'queues')) do
			local key, from = 'queue:' .. queue, 0
			repeat
				local page = redis.call('LRANGE', key, from, from + 49)
				note(page)
				from = from + #page
			until #page < 50
		end
		note(redis.call('ZRANGE', 'schedule', 0, -1))
		local reaped = {}
		for _, digest in ipairs(redis.call('ZRANGEBYSCORE', 'uniquejobs:digests', '-inf', ARGV[1])) do
			if not alive[digest] then
				redis.call('DEL', digest .. ':LOCKED')
				redis.call('ZREM', 'uniquejobs:digests', digest)
				reaped[#reaped + 1] = digest
			end
		end
		return reaped`)
)

func TestSidekiq(t *testing.T) { eachThreads(t, sidekiq) }

func sidekiq(t *testing.T, s *harness.Server) {
	c := client(t, s, 3)
	t.Run("schedule and fetch", func(t *testing.T) { sidekiqFetch(t, t.Context(), c) })
	t.Run("throttle", func(t *testing.T) { sidekiqThrottle(t, t.Context(), c) })
	t.Run("unique", func(t *testing.T) { sidekiqUnique(t, t.Context(), c) })
	t.Run("workers", func(t *testing.T) { sidekiqWorkers(t, t.Context(), c) })
	outlivesCrash(t, s)
}

func sidekiqJob(id, queue string) string {
	text, err := json.Marshal(map[string]any{"class": "Mail", "jid": id, "queue": queue, "args": []any{1, "zwei", nil}, "digest": "digest:" + id})
	if err != nil {
		panic(err) // such a map always has a JSON form
	}
	return string(text)
}

func sidekiqFetch(t *testing.T, ctx context.Context, c *redis.Client) {
	for i := range 10 {
		queue := []string{"low", "high"}[i%2]
		must(t, c.ZAdd(ctx, "schedule", redis.Z{Score: float64(i), Member: sidekiqJob(fmt.Sprint(i), queue)}).Err())
	}
	is(t, int64(4))(pollDue.Run(ctx, c, []string{"schedule"}, 3, 100).Int64())
	is(t, int64(3))(pollDue.Run(ctx, c, []string{"schedule"}, 100, 3).Int64())
	is(t, int64(3))(c.ZCard(ctx, "schedule").Result())
	take := func() any {
		got, err := fetch.Run(ctx, c, []string{"working:w1"}, "high", "low").Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		must(t, err)
		return got
	}
	is[any](t, []any{"queue:high", sidekiqJob("1", "high")})(take(), nil)
	must(t, c.SAdd(ctx, "paused", "high").Err())
	is[any](t, []any{"queue:low", sidekiqJob("0", "low")})(take(), nil)
	must(t, c.Del(ctx, "paused").Err())
	for range 5 {
		take()
	}
	is[any](t, nil)(take(), nil)
	is(t, int64(7))(c.LLen(ctx, "working:w1").Result())
	must(t, c.ZAdd(ctx, "workers", redis.Z{Score: 10, Member: "w1"}, redis.Z{Score: 99, Member: "w2"}).Err())
	is(t, int64(7))(requeue.Run(ctx, c, []string{"workers"}, 50).Int64())
	is(t, []string{"w2"})(c.ZRange(ctx, "workers", 0, -1).Result())
	is(t, int64(7))(c.LLen(ctx, "queue:low").Val()+c.LLen(ctx, "queue:high").Val(), nil)
}

func sidekiqThrottle(t *testing.T, ctx context.Context, c *redis.Client) {
	running := func(id string, now int) int64 {
		n, err := atOnce.Run(ctx, c, []string{"throttle:running"}, id, 2, 60, now).Int64()
		must(t, err)
		return n
	}
	for _, step := range []struct {
		id   string
		now  int
		want int64
	}{{"a", 100, 0}, {"b", 110, 0}, {"c", 120, 1}, {"a", 130, 0}, {"c", 180, 0}, {"d", 180, 1}} { // b is taken to be dead
		if got := running(step.id, step.now); got != step.want {
			t.Errorf("%s at %d: %d", step.id, step.now, got)
		}
	}
	begins := func(now float64) int64 {
		n, err := perPeriod.Run(ctx, c, []string{"throttle:begun"}, 3, 10, now).Int64()
		must(t, err)
		return n
	}
	for _, step := range []struct {
		now  float64
		want int64
	}{{100, 0}, {101.5, 0}, {102, 0}, {109.9, 1}, {110, 0}, {111.25, 1}, {111.5, 0}, {112, 0}} {
		if got := begins(step.now); got != step.want {
			t.Errorf("at %v: %d", step.now, got)
		}
	}
}

func sidekiqUnique(t *testing.T, ctx context.Context, c *redis.Client) {
	lock := func(id string, places int) string {
		who, err := lockUnique.Run(ctx, c, []string{"digest:mail"}, id, places, 60_000, 100).Text()
		must(t, err)
		return who
	}
	is(t, "a")(lock("a", 1), nil)
	is(t, "a")(lock("b", 1), nil)
	is(t, "a")(lock("a", 1), nil)
	is(t, "b")(lock("b", 2), nil)
	must(t, c.ZAdd(ctx, "uniquejobs:digests", redis.Z{Score: 1, Member: "digest:0"}, redis.Z{Score: 1, Member: "digest:9"},
		redis.Z{Score: 2, Member: "digest:gone"}).Err())
	must(t, c.HSet(ctx, "digest:gone:LOCKED", "x", 1).Err())
	must(t, c.LPush(ctx, "queue:low", "no JSON").Err())
	is(t, []string{"digest:gone", "digest:mail"})(reap.Run(ctx, c, nil, 100).StringSlice()) // 0 is in a queue, 9 in the schedule
	is(t, int64(0))(c.Exists(ctx, "digest:gone:LOCKED", "digest:mail:LOCKED").Result())
	must(t, c.LRem(ctx, "queue:low", 1, "no JSON").Err())
}

// sidekiqWorkers: pollers and workers at the same time, on keys that they build; every job is done
// once.
func sidekiqWorkers(t *testing.T, ctx context.Context, c *redis.Client) {
	must(t, c.FlushAll(ctx).Err())
	const jobs = 400
	for i := range jobs {
		must(t, c.ZAdd(ctx, "schedule", redis.Z{Score: float64(i), Member: sidekiqJob(fmt.Sprint(i), fmt.Sprintf("q%d", i%5))}).Err())
	}
	var polling sync.WaitGroup
	for range 2 {
		polling.Go(func() {
			for {
				n, err := pollDue.Run(ctx, c, []string{"schedule"}, jobs, 7).Int64()
				if err != nil {
					t.Error(err)
				}
				if n == 0 {
					return
				}
			}
		})
	}
	work(t, 3, jobs, func(w int) (string, error) {
		own := fmt.Sprintf("working:%d", w)
		got, err := fetch.Run(ctx, c, []string{own}, "q0", "q1", "q2", "q3", "q4").StringSlice()
		if err != nil {
			return "", skipNil(err)
		}
		if n := c.LRem(ctx, own, 1, got[1]).Val(); n != 1 {
			t.Errorf("%d of %s in the worker's own list", n, got[1])
		}
		return got[1], nil
	})
	polling.Wait()
	must(t, lockUnique.Run(ctx, c, []string{"digest:left"}, "a", 1, 3_600_000, 100).Err())
}
