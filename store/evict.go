package store

import (
	"math/rand/v2"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store/arena"
)

// Eviction: how keys are chosen and removed when memory is short. What is a good
// victim is the business of package eviction, how much has to go that of the
// caller of Relieve.
//
// # Problem
//
// A full cache evicts a key for each that it is given, so an eviction must cost a
// fraction of a SET: Redis samples maxmemory-samples keys one by one, each a chain
// of cache misses, and then looks the best of them up once more to delete it.
//
// # Bursts
//
// Keys are evicted up to 16 at a time, in one shard and under one lock. From a
// random place in the table's hash order on, whole buckets are taken, which lie
// side by side, until there are samples candidates for each victim. A bucket is
// one cache line and refers to seven or eight records; the first lines of their
// records are prefetched some buckets ahead, so that the misses overlap with each
// other and with the look at those that have come. Neighbours in hash order are
// as random a choice as any other.
//
// The best are then removed all at once. Taking the best 16 of 80 is a better
// choice than 16 times the best of 5, since it seldom falls on a group in which
// even the best is in use; and what such a group has too few of, another one
// has too many (eviction.Choice). It needs no memory of good candidates between
// calls, as Redis keeps one. Buckets and slots of the victims are known, so
// nothing is looked up again. A sub-table shrinks after the last removal, since
// that moves slots.
//
// A burst frees about what the caller wants if 16 victims can, and some more
// while entries are small: the writers that follow find the room made.
//
// # The latest keys
//
// Under LHD the last keys that came to the shard are candidates, too (eviction.Arrivals), in place
// of up to a fifth of those that are drawn. The one burst of a shard and the next are as
// many insertions into it apart as it has victims, so a key is among them once or twice.
//
// # Few keys
//
// Shards take turns. Where one has fewer keys than there should be candidates
// (values are large, or only few keys have an expiry time), candidates are
// gathered from as many shards as it takes, one lock after the other. The best of
// them are locked again and looked at again: the record must still be where it
// was, and no better to keep than it was. If it is not, the next step will find
// another. So a hundred values of a megabyte are evicted by their order in the
// store and not by that in some shard. A value that takes long to write is worth
// more candidates: one for each candidateBytes.
//
// # Keys with an expiry time
//
// The volatile policies look for them by the hints of expiry (expire.go): one word
// per sub-table, then one per bucket, then the records. Hints are lower bounds
// and may be left over from keys that have gone; a search that finds nothing
// behind one corrects it, so that no key stays hidden behind wrong hints. A step
// looks at a bounded number of places; the next begins at another one.
//
// A candidate whose time has come is the best victim there is under any policy. It
// counts as expired.
//
// # Snapshots
//
// The evictor is a writer (snapshotpreserve.go). Victims that a running snapshot has yet to
// write are handed over to it, so evicting frees nothing at that moment: but the
// Debt is not counted towards the limit, nor are the tables of collections that
// only wait to be written, or one short snapshot would cost the whole cache. Nor is
// a big collection free when its key has gone: it is garbage, which Relieve frees
// before it evicts anything else.
//
// # Numbers
//
// See BenchmarkEvict, and BenchmarkSetFull for a SET of a new key with and without.
//
// # Rejected
//
// Lists or queues through all entries (exact LRU, S3-FIFO, SIEVE): 8 to 16 bytes per
// entry and a write to other entries' cache lines on each access, under a lock. A
// pool of candidates that lives from call to call: it has to be checked against
// everything that happens in between, and larger bursts do better.

const (
	defaultSamples = 5   // maxmemory-samples until it is set
	maxSamples     = 256 // more are not worth the time under a lock

	maxVictims = 16 // of one burst, in the mean

	// A burst that takes all candidates above a rank, rather than choose each, may free this many
	// times the bytes that were wanted.
	spare = 2

	// A burst goes on to burstBytes, or one part in burstPart of the store.
	burstBytes = 4 << 10
	burstPart  = 256

	// A victim of this many bytes is chosen from two candidates at least, and so
	// on, up to fewCandidates.
	candidateBytes = 256
	fewCandidates  = 64

	// passBusy is how many shards a burst passes over because they are locked.
	passBusy = 4

	// searchSteps bounds a step: buckets and sub-tables looked at, and records.
	searchSteps = 1024

	// maxPassed is how many shards are passed over in a row.
	maxPassed = 8

	// maxPicks bounds the buckets with candidates of a burst. The records of
	// pickAhead more are on their way: some thirty, about as many misses as a
	// processor has in flight.
	maxPicks  = 80 + eviction.LatestArrivals
	pickAhead = 4

	// One in latestPart candidates, at most, is one of the latest keys instead of one that is drawn.
	latestPart = 5

	maxCandidates = maxSamples + slots + eviction.LatestArrivals
)

// Evictor chooses keys whose memory others need more, and removes them. It is one
// goroutine's tool at a time; a store may have many.
type Evictor struct {
	// EvictFirst has Relieve evict, where more is to be gained than there are free slots, before it
	// compacts. That is less work in all, but what counts does not fall until it does compact: not
	// for a writer that waits for that.
	EvictFirst bool
	// Background says that no command waits for it, see Store.SetBackground.
	Background bool
	// Watch, where set, calls remove, which removes chosen keys of one shard, and may see how long that
	// takes. The shard is locked.
	Watch func(remove func())

	s     *Store
	rng   rand.PCG
	at    int    // the shard whose turn it is
	steps uint32 // of Relieve, while memory is fragmented

	usual  float64 // keys that may be evicted in a shard, of the last ones in the mean
	passed int     // shards that have been passed over in a row

	// The step that is going on.
	now     int64
	meter   *eviction.Meter
	policy  eviction.Policy
	samples int
	any     bool // every key is as good a victim as any other
	byWord  bool // the word alone makes the rank
	left    int  // of searchSteps
	picks   [maxPicks]pick
	n       int // picks in use
	near    [maxCandidates]near
	ranks   [maxCandidates]uint64 // of near
	found   int                   // candidates in near
	latest  uint64                // buckets with one of the latest keys: a bit for each, which others may share
	evicted int64                 // not yet counted
	choice  *eviction.Choice
	far     *eviction.Pool[far]
}

// pick is a bucket with candidates. It is good while the shard is locked.
type pick struct {
	t       *table
	db      int32
	sub     uint32
	bucket  uint16
	victims uint16 // by slot
}

// near is a candidate in a pick.
type near struct{ pick, slot uint8 }

// far is a candidate in a shard whose lock has been given back.
type far struct {
	rank  uint64
	hash  uint64
	ref   arena.Ref
	shard int32
	db    int32
}

// NewEvictor makes an Evictor.
func (s *Store) NewEvictor() *Evictor {
	e := &Evictor{s: s, choice: eviction.NewChoice(maxVictims), far: eviction.NewPool[far](maxVictims)}
	e.seed(rand.Uint64())
	return e
}

func (e *Evictor) seed(seed uint64) {
	e.rng.Seed(seed, 1)
	e.at = int(e.rng.Uint64() & e.s.mask)
}

// SetSamples sets how many candidates there should be for each key that is
// evicted: maxmemory-samples, at least 1. Any goroutine may call it.
func (s *Store) SetSamples(n int) { s.samples.Store(int64(n)) }

// burst evicts up to maxVictims keys, of want bytes if they have as many. It
// returns false if no key may be evicted.
func (e *Evictor) burst(now, want int64) (progress bool) {
	s := e.s
	e.now, e.left = now, searchSteps
	e.follow(s.Meter())
	if e.policy.Rule == eviction.NoEviction {
		return false
	}
	e.samples = int(min(s.samples.Load(), maxSamples))
	if e.any {
		e.samples = 1
	}
	want = max(want, min(burstBytes, s.Used()/burstPart))
	e.far.Reset()
	gathered, each, busy := 0, 1, 0
	for visited := 0; visited < len(s.shards); visited++ {
		sh := &s.shards[e.at]
		e.at = (e.at + 1) & int(s.mask)
		if !sh.mu.TryLock() {
			// Any other shard will do, and to wait may cost a time slice of the system's
			// scheduler. It has its turn when the round comes to it again.
			if busy++; busy <= passBusy {
				visited--
				continue
			}
			sh.mu.Lock()
		}
		if sh.occupied {
			sh.mu.Unlock()
			continue
		}
		keys := e.evictable(sh)
		if keys == 0 {
			sh.mu.Unlock()
			continue
		}
		progress = true
		var victims int
		victims, each = e.share(sh, want)
		e.meter.Entries(keys * len(s.shards))
		if gathered == 0 && keys >= each && e.passOver(keys) {
			sh.mu.Unlock()
			visited = -1 // it may be the only one with keys
			continue
		}
		e.gather(sh, keys, victims*each)
		found := e.found
		if gathered == 0 && found >= each {
			e.evictNear(sh, min(found/each, maxVictims), want)
			sh.mu.Unlock()
			return true
		}
		e.carry(sh)
		sh.mu.Unlock()
		if gathered += found; gathered >= max(each, fewCandidates) || e.left <= 0 {
			break
		}
	}
	if gathered > 0 {
		e.evictFar(max(1, gathered/each), want)
	}
	return progress
}

// follow makes m the Meter of the step.
func (e *Evictor) follow(m *eviction.Meter) {
	if e.meter == m {
		return
	}
	e.meter, e.policy = m, m.Policy()
	e.any = e.policy == eviction.Policy{Rule: eviction.Random}
	switch e.policy.Rule {
	case eviction.LRU, eviction.LFU, eviction.LRM:
		e.byWord = !e.policy.Volatile
	default:
		e.byWord = false
	}
	e.choice.Reset(e.policy.Rule)
}

// passOver reports whether a shard has fewer keys to spare than others have had. With
// a turn each, the number of keys in a shard would drift without bound, since it is
// chance which shard gets the new ones; and with it the memory that shards hold and
// have no use for.
func (e *Evictor) passOver(keys int) bool {
	e.usual += (float64(keys) - e.usual) / 32
	if e.passed++; e.passed < maxPassed && float64(keys) < e.usual {
		return true
	}
	e.passed = 0
	return false
}

// evictable is the number of the shard's keys that the policy may evict.
func (e *Evictor) evictable(sh *shard) (keys int) {
	for _, t := range sh.dbs {
		if t != nil {
			keys += e.evictableOf(t)
		}
	}
	return keys
}

func (e *Evictor) evictableOf(t *table) int {
	if e.policy.Volatile {
		return t.ttls - t.sparedDated
	}
	return t.n - t.spared
}

// share says how many victims of the shard's average size make want bytes, and
// from how many candidates each should be chosen.
func (e *Evictor) share(sh *shard, want int64) (victims, each int) {
	keys := int64(1)
	for _, t := range sh.dbs {
		if t != nil {
			keys += int64(t.n)
		}
	}
	size := max(1, sh.ar.Used()/keys)
	if each = e.samples; !e.any {
		each = max(each, int(min(size/candidateBytes, fewCandidates)))
	}
	return max(1, min(int(want/size)+1, maxVictims, maxSamples/each)), each
}
