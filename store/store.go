// Package store is the keyspace: shards, tables, records, expiry, scanning.
// It has never heard of RESP.
//
// # Shards
//
// A key belongs to the shard that xxhash of its name picks; the shard is the
// unit of locking and owns an arena, which others only touch to give blocks back
// (bodymove.go). All databases of a shard share its lock
// and its arena, so that COPY, MOVE and SWAPDB of one key stay inside it.
// Inside the shard a hash with a random seed places the key, so that nobody
// can choose names which collide.
//
// # Locks
//
// Commands do not lock. The engine collects the shards of a command's keys in
// a Lockset and takes them by ascending index; functions of View and methods
// whose names end in Locked expect that. Store.Scan and the maintenance
// (maintain.go) take one shard at a time themselves.
//
// # Rules
//
// Readers hide an expired key; only a writer removes it. Slices that reads
// return alias the arena: they are valid until the lock is released or the
// shard changes.
//
// # Source files
//
//	store.go view.go                                shards, and a database as a command sees it
//	lockset.go occupied.go held_on.go held_off.go   locks: sets of them, scripts that keep shards, a check
//	table.go bucket.go prefetch.go scan.go          the hash table, and walks through it
//	record.go entry.go keyspace.go update.go        keys: their records, what any type can do, their contents
//	value.go
//	types.go event.go feed.go                       what is said of each type and event; who hears of changes
//	extras.go fresh.go tagging.go tagsweep.go       what a cache adds to keys: stale values, tags, leases
//	leases.go
//	string.go                                       the types: strings,
//	collection.go elementttl.go pack.go             what collections share,
//	hash.go set.go setalgebra.go setcount.go        hashes and sets,
//	setpop.go intset.go
//	list.go listbody.go listpacked.go               lists,
//	listencoding.go listmove.go
//	zset.go zsetalgebra.go zsetbody.go zsetpack.go  sorted sets
//	zsetrange.go zsetsort.go
//	body.go bodymove.go tablebody.go garbage.go     big values: blocks of their own, and how they are freed
//	load.go listload.go zsetload.go large.go        values that come whole: from files, payloads, long requests
//	loan.go
//	expire.go averagettl.go                         keys whose time has come
//	evict.go evictgather.go evictlatest.go          room under a limit
//	evictremove.go relief.go
//	maintain.go compact.go                          work without a command: the rounds, compaction
//	snapshot.go snapshotchunk.go                    the data as of one moment, while they change
//	snapshotpreserve.go snapshotwalk.go
//	watch.go track.go waiters.go                    who waits for keys, or is told of their changes
//	prefixes.go prefixbody.go prefixchoice.go       statistics by prefix
//	prefixshard.go prefixstats.go prefixwalk.go
//	departures.go hot.go sizes.go whole.go          what is known of keys that are gone, hot or big, and of all
//	report.go
package store

import (
	"errors"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tags"
)

// Errors of data operations. The engine turns them into replies.
var (
	ErrWrongType  = errors.New("store: the key holds another type")
	ErrNotInteger = errors.New("store: value is not an integer")
	ErrOverflow   = errors.New("store: increment would overflow")
	ErrTooLong    = errors.New("store: string exceeds the maximum length")
)

// Options configure a Store. The zero value of a field takes its default.
type Options struct {
	Databases int             // default 16
	Shards    int             // a power of two up to MaxShards, default see usualShards
	Encodings *Encodings      // shared with the configuration, default NewEncodings()
	Meter     *eviction.Meter // default one for noeviction; SetMeter replaces it
}

// MaxShards is the largest number of shards.
const MaxShards = 256

// usualShards is how many shards are right for so many processors. With four for each
// of them two goroutines seldom want the same one, while each shard more costs memory:
// it has half an open span of its own for each size of value in use. Of 95 MB in values
// of 16 bytes to 4 KB, spans of 64 shards had 16 % free, of 16 shards 6 %, of 8 shards
// 5 %; SETs and GETs of two loops were as fast with 8 shards as with 64.
func usualShards(processors int) int {
	return min(max(8, 1<<(bits.Len(uint(processors))+1)), MaxShards)
}

// Encodings are the limits up to which collections stay packed. They may
// change at any time and apply from the next write on.
type Encodings struct {
	HashMaxEntries, HashMaxValue             atomic.Int64 // entries, bytes
	SetMaxIntset, SetMaxEntries, SetMaxValue atomic.Int64
	ListMaxSize                              atomic.Int64 // entries, or a level of bytes if negative, see listencoding.go
	ZsetMaxEntries, ZsetMaxValue             atomic.Int64
}

// NewEncodings returns Redis' defaults, those of the configuration.
func NewEncodings() *Encodings {
	e := new(Encodings)
	e.HashMaxEntries.Store(512)
	e.HashMaxValue.Store(64)
	e.SetMaxIntset.Store(512)
	e.SetMaxEntries.Store(128)
	e.SetMaxValue.Store(64)
	e.ListMaxSize.Store(-2)
	e.ZsetMaxEntries.Store(128)
	e.ZsetMaxValue.Store(64)
	return e
}

// Store is the data of one server. See the package comment for locking.
type Store struct {
	heap   *arena.Heap
	shards []shard // the first of locks
	locks  []shard // those shards, and Slots locks without one, see lockset.go
	mask   uint64
	seed   maphash.Seed
	enc    *Encodings
	meter  atomic.Pointer[eviction.Meter]

	// By shard, whose lock covers it; nil unless the Meter wants to know who comes.
	arrivals atomic.Pointer[[]eviction.Arrivals]
	nDBs     int

	snapshot atomic.Pointer[Snapshot] // nil when none runs
	growth   growth                   // the right to grow a locked Lockset, see lockset.go
	occupied atomic.Int32             // sets of locks that are occupied, see occupied.go
	debt     atomic.Int64
	orphans  atomic.Int64 // bytes of removed tables that only the snapshot waits for
	littered shardBits    // shards that have garbage
	mingled  atomic.Bool  // blocks of one shard may lie in the arena of another, see bodymove.go
	stuck    atomic.Int64 // bytes of fragmentation when compaction found nothing to gain, see relief.go
	classes  EventClass   // that the listener is told of, see feed.go
	listener Listener

	background Listener // of what the background work removes; nil: listener is
	tracking   tracking
	leasing    leasing

	_               [64]byte // around what is written where keys come to an end
	expired         atomic.Int64
	expiredElements atomic.Int64
	evicted         atomic.Int64
	_               [64]byte

	elements     ElementListener // nil, or told of elements that Maintain removes
	samples      atomic.Int64
	activeExpire atomic.Bool
	still        atomic.Bool // no key is to leave by itself
	hidesStale   atomic.Bool // from GetString, see fresh.go
	alarm        alarm
	maint        maintenance

	prefixes prefixing
	tags     *tags.Directory
	tagMarks []atomic.Uint32 // by database; changed under all locks
	lastMark uint32          // that was given out
	tagSweep tagSweep

	tagResets uint32 // how often tags were reset; under all locks

	dbMarks []uint32 // by database, what its departed keys are told by; under all locks

	hot hotRule

	compaction atomic.Pointer[CompactionParams] // nil: the built-in rule alone
	pressed    atomic.Int32                     // 1 + the shard that compactUnit is at; 0: none
	walksMu    sync.Mutex                       // protects walks; no lock is taken under it
	walks      walks

	sizes sizeWalk
}

type shard struct {
	// One cache line: what every command looks at.
	mu       shardMutex
	ar       *arena.Arena
	dbs      []*table   // nil until the database is used
	interest EventClass // the classes of events that somebody listens to, see feed.go
	occupied bool       // who holds mu must not use the shard, see occupied.go
	unseen   uint8      // accesses up to the next one that counts, see hot.go
	id       int32      // index of the shard
	cut      cutState   // its first two words

	prefixes shardPrefixes // of which every command looks at the second line

	bodies      []body // of big values, by handle
	freeHandles []uint32
	moved       []movedBody
	garbage     []garbage // what is being freed in the background
	freed       int64     // objects that were garbage
	linked      int       // records with tags, garbage and what is being saved included

	compact compaction

	s       *Store
	watched map[watchKey][]watch
	waiting map[watchKey]*waitQueue // see waiters.go
	tracked *tracked                // see track.go
	hot     hotSample

	digits [20]byte // an integer member of a set, printed for its reader

	number uint64 // the last that nextNumber has given out, or the largest that was read

	leases leases // see leases.go

	next atomic.Int32 // what the holder of the lock takes next or waits for, see lockset.go

	occupation *occupation // by whom the shard is occupied, if it is

	_ [40]byte // shards begin on cache lines, and neighbours share none
}

// Open makes an empty store.
func Open(o Options) (*Store, error) {
	if o.Databases == 0 {
		o.Databases = 16
	}
	if o.Shards == 0 {
		o.Shards = usualShards(runtime.GOMAXPROCS(0))
	}
	if o.Shards < 1 || o.Shards > MaxShards || o.Shards&(o.Shards-1) != 0 {
		return nil, errors.New("store: shards must be a power of two up to 256")
	}
	if o.Encodings == nil {
		o.Encodings = NewEncodings()
	}
	if o.Meter == nil {
		o.Meter = eviction.NewMeter(eviction.Policy{}, eviction.Params{})
	}
	heap, err := arena.NewHeap()
	if err != nil {
		return nil, err
	}
	s := &Store{
		heap: heap, locks: make([]shard, o.Shards+Slots), mask: uint64(o.Shards - 1), seed: maphash.MakeSeed(),
		enc: o.Encodings, nDBs: o.Databases,
	}
	s.shards = s.locks[:o.Shards:o.Shards]
	for i := range s.shards {
		s.shards[i].s, s.shards[i].id, s.shards[i].unseen = s, int32(i), 1
		s.shards[i].ar = heap.NewArena()
		s.shards[i].ar.SetGuard(s.shards[i].mustBeLocked)
		s.shards[i].dbs = make([]*table, o.Databases)
		s.shards[i].tracked = &tracked{arena: heap.NewArena()} // here, since the heap's list of arenas is not locked
		s.shards[i].tracked.arena.SetGuard(s.shards[i].mustBeLocked)
		s.shards[i].prefixes.tallies = make([]tally, 1, 2) // three cache lines, which no other shard's begin in
	}
	s.tagMarks = make([]atomic.Uint32, o.Databases)
	for db := range s.tagMarks {
		s.renewMark(db)
	}
	s.dbMarks = make([]uint32, o.Databases)
	for db := range s.dbMarks {
		s.dbMarks[db] = uint32(db)
	}
	s.SetMeter(o.Meter)
	s.samples.Store(defaultSamples)
	s.activeExpire.Store(true)
	s.SetMaxLeases(usualLeases, 0)
	s.alarm.bell = make(chan struct{}, 1)
	s.tags = tags.New(heap, s.alarm.ring)
	return s, nil
}

// Close unmaps all memory. No other method may run or be called after it.
func (s *Store) Close() error { return s.heap.Close() }

// Databases is the number of databases.
func (s *Store) Databases() int { return s.nDBs }

// SetMeter changes the eviction policy or its parameters. The Meter is the one before's Next,
// if that has written words. Any goroutine may call it.
func (s *Store) SetMeter(m *eviction.Meter) {
	if !m.NotesArrivals() {
		s.arrivals.Store(nil)
	} else if s.arrivals.Load() == nil {
		all := make([]eviction.Arrivals, len(s.shards))
		s.arrivals.Store(&all)
	}
	s.meter.Store(m)
}

// Meter is the eviction policy in force.
func (s *Store) Meter() *eviction.Meter { return s.meter.Load() }

// Encodings are the limits in force.
func (s *Store) Encodings() *Encodings { return s.enc }

// Key is a key's name with its place in the store, computed once per command.
type Key struct {
	Name  []byte
	hash  uint64
	shard uint32
	slot  uint16 // of the name's prefix, see prefixes.go
	gen   uint16 // the table of prefixes that says so
}

// Key finds a name's place. The Key aliases name.
func (s *Store) Key(name []byte) Key {
	k := Key{Name: name, hash: maphash.Bytes(s.seed, name), shard: uint32(xxhash.Sum64(name) & s.mask)}
	if t := s.prefixes.table.Load(); t != nil {
		k.slot, k.gen = t.find(name), t.gen
	}
	return k
}

// Shard is the index of the key's shard.
func (k Key) Shard() int { return int(k.shard) }

// ShardOf is the index of a name's shard.
func (s *Store) ShardOf(name []byte) int { return int(xxhash.Sum64(name) & s.mask) }

// Shards is the number of shards.
func (s *Store) Shards() int { return len(s.shards) }

// Lock takes the lock of one shard. Several are taken through a Lockset. Where scripts may run, the
// caller asks for the shard's Occupier then.
func (s *Store) Lock(shard int) { s.shards[shard].mu.Lock() }

// Unlock releases the lock of one shard.
func (s *Store) Unlock(shard int) { s.shards[shard].mu.Unlock() }

// Stats are the counters of a store.
type Stats struct {
	Expired  int64 // keys removed because their time had come
	Used     int64 // Store.Used, to the byte if nobody writes meanwhile
	Held     int64 // bytes of memory taken for them
	Pending  int64 // bytes of freed large blocks not yet given back to the system
	Resident int64 // Held, Pending, and other free memory not yet given back
	Garbage  int   // objects waiting to be freed: big collections, and keys of flushed databases
	Freed    int64 // such objects freed since the start
	Bodies   int   // values that are too big for their key's record
}

// Stats sums up; it locks one shard after the other.
func (s *Store) Stats() Stats { return s.stats(false) }

func (s *Store) stats(held bool) Stats {
	st := s.heapStats()
	s.survey(held, func(sh *shard) { sh.addStatsLocked(&st) }, func(o *occupation) {
		st.Used += o.stats.Used
		st.Freed += o.stats.Freed
		st.Garbage += o.stats.Garbage
		st.Bodies += o.stats.Bodies
	})
	return st
}

func (s *Store) heapStats() Stats {
	h := s.heap.Stats()
	return Stats{Expired: s.expired.Load(), Used: s.Used() + s.tags.Untold(),
		Held: h.Spans, Pending: h.Pending, Resident: h.Resident}
}

func (sh *shard) addStatsLocked(st *Stats) {
	st.Used += sh.ar.Untold()
	st.Freed += sh.freed
	for i := range sh.garbage {
		st.Garbage += sh.garbage[i].objects
	}
	st.Bodies += len(sh.bodies) - len(sh.freeHandles)
}

// Expired is the number of keys removed because their time had come.
func (s *Store) Expired() int64 { return s.expired.Load() }

// Used is the number of bytes that records and tables use, counted in whole
// slots, and what has been received of long values (Loan). It is one atomic load, for
// the check before every write, and so that no value counts twice on its way into a
// shard; the error is at most 2 KiB for each shard.
func (s *Store) Used() int64 { return max(0, s.heap.Used()) }

// Memory is the number of bytes taken for data, free slots included. It is
// one atomic load; Stats has the details.
func (s *Store) Memory() int64 { return s.heap.Stats().Spans }

// Resident is Memory and the memory that is free and not given back to the system yet.
// It is some atomic loads.
func (s *Store) Resident() int64 { return s.heap.Stats().Resident }

// SetReserve bounds the free memory that is kept for reuse to what becomes a
// memory limit of so many bytes; 0 is no limit.
func (s *Store) SetReserve(limit int64) {
	if limit > 0 {
		limit = reserveBase + limit/reservePart
	}
	s.heap.SetReserve(limit)
}

// Free memory of reserveBase bytes and one part in reservePart of a memory limit
// stays mapped.
const (
	reserveBase = 256 << 10
	reservePart = 512
)

// giveBack returns a piece of free memory to the system if so much of it has piled
// up that the maintenance cannot keep pace. It takes some tens of microseconds.
func (s *Store) giveBack() {
	if s.heap.Overdue() {
		_, _ = s.heap.Scavenge() // an error comes again in Maintain
	}
}

// Exhausted reports that the address range is nearly used up: commands that
// need memory have to be refused.
func (s *Store) Exhausted() bool { return s.heap.Exhausted() }

// SetActiveExpire switches the removal of expired keys by Maintain on or off.
// Expired keys are hidden in any case.
func (s *Store) SetActiveExpire(on bool) { s.activeExpire.Store(on) }

// KeepStill has Maintain remove no expired key until it is told otherwise. If the caller has locked
// every shard, the last one has been removed when it returns.
func (s *Store) KeepStill(on bool) { s.still.Store(on) }

// DBStats are the counts of one database.
type DBStats struct {
	Keys    int // expired ones that are not yet removed included
	Expires int // keys with a TTL

	Bytes  int64 // of the arena: records, big collections excepted, and bucket arrays
	Arrays int64 // of the bucket arrays among them
	Index  int64 // of the tables without records: bucket arrays and directories
}

func (st *DBStats) addAll(o *DBStats) {
	st.Keys += o.Keys
	st.Expires += o.Expires
	st.Bytes += o.Bytes
	st.Arrays += o.Arrays
	st.Index += o.Index
}

func (st *DBStats) add(t *table) {
	st.Keys += t.n
	st.Expires += t.ttls
	st.Bytes += t.bytes
	st.Arrays += t.arrays
	st.Index += t.index()
}

// DB counts the keys of a database; it locks one shard after the other.
func (s *Store) DB(db int) DBStats {
	v := View{Store: s}
	return v.DBStats(db)
}

// FlushLocked empties a database and returns the number of keys it had. All
// locks are held. The memory is freed in the background, or at once where a
// shard holds nothing else; a running snapshot writes it first. Shards whose blocks
// are mingled, or which have keys with tags, are emptied at once only together.
func (s *Store) FlushLocked(db int, now int64) (removed int) {
	s.renewMark(db)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.touchLeases(db)
		t := sh.dbs[db]
		if t == nil {
			continue
		}
		sh.touchWatchedDB(db, nil, now)
		sh.flushed(t)
		sh.dbs[db] = nil
		removed += t.n
		switch {
		case sh.unfinished(t.mark()):
			sh.makeOrphan(t)
		case sh.cut.sn == nil && sh.emptyLocked() && sh.linked == 0 && !s.mingled.Load():
			sh.resetLocked(s, now)
		case t.n > 0:
			sh.discardKeyspace(t)
		}
	}
	if s.mingled.Load() || s.tags.Records() > 0 {
		s.resetLocked(now)
	}
	return removed
}

// resetLocked drops everything if no shard has a key, nor anything that a snapshot has yet to write:
// blocks that lie in another shard's arena, and tags, which keys of any shard may hold.
func (s *Store) resetLocked(now int64) {
	for i := range s.shards {
		if sh := &s.shards[i]; sh.cut.sn != nil || !sh.emptyLocked() {
			return
		}
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.resetLocked(s, now)
		sh.linked = 0
	}
	s.mingled.Store(false)
	s.tags.Reset()
	s.tagResets++
}

func (sh *shard) emptyLocked() bool {
	for _, t := range sh.dbs {
		if t != nil && t.n > 0 {
			return false
		}
	}
	return true
}

// resetLocked drops everything the shard has, in time proportional to its
// spans.
func (sh *shard) resetLocked(s *Store, now int64) {
	if sh.compact.active {
		sh.endWalk(s, now)
	}
	for i := range sh.garbage {
		sh.freed += int64(sh.garbage[i].objects)
	}
	sh.ar.Reset()
	clear(sh.dbs)
	sh.bodies, sh.freeHandles, sh.moved, sh.garbage = nil, nil, nil, nil
	sh.s.littered.clear(sh.id)
}

// SwapLocked exchanges two databases. All locks are held.
func (v *View) SwapLocked(a, b int) {
	for i := range v.Store.shards {
		sh := &v.Store.shards[i]
		sh.touchWatchedDB(a, sh.dbs[b], v.Now)
		sh.touchWatchedDB(b, sh.dbs[a], v.Now)
		sh.touchLeases(a)
		sh.touchLeases(b)
		sh.dbs[a], sh.dbs[b] = sh.dbs[b], sh.dbs[a]
	}
	marks := v.Store.dbMarks
	marks[a], marks[b] = marks[b], marks[a]
	a0, b0 := v.Store.mark(a), v.Store.mark(b)
	v.Store.tagMarks[a].Store(b0)
	v.Store.tagMarks[b].Store(a0)
	v.signalDB(a)
	v.signalDB(b)
}
