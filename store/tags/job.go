package tags

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/store/invariants"
)

// Kind is the strongest of the reasons for a job.
type Kind uint8

// A job keeps a tag's list short, or follows a soft or a hard invalidation.
const (
	Tidy Kind = iota
	Soft
	Hard
)

// Job says what a batch of places is of.
type Job struct {
	Ref  Ref // the tag, good until the next call of Sweep
	Kind Kind
	Last bool // no places were left when these were taken
}

// A job holds its tag and has, in a block of its own that the tag's record leads to,
//
//	 0  8  the next job in the queue
//	 8  8  the tag
//	16  8  kind << 56 | newest chunk of what is to be swept
//	24  8  how many entries that has
//	32  8  how many were taken
//	40  8  how many of them in the last batch
//	48  6  the tag's list
//
// A tag has one job at most. What else happens to it meanwhile is added to the job, which therefore
// has places of any kind: those that a soft sweep has not come to are gone after a hard invalidation.
type job []byte

const (
	jobNextAt    = 0
	jobTagAt     = 8
	jobChainAt   = 16
	jobPendingAt = 24
	jobTakenAt   = 32
	jobBatchAt   = 40
	jobListAt    = 48
	jobSize      = 54

	// An Unlink queues a job when so many times what counts, and a few more, are listed.
	tidyFactor = 2
	tidySlack  = 16
)

func (s *stripe) job(at Ref) job { return job(s.mem[at.Off():]) }

func (j job) get(at int) uint64 { return binary.LittleEndian.Uint64(j[at:]) }

func (j job) set(at int, v uint64) { binary.LittleEndian.PutUint64(j[at:], v) }

func (j job) kind() Kind { return Kind(j.get(jobChainAt) >> 56) }

func (j job) chain() Ref { return Ref(j.get(jobChainAt) & (1<<56 - 1)) }

func (j job) setChain(k Kind, newest Ref) { j.set(jobChainAt, uint64(k)<<56|uint64(newest)) }

// queue is the jobs, oldest first.
type queue struct {
	mu         sync.Mutex // protects head, tail, and the jobs' links
	mem        []byte
	head, tail Ref
	wake       func()
	jobs       atomic.Int64 // the present one included
	entries    atomic.Int64
	present    Ref         // the sweeper's: the job it is at, which the queue does not have any more
	sweeping   atomic.Bool // for the invariant that there is one sweeper
}

func (q *queue) reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.head, q.tail, q.present = 0, 0, 0
	q.jobs.Store(0)
	q.entries.Store(0)
}

// push appends a job.
func (q *queue) push(at Ref) {
	q.mu.Lock()
	defer q.mu.Unlock()
	job(q.mem[at.Off():]).set(jobNextAt, 0)
	if q.tail == 0 {
		q.head = at
	} else {
		job(q.mem[q.tail.Off():]).set(jobNextAt, uint64(at))
	}
	q.tail = at
}

// pop returns the oldest job, 0 if there is none.
func (q *queue) pop() Ref {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := q.head
	if at != 0 {
		if q.head = Ref(job(q.mem[at.Off():]).get(jobNextAt)); q.head == 0 {
			q.tail = 0
		}
	}
	return at
}

func (q *queue) wakeIf(first bool) {
	if first && q.wake != nil {
		q.wake()
	}
}

// enqueue makes a tag's list a job, which takes over a reference to the tag. It reports whether it is
// the only one.
func (s *stripe) enqueue(r Ref, rec record, k Kind) (first bool) {
	chain, n := s.detach(rec)
	at := s.ar.Alloc(jobSize)
	j := s.job(at)
	clear(j[:jobSize])
	j.set(jobTagAt, uint64(r))
	j.setChain(k, chain)
	j.set(jobPendingAt, uint64(n))
	put48(rec[listAt:], uint64(at))
	rec.setFlag(flagJob, true)
	s.queue.entries.Add(n)
	s.queue.push(at)
	return s.queue.jobs.Add(1) == 1
}

// extend adds a tag's list to its job.
func (s *stripe) extend(rec record, k Kind) {
	j := s.job(Ref(get48(rec[listAt:])))
	chain, n := s.detach(rec)
	j.setChain(max(k, j.kind()), s.join(j.chain(), chain))
	j.set(jobPendingAt, j.get(jobPendingAt)+uint64(n))
	s.queue.entries.Add(n)
}

// Invalidate has all keys that have a tag gone, or stale if soft, in constant time: State says so when
// it returns. It returns how many keys that is news for, and leaves it to Sweep to find them.
func (d *Directory) Invalidate(mark uint32, name []byte, soft bool) (keys int64) {
	s, k := d.find(mark, name)
	s.mu.Lock()
	r := s.table.find(s.mem, k)
	if r == 0 {
		s.mu.Unlock()
		return 0
	}
	rec := record(s.mem[r.Off():])
	keys = rec.live()
	kind := Hard
	if soft {
		keys, kind = keys-rec.stale(), Soft
	}
	woken := false
	if keys > 0 {
		woken = s.invalidate(r, rec, kind)
	}
	if invariants.Enabled {
		s.check(rec)
	}
	s.mu.Unlock()
	d.queue.wakeIf(woken)
	return keys
}

// invalidate reports whether it has queued the first job.
func (s *stripe) invalidate(r Ref, rec record, k Kind) (first bool) {
	next := rec.serial() + 1
	if k == Soft {
		rec.setSoft(next)
		rec.setStale(rec.live())
	} else {
		rec.setHard(next)
		rec.setLive(0)
		rec.setStale(0)
		s.living--
	}
	if rec.flag(flagJob) {
		s.extend(rec, k)
		return false
	}
	rec.retain()
	return s.enqueue(r, rec, k)
}

// Sweep takes up to len(places) entries of the oldest job, at least one, and says of which; 0 means
// that nothing is left to do. One goroutine at a time calls it. Whatever the job's kind, under the lock
// of a place's shard the caller
//
//   - calls Lose if the tag's mark is out of use;
//   - looks for a key with a link to Job.Ref whose stamp has the lower bits of Place.Stamp. If there is
//     none, the key has been removed or changed: nothing is left to do;
//   - calls Relist, and removes the key if that says gone, or tells whom it concerns if stale.
//
// It does so for all places before it calls Sweep again, which ends the job when nothing is left of
// it. After a Reset, which is not called during Sweep, it forgets them instead.
func (d *Directory) Sweep(places []Place) (Job, int) {
	if len(places) == 0 {
		panic("BUG: tags: a sweep for no places")
	}
	q := &d.queue
	if !q.sweeping.CompareAndSwap(false, true) {
		panic("BUG: tags: two sweeps at once")
	}
	defer q.sweeping.Store(false)
	for {
		if q.present == 0 {
			if q.present = q.pop(); q.present == 0 {
				return Job{}, 0
			}
		}
		r := Ref(job(d.mem[q.present.Off():]).get(jobTagAt))
		if j, n := d.sweep(r, places); n > 0 {
			return j, n
		}
	}
}

// sweep does one step of the present job, which is that of a tag. n is 0 when the job has ended, or
// what it did concerns no key.
func (d *Directory) sweep(r Ref, places []Place) (done Job, n int) {
	rec := d.record(r)
	s, q := d.stripeOf(rec), &d.queue
	s.mu.Lock()
	j := s.job(q.present)
	chain, kind := j.chain(), j.kind()
	if chain == 0 {
		woken := d.end(s, r, rec)
		s.mu.Unlock()
		q.wakeIf(woken)
		return Job{}, 0
	}
	var entries int64
	if rec.references() == 1 {
		// Nobody else holds the tag, so there is no link that could be found.
		chain, entries = s.freeChunks(chain, longest)
	} else {
		chain, n = s.take(chain, places)
		entries = int64(n)
	}
	j.setChain(kind, chain)
	j.set(jobPendingAt, j.get(jobPendingAt)-uint64(entries))
	j.set(jobTakenAt, j.get(jobTakenAt)+uint64(entries))
	j.set(jobBatchAt, uint64(n))
	q.entries.Add(-entries)
	if invariants.Enabled {
		s.check(rec)
	}
	s.mu.Unlock()
	return Job{Ref: r, Kind: kind, Last: chain == 0}, n
}

// end ends the present job. If most of what was relisted is void again, it begins anew behind all
// others; each time that halves the list, at least.
func (d *Directory) end(s *stripe, r Ref, rec record) (woken bool) {
	q := &d.queue
	j := s.job(q.present)
	if n := s.listed(rec); n > tidyFactor*rec.live()+tidySlack && n <= int64(j.get(jobTakenAt)/2) {
		j.setChain(Tidy, 0)
		s.extend(rec, Tidy)
		j.set(jobTakenAt, 0)
		j.set(jobBatchAt, 0)
		q.push(q.present)
		q.present = 0
		return false
	}
	list := get48(j[jobListAt:])
	rec.setFlag(flagJob, false)
	put48(rec[listAt:], list)
	s.ar.Free(q.present)
	q.present = 0
	q.jobs.Add(-1)
	if !rec.release() {
		return d.bury(s, r, rec)
	}
	if invariants.Enabled {
		s.check(rec)
	}
	return false
}

// Relist is called about a link that a sweep has found at a place. If the key is gone, it is to be
// removed. Otherwise the entry has gone back to the list. The link counts as it did before, and
// whether it is stale is told as of now: of what becomes so later another job will tell.
func (d *Directory) Relist(r Ref, p Place, stamp uint64) (gone, stale bool) {
	rec := d.record(r)
	if stamp < rec.hard() {
		return true, stamp < rec.soft() // what is gone stays so, and has no list to go back to
	}
	s := d.stripeOf(rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if invariants.Enabled && (!rec.flag(flagJob) || p.Stamp() != uint16(stamp)) {
		panic("BUG: tags: an entry is relisted that was not swept")
	}
	if stamp < rec.hard() {
		return true, stamp < rec.soft()
	}
	s.list(rec, p.At(), stamp)
	return false, stamp < rec.soft()
}

// Lose is called in place of Relist about an entry of a tag whose mark nobody uses any more: its keys are
// being given up, one after the other, and are not looked for.
func (d *Directory) Lose(r Ref) {
	rec := d.record(r)
	s := d.stripeOf(rec)
	s.mu.Lock()
	rec.setFlag(flagLost, true)
	s.mu.Unlock()
}

// Jobs is how many tags have something to sweep. It is one atomic load.
func (d *Directory) Jobs() int64 { return d.queue.jobs.Load() }

// Pending reports whether Sweep has anything to do.
func (d *Directory) Pending() bool { return d.Jobs() > 0 }

// PendingEntries is how many places are to be swept. It is one atomic load.
func (d *Directory) PendingEntries() int64 { return d.queue.entries.Load() }
