package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/tests/randtest"
)

const evictStart = int64(1_700_000_000_000)

// noLimit keeps Relieve from compacting.
const noLimit = int64(1) << 40

func evictStore(t testing.TB, policy string, shards, samples int) (*Store, *Evictor) {
	t.Helper()
	s, err := Open(Options{Shards: shards, Databases: 3, Meter: meterOf(policy)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.SetSamples(samples)
	return s, s.NewEvictor()
}

// victimModel is what a model knows of a key.
type victimModel struct {
	read, written int64 // unix seconds
	expire        int64
	frequency     int64 // as the store has it
}

// better tells whether x is evicted before y: only the rule's own order, so that
// both may be true for two keys.
func (x *victimModel) better(y *victimModel, rule eviction.Rule, now int64) bool {
	if gone := y.expire != 0 && y.expire <= now; gone {
		return false
	}
	if x.expire != 0 && x.expire <= now {
		return true
	}
	switch rule {
	case eviction.LRU:
		return x.read < y.read
	case eviction.LRM:
		return x.written < y.written
	case eviction.TTL:
		return x.expire < y.expire
	case eviction.LFU:
		return x.frequency < y.frequency
	}
	return false
}

// With as many samples as there are keys, and more, the victim is exactly the one
// that the policy names, whichever shard and database it is in.
func TestEvictAgainstModel(t *testing.T) {
	for _, policy := range eviction.Names() {
		p, _ := eviction.ParsePolicy(policy)
		if p.Rule == eviction.NoEviction || p.Rule == eviction.LHD {
			continue
		}
		t.Run(policy, func(t *testing.T) {
			rng := randtest.New(t)
			s, e := evictStore(t, policy, 4, 200)
			e.seed(rng.Uint64())
			model := map[string]*victimModel{}
			now := evictStart
			var victim string
			s.OnRemove(func(db int, key []byte, why Removal) {
				victim = where(db, key)
				m := model[victim]
				if m == nil {
					t.Fatalf("%s was removed and is not there", victim)
				}
				if (why == Expired) != (m.expire != 0 && m.expire <= now) {
					t.Fatalf("%s was removed for reason %d at %d: %+v", victim, why, now, m)
				}
			})
			for range 2000 {
				now += rng.Int64N(3000)
				v := &View{Store: s, DB: rng.IntN(3), Now: now}
				k := s.Key(fmt.Append(nil, "key:", rng.IntN(40)))
				name := where(v.DB, k.Name)
				m := model[name]
				if m != nil && m.expire != 0 && m.expire <= now {
					m = nil
				}
				switch op := rng.IntN(8); {
				case op < 2:
					expire := int64(0)
					if rng.IntN(2) == 0 {
						expire = now + 1 + rng.Int64N(1e6)
					}
					v.SetString(k, make([]byte, rng.IntN(100)), expire)
					model[name] = &victimModel{read: now / 1000, written: now / 1000, expire: expire}
				case op < 5:
					if _, _, err := v.GetString(k); err != nil {
						t.Fatal(err)
					}
					if m != nil {
						m.read = now / 1000
					}
				default:
					for name, m := range model {
						var k string
						fmt.Sscanf(name, "%d/%s", &v.DB, &k)
						e, _ := v.Peek(s.Key([]byte(k)))
						m.frequency = e.Frequency(v)
					}
					want := best(model, p, now)
					victim = ""
					progress := e.burst(now, 1)
					if progress != (len(want) > 0) || progress != (victim != "") {
						t.Fatalf("progress is %v, victim %q of %q", progress, victim, want)
					}
					if progress && !slices.Contains(want, victim) {
						t.Fatalf("%s %+v was evicted instead of one of %q, %+v", victim, model[victim], want, model[want[0]])
					}
					delete(model, victim)
				}
			}
		})
	}
}

// candidates are the keys that a policy may evict.
func candidates(model map[string]*victimModel, p eviction.Policy) (names []string) {
	for name, m := range model {
		if !p.Volatile || m.expire != 0 {
			names = append(names, name)
		}
	}
	return names
}

// best are those of them than which none is better.
func best(model map[string]*victimModel, p eviction.Policy, now int64) (names []string) {
	all := candidates(model, p)
	if p.Rule == eviction.Random {
		return all
	}
	for _, x := range all {
		if !slices.ContainsFunc(all, func(y string) bool { return model[y].better(model[x], p.Rule, now) }) {
			names = append(names, x)
		}
	}
	return names
}

// fillAged adds keys that were last used one second after the other, in random
// order, and returns their names from the oldest to the newest and the time.
func fillAged(s *Store, rng *rand.Rand, keys, size int, expire int64) (names []string, now int64) {
	now = evictStart
	for _, i := range rng.Perm(keys) {
		name := fmt.Sprint("key:", i)
		v := &View{Store: s, Now: now}
		v.SetString(s.Key([]byte(name)), make([]byte, size), expire)
		names = append(names, name)
		now += 1000
	}
	return names, now
}

// With few samples it is old keys that go: the mean of the victims' places, 0 for
// the oldest and 1 for the newest, is what the best fifth of all keys would have.
func TestEvictOldKeys(t *testing.T) {
	for _, c := range []struct {
		policy  string
		samples int
		mean    float64
		most    float64
	}{
		{"allkeys-lru", 5, 0.13, 0.5},
		{"allkeys-lru", 10, 0.07, 0.3},
		{"allkeys-lrm", 5, 0.13, 0.5},
		{"volatile-lru", 5, 0.13, 0.5},
		{"allkeys-random", 5, 0.53, 1},
	} {
		t.Run(fmt.Sprint(c.policy, c.samples), func(t *testing.T) {
			rng := randtest.New(t)
			s, e := evictStore(t, c.policy, 4, c.samples)
			e.seed(rng.Uint64())
			const keys = 20_000
			names, now := fillAged(s, rng, keys, 50, evictStart*2)
			place := map[string]int{}
			for i, name := range names {
				place[name] = i
			}
			sum, n, last := 0.0, 0, 0.0
			s.OnRemove(func(_ int, key []byte, _ Removal) {
				p := float64(place[string(key)]) / keys
				sum, n, last = sum+p, n+1, max(last, p)
			})
			for n < keys/50 {
				if !e.Relieve(now, 100, noLimit) {
					t.Fatal("nothing left")
				}
			}
			if mean := sum / float64(n); mean > c.mean || last > c.most {
				t.Errorf("%d victims are at %.3f of all keys in the mean, the last is at %.3f", n, mean, last)
			}
			if c.policy == "allkeys-random" && sum/float64(n) < 0.47 {
				t.Errorf("random victims are at %.3f of all keys", sum/float64(n))
			}
		})
	}
}

// A hundred large values in 64 shards are evicted by their order in the whole
// store.
func TestEvictFewLargeKeys(t *testing.T) {
	rng := randtest.New(t)
	s, e := evictStore(t, "allkeys-lru", 64, 5)
	e.seed(rng.Uint64())
	names, now := fillAged(s, rng, 100, 100_000, 0)
	var victims []string
	s.OnRemove(func(_ int, key []byte, _ Removal) { victims = append(victims, string(key)) })
	for len(victims) < 20 {
		before := s.Used()
		if !e.Relieve(now, 100_000, noLimit) {
			t.Fatal("nothing left")
		}
		if gone := before - s.Used(); gone > 300_000 {
			t.Errorf("%d bytes evicted for 100,000", gone)
		}
	}
	for _, name := range victims {
		if i := slices.Index(names, name); i > 35 {
			t.Errorf("%s was evicted, of which there are %d older ones", name, i)
		}
	}
}

// Each key of a store is as likely a victim at random as any other.
func TestEvictRandomKeys(t *testing.T) {
	rng := randtest.New(t)
	const rounds, keys = 300, 60
	s, e := evictStore(t, "allkeys-random", 1, 5)
	e.seed(rng.Uint64())
	count, n := map[string]int{}, 0
	s.OnRemove(func(_ int, key []byte, _ Removal) {
		if n++; n <= keys/4 {
			count[string(key)]++
		}
	})
	for range rounds {
		_, now := fillAged(s, rng, keys, 5000, 0)
		for n = 0; n < keys/4; {
			e.Relieve(now, 1, noLimit)
		}
		s.FlushLocked(0, now)
	}
	// Each is a victim with probability 1/4: 75 times of 300, give or take 7.5.
	for name, n := range count {
		if math.Abs(float64(n)-rounds/4) > 6*7.5 {
			t.Errorf("%s was a victim %d times of %d", name, n, rounds)
		}
	}
	if len(count) != keys {
		t.Errorf("only %d keys were ever victims", len(count))
	}
}

// A store that is full of small entries in many shards has more free slots than
// its limit allows for. Evicting must not go on because of them.
func TestEvictDespiteFragments(t *testing.T) {
	for _, keys := range []int{2000, 20_000, 100_000} {
		s, e := evictStore(t, "allkeys-lru", 64, 5)
		v := &View{Store: s, Now: evictStart}
		set := func(i int) { v.SetString(s.Key(fmt.Append(nil, "key:", i)), make([]byte, 80), 0) }
		for i := range keys {
			set(i)
		}
		const base = 3 << 20 // what a limit has to hold besides
		limit := s.Counted(int64(keys)*1000) + base
		limit = s.Counted(limit) + base
		for i := range keys {
			set(keys + i)
			for steps := 0; s.Counted(limit)+base > limit; steps++ {
				if !e.Relieve(v.Now, 125, limit) || steps == 1000 {
					t.Fatalf("%d keys: %d bytes are counted of %d after %d steps", keys, s.Counted(limit), limit, steps)
				}
			}
		}
		if n := s.Evicted(); n > int64(keys)*5/4+100 {
			t.Errorf("%d keys were evicted for %d new ones", n, keys)
		}
	}
}
