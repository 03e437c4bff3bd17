package libraries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// What Laravel's documentation says of its cache tags and queues on Redis, as scripts: a tag is a
// sorted set of the keys that have it by the time when they expire (-1: never), a queue is a list,
// a sorted set of delayed jobs and one of those that a worker has.
var (
	// tagPut stores an entry and notes it in all its tags. KEYS: entry, tags. ARGV: value, lifetime
	// in seconds (0: forever), now.
	tagPut = redis.NewScript(`
		local lifetime = tonumber(ARGV[2])
		local until_ = -1
		if lifetime > 0 then
			redis.call('SETEX', KEYS[1], lifetime, ARGV[1])
			until_ = ARGV[3] + lifetime
		else
			redis.call('SET', KEYS[1], ARGV[1])
		end
		for i = 2, #KEYS do
			redis.call('ZADD', KEYS[i], until_, KEYS[1])
		end
		return #KEYS - 1`)

	// tagFlush removes all entries of the tags, whose names no caller knows, and the tags. KEYS:
	// tags.
	tagFlush = redis.NewScript(`
		local removed = 0
		for _, tag in ipairs(KEYS) do
			local entries = redis.call('ZRANGE', tag, 0, -1)
			for from = 1, #entries, 1000 do
				removed = removed + redis.call('DEL', unpack(entries, from, math.min(from + 999, #entries)))
			end
			redis.call('DEL', tag)
		end
		return removed`)

	// tagStale forgets what has expired. KEYS: tags. ARGV: now.
	tagStale = redis.NewScript(`
		local stale = 0
		for i, tag in pairs(KEYS) do
			stale = stale + redis.call('ZREMRANGEBYSCORE', tag, 0, ARGV[1])
		end
		return stale`)

	// cacheAdd stores an entry that is not there yet. KEYS: entry. ARGV: value, seconds.
	cacheAdd = redis.NewScript(`return redis.call('EXISTS', KEYS[1]) < 1 and redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])`)

	// queuePush adds a job, and wakes up who waits. KEYS: queue, notifications. ARGV: job.
	queuePush = redis.NewScript(`
		redis.call('RPUSH', KEYS[1], ARGV[1])
		redis.call('RPUSH', KEYS[2], 1)`)

	// queuePop takes a job, counts the attempt inside it, and reserves it for a while. KEYS: queue,
	// reserved, notifications. ARGV: until when.
	queuePop = redis.NewScript(`
		local job, reserved = redis.call('LPOP', KEYS[1]), false
		if job ~= false then
			local body = cjson.decode(job)
			body['attempts'] = body['attempts'] + 1
			reserved = cjson.encode(body)
			redis.call('ZADD', KEYS[2], ARGV[1], reserved)
			redis.call('LPOP', KEYS[3])
		end
		return {job, reserved}`)

	// queueRelease gives a job back, for later. KEYS: delayed, reserved. ARGV: job, when.
	queueRelease = redis.NewScript(`
		redis.call('ZREM', KEYS[2], ARGV[1])
		redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
		return true`)

	// queueMigrate moves jobs whose time has come into the queue. KEYS: delayed or reserved, queue,
	// notifications. ARGV: now, at most how many.
	queueMigrate = redis.NewScript(`
		local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
		if next(due) ~= nil then
			redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #due - 1)
			for i = 1, #due, 100 do
				redis.call('RPUSH', KEYS[2], unpack(due, i, math.min(i + 99, #due)))
				for j = i, math.min(i + 99, #due) do redis.call('RPUSH', KEYS[3], 1) end
			end
		end
		return due`)

	// durationLimit lets a number of callers pass in a period. KEYS: limit. ARGV: now, period, at
	// most. It returns whether the caller passes, when the period ends, and how many more may pass.
	durationLimit = redis.NewScript(`
		local function reset()
			redis.call('HMSET', KEYS[1], 'start', ARGV[1], 'end', ARGV[1] + ARGV[2], 'count', 1)
			return redis.call('EXPIRE', KEYS[1], ARGV[2] * 2)
		end
		if redis.call('EXISTS', KEYS[1]) == 0 then
			return {reset(), ARGV[1] + ARGV[2], ARGV[3] - 1}
		end
		if ARGV[1] >= redis.call('HGET', KEYS[1], 'start') and ARGV[1] <= redis.call('HGET', KEYS[1], 'end') then
			return {
				tonumber(redis.call('HINCRBY', KEYS[1], 'count', 1)) <= tonumber(ARGV[3]),
				redis.call('HGET', KEYS[1], 'end'),
				ARGV[3] - redis.call('HGET', KEYS[1], 'count')
			}
		end
		return {reset(), ARGV[1] + ARGV[2], ARGV[3] - 1}`)
)

// TestLaravel runs the scripts of a Laravel application, with the log on: what they did outlives a
// crash.
func TestLaravel(t *testing.T) {
	eachThreads(t, laravel)
}

func laravel(t *testing.T, s *harness.Server) {
	c := client(t, s, 2)
	t.Run("tags", func(t *testing.T) { laravelTags(t, t.Context(), c) })
	t.Run("add", func(t *testing.T) { laravelAdd(t, t.Context(), c) })
	t.Run("queue", func(t *testing.T) { laravelQueue(t, t.Context(), c) })
	t.Run("workers", func(t *testing.T) { laravelWorkers(t, t.Context(), c) })
	t.Run("limiter", func(t *testing.T) { laravelLimiter(t, t.Context(), c) })
	outlivesCrash(t, s)
}

// outlivesCrash kills the server, starts it again and compares what it holds. The last write is
// synced, and with it all before it.
func outlivesCrash(t *testing.T, s *harness.Server) {
	t.Helper()
	conn := s.Dial(t)
	conn.MustOK("CONFIG", "SET", "appendfsync", "always")
	conn.MustOK("SET", "last", "write")
	want := harness.Contents(t, s)
	if len(want) == 1 {
		t.Error("nothing is left to compare")
	}
	s.Kill(t)
	harness.SameContents(t, "after a crash", want, harness.Contents(t, s.Restart(t)))
}

func laravelTags(t *testing.T, ctx context.Context, c *redis.Client) {
	now := time.Now().Unix()
	put := func(name string, seconds int, tags ...string) {
		keys := []string{"cache:" + name}
		for _, tag := range tags {
			keys = append(keys, "cache:tag:"+tag+":entries")
		}
		is(t, int64(len(tags)))(tagPut.Run(ctx, c, keys, "value of "+name, seconds, now).Int64())
	}
	const many = 2500 // more than one DEL takes
	for i := range many {
		put("page:"+strconv.Itoa(i), 3600, "pages")
	}
	put("both", 3600, "pages", "news")
	put("forever", 0, "news", "static")
	put("other", 3600, "users")
	is(t, int64(many+1))(c.ZCard(ctx, "cache:tag:pages:entries").Result())
	is(t, int64(many+1))(tagFlush.Run(ctx, c, []string{"cache:tag:pages:entries"}).Int64())
	is(t, int64(0))(c.Exists(ctx, "cache:both", "cache:page:1", "cache:tag:pages:entries").Result())
	is(t, int64(2))(c.Exists(ctx, "cache:forever", "cache:other").Result())
	stale := []string{"cache:tag:news:entries", "cache:tag:users:entries", "cache:tag:none:entries"}
	is(t, int64(0))(tagStale.Run(ctx, c, stale, now).Int64())
	is(t, int64(2))(tagStale.Run(ctx, c, stale, now+7200).Int64()) // "both" and "other", but not what is kept forever
	is(t, int64(1))(tagFlush.Run(ctx, c, []string{"cache:tag:news:entries", "cache:tag:static:entries"}).Int64())
}

func laravelAdd(t *testing.T, ctx context.Context, c *redis.Client) {
	is[any](t, "OK")(cacheAdd.Run(ctx, c, []string{"added"}, "first", 600).Result())
	if err := cacheAdd.Run(ctx, c, []string{"added"}, "second", 600).Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("added twice: %v", err)
	}
	is(t, "first")(c.Get(ctx, "added").Result())
}

func laravelQueue(t *testing.T, ctx context.Context, c *redis.Client) {
	const queue, notify, reserved, delayed = "queues:mail", "queues:mail:notify", "queues:mail:reserved", "queues:mail:delayed"
	job := `{"id":"Zq","attempts":0,"data":{"to":"ada@example.org","tags":["a","b"]}}`
	if err := queuePush.Run(ctx, c, []string{queue, notify}, job).Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a script that returns nothing: %v", err)
	}
	pop := func() (was, is string) {
		got, err := queuePop.Run(ctx, c, []string{queue, reserved, notify}, 1000).Slice()
		must(t, err)
		was, _ = got[0].(string)
		is, _ = got[1].(string)
		return was, is
	}
	was, now := pop()
	var body struct {
		ID       string
		Attempts int
		Data     struct{ Tags []string }
	}
	must(t, json.Unmarshal([]byte(now), &body))
	if was != job || body.ID != "Zq" || body.Attempts != 1 || len(body.Data.Tags) != 2 {
		t.Errorf("popped %s as %s", was, now)
	}
	is(t, 1000.0)(c.ZScore(ctx, reserved, now).Result())
	is[any](t, int64(1))(queueRelease.Run(ctx, c, []string{delayed, reserved}, now, 2000).Result())
	if was, now := pop(); was != "" || now != "" {
		t.Errorf("popped %q, %q from an empty queue", was, now)
	}
	is(t, []string{})(queueMigrate.Run(ctx, c, []string{delayed, queue, notify}, 1999, 10).StringSlice())
	is(t, []string{now})(queueMigrate.Run(ctx, c, []string{delayed, queue, notify}, 2000, 10).StringSlice())
	is(t, int64(1))(c.LLen(ctx, notify).Result())
	for i := range 350 {
		must(t, c.ZAdd(ctx, delayed, redis.Z{Score: float64(i), Member: fmt.Sprintf(`{"attempts":0,"n":%d}`, i)}).Err())
	}
	for _, want := range []int64{300, 350} {
		must(t, queueMigrate.Run(ctx, c, []string{delayed, queue, notify}, 5000, 300).Err())
		is(t, want+1)(c.LLen(ctx, queue).Result())
	}
}

// laravelWorkers: every job goes to one worker, whoever pushes and migrates meanwhile.
func laravelWorkers(t *testing.T, ctx context.Context, c *redis.Client) {
	const jobs, delayed, workers = 300, 100, 4
	keys := []string{"queues:work", "queues:work:reserved", "queues:work:notify"}
	var pushing sync.WaitGroup
	pushing.Go(func() {
		for i := range jobs {
			job := fmt.Sprintf(`{"attempts":0,"n":%d}`, i)
			err := skipNil(queuePush.Run(ctx, c, []string{keys[0], keys[2]}, job).Err())
			if i%3 == 0 { // one more, by way of the delayed
				later := redis.Z{Score: 1, Member: fmt.Sprintf(`{"attempts":0,"delayed":%d}`, i)}
				err = errors.Join(err, c.ZAdd(ctx, "queues:work:delayed", later).Err(),
					queueMigrate.Run(ctx, c, []string{"queues:work:delayed", keys[0], keys[2]}, 2, 10).Err())
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	work(t, workers, jobs+delayed, func(int) (string, error) {
		got, err := queuePop.Run(ctx, c, keys, 1000).Slice()
		if err != nil {
			return "", err
		}
		reserved, ok := got[1].(string)
		if !ok { // a worker waits when there is nothing
			err = skipNil(c.BLPop(ctx, time.Second, keys[2]).Err())
		}
		return reserved, err
	})
	pushing.Wait()
	is(t, int64(jobs+delayed))(c.ZCard(ctx, keys[1]).Result())
}

// skipNil takes the reply of a script that returns nothing for no error.
func skipNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

func laravelLimiter(t *testing.T, ctx context.Context, c *redis.Client) {
	pass := func(now int) []any {
		got, err := durationLimit.Run(ctx, c, []string{"limit:api"}, now, 60, 3).Slice()
		must(t, err)
		return got
	}
	is[any](t, []any{int64(1), int64(1060), int64(2)})(pass(1000), nil)
	is[any](t, []any{int64(1), "1060", int64(1)})(pass(1010), nil)
	is[any](t, []any{int64(1), "1060", int64(0)})(pass(1010), nil)
	is[any](t, []any{nil, "1060", int64(-1)})(pass(1060), nil)
	is[any](t, []any{int64(1), int64(1121), int64(2)})(pass(1061), nil)
}
