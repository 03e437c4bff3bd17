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
		checkAccounts(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.SetSamples(samples)
	return s, s.NewEvictor()
}

// victimModel is what a model knows of a key.
type victimModel struct {
	db            int
	k             Key
	read, written int64 // unix seconds
	expire        int64
	frequency     int64 // as the store has it
}

// better reports whether x is evicted before y: only the rule's own order, so that
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
			s.Listen(ClassExpired|ClassEvicted, func(db int, key []byte, why Event) {
				victim = where(db, key)
				m := model[victim]
				if m == nil {
					t.Fatalf("%s was removed and is not there", victim)
				}
				if (why == EventExpired) != (m.expire != 0 && m.expire <= now) {
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
					model[name] = &victimModel{db: v.DB, k: k, read: now / 1000, written: now / 1000, expire: expire}
				case op < 5:
					if _, _, err := v.GetString(k); err != nil {
						t.Fatal(err)
					}
					if m != nil {
						m.read = now / 1000
					}
				default:
					for _, m := range model {
						v.DB = m.db
						e, _ := v.Peek(m.k)
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
	const stores = 16 // the victims of a single one are too few: at random they deviate by 0.014
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
			var places []float64
			for range stores {
				places = append(places, evictedPlaces(t, rng, c.policy, c.samples)...)
			}
			sum := 0.0
			for _, p := range places {
				sum += p
			}
			mean, last := sum/float64(len(places)), slices.Max(places)
			if mean > c.mean || last > c.most {
				t.Errorf("%d victims are at %.3f of all keys in the mean, the last is at %.3f", len(places), mean, last)
			}
			if c.policy == "allkeys-random" && mean < 0.47 {
				t.Errorf("random victims are at %.3f of all keys", mean)
			}
		})
	}
}

// evictedPlaces are the places by age, 0 for the oldest key and 1 for the newest, of a fiftieth of a
// store's keys, which are evicted.
func evictedPlaces(t *testing.T, rng *rand.Rand, policy string, samples int) (places []float64) {
	t.Helper()
	s, e := evictStore(t, policy, 4, samples)
	e.seed(rng.Uint64())
	const keys = 20_000
	names, now := fillAged(s, rng, keys, 50, evictStart*2)
	place := map[string]int{}
	for i, name := range names {
		place[name] = i
	}
	s.Listen(ClassExpired|ClassEvicted, func(_ int, key []byte, _ Event) {
		places = append(places, float64(place[string(key)])/keys)
	})
	for len(places) < keys/50 {
		if !e.Relieve(now, 100, noLimit) {
			t.Fatal("nothing left")
		}
	}
	return places
}

// A hundred large values in 64 shards are evicted by their order in the whole
// store.
func TestEvictFewLargeKeys(t *testing.T) {
	rng := randtest.New(t)
	s, e := evictStore(t, "allkeys-lru", 64, 5)
	e.seed(rng.Uint64())
	names, now := fillAged(s, rng, 100, 100_000, 0)
	var victims []string
	s.Listen(ClassExpired|ClassEvicted, func(_ int, key []byte, _ Event) { victims = append(victims, string(key)) })
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
	s.Listen(ClassExpired|ClassEvicted, func(_ int, key []byte, _ Event) {
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
	for _, keys := range []int{10_000, 30_000, 100_000} {
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

// The volatile policies find the one key with an expiry time, in bounded steps, also
// behind hints of expiry that others have left; they never say that there is none
// before, and never touch another.
func TestEvictOneVolatileKey(t *testing.T) {
	for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-lrm", "volatile-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) { findOneVolatileKey(t, policy, false) })
	}
	t.Run("left over hints", func(t *testing.T) { findOneVolatileKey(t, "volatile-ttl", true) })
}

func findOneVolatileKey(t *testing.T, policy string, stale bool) {
	s, e := evictStore(t, policy, 4, 5)
	v := &View{Store: s, Now: evictStart}
	const keys = 50_000
	one := s.Key([]byte("key:77"))
	for i := range keys {
		k := s.Key(fmt.Append(nil, "key:", i))
		expire := int64(0)
		if stale {
			expire = evictStart + 1e6
		}
		v.SetString(k, []byte("value"), expire)
		if stale {
			v.Persist(k)
		}
	}
	v.SetExpire(one, evictStart+1e6)
	for steps := 0; s.Evicted() == 0; steps++ {
		if !e.Relieve(v.Now, 1, noLimit) {
			t.Fatalf("nothing left after %d steps", steps)
		}
		if e.left < -slots*pickAhead {
			t.Fatalf("a step looked at %d places", searchSteps-e.left)
		}
		if steps > 10_000 {
			t.Fatal("the key was not found")
		}
	}
	if e.Relieve(v.Now, 1, noLimit) || s.Evicted() != 1 || s.DB(0).Keys != keys-1 {
		t.Errorf("%d keys evicted, %d left", s.Evicted(), s.DB(0).Keys)
	}
	if _, ok := v.Peek(one); ok {
		t.Error("another key was evicted")
	}
}

// Whatever a store holds, Relieve comes to an end: with everything that may be
// evicted gone, and all of it freed.
func TestRelieveEnds(t *testing.T) {
	rng := randtest.New(t)
	for _, policy := range eviction.Names() {
		for round := range 6 {
			t.Run(fmt.Sprint(policy, round), func(t *testing.T) { relieveToTheEnd(t, rng, policy, round) })
		}
	}
}

func relieveToTheEnd(t *testing.T, rng *rand.Rand, policy string, round int) {
	s, e := evictStore(t, policy, []int{1, 4, 64}[round%3], 1+rng.IntN(12))
	e.seed(rng.Uint64())
	m := &mutator{t: t, rng: rng, s: s, now: evictStart}
	for range 50 << round {
		m.step()
	}
	for steps := 0; e.Relieve(m.now, 1+rng.Int64N(1<<20), 1+rng.Int64N(1<<30)); steps++ {
		if steps > 1e6 {
			t.Fatal("no end")
		}
	}
	p := s.Meter().Policy()
	for db := range s.Databases() {
		st := s.DB(db)
		var spared, dated int // what is never to be evicted
		for i := range s.shards {
			if tb := s.shards[i].dbs[db]; tb != nil {
				spared, dated = spared+tb.spared, dated+tb.sparedDated
			}
		}
		left := map[bool]int{false: st.Keys - spared, true: st.Expires - dated}[p.Volatile]
		if left > 0 && p.Rule != eviction.NoEviction {
			t.Errorf("left %+v, of which %d are spared, %d with a time", st, spared, dated)
		}
	}
	if s.Stats().Garbage != 0 {
		t.Error("garbage is left")
	}
	checkAtRest(t, s)
}

// A limit holds after any mix of sizes, big collections included, that is pushed in
// and replaced by another one.
func TestCountedUnderLimit(t *testing.T) {
	rng := randtest.New(t)
	s, e := evictStore(t, "allkeys-lru", 8, 5)
	e.seed(rng.Uint64())
	const limit = 24 << 20
	v := &View{Store: s, Now: evictStart}
	most := int64(0)
	for i := range 30_000 {
		k := s.Key(fmt.Append(nil, "key:", i))
		need := int64(0)
		switch phase := i / 5000; {
		case phase == 4 && i%1000 == 0:
			need = 8 << 20
			v.SetString(k, make([]byte, need), 0)
		case phase%3 == 2 && i%20 == 0:
			var pairs [][]byte
			for j := range 1 + rng.IntN(5000) {
				pairs = append(pairs, fmt.Append(nil, "field:", j), make([]byte, 30))
			}
			need = int64(len(pairs)/2) * 64
			if _, err := v.SetFields(k, pairs); err != nil {
				t.Fatal(err)
			}
		case phase%2 == 0:
			need = 80
			v.SetString(k, make([]byte, 80), 0)
		default:
			need = 1 << rng.IntN(14)
			v.SetString(k, make([]byte, need), 0)
		}
		v.Now += 20
		for steps := 0; s.Counted(limit) > limit; steps++ {
			if !e.Relieve(v.Now, need, limit) {
				t.Fatalf("key %d: %d bytes are counted and nothing is left", i, s.Counted(limit))
			}
			if steps > 1e5 {
				t.Fatalf("key %d: no end", i)
			}
		}
		if i > 1000 {
			most = max(most, s.Memory())
		}
	}
	if most > limit*5/4 {
		t.Errorf("%d bytes of memory were taken under a limit of %d", most, limit)
	}
	if s.Counted(limit) < limit*3/4 {
		t.Errorf("only %d bytes are left under a limit of %d", s.Counted(limit), limit)
	}
	checkAtRest(t, s)
}

// What is evicted while a snapshot runs is in the snapshot, does not count, and is
// not made up for by evicting more.
func TestEvictDuringSnapshot(t *testing.T) {
	s, e := evictStore(t, "allkeys-lru", 4, 5)
	v := &View{Store: s, Now: evictStart}
	for i := range 2000 {
		v.SetString(s.Key(fmt.Append(nil, "key:", i)), make([]byte, 80), 0)
	}
	for i := range 4 {
		var members [][]byte
		for j := range 10_000 {
			members = append(members, fmt.Append(nil, "member:", j))
		}
		if _, err := v.AddMembers(s.Key(fmt.Append(nil, "set:", i)), members); err != nil {
			t.Fatal(err)
		}
	}
	want := dump(s)
	sn, err := s.CutLocked(v.Now)
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{t: t, keys: map[string]string{}}
	sn.sink, sn.locked = c, true
	used := s.Used()
	for e.Relieve(v.Now, 1<<20, noLimit) {
	}
	if n := s.Evicted(); n != 2004 {
		t.Errorf("%d keys were evicted", n)
	}
	// Only tables' arrays are free; the rest waits for the snapshot.
	if now := s.Used(); now < used*3/4 {
		t.Errorf("%d bytes are in use of %d", now, used)
	}
	if n := s.Counted(noLimit); n > used/50 {
		t.Errorf("%d bytes are counted", n)
	}
	for sn.step() {
	}
	compare(t, c.keys, want)
	for e.Relieve(v.Now, 1<<20, noLimit) {
	}
	checkAtRest(t, s)
	if s.Stats().Used != 0 || s.orphans.Load() != 0 {
		t.Errorf("%d bytes in use, %d of orphans", s.Stats().Used, s.orphans.Load())
	}
}

// Eviction tells OnRemove and the watchers of a key.
func TestEvictTells(t *testing.T) {
	s, e := evictStore(t, "allkeys-lru", 4, 5)
	v := &View{Store: s, DB: 1, Now: evictStart}
	var told []string
	s.Listen(ClassExpired|ClassEvicted, func(db int, key []byte, why Event) { told = append(told, fmt.Sprint(db, " ", string(key), " ", why)) })
	k, gone := s.Key([]byte("k")), s.Key([]byte("gone"))
	v.SetString(k, nil, 0)
	v.SetString(gone, nil, evictStart+10)
	var w, other Watcher
	v.Watch(k, &w)
	v.Now += 20
	v.Watch(gone, &other)
	for e.Relieve(v.Now, 1, noLimit) {
	}
	slices.Sort(told)
	if want := []string{fmt.Sprint("1 gone ", EventExpired), fmt.Sprint("1 k ", EventEvicted)}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if s.Evicted() != 1 || s.Expired() != 1 {
		t.Errorf("%d evicted, %d expired", s.Evicted(), s.Expired())
	}
	if !s.DirtyLocked(&w, v.Now) || s.DirtyLocked(&other, v.Now) {
		t.Errorf("watchers are dirty: %v, %v", s.DirtyLocked(&w, v.Now), s.DirtyLocked(&other, v.Now))
	}
	s.Unwatch(&w)
	s.Unwatch(&other)
}

// A candidate that changes between being ranked and being evicted is spared.
func TestEvictFarCandidates(t *testing.T) {
	s, e := evictStore(t, "allkeys-lru", 2, 5)
	v := &View{Store: s, Now: evictStart}
	k := s.Key([]byte("k"))
	v.SetString(k, []byte("value"), 0)
	for what, change := range map[string]func(){
		"nothing":      func() {},
		"read":         func() { v.Read(k) },
		"overwritten":  func() { v.SetString(k, make([]byte, 1000), 0) },
		"deleted":      func() { v.Delete(k) },
		"flushed":      func() { s.FlushLocked(0, v.Now) },
		"swapped away": func() { v.SwapLocked(0, 1) },
	} {
		v.SetString(k, []byte("value"), 0)
		v.Now += 10_000
		e.burst(v.Now, 0) // sets up the step; the far pool stays empty with a want of nothing
		sh := &s.shards[k.shard]
		before := s.Evicted()
		v.SetString(k, []byte("value"), 0)
		v.Now += 10_000
		e.now, e.left = v.Now, searchSteps
		e.far.Reset()
		e.gather(sh, 1, 1)
		e.carry(sh)
		change()
		e.evictFar(1, 1)
		if n := s.Evicted() - before; (n == 1) != (what == "nothing") {
			t.Errorf("%s: %d evicted", what, n)
		}
		s.LockAll()
		s.FlushLocked(0, v.Now)
		s.FlushLocked(1, v.Now)
		s.UnlockAll()
	}
}

func TestEvictNoAllocations(t *testing.T) {
	for _, c := range []struct {
		policy             string
		shards, keys, size int
	}{
		{"allkeys-lru", 4, 20_000, 80},
		{"allkeys-lhd", 4, 20_000, 80},
		{"volatile-ttl", 4, 20_000, 80},
		{"allkeys-random", 4, 20_000, 80},
		{"allkeys-lfu", 64, 100, 10_000},
	} {
		s, e := evictStore(t, c.policy, c.shards, 5)
		v := &View{Store: s, Now: evictStart}
		names := make([][]byte, c.keys)
		for i := range names {
			names[i] = fmt.Appendf(nil, "key:%08d", i)
		}
		value := make([]byte, c.size)
		fill := func() {
			for _, name := range names {
				v.SetString(s.Key(name), value, evictStart*2)
			}
		}
		fill()
		for range 100 {
			e.Relieve(v.Now, 1, noLimit)
		}
		fill() // so that the lists of the arenas are long enough
		if n := testing.AllocsPerRun(20, func() { e.Relieve(v.Now, 1, noLimit) }); n != 0 {
			t.Errorf("%s: a step allocates %v times", c.policy, n)
		}
	}
}

// TestLookupsStayShort: however many keys have been evicted or have expired, a lookup ends
// after some buckets.
func TestLookupsStayShort(t *testing.T) {
	const keys, bound = 100_000, 5.
	churn := func(t *testing.T, policy string, ttl int64, relieve func(s *Store, e *Evictor, now int64, n int)) {
		s, e := evictStore(t, policy, 2, 5)
		v := &View{Store: s, Now: 1_700_000_000_000}
		for i := range 5 * keys {
			name := fmt.Sprintf("key:%012d", i)
			expire := int64(0)
			if ttl > 0 {
				expire = v.Now + ttl
			}
			v.SetString(s.Key([]byte(name)), []byte("value"), expire)
			if i%1000 == 0 {
				v.Now += 200
			}
			if i >= keys {
				relieve(s, e, v.Now, i-keys)
			}
		}
		var passed, buckets float64
		for i := range s.shards {
			tb := s.shards[i].dbs[0]
			checkTable(t, tb)
			for j := range tb.subs {
				sub := &tb.subs[j]
				for b := range uint32(sub.buckets) {
					buckets++
					for at := b; ; at = sub.next(at) {
						passed++
						if tb.bucket(sub, at).overflow() == 0 {
							break
						}
					}
				}
			}
		}
		if mean := passed / buckets; mean > bound {
			t.Errorf("the lookup of an absent key looks at %.1f buckets, expected %.0f at most", mean, bound)
		} else {
			t.Logf("%.1f buckets", mean)
		}
	}
	t.Run("evicted", func(t *testing.T) {
		churn(t, "allkeys-lru", 0, func(s *Store, e *Evictor, now int64, n int) {
			for s.Evicted() < int64(n) {
				if !e.Relieve(now, 128, 1<<40) {
					t.Fatal("nothing left to evict")
				}
			}
		})
	})
	t.Run("expired", func(t *testing.T) {
		churn(t, "noeviction", 10_000, func(s *Store, _ *Evictor, now int64, n int) {
			for more := n%1000 == 0; more; {
				var err error
				if more, err = s.Maintain(now); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}
