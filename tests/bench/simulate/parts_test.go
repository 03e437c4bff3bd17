package main

import (
	"math"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func TestBitset(t *testing.T) {
	rng := randtest.New(t)
	for _, limit := range []int{1, 64, 65, 5000, 300_000} {
		b, in := newBitset(limit), map[int]bool{}
		for range 2000 {
			i := rng.IntN(limit)
			if in[i] {
				b.clear(i)
				delete(in, i)
			} else {
				b.set(i)
				in[i] = true
			}
			last := -1
			for i := range in {
				last = max(last, i)
			}
			if last >= 0 && b.last() != last {
				t.Fatalf("limit %d: last is %d, want %d", limit, b.last(), last)
			}
		}
	}
}

// TestDict holds what the buckets have against a map, through growth.
func TestDict(t *testing.T) {
	rng := randtest.New(t)
	const objects = 3000
	slots := newDict(make([]uint32, objects), 1, bucketFull, bucketGrowth)
	slots.slots = true
	for _, d := range []dict{newDict(make([]uint32, objects), redisTable, 1, 2), slots} {
		in := map[uint32]bool{}
		for range 20_000 {
			if id := uint32(rng.IntN(objects)); in[id] {
				d.remove(id)
				delete(in, id)
			} else {
				d.add(id)
				in[id] = true
			}
		}
		found := 0
		for _, id := range d.buckets {
			for ; id != none; id = d.next[id] {
				if found++; !in[id] {
					t.Fatalf("%d was removed, or is there twice", id)
				}
				delete(in, id)
			}
		}
		if found != d.n || len(in) > 0 {
			t.Errorf("%d objects found, %d counted, %d missing", found, d.n, len(in))
		}
	}
}

// TestSlots holds the order of a bucket's objects, the newest first, against an array in which the last
// one moves into the gap.
func TestSlots(t *testing.T) {
	rng := randtest.New(t)
	const objects = 12
	d := newDict(make([]uint32, objects), 1, objects, 2)
	d.slots = true
	var array []uint32
	for range 2000 {
		id := uint32(rng.IntN(objects))
		if i := slices.Index(array, id); i >= 0 {
			d.remove(id)
			last := len(array) - 1
			array[i] = array[last]
			array = array[:last]
		} else {
			d.add(id)
			array = append(array, id)
		}
		var chain []uint32
		for id := d.buckets[0]; id != none; id = d.next[id] {
			chain = append(chain, id)
		}
		slices.Reverse(chain)
		if !slices.Equal(chain, array) {
			t.Fatalf("the bucket has %v, want %v", chain, array)
		}
	}
}

func TestZipf(t *testing.T) {
	rng := randtest.New(t)
	const n, draws = 1000, 1_000_000
	for _, s := range []float64{0.7, 0.9, 1.1} {
		counts := make([]float64, n)
		for z, i := newZipf(n, s), 0; i < draws; i++ {
			counts[z.draw(rng)]++
		}
		sum := 0.0
		for k := range n {
			sum += math.Pow(float64(k+1), -s)
		}
		for _, k := range []int{0, 1, 9, 99, 999} {
			// Six standard deviations of a binomial distribution.
			want := draws * math.Pow(float64(k+1), -s) / sum
			if math.Abs(counts[k]-want) > 6*math.Sqrt(want) {
				t.Errorf("s = %v: rank %d drawn %v times, want %.0f", s, k, counts[k], want)
			}
		}
	}
}

func TestSketch(t *testing.T) {
	s := newSketch(1000)
	for id := range uint32(300) {
		for range id % 20 {
			s.add(id)
		}
	}
	for id := range uint32(300) {
		if got, least := s.estimate(id), uint8(min(id%20, sketchMax)); got < least || got > least+3 {
			t.Errorf("%d was counted %d times, estimated %d", id, id%20, got)
		}
	}
	before := s.estimate(19)
	for id := uint32(1000); s.added != s.limit-1; id++ {
		s.add(id)
	}
	s.add(19 + 1<<20)
	if got := s.estimate(19); got > before/2+4 {
		t.Errorf("estimate after ageing is %d, was %d", got, before)
	}
}

// TestRedisPool follows evictionPoolPopulate by hand.
func TestRedisPool(t *testing.T) {
	c := &redis{}
	held := func() (idle []uint64) {
		for _, p := range c.pool {
			if p.set {
				idle = append(idle, p.idle)
			}
		}
		return idle
	}
	for i, idle := range []uint64{5, 3, 4, 3} {
		c.offer(uint32(i), idle)
	}
	if got := held(); !slices.Equal(got, []uint64{3, 3, 4, 5}) || c.pool[0].id != 3 {
		t.Errorf("pool is %v, the lowest %d", got, c.pool[0].id)
	}
	for i := range uint64(12) {
		c.offer(9, 10+i)
	}
	c.offer(7, 3) // not above the lowest of a full pool
	c.offer(8, 4) // pushes out the lowest
	want := []uint64{3, 4, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}
	if got := held(); !slices.Equal(got, want) || c.pool[1].id != 8 {
		t.Errorf("pool is %v, want %v", got, want)
	}
	c.pool[15] = redisCandidate{}
	c.offer(6, 12) // room at the end: what is above moves there
	want = []uint64{3, 4, 4, 5, 10, 11, 12, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	if got := held(); !slices.Equal(got, want) || c.pool[6].id != 6 {
		t.Errorf("pool is %v, want %v", got, want)
	}
}

func TestRedisWords(t *testing.T) {
	c := &redis{lfu: true, s: setup{rng: newRand(1, "")}}
	const now = 1_700_000_040_000
	word := redisMinutes(now)<<8 | 10
	for minutes, want := range map[int64]uint32{0: 10, 4: 6, 10: 0, 11: 0, 60_000: 0} {
		if got := redisDecay(word, now+minutes*60_000); got != want {
			t.Errorf("counter after %d minutes is %d, want %d", minutes, got, want)
		}
	}
	if got := c.touch(redisMinutes(now)<<8|redisInitial, now) & 255; got != redisInitial+1 {
		t.Errorf("the first access leads to %d", got)
	}
	// From 10 on, one access in 51 counts.
	const trials = 100_000
	raised := 0.0
	for range trials {
		raised += float64(c.touch(word, now)&255 - 10)
	}
	if want := trials / 51.0; math.Abs(raised-want) > 6*math.Sqrt(want) {
		t.Errorf("%v of %d accesses raised the counter, want about %.0f", raised, trials, want)
	}
}

// TestExpiredIsAMiss: the object lives for three requests after it was written.
func TestExpiredIsAMiss(t *testing.T) {
	tr := plain(0, 1, 0, 0, 0, 1, 0, 0)
	tr.ttl = []uint32{3, 0}
	for _, p := range policies() {
		r := replay(tr, p.open(setup{trace: tr, capacity: 10 * unit, rng: newRand(1, ""), rate: 1000, samples: 5}))
		if want := 4.0 / 8; r.hits != want || r.bytes != want {
			t.Errorf("%s: %v of the requests and %v of the bytes are hits, want %v", p.name, r.hits, r.bytes, want)
		}
	}
}

// TestExpiredIsGone fills a cache with what expires; afterwards everything has room.
func TestExpiredIsGone(t *testing.T) {
	var ids []uint32
	for id := range uint32(10) {
		ids = append(ids, id)
	}
	for len(ids) < 2*expiryStep {
		ids = append(ids, 10)
	}
	for range 2 {
		for id := uint32(11); id < 20; id++ {
			ids = append(ids, id)
		}
	}
	tr := plain(ids...)
	tr.ttl = make([]uint32, 20)
	for id := range 10 {
		tr.ttl[id] = 100
	}
	for _, p := range policies() {
		r := replay(tr, p.open(setup{trace: tr, capacity: 10 * unit, rng: newRand(1, ""), rate: 1000, samples: 5}))
		if want := float64(len(ids)-20) / float64(len(ids)); r.hits != want {
			t.Errorf("%s: hit ratio %v, want %v", p.name, r.hits, want)
		}
	}
}

// TestWorkloads looks at what a table of workloads promises, and that a seed repeats it.
func TestWorkloads(t *testing.T) {
	const n = 20_000
	names := map[string]bool{}
	for _, w := range workloads() {
		if names[w.name] {
			t.Errorf("%s is there twice", w.name)
		}
		names[w.name] = true
		a, b, other := w.generate(n, 7), w.generate(n, 7), w.generate(n, 8)
		if !slices.Equal(a.ids, b.ids) || !slices.Equal(a.bytes, b.bytes) || !slices.Equal(a.ttl, b.ttl) {
			t.Errorf("%s: one seed gave two traces", w.name)
		}
		if slices.Equal(a.ids, other.ids) {
			t.Errorf("%s: two seeds gave one trace", w.name)
		}
		if len(a.ids) != n || (a.ttl != nil) != (w.sizes == twitter) {
			t.Errorf("%s: %d requests, TTLs %v", w.name, len(a.ids), a.ttl != nil)
		}
		for id, size := range a.bytes {
			if size == 0 || w.sizes == fixed && size != fixedBytes {
				t.Fatalf("%s: object %d has %d bytes", w.name, id, size)
			}
		}
	}
}

func TestOnceIsOnce(t *testing.T) {
	const n = 100_000
	for _, share := range []float64{0.2, 0.5, 0.9} {
		ids := onceRequests(n, share, randtest.New(t))
		counts := map[uint32]int{}
		for _, id := range ids {
			counts[id]++
		}
		popular := uint32(n * (1 - share) / perObject)
		once := 0
		for id, count := range counts {
			if id > popular {
				if once++; count != 1 {
					t.Fatalf("object %d comes %d times", id, count)
				}
			}
		}
		if got := float64(once) / n; math.Abs(got-share) > 0.01 {
			t.Errorf("%v of the requests are for keys never seen again, want %v", got, share)
		}
	}
}

func TestTwitterSizes(t *testing.T) {
	rng := randtest.New(t)
	var keys, values, ttls []float64
	for range 100_000 {
		keys = append(keys, float64(logNormal(rng, keyMedian, keySpread, keyMax)))
		values = append(values, float64(logNormal(rng, valueMedian, valueSpread, valueMax)))
		ttls = append(ttls, drawTTL(rng))
	}
	for _, tc := range []struct {
		name         string
		values       []float64
		quantile     float64
		least, limit float64
	}{
		{"key", keys, 0.5, 34, 38}, {"key", keys, 1, 37, keyMax},
		{"value", values, 0.5, 215, 233}, {"value", values, 1, 10_000, valueMax},
		{"TTL", ttls, 0.25, 1100, 1300}, {"TTL", ttls, 0.75, 160_000, 185_000},
	} {
		slices.Sort(tc.values)
		if v := tc.values[int(tc.quantile*float64(len(tc.values)-1))]; v < tc.least || v > tc.limit {
			t.Errorf("%s: quantile %v is %v, want %v to %v", tc.name, tc.quantile, v, tc.least, tc.limit)
		}
	}
}
