package eviction

import (
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func TestAgesAcrossScales(t *testing.T) {
	rng := randtest.New(t)
	for range 100_000 {
		then, scale := rng.Uint64N(1<<40), rng.IntN(maxScale+1)
		later := min(max(scale+rng.IntN(7)-scaleAhead, 0), maxScale)
		passed := rng.Uint64N(1 << (stampBits - 1 + 2*scale))
		got := age(stamp(then, uint32(scale)), then+passed, uint32(later))
		if tick := uint64(1) << (2 * scale); got+tick <= passed || got > passed+tick {
			t.Fatalf("age %d after %d insertions, in ticks of %d", got, passed, tick)
		}
	}
}

func TestBucketsHoldTheirAges(t *testing.T) {
	rng := randtest.New(t)
	for range 100_000 {
		a := rng.Uint64N(1 << (1 + rng.IntN(35)))
		if b := bucket(a); float64(a) < lowest(b) || float64(a) >= lowest(b+1) {
			t.Fatalf("age %d is in bucket %d, of %g to %g", a, b, lowest(b), lowest(b+1))
		}
	}
}

// keeper is a cache of some entries of one size, which evicts the best of 10 drawn
// at random.
type keeper struct {
	m     *Meter
	rng   *rand.Rand
	room  int
	clock int64
	words map[int]uint32
	held  []int
	pool  *Pool[int]
}

func newKeeper(rule Rule, room int) *keeper {
	rng := rand.New(rand.NewPCG(1, 2))
	return &keeper{
		m: NewMeter(Policy{Rule: rule}, Params{LogFactor: 10, DecayTime: 1, Random: rng}), rng: rng, room: room, clock: now,
		words: map[int]uint32{}, pool: NewPool[int](1),
	}
}

// read reads a key, which takes so many milliseconds; a miss stores it.
func (c *keeper) read(key int, takes int64) (hit bool) {
	c.clock += takes
	if word, ok := c.words[key]; ok {
		c.words[key] = c.m.Read(word, c.clock)
		return true
	}
	if len(c.held) == c.room {
		c.m.Entries(len(c.held))
		c.pool.Reset()
		for range 10 {
			at := c.rng.IntN(c.room)
			c.pool.Offer(c.m.Rank(c.words[c.held[at]], 100, 0, c.clock), at)
		}
		at, _ := c.pool.Take()
		c.m.Evicted(c.words[c.held[at]], 100, c.clock)
		delete(c.words, c.held[at])
		c.held[at] = c.held[c.room-1]
		c.held = c.held[:c.room-1]
	}
	c.held, c.words[key] = append(c.held, key), c.m.New(false, c.clock)
	return false
}

// A loop larger than the cache gives LRU nothing; LHD learns that the oldest
// entries are due next.
func TestLHDLearnsALoop(t *testing.T) {
	const keys, room, rounds = 1000, 500, 150
	hits := func(rule Rule) (n int) {
		c := newKeeper(rule, room)
		for i := range keys * rounds {
			if c.read(i%keys, 100) {
				n++
			}
		}
		return n
	}
	lru, lhd := hits(LRU), hits(LHD)
	if lhd < keys*rounds/10 || lhd < 2*lru {
		t.Errorf("%d hits, LRU has %d, of %d", lhd, lru, keys*rounds)
	}
}

// Scans through keys that nobody else reads wash keys in use out of LRU. LHD learns
// that nothing comes of such keys.
func TestLHDResistsScans(t *testing.T) {
	const hot, room, scan, rounds = 450, 500, 1500, 60
	hits := func(rule Rule) (n int) {
		c := newKeeper(rule, room)
		fresh := hot
		for round := range rounds {
			for range 4 * hot {
				if c.read(c.rng.IntN(hot), 10) && round >= rounds/2 {
					n++
				}
			}
			for range scan {
				c.read(fresh, 10)
				fresh++
			}
		}
		return n
	}
	const most = rounds / 2 * 4 * hot
	lru, lhd := most-hits(LRU), most-hits(LHD)
	if lhd > most/8 || lhd > lru/2 {
		t.Errorf("%d misses between scans, LRU has %d, of %d", lhd, lru, most)
	}
}

// What was learnt of one set of hot keys does not keep the next one out, however often
// the old one was read.
func TestLHDFollowsTheHotSet(t *testing.T) {
	const hot, room, reads = 400, 500, 20_000
	c := newKeeper(LHD, room)
	fresh := 1_000_000
	for set := range 6 {
		var before, after int // hits in the first and in the last quarter
		for i := range reads {
			c.read(fresh, 1) // and somebody reads what is never read again
			fresh++
			hit := c.read(set*hot+c.rng.IntN(hot), 1)
			switch {
			case !hit:
			case i < reads/4:
				before++
			case i >= reads/4*3:
				after++
			}
		}
		if after < reads/4*85/100 || before < reads/4/2 {
			t.Errorf("set %d: %d hits of the first %d reads, %d of the last", set, before, reads/4, after)
		}
	}
}

// The clock counts insertions, and yet it tells how long an entry has been idle: to a
// minute, or to a sixteenth of the time.
func TestLHDTellsIdleTimes(t *testing.T) {
	for _, perMs := range []int{0, 1, 5} { // insertions
		m := NewMeter(Policy{Rule: LHD}, Params{Random: rand.New(rand.NewPCG(5, 6))})
		clock := now
		pass := func(ms int64) {
			for range ms / 100 {
				clock += 100
				for range perMs * 10 {
					m.New(false, clock)
				}
				m.Read(m.New(false, clock), clock)
			}
		}
		pass(10_000)
		for _, idle := range []int64{0, 10, 100, 1000} { // seconds
			word := m.Read(m.New(false, clock), clock)
			from := clock
			pass(idle * 1000)
			want := (clock - from) / 1000
			if got := m.Idle(word, clock); got < want-60 || got > want+max(60, want/16) {
				t.Errorf("idle for %d seconds reads as %d, with %d insertions in a millisecond", want, got, perMs)
			}
		}
	}
}
