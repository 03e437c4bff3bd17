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

// A loop larger than the cache gives LRU nothing; LHD learns that the oldest
// entries are due next.
func TestLHDLearnsALoop(t *testing.T) {
	const keys, room, rounds = 2000, 1000, 200
	hits := func(rule Rule) (n int) {
		rng := rand.New(rand.NewPCG(1, 2))
		m, clock := NewMeter(Policy{Rule: rule}, Params{Random: rng}), now
		words, pool := map[int]uint32{}, NewPool[int](1)
		var held []int
		for i := range keys * rounds {
			clock += 100
			k := i % keys
			if word, ok := words[k]; ok {
				words[k] = m.Read(word, 100, clock)
				n++
				continue
			}
			if len(held) == room {
				pool.Reset()
				for range 20 {
					at := rng.IntN(room)
					pool.Offer(m.Rank(words[held[at]], 100, 0, clock), at)
				}
				at, _ := pool.Take()
				m.Evicted(words[held[at]], 100, clock)
				delete(words, held[at])
				held[at] = held[room-1]
				held = held[:room-1]
			}
			held, words[k] = append(held, k), m.New(clock)
		}
		return n
	}
	lru, lhd := hits(LRU), hits(LHD)
	if lhd < keys*rounds/10 || lhd < 2*lru {
		t.Errorf("%d hits, LRU has %d, of %d", lhd, lru, keys*rounds)
	}
}
