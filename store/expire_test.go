package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

// expiryRun is a store with a clock, and what its keys' times are.
type expiryRun struct {
	t      *testing.T
	s      *Store
	now    int64
	expire []map[string]int64 // by database
}

func newExpiryRun(t *testing.T, s *Store) *expiryRun {
	r := &expiryRun{t: t, s: s, now: 1_700_000_000_000}
	for range s.Databases() {
		r.expire = append(r.expire, map[string]int64{})
	}
	s.Listen(ClassExpired, func(db int, key []byte, _ Event) {
		at, ok := r.expire[db][string(key)]
		if late := r.now - at; !ok || late < 0 || late >= latest {
			t.Errorf("%s of database %d goes %d ms after its time", key, db, late)
		}
		delete(r.expire[db], string(key))
	})
	return r
}

// set makes a key that expires at the given time.
func (r *expiryRun) set(db int, name string, expire int64) {
	v := View{Store: r.s, DB: db, Now: r.now}
	k := r.s.Key([]byte(name))
	r.s.Lock(k.Shard())
	v.SetString(k, nil, expire)
	r.s.Unlock(k.Shard())
	r.expire[db][name] = expire
}

// maintain works until there is nothing to do, and returns when it wants to be called again.
func (r *expiryRun) maintain(usual int64) (next int64) {
	for more := true; more; {
		var err error
		if more, err = r.s.Maintain(r.now); err != nil {
			r.t.Fatal(err)
		}
	}
	rest := r.s.Rest(time.UnixMilli(r.now), time.Duration(usual)*time.Millisecond)
	if rest <= 0 || rest > time.Duration(usual)*time.Millisecond {
		r.t.Fatalf("after all is done it wants to rest %v", rest)
	}
	return r.now + rest.Milliseconds()
}

// rung reports whether the rest is to end early.
func (r *expiryRun) rung() bool {
	select {
	case <-r.s.Bell():
		return true
	default:
		return false
	}
}

// TestExpiryIsTimely: whatever happens to keys and databases, every key that expires goes within
// two ticks when the store is maintained as it asks for, however seldom that is besides.
func TestExpiryIsTimely(t *testing.T) {
	rng := randtest.New(t)
	for _, usual := range []int64{1000, 100, 7} {
		s := testStore(t)
		r := newExpiryRun(t, s)
		all := 0
		for end := r.now + 30_000; r.now < end; {
			next := r.maintain(usual)
			for !r.rung() && r.now < next {
				for range rng.IntN(40) {
					db, name := rng.IntN(2), fmt.Sprint("key:", rng.IntN(20_000))
					v := View{Store: s, DB: db, Now: r.now}
					k := s.Key([]byte(name))
					switch at, there := r.expire[db][name]; {
					case there && at <= r.now: // the writer would remove it, and be told of it
					case rng.IntN(8) > 0:
						r.set(db, name, r.now+1+rng.Int64N(1<<rng.IntN(18)))
						all++
					case rng.IntN(2) == 0:
						s.Lock(k.Shard())
						v.Delete(k)
						s.Unlock(k.Shard())
						delete(r.expire[db], name)
					default:
						s.Lock(k.Shard())
						v.Persist(k)
						s.Unlock(k.Shard())
						delete(r.expire[db], name)
					}
				}
				if rng.IntN(3000) == 0 {
					s.LockAll()
					(&View{Store: s, Now: r.now}).SwapLocked(0, 1)
					r.expire[0], r.expire[1] = r.expire[1], r.expire[0]
					s.UnlockAll()
				}
				if rng.IntN(20_000) == 0 {
					s.LockAll()
					s.FlushLocked(0, r.now)
					clear(r.expire[0])
					s.UnlockAll()
				}
				r.now++
			}
		}
		left := len(r.expire[0]) + len(r.expire[1])
		for end := r.now + 1<<17 + latest; r.now < end; {
			r.now = r.maintain(usual)
		}
		if n := len(r.expire[0]) + len(r.expire[1]); n != 0 {
			t.Errorf("%d of %d keys stay for ever", n, left)
		}
		if s.Expired() < int64(all)/8 {
			t.Fatalf("%d of %d keys expired: the test tests little", s.Expired(), all)
		}
	}
}

// TestLongLivesAreNotLookedAtTogether: keys whose time is further ahead than hints go are looked at
// before, but those that came at one moment not at one moment.
func TestLongLivesAreNotLookedAtTogether(t *testing.T) {
	s := testStore(t)
	r := newExpiryRun(t, s)
	const hour, keys = 3600_000, 60_000
	for i := range keys {
		r.set(0, fmt.Sprint("key:", i), r.now+10*hour)
	}
	end := r.now + 11*hour
	for first := r.now + hour; r.now < first; { // each is looked at once or twice
		r.now = r.maintain(5000)
	}
	dues, subs := map[uint32]bool{}, 0
	for i := range s.shards {
		subs = max(subs, len(s.shards[i].dbs[0].subs))
		for _, sub := range s.shards[i].dbs[0].subs {
			dues[sub.due] = true
			if ahead := sub.due - tickAt(r.now); ahead > hintAhead {
				t.Errorf("a sub-table is looked at %d ticks later", ahead)
			}
		}
	}
	if len(dues) < subs {
		t.Errorf("%d sub-tables are looked at at %d different times", subs, len(dues))
	}
	for r.now < end {
		r.now = r.maintain(5000)
	}
	if left := len(r.expire[0]); left != 0 || s.Expired() != keys {
		t.Errorf("%d keys are left, %d expired", left, s.Expired())
	}
}

// TestRest: how long the caller of Maintain may sleep, and what ends it early.
func TestRest(t *testing.T) {
	s := testStore(t)
	r := newExpiryRun(t, s)
	const usual = 1000
	check := func(what string, least, most int64, rung bool) {
		t.Helper()
		if next := r.maintain(usual); next < r.now+least || next > r.now+most {
			t.Errorf("%s: it rests for %d ms, want %d to %d", what, next-r.now, least, most)
		}
		if r.rung() != rung {
			t.Errorf("%s: rung is %v", what, !rung)
		}
	}
	check("nothing expires", usual, usual, false)
	r.set(0, "late", r.now+5000)
	check("something expires later", usual, usual, false)
	r.set(1, "soon", r.now+300)
	if !r.rung() {
		t.Error("what comes after the rest has begun does not ring")
	}
	check("something expires soon", 300, 300+latest, false)
	r.set(0, "sooner", r.now+100)
	r.set(2, "soonest", r.now+10)
	if !r.rung() || r.rung() {
		t.Error("two keys do not ring once")
	}
	check("two expire sooner", 10, 10+latest, false)
	r.set(1, "as late", r.now+200)
	check("one that expires behind them", 10, 10+latest, false)
	s.SetActiveExpire(false)
	check("nothing is to be removed", usual, usual, false)
}

// TestExpiredOnArrival: a record that came with a time long past, as the replay of a log may bring,
// goes at once.
func TestExpiredOnArrival(t *testing.T) {
	s := testStore(t)
	r := newExpiryRun(t, s)
	s.Listen(0, nil)
	for i, expire := range []int64{1, 1 << 33, r.now - 1, r.now, r.now - 50*24*3600_000} {
		r.set(0, fmt.Sprint("key:", i), expire)
	}
	r.now += latest
	r.maintain(1000)
	if s.Expired() != 5 {
		t.Errorf("%d of 5 keys are gone", s.Expired())
	}
}
