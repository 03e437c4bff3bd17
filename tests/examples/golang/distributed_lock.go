package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// distributedLock: a lock that servers share, for a job that only one of them is to do. SET NX PX
// takes it, scripts give it back and prolong it. Comparing the owner's token and removing the lock
// must be one step, or an owner that was too slow removes the lock of the next one. The script does
// both in one call.
func distributedLock(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const servers = 10
	locks := make([]*sharedLock, servers)
	var group sync.WaitGroup
	for i := range locks {
		locks[i] = newLock(cache, "nightly", time.Minute)
		group.Go(func() { locks[i].acquire(ctx) })
	}
	group.Wait()
	var owner *sharedLock
	owners := 0
	for _, l := range locks {
		if l.failure != nil {
			return l.failure
		}
		if l.owned {
			owner = l
			owners++
		}
	}
	p := &printer{out: out}
	p.line("servers: %d", servers)
	p.line("do the job: %d", owners)
	stranger := newLock(cache, "nightly", time.Minute)
	p.line("the owner prolongs: %s", yesNo(owner.prolong(ctx, 2*time.Minute)))
	p.line("more than a minute left: %s", yesNo(cache.PTTL(ctx, owner.name).Val() > time.Minute))
	p.line("a stranger prolongs: %s", yesNo(stranger.prolong(ctx, 2*time.Minute)))
	p.line("a stranger releases: %s", yesNo(stranger.release(ctx)))
	p.line("the owner releases: %s", yesNo(owner.release(ctx)))
	p.line("the next one gets it: %s", yesNo(stranger.acquire(ctx)))

	slow, other := newLock(cache, "short", 30*time.Millisecond), newLock(cache, "short", time.Minute)
	slow.acquire(ctx)
	for other.failure == nil && !other.acquire(ctx) {
	}
	p.line("too slow, still the owner: %s", yesNo(slow.prolong(ctx, time.Minute)))
	p.line("removes the other's lock: %s", yesNo(slow.release(ctx)))
	p.line("the other has it: %s", yesNo(cache.Get(ctx, other.name).Val() == other.token))
	return errors.Join(owner.failure, stranger.failure, slow.failure, other.failure, p.err)
}

// sharedLock is one server's hand on a lock. It remembers the first failure.
type sharedLock struct {
	cache    *redis.Client
	name     string
	token    string
	lifetime time.Duration
	owned    bool
	failure  error
}

func newLock(cache *redis.Client, name string, lifetime time.Duration) *sharedLock {
	return &sharedLock{cache: cache, name: "lock:" + name, token: rand.Text(), lifetime: lifetime}
}

func (l *sharedLock) acquire(ctx context.Context) bool {
	l.owned = l.held(l.cache.SetNX(ctx, l.name, l.token, l.lifetime).Result())
	return l.owned
}

func (l *sharedLock) prolong(ctx context.Context, more time.Duration) bool {
	return l.held(redis.NewScript(`
		if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
		return redis.call('PEXPIRE', KEYS[1], ARGV[2])`).Run(ctx, l.cache, []string{l.name}, l.token, more.Milliseconds()).Bool())
}

func (l *sharedLock) release(ctx context.Context) bool {
	return l.held(redis.NewScript(`
		if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
		return redis.call('DEL', KEYS[1])`).Run(ctx, l.cache, []string{l.name}, l.token).Bool())
}

func (l *sharedLock) held(ok bool, err error) bool {
	if l.failure == nil {
		l.failure = err
	}
	return ok && err == nil
}
