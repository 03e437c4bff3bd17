package main

import (
	"math/rand/v2"

	"github.com/larderkv/larder/eviction"
)

// cache is a policy at work on one trace.
type cache interface {
	// access is request i, for an object; true is a hit. A miss writes the object, unless it is
	// larger than the cache.
	access(i int, id uint32) bool
	// remove drops an object that has expired, if it is there.
	remove(id uint32)
	// used is the cost of what is there, never above the capacity.
	used() int64
}

// setup is what a cache is made from.
type setup struct {
	trace    *trace
	capacity int64 // bytes
	rng      *rand.Rand
	rate     float64 // requests per second, 0 for the trace's own times
	samples  int     // maxmemory-samples of larder's policies
}

// epoch is the unix time in milliseconds of a generated trace's first request.
const epoch = 1_700_000_000_000

// now is the unix time in milliseconds of request i.
func (s *setup) now(i int) int64 {
	if s.rate == 0 && s.trace.times != nil {
		return s.trace.times[i]
	}
	return epoch + int64(float64(i)*1000/s.rate)
}

// policy is a row of the table.
type policy struct {
	name  string
	about string
	open  func(s setup) cache
	kind  kind
	color string // in the plots of workloads; empty for those that are left out there
}

type kind uint8

const (
	bound    kind = iota // knows the future
	exact                // keeps lists or a heap over all entries
	model                // what redis-server does
	meter                // eviction.Meter, as larder's store drives it
	adaptive             // the meter of larder's own policy
)

// clocked reports whether the policy looks at the time, and not only at the order of requests.
func (p policy) clocked() bool { return p.kind >= model }

// policies lists what can be simulated, in the order of the tables.
func policies() []policy {
	return append([]policy{
		{"belady", "Belady's MIN: evicts what is used last, and keeps out what is used later than all there is; a bound for equal sizes", newBelady, bound, "#999999"},
		{"belady-size", "the same for bytes: of 64 entries drawn at random, the largest size x time until the next use; no bound, but closer to one", newBeladySize, bound, "#c9c9c9"},
		{"lru", "exact LRU", newLRU, exact, "#1f77b4"},
		{"arc", "ARC (Megiddo and Modha, 2003), counted in bytes", newARC, exact, "#2ca02c"},
		{"s3-fifo", "S3-FIFO (Yang et al., 2023): small queue 10 %, ghosts of 90 %", newS3FIFO, exact, "#9467bd"},
		{"sieve", "SIEVE (Zhang et al., 2024)", newSieve, exact, ""},
		{"w-tinylfu", "W-TinyLFU (Einziger et al., 2017): window 1 %, SLRU 80/20, 4-bit count-min sketch halved every 10 x entries", newTinyLFU, exact, "#8c564b"},
		{"gdsf", "GreedyDual-Size-Frequency (Cherkasova, 1998)", newGDSF, exact, "#e0a000"},
		{"redis-lru-5", "Redis 7.0 allkeys-lru, maxmemory-samples 5", redisModel(false, 5), model, "#17becf"},
		{"redis-lru-10", "Redis 7.0 allkeys-lru, maxmemory-samples 10", redisModel(false, 10), model, ""},
		{"redis-lfu-5", "Redis 7.0 allkeys-lfu, maxmemory-samples 5", redisModel(true, 5), model, "#e377c2"},
		{"redis-lfu-10", "Redis 7.0 allkeys-lfu, maxmemory-samples 10", redisModel(true, 10), model, ""},
		{"larder-lru", "larder's allkeys-lru", meterOf("allkeys-lru", 1), meter, ""},
		{"larder-lfu", "larder's allkeys-lfu", meterOf("allkeys-lfu", 1), meter, ""},
		{"larder-lhd", "larder's allkeys-lhd (LHD: Beckmann, Chen and Cidon, 2018; in 24 bits per entry)", meterOf("allkeys-lhd", 1), adaptive, "#d62728"},
		{"larder-lhd-10", "the same with 10 candidates per victim", meterOf("allkeys-lhd", 10), meter, ""},
		{"larder-lhd-16", "the same with 16", meterOf("allkeys-lhd", 16), meter, ""},
		{"larder-lhd-32", "the same with 32", meterOf("allkeys-lhd", 32), meter, ""},
	}, candidates()...)
}

// meterOf opens larder's store under a policy of package eviction. It draws as many candidates as
// -samples says, or at least so many.
func meterOf(name string, samples int) func(setup) cache {
	return func(s setup) cache {
		p, _ := eviction.ParsePolicy(name)
		o := eviction.Params{LogFactor: lfuLogFactor, DecayTime: lfuDecayTime, Random: s.rng}
		return newStore(s, eviction.NewMeter(p, o), max(s.samples, samples), p.Rule)
	}
}

// Redis' defaults.
const (
	lfuLogFactor = 10
	lfuDecayTime = 1 // minutes
)
