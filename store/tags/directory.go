package tags

import (
	"hash/maphash"
	"sync"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/invariants"
)

// Ref names a tag's record. It is good while somebody holds the tag.
type Ref = arena.Ref

// MaxName is the length of the longest name, in bytes.
const MaxName = 1024

const stripeCount = 32

// Directory is all tags of a store. It is safe for concurrent use, but for Sweep and Reset.
type Directory struct {
	mem     []byte
	seed    maphash.Seed
	queue   queue
	stripes [stripeCount]stripe
}

// stripe is a part of the tags, by hash.
type stripe struct {
	mu     sync.Mutex // protects the fields below and the stripe's records but for their atomics
	mem    []byte     // of the heap
	ar     *arena.Arena
	queue  *queue
	table  table
	living int      // tags that have keys
	_      [32]byte // two cache lines: processors load lines in pairs
}

// New makes an empty directory. wake is called, without any of the directory's locks, when there is
// something to sweep where nothing was; it must not block. The heap's other arenas have not been
// used yet.
func New(heap *arena.Heap, wake func()) *Directory {
	d := &Directory{seed: maphash.MakeSeed()}
	d.queue.wake = wake
	for i := range d.stripes {
		s := &d.stripes[i]
		s.ar = heap.NewArena()
		s.mem, s.queue = s.ar.Mem(), &d.queue
		s.ar.SetGuard(s.mustBeLocked)
	}
	d.mem = d.stripes[0].mem
	d.queue.mem = d.mem
	return d
}

// mustBeLocked panics unless somebody holds the stripe's lock.
func (s *stripe) mustBeLocked() {
	if s.mu.TryLock() {
		panic("BUG: tags: a stripe is used without its lock")
	}
}

// key is what a tag is found by.
type key struct {
	fragment uint32 // of the hash, fragmentBits
	mark     uint32
	name     []byte
}

// find returns the stripe that a tag is in, or belongs to.
func (d *Directory) find(mark uint32, name []byte) (*stripe, key) {
	h := maphash.Bytes(d.seed, name) + uint64(mark)*0x9E3779B97F4A7C15 // odd: no two marks agree
	return &d.stripes[h%stripeCount], key{fragment: uint32(h >> (64 - fragmentBits)), mark: mark, name: name}
}

// keyOf is the key of a tag that is there.
func (d *Directory) keyOf(rec record) key {
	_, k := d.find(rec.mark(), rec.name())
	return k
}

func (d *Directory) record(r Ref) record { return record(d.mem[r.Off():]) }

func (d *Directory) stripeOf(rec record) *stripe { return &d.stripes[rec.stripe()] }

// Hold finds a tag, or makes it. The caller gets a reference. mark tells apart tags of the same name,
// which is at most MaxName bytes and is copied.
func (d *Directory) Hold(mark uint32, name []byte) Ref {
	if len(name) > MaxName {
		panic("BUG: tags: a name is too long")
	}
	s, k := d.find(mark, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.table.find(s.mem, k); r != 0 {
		record(s.mem[r.Off():]).retain()
		return r
	}
	r := s.ar.Alloc(recordSize(len(name)))
	record(s.mem[r.Off():]).init(mark, d.indexOf(s), name)
	s.table.insert(s, k.fragment, r)
	return r
}

func (d *Directory) indexOf(s *stripe) int {
	for i := range d.stripes {
		if s == &d.stripes[i] {
			return i
		}
	}
	panic("BUG: tags: a stripe of another directory")
}

// Retain adds a reference to a tag that somebody holds meanwhile. It takes no lock.
func (d *Directory) Retain(r Ref) { d.record(r).retain() }

// Drop takes a reference away. The last one frees the tag with its name and list; only that one takes
// a lock.
func (d *Directory) Drop(r Ref) {
	rec := d.record(r)
	if rec.release() {
		return
	}
	s := d.stripeOf(rec)
	s.mu.Lock()
	woken := !rec.release() && d.bury(s, r, rec)
	s.mu.Unlock()
	d.queue.wakeIf(woken)
}

// DropMany takes n references away from a tag that a job of Sweep holds besides.
func (d *Directory) DropMany(r Ref, n int) { d.record(r).releaseMany(n) }

// bury frees a tag that nobody else holds. No entry of its list stands for anything any more; a long list
// becomes a job, which holds the tag until the list is freed. It reports whether the job is the first.
func (d *Directory) bury(s *stripe, r Ref, rec record) (first bool) {
	if rec.live() != 0 || rec.flag(flagJob) {
		panic("BUG: tags: a tag is let go that has keys or a job")
	}
	if s.long(rec) {
		return s.enqueue(r, rec, Tidy)
	}
	s.clearList(rec)
	s.table.remove(s, d.keyOf(rec).fragment, r)
	s.ar.Free(r)
	return false
}

// Name is a tag's name. It aliases the record and is good while the tag is held.
func (d *Directory) Name(r Ref) []byte { return d.record(r).name() }

// Mark is what tells a tag apart from others of the same name.
func (d *Directory) Mark(r Ref) uint32 { return d.record(r).mark() }

// State reports whether a key whose link has this stamp has been invalidated: gone, or stale, or
// neither. What is gone is stale too, or not. It takes no lock, and sees what an Invalidate has done
// that has returned.
func (d *Directory) State(r Ref, stamp uint64) (gone, stale bool) {
	rec := d.record(r)
	return stamp < rec.hard(), stamp < rec.soft()
}

// Gone is below which stamp of a link a key has been invalidated for good: what State says of it will not
// change. It takes no lock.
func (d *Directory) Gone(r Ref) uint64 { return d.record(r).hard() }

// Link counts one more key that has the tag, which the caller holds, and lists it. place is 48 bits
// that find the key again. The stamp is never 0, below 2^48, and no other link to this tag has it.
//
// It is called under the lock of the key's shard, which whoever sweeps takes too, so that no entry is
// looked up before the key is there.
func (d *Directory) Link(r Ref, place uint64) (stamp uint64) {
	rec := d.record(r)
	s := d.stripeOf(rec)
	s.mu.Lock()
	stamp = rec.serial() + 1
	s.list(rec, place, stamp)
	rec.setSerial(stamp)
	live := rec.live() + 1
	if rec.setLive(live); live == 1 {
		s.living++
	}
	if invariants.Enabled {
		s.check(rec)
	}
	s.mu.Unlock()
	return stamp
}

// Unlink says that a key with this stamp does not have the tag any more. The reference that the link
// is stays the caller's.
func (d *Directory) Unlink(r Ref, stamp uint64) {
	rec := d.record(r)
	if stamp < rec.hard() {
		return // Invalidate has taken it off the count
	}
	s := d.stripeOf(rec)
	s.mu.Lock()
	woken := stamp >= rec.hard() && s.unlink(r, rec, stamp)
	if invariants.Enabled {
		s.check(rec)
	}
	s.mu.Unlock()
	d.queue.wakeIf(woken)
}

// unlink reports whether it has queued the first job.
func (s *stripe) unlink(r Ref, rec record, stamp uint64) (first bool) {
	live := rec.live() - 1
	rec.setLive(live)
	if stamp < rec.soft() {
		rec.setStale(rec.stale() - 1)
	}
	if live == 0 {
		s.living--
	}
	if rec.flag(flagJob) {
		return false // the sweep is going to tidy up
	}
	s.unlist(rec, stamp)
	if s.listed(rec) <= tidyFactor*live+tidySlack {
		return false
	}
	rec.retain()
	return s.enqueue(r, rec, Tidy)
}

// Reset forgets all tags at once, in time proportional to their memory. Nobody else changes the directory
// or sweeps, and no reference to a tag is used any more.
func (d *Directory) Reset() {
	for i := range d.stripes {
		s := &d.stripes[i]
		s.mu.Lock()
		s.ar.Reset()
		s.table, s.living = table{}, 0
		s.mu.Unlock()
	}
	d.queue.reset()
}
