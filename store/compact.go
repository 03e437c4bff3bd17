package store

import (
	"time"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tree"
)

// Compaction.
//
// A shard's arena marks its emptiest spans, a walk through the shard's tables
// moves the records and bucket arrays that lie in them, and the spans go back to
// the heap (arena/compact.go). The walk is cut into units of a sub-table; between
// two units clients go on, whatever they do: what a walk misses stays where it is.
//
// Walks are begun for three reasons:
//
//   - The maintenance begins one in a shard where a class of slots has a quarter
//     of them free and the gain is a sixteenth of the shard's memory: what a
//     mass deletion leaves.
//   - CompactionParams may ask for more (activedefrag).
//   - Whoever needs memory under a limit calls compactUnit, which takes the shard
//     with the most to gain. Then the sizes of values have shifted, and every
//     class has some free slots that values of another size cannot use.
//
// A shard is not walked again before more has become free than its last walk
// could not gain.

// Bounds of a walk.
const (
	// A walk of the maintenance gains as many bytes at least, and as many percent
	// of the slots of a class.
	compactAtLeast = 64 << 10
	compactShare   = 25
	// A walk for a limit gains as many bytes at least, and one part in
	// pressingPart of an average shard's memory.
	pressingAtLeast = 32 << 10
	pressingPart    = 32
	// A unit ends at a bucket when it has moved as many bytes.
	unitBytes = 64 << 10
)

// CompactionParams say from when on the maintenance compacts beyond its own rule.
// The zero value asks for nothing more.
type CompactionParams struct {
	Percent int   // of fragmentation, as FragmentationPercent counts it; 0: never
	Ignore  int64 // bytes that may be fragmented whatever the percentage
}

// SetCompaction changes when the maintenance compacts. Any goroutine may call it.
func (s *Store) SetCompaction(p CompactionParams) { s.compaction.Store(&p) }

// Fragmented is the number of bytes of free slots in spans that are in use: what
// Memory exceeds Used by. It is two atomic loads.
func (s *Store) Fragmented() int64 { return max(0, s.heap.Stats().Spans-s.Used()) }

// FragmentationPercent is Fragmented in percent of Used.
func (s *Store) FragmentationPercent() float64 {
	return 100 * float64(s.Fragmented()) / float64(max(1, s.Used()))
}

// CompactionStats count what compaction has done.
type CompactionStats struct {
	Running                 bool          // in some shard
	Records, Arrays         int64         // records and bucket arrays moved
	KeptRecords, KeptArrays int64         // looked at and left where they were
	Moved, Freed            int64         // bytes moved; bytes of memory that walks gave back
	Time                    time.Duration // in which some shard was being walked, by the callers' clock
	Current                 time.Duration // since that began, 0 if none is
}

// walks counts the shards that are being walked, and the time in which any is.
type walks struct {
	n            int
	began, taken int64 // unix milliseconds, milliseconds
}

// walkPlace is where a walk is in a table or body, which alone knows what it means.
type walkPlace struct {
	sub    int
	bucket uint32
	cursor tree.Cursor
}

// compaction is a shard's walk over its tables and bodies.
type compaction struct {
	active bool
	at     int // databases first, bodies after them
	walkPlace
	sh   *shard
	held int64 // the arena's memory when the walk began

	records, arrays, keptRecords, keptArrays, moved, freed int64
}

// compactUnit does one unit of work that brings Fragmented down: it goes on with
// the walk that was begun last, or begins one in the shard where it gains most.
// It returns false if no shard is worth it. What a walk gains comes mostly at its
// end. The caller holds no lock; any number of goroutines may call it. now is in
// unix milliseconds.
func (s *Store) compactUnit(now int64) (worked bool) {
	for range s.shards {
		i := s.pressed.Load()
		if i == 0 {
			if i = s.mostToGain(); i == 0 {
				return false
			}
			s.pressed.Store(i)
		}
		sh := &s.shards[i-1]
		if !sh.lock() {
			s.pressed.CompareAndSwap(i, 0)
			return false
		}
		worked = sh.compact.active || sh.beginWalk(s, 0, pressingAtLeast, now)
		if !worked || !sh.walk(s, now) {
			s.pressed.CompareAndSwap(i, 0)
		}
		sh.mu.Unlock()
		if worked {
			return true
		}
	}
	return false
}

// mostToGain is 1 + the index of the shard where a walk for a limit gains most, 0
// if it is worth it in none.
func (s *Store) mostToGain() (at int32) {
	most := max(pressingAtLeast, s.Memory()/int64(len(s.shards))/pressingPart)
	for i := range s.shards {
		if gain := s.shards[i].ar.Gain(); gain >= most {
			at, most = int32(i)+1, gain
		}
	}
	return at
}

// compactStep begins a walk where it pays, or goes on with one.
func (sh *shard) compactStep(s *Store, now int64) bool {
	if !sh.compact.active {
		share, pays := sh.worthWalking(s)
		if !pays || !sh.beginWalk(s, share, compactAtLeast, now) {
			return false
		}
	}
	sh.walk(s, now)
	return true
}

// worthWalking is the maintenance's rule. share is how many percent of a class's
// slots must be free for it to be compacted.
func (sh *shard) worthWalking(s *Store) (share int, pays bool) {
	gain, held := sh.ar.Gain(), sh.ar.Held()
	if gain < compactAtLeast {
		return 0, false
	}
	if sparse := sh.ar.Fragmented(compactShare); sparse >= compactAtLeast && sparse >= held/16 {
		return compactShare, true
	}
	p := s.compaction.Load()
	if p == nil || p.Percent == 0 || s.Fragmented() < p.Ignore || s.FragmentationPercent() < float64(p.Percent) {
		return 0, false
	}
	return 0, gain*200 >= held*int64(p.Percent)
}

// beginWalk marks spans and reports whether at least so many bytes of them.
func (sh *shard) beginWalk(s *Store, share int, atLeast, now int64) bool {
	if sh.ar.BeginCompaction(share) < atLeast {
		sh.ar.EndCompaction()
		return false
	}
	c := &sh.compact
	c.active, c.at, c.walkPlace, c.held = true, 0, walkPlace{}, sh.ar.Held()
	s.walking(+1, now)
	return true
}

// walk does one unit of the shard's walk. It returns false at its end.
func (sh *shard) walk(s *Store, now int64) (more bool) {
	c := &sh.compact
	c.sh = sh
	for c.at < len(sh.dbs)+len(sh.bodies) {
		if b := sh.bodyAt(c.at); b != nil {
			done := b.evacuate(c)
			sh.settleBody(b)
			if !done {
				return true
			}
		}
		c.at++
		c.walkPlace = walkPlace{}
	}
	sh.endWalk(s, now)
	return false
}

func (sh *shard) endWalk(s *Store, now int64) {
	sh.ar.EndCompaction()
	c := &sh.compact
	c.active = false
	c.freed += max(0, c.held-sh.ar.Held())
	s.walking(-1, now)
}

func (s *Store) walking(delta int, now int64) {
	s.walksMu.Lock()
	w := &s.walks
	if w.n == 0 {
		w.began = now
	}
	if w.n += delta; w.n == 0 {
		w.taken += now - w.began
	}
	s.walksMu.Unlock()
}

// Compaction sums up what compaction has done; it locks one shard after the
// other. now is in unix milliseconds.
func (s *Store) Compaction(now int64) CompactionStats { return s.compactionStats(now, false) }

func (s *Store) compactionStats(now int64, held bool) (st CompactionStats) {
	s.survey(held, func(sh *shard) { sh.compact.addTo(&st) }, func(o *occupation) { st.add(&o.compact) })
	return s.walkTimes(st, now)
}

func (st *CompactionStats) add(o *CompactionStats) {
	st.Running = st.Running || o.Running
	st.Records += o.Records
	st.Arrays += o.Arrays
	st.KeptRecords += o.KeptRecords
	st.KeptArrays += o.KeptArrays
	st.Moved += o.Moved
	st.Freed += o.Freed
}

func (c *compaction) addTo(st *CompactionStats) {
	st.Running = st.Running || c.active
	st.Records += c.records
	st.Arrays += c.arrays
	st.KeptRecords += c.keptRecords
	st.KeptArrays += c.keptArrays
	st.Moved += c.moved
	st.Freed += c.freed
}

func (s *Store) walkTimes(st CompactionStats, now int64) CompactionStats {
	s.walksMu.Lock()
	w := s.walks
	s.walksMu.Unlock()
	if w.n > 0 {
		st.Current = time.Duration(now-w.began) * time.Millisecond
	}
	st.Time = time.Duration(w.taken)*time.Millisecond + st.Current
	return st
}

// bodyAt is what the walk comes to in turn: a table of the keyspace is walked like one that is a
// body.
func (sh *shard) bodyAt(i int) body {
	if i >= len(sh.dbs) {
		return sh.bodies[i-len(sh.dbs)]
	}
	if t := sh.dbs[i]; t != nil {
		return t
	}
	return nil
}

// evacuate does one unit: at most a sub-table.
func (t *table) evacuate(c *compaction) (done bool) {
	if c.sub >= len(t.subs) {
		return true
	}
	if c.bucket, done = t.evacuateSub(uint32(c.sub), c.bucket, c); done {
		c.sub, c.bucket = c.sub+1, 0
	}
	return false
}

// evacuateSub moves the records and the buckets of a sub-table that lie in spans
// marked by BeginCompaction, from a bucket on. It returns the bucket to go on
// with, or done.
func (t *table) evacuateSub(sub, from uint32, c *compaction) (next uint32, done bool) {
	s := &t.subs[sub]
	moved := int64(0)
	for i := from; i < uint32(s.buckets); i++ {
		if moved >= unitBytes {
			c.moved += moved
			return i, false
		}
		b := t.bucket(s, i)
		for slot := uint8(0); slot < b.count(); slot++ {
			ref := b.ref(slot)
			if !t.ar.Evacuating(ref) {
				t.ar.Adopt(ref)
				c.keptRecords++
				continue
			}
			r := readRecord(t.mem, ref)
			before := t.bytes
			ref = t.relocateRecord(ref, r.size())
			b.setRef(slot, ref)
			if t.stock != nil && t.bytes != before { // it has given up room to grow
				c.sh.bookRecord(t, ref)
			}
			moved += int64(r.size())
			c.records++
		}
	}
	if s.buckets > 0 {
		if t.ar.Evacuating(arena.Ref(s.base >> 3)) {
			n, before := int(s.buckets)*bucketSize, t.bytes
			s.base = t.relocate(arena.Ref(s.base>>3), n).Off()
			t.arrays += t.bytes - before
			moved += int64(n)
			c.arrays++
		} else {
			c.keptArrays++
		}
	}
	c.moved += moved
	return 0, true
}

func (t *table) relocate(ref arena.Ref, n int) arena.Ref {
	moved := t.duplicate(ref, n)
	t.free(ref)
	return moved
}

// relocateRecord tells whoever else refers to the record while the old one can still be read.
func (t *table) relocateRecord(ref arena.Ref, n int) arena.Ref {
	moved := t.duplicate(ref, n)
	if t.moved != nil {
		t.moved(ref, moved)
	}
	t.free(ref)
	return moved
}

func (t *table) duplicate(ref arena.Ref, n int) arena.Ref {
	b := t.alloc(n)
	copy(t.ar.Bytes(b, n), t.ar.Bytes(ref, n))
	return b
}
