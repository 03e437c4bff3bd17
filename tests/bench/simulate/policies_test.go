package main

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// unit is the cost of every object of a plain trace: a capacity of n*unit is one of n objects. A
// power of two leaves fractions exact.
const unit = 8

// plain makes a trace of objects of one size, without overhead.
func plain(ids ...uint32) *trace {
	t := &trace{name: "plain", ids: ids, bytes: make([]uint32, slices.Max(ids)+1)}
	for id := range t.bytes {
		t.bytes[id] = unit
	}
	t.finish(0)
	return t
}

// open makes the cache of a policy by its name.
func open(t *testing.T, name string, tr *trace, capacity int64) cache {
	t.Helper()
	for _, p := range policies() {
		if p.name == name {
			return p.open(setup{trace: tr, capacity: capacity, rng: newRand(1, name), rate: 1000, samples: 5})
		}
	}
	t.Fatalf("no policy %q", name)
	return nil
}

// hits replays a trace and says which requests were hits, as a string of h and m.
func hits(tr *trace, c cache) string {
	var out []byte
	for i, id := range tr.ids {
		if c.access(i, id) {
			out = append(out, 'h')
		} else {
			out = append(out, 'm')
		}
	}
	return string(out)
}

// someIDs draws requests that favour low numbers.
func someIDs(rng *rand.Rand, n, objects int) []uint32 {
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(rng.IntN(1 + rng.IntN(objects)))
	}
	return ids
}

// TestTextbookSequence is the reference string by which operating systems are taught: 12 faults
// with three frames under LRU.
func TestTextbookSequence(t *testing.T) {
	tr := plain(7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1)
	if got, want := hits(tr, open(t, "lru", tr, 3*unit)), "mmmmhmhmmmmhhmhmhmhh"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestBeladyIsTheOptimum compares it with a search of everything that can be kept.
func TestBeladyIsTheOptimum(t *testing.T) {
	rng := randtest.New(t)
	for range 200 {
		n := 1 + rng.IntN(4)
		tr := plain(someIDs(rng, 40, 2+rng.IntN(7))...)
		got := strings.Count(hits(tr, open(t, "belady", tr, int64(n*unit))), "h")
		if want := mostHits(tr.ids, n); got != want {
			t.Fatalf("%d places, %v: %d hits, %d are possible", n, tr.ids, got, want)
		}
	}
}

// mostHits finds the most hits that n places can give, by what they may hold after each request:
// sets of up to 8 objects as bits.
func mostHits(ids []uint32, n int) int {
	const impossible = -1
	best := make([]int, 1<<8)
	for set := range best {
		best[set] = impossible
	}
	best[0] = 0
	for _, id := range ids {
		after := make([]int, len(best))
		for set := range after {
			after[set] = impossible
		}
		for set, count := range best {
			if count == impossible {
				continue
			}
			if set>>id&1 == 1 {
				count++
			}
			with := set | 1<<id
			// One object in, or not, and any one out.
			after[set] = max(after[set], count)
			for out := range 8 {
				if kept := with &^ (1 << out); bits.OnesCount(uint(kept)) <= n {
					after[kept] = max(after[kept], count)
				}
			}
			if bits.OnesCount(uint(with)) <= n {
				after[with] = max(after[with], count)
			}
		}
		best = after
	}
	return slices.Max(best)
}

// TestNothingBeatsBelady holds for objects of one size.
func TestNothingBeatsBelady(t *testing.T) {
	rng := randtest.New(t)
	for range 20 {
		tr := plain(someIDs(rng, 3000, 100+rng.IntN(200))...)
		capacity := int64(unit * (1 + rng.IntN(100)))
		bound := strings.Count(hits(tr, open(t, "belady", tr, capacity)), "h")
		for _, p := range policies() {
			if got := strings.Count(hits(tr, open(t, p.name, tr, capacity)), "h"); got > bound {
				t.Errorf("%s: %d hits in %d bytes, belady %d", p.name, got, capacity, bound)
			}
		}
	}
}

// TestCachesStayWithinTheirCapacity is with sizes, TTLs and objects larger than the cache; what is
// hit must have come before.
func TestCachesStayWithinTheirCapacity(t *testing.T) {
	rng := randtest.New(t)
	for range 10 {
		tr := &trace{ids: someIDs(rng, 5000, 400), bytes: make([]uint32, 400), ttl: make([]uint32, 400)}
		for id := range tr.bytes {
			tr.bytes[id] = uint32(1 + rng.IntN(100))
			tr.ttl[id] = uint32(rng.IntN(3) * rng.IntN(2000))
		}
		tr.bytes[0] = 50_000
		tr.finish(7)
		capacity := int64(500 + rng.IntN(5000))
		for _, p := range policies() {
			t.Run(p.name, func(t *testing.T) { checkCache(t, tr, open(t, p.name, tr, capacity), capacity) })
		}
	}
}

func checkCache(t *testing.T, tr *trace, c cache, capacity int64) {
	until := map[uint32]uint32{}
	w := newWheel(tr)
	for i, id := range tr.ids {
		w.turn(i, c)
		if w.expired(i, id) {
			c.remove(id)
		}
		hit := c.access(i, id)
		if hit && (id == 0 || until[id] <= uint32(i)) {
			t.Fatalf("request %d for %d is a hit: expired, never written or too large", i, id)
		}
		if !hit {
			until[id] = tr.lifetime(i, id)
			w.write(i, id)
		}
		if used := c.used(); used < 0 || used > capacity {
			t.Fatalf("request %d: %d bytes in use of %d", i, used, capacity)
		}
	}
	for id := range tr.bytes {
		c.remove(uint32(id))
		c.remove(uint32(id))
	}
	if used := c.used(); used != 0 {
		t.Errorf("%d bytes in use of nothing", used)
	}
}

// TestSampledPolicies compares what draws candidates with the exact policy it stands for.
func TestSampledPolicies(t *testing.T) {
	tr := plain(zipfRequests(200_000, 20_000, 0.9, randtest.New(t))...)
	ratio := func(name string, rate float64) float64 {
		for _, p := range policies() {
			if p.name == name {
				return replay(tr, p.open(setup{trace: tr, capacity: 2000 * unit, rng: newRand(1, name), rate: rate, samples: 5})).hits
			}
		}
		t.Fatalf("no policy %q", name)
		return 0
	}
	exactLRU := ratio("lru", 1)
	// Seconds are exact at a request per second, and minutes too short for a counter.
	for _, name := range []string{"redis-lru-5", "redis-lru-10", "larder-lru"} {
		if got := ratio(name, 1); math.Abs(got-exactLRU) > 0.01 {
			t.Errorf("%s hits %.4f, exact LRU %.4f", name, got, exactLRU)
		}
	}
	for _, name := range []string{"redis-lfu-5", "redis-lfu-10", "larder-lfu"} {
		if got := ratio(name, 1000); got < exactLRU+0.005 {
			t.Errorf("%s hits %.4f, exact LRU %.4f: LFU is the better one for what never changes", name, got, exactLRU)
		}
	}
}

// naive is a cache of n objects of one size, written for clearness.
type naive func(ids []uint32, n int) string

// TestExactPoliciesEqualNaiveOnes compares them request by request.
func TestExactPoliciesEqualNaiveOnes(t *testing.T) {
	rng := randtest.New(t)
	for name, model := range map[string]naive{"lru": naiveLRU, "arc": naiveARC, "sieve": naiveSieve, "s3-fifo": naiveS3FIFO} {
		for range 200 {
			objects, n := 2+rng.IntN(40), 1+rng.IntN(20)
			tr := plain(someIDs(rng, 300, objects)...)
			if got, want := hits(tr, open(t, name, tr, int64(n*unit))), model(tr.ids, n); got != want {
				t.Errorf("%s with %d places, %v:\n got %s\nwant %s", name, n, tr.ids, got, want)
				break
			}
		}
	}
}

// TestGDSFEvictsTheLowestPriority uses sizes of which no two are alike.
func TestGDSFEvictsTheLowestPriority(t *testing.T) {
	rng := randtest.New(t)
	for range 200 {
		tr := &trace{ids: someIDs(rng, 300, 40), bytes: make([]uint32, 40)}
		for id, size := range rng.Perm(40) {
			tr.bytes[id] = uint32(20 + size)
		}
		tr.finish(0)
		capacity := int64(60 + rng.IntN(600))
		want, ok := naiveGDSF(tr, capacity)
		if got := hits(tr, open(t, "gdsf", tr, capacity)); ok && got != want {
			t.Fatalf("%d bytes, sizes %v, %v:\n got %s\nwant %s", capacity, tr.bytes, tr.ids, got, want)
		}
	}
}

func mark(hit bool) byte {
	if hit {
		return 'h'
	}
	return 'm'
}

// Lists of the naive policies have the newest first.

func without(list []uint32, id uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(list), func(other uint32) bool { return other == id })
}

func front(list []uint32, id uint32) []uint32 { return append([]uint32{id}, without(list, id)...) }

func naiveLRU(ids []uint32, n int) string {
	var out []byte
	var list []uint32
	for _, id := range ids {
		out = append(out, mark(slices.Contains(list, id)))
		list = front(list, id)
		list = list[:min(len(list), n)]
	}
	return string(out)
}

// naiveARC is figure 4 of the paper, word by word.
func naiveARC(ids []uint32, c int) string {
	var t1, t2, b1, b2 []uint32
	var p float64
	replace := func(x uint32) {
		if len(t1) > 0 && (slices.Contains(b2, x) && float64(len(t1)) == p || float64(len(t1)) > p) {
			last := t1[len(t1)-1]
			t1, b1 = without(t1, last), front(b1, last)
		} else {
			last := t2[len(t2)-1]
			t2, b2 = without(t2, last), front(b2, last)
		}
	}
	var out []byte
	for _, x := range ids {
		hit := slices.Contains(t1, x) || slices.Contains(t2, x)
		out = append(out, mark(hit))
		switch {
		case hit:
			t1 = without(t1, x)
			t2 = front(t2, x)
		case slices.Contains(b1, x):
			p = min(float64(c), p+max(1, float64(len(b2))/float64(len(b1))))
			replace(x)
			b1, t2 = without(b1, x), front(t2, x)
		case slices.Contains(b2, x):
			p = max(0, p-max(1, float64(len(b1))/float64(len(b2))))
			replace(x)
			b2, t2 = without(b2, x), front(t2, x)
		default:
			if len(t1)+len(b1) == c {
				if len(t1) < c {
					b1 = b1[:len(b1)-1]
					replace(x)
				} else {
					t1 = t1[:len(t1)-1]
				}
			} else if total := len(t1) + len(t2) + len(b1) + len(b2); total >= c {
				if total == 2*c {
					b2 = b2[:len(b2)-1]
				}
				replace(x)
			}
			t1 = front(t1, x)
		}
	}
	return string(out)
}

func naiveSieve(ids []uint32, n int) string {
	var out []byte
	var list []uint32
	seen := map[uint32]bool{}
	hand := -1 // place of the next to be judged, from the newest; -1 for the oldest
	for _, id := range ids {
		if slices.Contains(list, id) {
			seen[id] = true
			out = append(out, 'h')
			continue
		}
		out = append(out, 'm')
		if len(list) == n {
			if hand < 0 {
				hand = len(list) - 1
			}
			for seen[list[hand]] {
				seen[list[hand]] = false
				if hand--; hand < 0 {
					hand = len(list) - 1
				}
			}
			list = slices.Delete(list, hand, hand+1)
			hand--
		}
		if list = append([]uint32{id}, list...); hand >= 0 {
			hand++
		}
	}
	return string(out)
}

// naiveGDSF returns false where two entries of the same priority are the lowest: either may go.
func naiveGDSF(t *trace, capacity int64) (hits string, ok bool) {
	var out []byte
	var age float64
	var used int64
	priority, freq := map[uint32]float64{}, map[uint32]float64{}
	for _, id := range t.ids {
		_, hit := priority[id]
		out = append(out, mark(hit))
		freq[id]++
		if !hit {
			freq[id] = 1
			for used+int64(t.cost[id]) > capacity {
				victim, least, ties := id, math.Inf(1), 0
				for other, v := range priority {
					if v == least {
						ties++
					}
					if v < least {
						victim, least, ties = other, v, 0
					}
				}
				if ties > 0 {
					return "", false
				}
				age = least
				used -= int64(t.cost[victim])
				delete(priority, victim)
			}
			used += int64(t.cost[id])
		}
		priority[id] = age + freq[id]/float64(t.cost[id])
	}
	return string(out), true
}

func naiveS3FIFO(ids []uint32, n int) string {
	var out []byte
	var small, big, ghost []uint32
	freq := map[uint32]int{}
	evict := func() {
		if len(big) == 0 || float64(len(small)) >= 0.1*float64(n) {
			for len(small) > 0 {
				last := small[len(small)-1]
				small = small[:len(small)-1]
				if freq[last] > 1 {
					freq[last] = 0
					big = front(big, last)
					continue
				}
				ghost = front(ghost, last)
				ghost = ghost[:min(len(ghost), int(0.9*float64(n)))]
				return
			}
			return
		}
		for {
			last := big[len(big)-1]
			big = big[:len(big)-1]
			if freq[last] == 0 {
				return
			}
			freq[last]--
			big = front(big, last)
		}
	}
	for _, id := range ids {
		if slices.Contains(small, id) || slices.Contains(big, id) {
			freq[id] = min(freq[id]+1, 3)
			out = append(out, 'h')
			continue
		}
		out = append(out, 'm')
		known := slices.Contains(ghost, id)
		for len(small)+len(big) == n {
			evict()
		}
		ghost = without(ghost, id)
		if freq[id] = 0; known {
			big = front(big, id)
		} else {
			small = front(small, id)
		}
	}
	return string(out)
}
