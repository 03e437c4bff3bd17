package main

import (
	"math"
	"math/rand/v2"
)

// workload is a row of the table of generated traces.
type workload struct {
	name  string
	about string
	sizes sizes
	// requests returns n requests; objects of a number below their largest one need not occur.
	requests func(n int, rng *rand.Rand) []uint32
}

// sizes says how an object gets its size and TTL.
type sizes uint8

const (
	fixed   sizes = iota // keys of 16 B, values of 64 B
	mixed                // keys and values as at Twitter
	twitter              // the same, and TTLs
)

// Of a trace with n requests the popular objects are n/perObject.
const perObject = 8

const fixedBytes = 16 + 64

// What Yang, Yue and Rashmi published of Twitter's clusters ("A large scale analysis of hundreds of
// in-memory cache clusters at Twitter", OSDI 2020): medians of 36 B for keys and 224 B for values,
// with long tails. The paper gives no formula; the sizes here are log-normal around the medians, up
// to the largest ones.
const (
	keyMedian, keySpread, keyMax       = 36, 0.5, 250
	valueMedian, valueSpread, valueMax = 224, 1.5, 64 << 10
)

// week is how long the published traces are, in seconds: TTLs are shares of it, so that a short
// trace sees as many of them as a long one.
const week = 7 * 24 * 3600

// ttlMix follows the paper's section on TTLs: a quarter of the workloads has means below 20
// minutes, a quarter above two days. Within a row TTLs are spread evenly over the orders of
// magnitude, in seconds.
var ttlMix = []struct {
	share    float64
	from, to float64
}{
	{0.25, 60, 20 * 60},
	{0.50, 20 * 60, 2 * 24 * 3600},
	{0.25, 2 * 24 * 3600, 14 * 24 * 3600},
}

// workloads lists the generated traces.
func workloads() []workload {
	var all []workload
	add := func(name, about string, requests func(int, *rand.Rand) []uint32) {
		all = append(all,
			workload{name + "-fixed", about, fixed, requests},
			workload{name + "-mixed", about, mixed, requests})
	}
	for _, s := range []float64{0.7, 0.9, 1.1} {
		add("zipf-"+decimal(s), "Zipf "+decimal(s), func(n int, rng *rand.Rand) []uint32 { return zipfRequests(n, n/perObject, s, rng) })
	}
	add("scan", "Zipf 0.9; a fifth of the requests are scans through keys nobody else reads", scanRequests)
	add("loop", "three loops in turn, over 6, 25 and 100 parts of the keys", loopRequests)
	add("shift", "a hot set of 1/50 of the keys that moves on all the time, and a tenth of the requests anywhere", shiftRequests)
	for _, percent := range []int{20, 50, 90} {
		add("once-"+decimal(float64(percent)), "Zipf 0.9, and "+decimal(float64(percent))+" % of the requests for keys never seen again",
			func(n int, rng *rand.Rand) []uint32 { return onceRequests(n, float64(percent)/100, rng) })
	}
	return append(all, workload{"twitter", "Zipf 1.0, sizes and TTLs as published of Twitter's clusters, a week long", twitter,
		func(n int, rng *rand.Rand) []uint32 { return zipfRequests(n, n/perObject, 1, rng) }})
}

// generate makes the trace of a workload.
func (w workload) generate(n int, seed uint64) *trace {
	t := &trace{name: w.name, about: w.about, ids: w.requests(n, newRand(seed, w.name))}
	objects := uint32(0)
	for _, id := range t.ids {
		objects = max(objects, id+1)
	}
	rng := newRand(seed, w.name+" sizes")
	t.bytes = make([]uint32, objects)
	for id := range t.bytes {
		t.bytes[id] = fixedBytes
		if w.sizes != fixed {
			t.bytes[id] = logNormal(rng, keyMedian, keySpread, keyMax) + logNormal(rng, valueMedian, valueSpread, valueMax)
		}
	}
	if w.sizes == twitter {
		t.ttl = make([]uint32, objects)
		for id := range t.ttl {
			t.ttl[id] = max(1, uint32(drawTTL(rng)/week*float64(n)))
		}
	}
	return t
}

// newRand is a source of its own for every purpose.
func newRand(seed uint64, purpose string) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(purpose) {
		h = (h ^ uint64(purpose[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h))
}

// logNormal draws a size from 1 to most.
func logNormal(rng *rand.Rand, median, spread, most float64) uint32 {
	return uint32(min(most, max(1, median*math.Exp(spread*rng.NormFloat64()))))
}

// drawTTL is in seconds.
func drawTTL(rng *rand.Rand) float64 {
	u := rng.Float64()
	for _, row := range ttlMix {
		if u < row.share {
			return row.from * math.Pow(row.to/row.from, u/row.share)
		}
		u -= row.share
	}
	return ttlMix[len(ttlMix)-1].to
}

func zipfRequests(n, objects int, s float64, rng *rand.Rand) []uint32 {
	z := newZipf(objects, s)
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = z.draw(rng)
	}
	return ids
}

// scanRequests: every twentieth part of the trace ends in a scan, each through the next keys.
func scanRequests(n int, rng *rand.Rand) []uint32 {
	objects, part := n/perObject, max(n/20, 5)
	z := newZipf(objects, 0.9)
	ids := make([]uint32, n)
	at := uint32(objects)
	for i := range ids {
		if i%part < part*4/5 {
			ids[i] = z.draw(rng)
		} else {
			ids[i] = at
			at++
		}
	}
	return ids
}

// loopRequests: each request goes on with one of the loops.
func loopRequests(n int, rng *rand.Rand) []uint32 {
	objects := n / perObject
	var at [3]int
	from := [4]int{0, max(1, objects*6/131), 0, 0}
	from[2] = from[1] + max(1, objects*25/131)
	from[3] = from[2] + max(1, objects*100/131)
	ids := make([]uint32, n)
	for i := range ids {
		l := rng.IntN(3)
		ids[i] = uint32(from[l] + at[l])
		at[l] = (at[l] + 1) % (from[l+1] - from[l])
	}
	return ids
}

// shiftRequests: the hot set goes once through all keys in the course of the trace.
func shiftRequests(n int, rng *rand.Rand) []uint32 {
	objects := n / perObject
	hot := max(1, objects/50)
	ids := make([]uint32, n)
	for i := range ids {
		if rng.IntN(10) == 0 {
			ids[i] = uint32(rng.IntN(objects))
		} else {
			ids[i] = uint32((i/perObject + rng.IntN(hot)) % objects)
		}
	}
	return ids
}

// onceRequests: some of the requests ask for a new key; popular keys get fewer, so that each is
// asked for as often as elsewhere.
func onceRequests(n int, share float64, rng *rand.Rand) []uint32 {
	objects := max(1, int(float64(n)*(1-share))/perObject)
	z := newZipf(objects, 0.9)
	fresh := uint32(objects)
	ids := make([]uint32, n)
	for i := range ids {
		if rng.Float64() < share {
			ids[i] = fresh
			fresh++
		} else {
			ids[i] = z.draw(rng)
		}
	}
	return ids
}

// zipf draws k of 0..n-1 with a probability proportional to 1/(k+1)^s, in constant time after
// Walker and Vose: column k holds the share keep of its own number and gives the rest to other.
type zipf struct {
	keep  []float64
	other []uint32
}

func newZipf(n int, s float64) *zipf {
	n = max(n, 1)
	z := &zipf{keep: make([]float64, n), other: make([]uint32, n)}
	sum := 0.0
	for k := range z.keep {
		z.keep[k] = math.Pow(float64(k+1), -s)
		sum += z.keep[k]
	}
	var small, large []uint32
	for k := range z.keep {
		z.keep[k] *= float64(n) / sum
		z.other[k] = uint32(k)
		if z.keep[k] < 1 {
			small = append(small, uint32(k))
		} else {
			large = append(large, uint32(k))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		little, much := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		z.other[little] = much
		if z.keep[much] -= 1 - z.keep[little]; z.keep[much] < 1 {
			large = large[:len(large)-1]
			small = append(small, much)
		}
	}
	return z
}

func (z *zipf) draw(rng *rand.Rand) uint32 {
	k := uint32(rng.IntN(len(z.keep)))
	if rng.Float64() < z.keep[k] {
		return k
	}
	return z.other[k]
}
