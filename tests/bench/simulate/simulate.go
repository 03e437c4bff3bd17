package main

import (
	"fmt"
	"slices"
	"sync"
)

// ratios is what one policy reached on one trace at one size.
type ratios struct {
	hits  float64 // share of the requests
	bytes float64 // share of the bytes asked for, keys and values
}

// replay runs a trace through a cache. Every read counts, the first one of each object too. What
// expires is dropped within expiryStep requests, and is a miss from its time on.
func replay(t *trace, c cache) ratios {
	var hits int
	var hitBytes, bytes uint64
	w := newWheel(t)
	for i, id := range t.ids {
		w.turn(i, c)
		if w.expired(i, id) {
			c.remove(id)
		}
		size := uint64(t.bytes[id])
		bytes += size
		if c.access(i, id) {
			hits++
			hitBytes += size
		} else {
			w.write(i, id)
		}
	}
	return ratios{float64(hits) / float64(max(len(t.ids), 1)), float64(hitBytes) / float64(max(bytes, 1))}
}

// expiryStep is after how many requests expired entries are dropped.
const expiryStep = 1024

// wheel knows when what was written last expires. It does nothing for a trace without TTLs.
type wheel struct {
	t     *trace
	until []uint32   // by object
	slots [][]uint32 // by step: the objects that expire in it
}

func newWheel(t *trace) *wheel {
	w := &wheel{t: t}
	if t.ttl != nil {
		w.until = make([]uint32, len(t.ttl))
		for id := range w.until {
			w.until[id] = never
		}
		w.slots = make([][]uint32, len(t.ids)/expiryStep+1)
	}
	return w
}

// write notes that an object was written at request i.
func (w *wheel) write(i int, id uint32) {
	if w.t.ttl == nil {
		return
	}
	until := w.t.lifetime(i, id)
	w.until[id] = until
	if step := int(until / expiryStep); step < len(w.slots) {
		w.slots[step] = append(w.slots[step], id)
	}
}

func (w *wheel) expired(i int, id uint32) bool {
	return w.t.ttl != nil && w.until[id] <= uint32(i)
}

// turn drops from the cache what has expired in the step before request i.
func (w *wheel) turn(i int, c cache) {
	if w.t.ttl == nil || i%expiryStep != 0 || i == 0 {
		return
	}
	slot := &w.slots[i/expiryStep-1]
	for _, id := range *slot {
		if w.expired(i, id) {
			c.remove(id)
		}
	}
	*slot = nil
}

// table is what all policies reached on one trace.
type table struct {
	name, about string
	objects     int
	distinct    int64        // bytes
	results     [][][]ratios // by rate, policy and size
}

// settings are what a run is made with.
type settings struct {
	policies []policy
	sizes    []float64 // shares of the distinct bytes
	rates    []float64 // requests per second, the first one for the tables of workloads; 0 for the trace's own times
	requests int
	seed     uint64
	overhead uint32 // bytes per entry
	workers  int
	samples  int // maxmemory-samples of larder's policies
}

// run simulates every policy at every size, and those with a clock at every rate.
func (s *settings) run(t *trace) (table, error) {
	t.finish(s.overhead)
	if t.times == nil && slices.Contains(s.rates, 0) {
		return table{}, fmt.Errorf("%s has no times of its own: -rate must be above 0", t.name)
	}
	out := table{name: t.name, about: t.about, objects: t.objects, distinct: t.distinct, results: make([][][]ratios, len(s.rates))}
	for r := range out.results {
		out.results[r] = make([][]ratios, len(s.policies))
		for p := range out.results[r] {
			if r > 0 && !s.policies[p].clocked() {
				out.results[r][p] = out.results[0][p]
			} else {
				out.results[r][p] = make([]ratios, len(s.sizes))
			}
		}
	}
	type job struct{ rate, policy, size int }
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range s.workers {
		workers.Go(func() {
			for j := range jobs {
				out.results[j.rate][j.policy][j.size] = s.replay(t, s.policies[j.policy], s.sizes[j.size], s.rates[j.rate])
			}
		})
	}
	for r := range s.rates {
		for p := range s.policies {
			if r > 0 && !s.policies[p].clocked() {
				continue
			}
			for size := range s.sizes {
				jobs <- job{r, p, size}
			}
		}
	}
	close(jobs)
	workers.Wait()
	return out, nil
}

func (s *settings) replay(t *trace, p policy, size, rate float64) ratios {
	return replay(t, p.open(setup{
		trace:    t,
		capacity: int64(size * float64(t.distinct)),
		rng:      newRand(s.seed, fmt.Sprint(t.name, p.name, size)),
		rate:     rate,
		samples:  s.samples,
	}))
}
