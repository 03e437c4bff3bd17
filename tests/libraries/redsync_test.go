package libraries

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	driver "github.com/go-redsync/redsync/v4/redis"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// TestRedsync takes locks that three servers must agree on: one owner, extension, another's token,
// a lock that has expired, and counting that loses nothing.
func TestRedsync(t *testing.T) {
	t.Parallel()
	var pools []driver.Pool
	var servers []*redis.Client
	for range 3 {
		c := client(t, harness.StartSubject(t), 3)
		servers = append(servers, c)
		pools = append(pools, goredis.NewPool(c))
	}
	locks := redsync.New(pools...)
	t.Run("owner", func(t *testing.T) { redsyncOwner(t, locks, servers) })
	t.Run("expiry", func(t *testing.T) { redsyncExpiry(t, locks) })
	t.Run("majority", func(t *testing.T) { redsyncMajority(t, locks, servers) })
	t.Run("exclusion", func(t *testing.T) { redsyncExclusion(t, locks) })
}

func redsyncOwner(t *testing.T, locks *redsync.Redsync, servers []*redis.Client) {
	first := locks.NewMutex("owner", redsync.WithExpiry(time.Minute))
	second := locks.NewMutex("owner", redsync.WithTries(1))
	must(t, first.Lock())
	var taken *redsync.ErrTaken
	if err := second.Lock(); !errors.As(err, &taken) {
		t.Errorf("a second owner: %v", err)
	}
	if ok, err := second.Unlock(); ok || err == nil {
		t.Errorf("a stranger unlocks: %v, %v", ok, err)
	}
	before := servers[0].PTTL(t.Context(), "owner").Val()
	if ok, err := locks.NewMutex("owner", redsync.WithValue("a stranger's"), redsync.WithExpiry(time.Minute)).Extend(); ok || err == nil {
		t.Errorf("a stranger extends: %v, %v", ok, err)
	}
	if ok, err := first.Extend(); !ok || err != nil {
		t.Errorf("Extend: %v, %v", ok, err)
	}
	if after := servers[0].PTTL(t.Context(), "owner").Val(); before <= 0 || after > time.Minute {
		t.Errorf("%v are left, %v after Extend", before, after)
	}
	if ok, err := first.Unlock(); !ok || err != nil {
		t.Errorf("Unlock: %v, %v", ok, err)
	}
	for _, c := range servers {
		if n := c.Exists(t.Context(), "owner").Val(); n != 0 {
			t.Error("the lock is left")
		}
	}
	must(t, second.Lock())
}

func redsyncExpiry(t *testing.T, locks *redsync.Redsync) {
	short := locks.NewMutex("short", redsync.WithExpiry(200*time.Millisecond))
	must(t, short.Lock())
	other := locks.NewMutex("short", redsync.WithExpiry(time.Minute), redsync.WithRetryDelay(5*time.Millisecond), redsync.WithTries(10_000))
	must(t, other.Lock()) // once the first has expired
	if ok, err := short.Extend(); ok || err == nil {
		t.Errorf("an expired lock is extended: %v, %v", ok, err)
	}
	if ok, err := short.Unlock(); ok || err == nil {
		t.Errorf("an expired lock is released: %v, %v", ok, err)
	}
	if ok, err := other.Unlock(); !ok || err != nil {
		t.Errorf("Unlock: %v, %v", ok, err)
	}
}

// redsyncMajority: a lock that one of three servers has lost is still held.
func redsyncMajority(t *testing.T, locks *redsync.Redsync, servers []*redis.Client) {
	lock := locks.NewMutex("majority", redsync.WithExpiry(time.Minute))
	must(t, lock.Lock())
	must(t, servers[1].Del(t.Context(), "majority").Err())
	if err := locks.NewMutex("majority", redsync.WithTries(1)).Lock(); err == nil {
		t.Error("two owners")
	}
	if ok, err := lock.Unlock(); !ok {
		t.Errorf("Unlock: %v", err)
	}
}

func redsyncExclusion(t *testing.T, locks *redsync.Redsync) {
	const workers, rounds = 4, 25
	count := 0 // the lock alone guards it
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			lock := locks.NewMutex("count", redsync.WithExpiry(time.Minute), redsync.WithTries(100_000), redsync.WithRetryDelay(time.Millisecond))
			for range rounds {
				if err := lock.Lock(); err != nil {
					t.Error(err)
					return
				}
				count++
				if _, err := lock.Unlock(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if count != workers*rounds {
		t.Errorf("%d of %d counted", count, workers*rounds)
	}
}
