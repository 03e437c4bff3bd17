package store

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/store/arena"
)

// Tracking: who has read which key, so that clients which keep what they have read can be told when
// it is no longer true.
//
// A shard has a table of the names that somebody tracks. The entry of a name is a record as that of
// a key is, whose value is a list of items, one for each client that has read it. The first change
// of the key takes the entry out and tells all of its clients: whoever wants to hear of the next
// one reads the key again. Reads are noted and changes are told under the lock of the key's shard,
// so no change can come between a read and the note of it.
//
// Names are tracked without their database, as in Redis, and so are the messages about them.
//
// # Items
//
// An item is four bytes: the number of the client's Tracker, and a bit that says that the key had
// expired when it was read. Items of an entry are sorted, so that a client is found among ten
// thousand that have read the same key, and there is room for the next ones up to a power of two:
// what is unused is noItem, which sorts behind all others. A client that reads again what it
// tracks changes nothing and allocates nothing.
//
// The bit is needed because readers hide an expired key and do not remove it. Who has read that it
// is not there learns nothing from its removal, and goes on tracking the name; who has read the
// value is told as soon as anybody finds that its time has come (View.hide).
//
// # Clients that go
//
// A tracker that ends leaves items behind, of which nobody is told. Its number is used again only
// when the maintenance has walked over all tables and taken them out (trackingStep): walks begin at
// most once in sweepPause, and look at each entry once, however many clients have gone.
//
// # Limits
//
// At most maxKeys names are tracked, itemsPerKey items for each of them, and nameBytes of names.
// tracking-table-max-keys alone, as in Redis, is no bound of memory: there 130 clients that read the
// same 6 million keys made 150 million items. With 16 items of four bytes a name of usual length
// and its items take about the same. Whoever adds an item past a limit takes out entries of the
// same shard by chance, perhaps the one that he has just made, and tells their clients as if the
// keys had changed. So nobody trusts a copy that is not tracked.
//
// # Memory
//
// The tables lie in arenas of their own, beside those of the data: compaction and snapshots do not
// know of them, and a flush gives all of it back at once. They count in Used.

const (
	itemSize    = 4
	noItem      = math.MaxUint32
	expiredItem = 1 // the bit

	itemsPerKey = 16
	nameBytes   = 256

	sweepPause   = 1000 // ms
	sweepBuckets = 16   // of a table in one unit of the maintenance
	dropAtOnce   = 64   // entries taken out in one unit where a limit has been lowered
)

// Tracker is one client that tracks keys.
type Tracker struct {
	Owner any // for who is told

	number uint32
	ended  atomic.Bool
	items  atomic.Int64
}

// Forgetter tells clients what to forget. It is called under the lock of the key's shard. key and
// trackers are valid until it returns. It must not change the store.
type Forgetter interface {
	// Forget is about a key that the owners of trackers have read.
	Forget(trackers []*Tracker, key []byte)
	// Changed is about every key that changes, while somebody asks for that (View.Broadcast).
	Changed(key []byte)
}

// tracking is the store's part of it.
type tracking struct {
	forgetter  Forgetter
	background Forgetter    // of what the background work removes
	broadcasts atomic.Int64 // how many want to hear of every change

	maxKeys            atomic.Int64 // 0: no limits
	keys, items, names atomic.Int64 // of all shards; names in bytes

	mu       sync.Mutex                                // protects the fields below, and writes to byNumber
	byNumber atomic.Pointer[[]atomic.Pointer[Tracker]] // read under the lock of any shard
	used     int                                       // numbers that have been given out
	free     []uint32                                  // of them, those that may be given out again
	ended    []*Tracker                                // of whom there may be items
	swept    []*Tracker                                // those that the present walk is for
	walk     uint32                                    // number of the walk
	left     int                                       // shards that it has not come through
	began    int64                                     // when it began, unix ms
	gone     atomic.Int64                              // ended and swept
}

// tracked is what one shard has.
type tracked struct {
	*table // nil: nothing is tracked
	arena  *arena.Arena
	cut    cutState // never changes: nothing here is saved
	told   []*Tracker
	empty  []arena.Ref // scratch of a walk
	walk   uint32      // the last walk that has begun here
	walks  bool        // it is under way
	at     uint64      // where it is, a cursor of scan
}

// SetForgetter sets who tells clients what changes outside commands. Nobody else uses the store yet.
func (s *Store) SetForgetter(f Forgetter) { s.tracking.forgetter = f }

// SetMaxTracked changes the limits of tracking; 0 is none.
func (s *Store) SetMaxTracked(keys int64) { s.tracking.maxKeys.Store(keys) }

// Tracked counts tracked keys, and pairs of a key and a client that tracks it. Items of clients that
// have gone may be among them.
func (s *Store) Tracked() (keys, items int64) { return s.tracking.keys.Load(), s.tracking.items.Load() }

// NewTracker makes a tracker. It is in use until EndTracker.
func (s *Store) NewTracker(owner any) *Tracker {
	t := &s.tracking
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := &Tracker{Owner: owner}
	if n := len(t.free); n > 0 {
		tr.number, t.free = t.free[n-1], t.free[:n-1]
	} else {
		tr.number = uint32(t.used)
		t.used++
	}
	list := t.byNumber.Load()
	if list == nil || int(tr.number) >= len(*list) {
		list = growTrackers(list)
		t.byNumber.Store(list)
	}
	(*list)[tr.number].Store(tr)
	return tr
}

func growTrackers(old *[]atomic.Pointer[Tracker]) *[]atomic.Pointer[Tracker] {
	if old == nil {
		list := make([]atomic.Pointer[Tracker], 16)
		return &list
	}
	list := make([]atomic.Pointer[Tracker], 2*len(*old))
	for i := range *old {
		list[i].Store((*old)[i].Load())
	}
	return &list
}

// EndTracker says that nothing is to be told to a tracker any more. Its client reads nothing more
// that would be noted.
func (s *Store) EndTracker(tr *Tracker) {
	t := &s.tracking
	tr.ended.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = append(t.ended, tr)
	t.gone.Add(1)
}

// Broadcast says that one more (+1) or one less (-1) wants to hear of every change.
func (v *View) Broadcast(delta int64) {
	v.Store.tracking.broadcasts.Add(delta)
	for i := range v.Store.shards { // whoever is last at a shard knows of all
		sh := &v.Store.shards[i]
		if v.Held {
			sh.setInterest()
			continue
		}
		sh.mu.Lock()
		if sh.occupied {
			sh.later(sh.setInterest)
		} else {
			sh.setInterest()
		}
		sh.mu.Unlock()
	}
}

// Track notes that a tracker's client has read a key. hidden says that the read has found a key whose
// time has come.
func (v *View) Track(k Key, tr *Tracker, hidden bool) {
	sh, s := v.shard(&k), &v.Store.tracking
	item := tr.number << 1
	if hidden && v.isExpired(k) {
		item |= expiredItem
	}
	if !hidden && v.Store.hidesStale.Load() {
		v.noteTracked(k)
	}
	t := sh.tracked
	if t.table == nil {
		sh.openTracked()
	}
	if p, ref, ok := t.find(k.hash, k.Name); ok {
		if !t.addItem(p, ref, item) {
			return
		}
	} else {
		var b [itemSize]byte
		binary.LittleEndian.PutUint32(b[:], item)
		t.insert(k.hash, t.newRecord(0, k.Name, b[:], 0), 0, 0)
		s.keys.Add(1)
		s.names.Add(int64(len(k.Name)))
		if t.n == 1 {
			sh.setInterest()
		}
	}
	tr.items.Add(1)
	s.items.Add(1)
	sh.makeRoom(v.forgetter(), 1+itemsPerKey)
}

// noteTracked has the sweep look at the end of a tracked value's fresh time (fresh.go).
func (v *View) noteTracked(k Key) {
	var e Entry
	if v.peek(&e, &k) && e.rec.extra > 0 {
		e.sh.noteFresh(e.t, e.p, e.State(v.Now).Fresh, v.Now)
	}
}

func (v *View) forgetter() Forgetter {
	if v.Forgetter != nil {
		return v.Forgetter
	}
	return v.Store.tracking.forgetter
}

// makeRoom takes out entries, some at most, while a limit has been passed.
func (sh *shard) makeRoom(f Forgetter, most int) {
	for ; most > 0 && sh.tracks() && sh.s.tracksTooMuch(); most-- {
		sh.dropRandom(f)
	}
}

// tracksTooMuch reports whether a limit has been passed.
func (s *Store) tracksTooMuch() bool {
	t := &s.tracking
	most := t.maxKeys.Load()
	switch {
	case s.heap.Exhausted():
		return true
	case most == 0 || most > math.MaxInt64/nameBytes:
		return false
	}
	return t.keys.Load() > most || t.items.Load() > most*itemsPerKey || t.names.Load() > most*nameBytes
}

// tracks reports whether a key of the shard is tracked.
func (sh *shard) tracks() bool { return sh.tracked.table != nil && sh.tracked.n > 0 }

// openTracked makes the table of a shard that has none.
func (sh *shard) openTracked() {
	t := sh.tracked
	t.table = newTable(sh, sh.s.seed)
	t.ar, t.table.cut = t.arena, &t.cut
}

// items are those of the entry at ref, unused ones included. They alias the arena.
func (t *tracked) items(ref arena.Ref) []byte { return recordValue(t.mem, ref) }

func itemAt(items []byte, i int) uint32 { return binary.LittleEndian.Uint32(items[i*itemSize:]) }

func setItem(items []byte, i int, item uint32) {
	binary.LittleEndian.PutUint32(items[i*itemSize:], item)
}

// searchItem is where the client of an item is among sorted items, or belongs.
func searchItem(items []byte, item uint32) (i int, ok bool) {
	n := len(items) / itemSize
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if itemAt(items, mid)>>1 < item>>1 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < n && itemAt(items, lo)>>1 == item>>1
}

// addItem adds an item to the entry at ref and reports whether its client had none there.
func (t *tracked) addItem(p pos, ref arena.Ref, item uint32) bool {
	items := t.items(ref)
	i, ok := searchItem(items, item)
	if ok {
		setItem(items, i, item)
		return false
	}
	if itemAt(items, len(items)/itemSize-1) != noItem {
		items = t.items(t.widen(p, ref))
	}
	copy(items[(i+1)*itemSize:], items[i*itemSize:len(items)-itemSize])
	setItem(items, i, item)
	return true
}

// widen gives an entry room for twice as many items.
func (t *tracked) widen(p pos, ref arena.Ref) arena.Ref {
	name, items := recordKey(t.mem, ref), t.items(ref)
	size := recordSize(len(name), 2*len(items), false)
	wide := t.alloc(size)
	b := t.ar.Bytes(wide, size)
	at := writeHeader(b, 0, len(name), 2*len(items), 0)
	at += copy(b[at:], name)
	at += copy(b[at:], items)
	for ; at < size; at++ {
		b[at] = 0xFF // noItem
	}
	t.renew(p, wide)
	t.free(ref)
	return wide
}

// tracker finds an item's tracker, nil if it has been taken away.
func (t *tracking) tracker(item uint32) *Tracker { return (*t.byNumber.Load())[item>>1].Load() }

// untrack tells those who track a key that it has changed, and takes them out. Where its time has come
// this is no news to those who have read that it is not there: they stay, and once it has been
// removed the next change is one for them too.
func (sh *shard) untrack(f Forgetter, k Key, why reason) {
	t := sh.tracked
	p, ref, ok := t.find(k.hash, k.Name)
	if !ok {
		return
	}
	t.told = t.told[:0]
	left := t.sift(ref, func(item uint32) (uint32, bool) {
		if why != changed && item&expiredItem != 0 {
			if why == removed {
				item &^= expiredItem
			}
			return item, true
		}
		t.note(&sh.s.tracking, item)
		return 0, false
	})
	t.tell(f, k.Name)
	if left == 0 {
		sh.dropEntry(p, ref)
	}
}

// publishTracked tells clients of a change.
func (sh *shard) publishTracked(f Forgetter, k Key, ev Event) {
	if sh.tracks() {
		why := changed
		if ev == EventExpired {
			why = removed
		}
		sh.untrack(f, k, why)
	}
	if sh.s.tracking.broadcasts.Load() > 0 {
		f.Changed(k.Name)
	}
}

// reason is why a key is no longer what somebody has read.
type reason uint8

const (
	changed reason = iota
	found          // that its time has come, by a reader, who leaves it where it is
	removed        // because its time has come
)

// sift goes through the items of an entry: keep returns what becomes of one, or false if it goes. It
// returns how many are left.
func (t *tracked) sift(ref arena.Ref, keep func(item uint32) (uint32, bool)) (left int) {
	items := t.items(ref)
	for i := range len(items) / itemSize {
		item := itemAt(items, i)
		if item == noItem {
			break
		}
		setItem(items, i, noItem)
		if item, ok := keep(item); ok {
			setItem(items, left, item)
			left++
		}
	}
	return left
}

// note counts that an item goes, and takes its tracker among those to be told, unless it has ended.
func (t *tracked) note(s *tracking, item uint32) {
	tr := s.tracker(item)
	tr.items.Add(-1)
	s.items.Add(-1)
	if !tr.ended.Load() {
		t.told = append(t.told, tr)
	}
}

// tell tells those of note. name may be that of an entry that goes.
func (t *tracked) tell(f Forgetter, name []byte) {
	if len(t.told) > 0 {
		f.Forget(t.told, name)
		clear(t.told)
	}
}

// dropEntry takes out an entry that has no items left.
func (sh *shard) dropEntry(p pos, ref arena.Ref) {
	t := sh.tracked
	s := &sh.s.tracking
	s.keys.Add(-1)
	s.names.Add(-int64(len(recordKey(t.mem, ref))))
	t.remove(p, 0)
	t.free(ref)
	if t.n == 0 {
		sh.setInterest()
	}
}

// dropRandom takes out an entry to make room. The table is not empty.
func (sh *shard) dropRandom(f Forgetter) {
	t := sh.tracked
	name := recordKey(t.mem, t.random())
	sh.untrack(f, Key{Name: name, hash: t.hash(name), shard: uint32(sh.id)}, changed)
}

// hide is told of an expired key that a lookup has found.
func (v *View) hide(sh *shard, k Key) {
	v.Hidden++
	if sh.tracks() {
		sh.untrack(v.forgetter(), k, found)
	}
}

// ForgetTracked takes out everything: the databases are not what they were. Whoever does it tells
// all clients. All locks are held.
func (s *Store) ForgetTracked() {
	for i := range s.shards {
		sh := &s.shards[i]
		if t := sh.tracked; t.table != nil {
			t.table = nil
			t.arena.Reset()
			sh.setInterest()
		}
	}
	t := &s.tracking
	t.keys.Store(0)
	t.items.Store(0)
	t.names.Store(0)
	if list := t.byNumber.Load(); list != nil {
		for i := range *list {
			if tr := (*list)[i].Load(); tr != nil {
				tr.items.Store(0)
			}
		}
	}
}

// trackingStep does one unit of the maintenance and reports whether there was anything to do.
func (sh *shard) trackingStep(now int64) bool {
	s, t := &sh.s.tracking, sh.tracked
	if sh.tracks() && sh.s.tracksTooMuch() {
		sh.makeRoom(s.forgetter, dropAtOnce)
		return true
	}
	if s.gone.Load() == 0 {
		return false
	}
	if walk := s.walkFor(len(sh.s.shards), now); walk != t.walk {
		t.walk, t.walks, t.at = walk, true, 0
	}
	if !t.walks {
		return false
	}
	if t.walks = sh.tracks() && sh.sweepTracked(); !t.walks {
		s.walked()
	}
	return true
}

// walkFor returns the number of the walk that is to be done, which may be the one that was done last:
// then there is none.
func (t *tracking) walkFor(shards int, now int64) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left > 0 {
		return t.walk
	}
	t.ended = slices.DeleteFunc(t.ended, func(tr *Tracker) bool {
		gone := tr.items.Load() == 0
		if gone {
			t.release(tr)
		}
		return gone
	})
	if len(t.ended) > 0 && now-t.began >= sweepPause {
		t.swept, t.ended, t.began = t.ended, nil, now
		t.left = shards
		t.walk++
	}
	return t.walk
}

// walked says that the walk has come through a shard.
func (t *tracking) walked() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left--; t.left > 0 {
		return
	}
	for _, tr := range t.swept {
		t.release(tr)
	}
	t.swept = nil
}

// release lets the number of a tracker without items be given out again. The lock is held.
func (t *tracking) release(tr *Tracker) {
	(*t.byNumber.Load())[tr.number].Store(nil)
	t.free = append(t.free, tr.number)
	t.gone.Add(-1)
}

// sweepTracked takes the items of trackers that have ended out of some buckets. It returns false when
// it has come to the end of the table.
func (sh *shard) sweepTracked() (more bool) {
	s, t := &sh.s.tracking, sh.tracked
	keep := func(item uint32) (uint32, bool) {
		tr := s.tracker(item)
		if !tr.ended.Load() {
			return item, true
		}
		tr.items.Add(-1)
		s.items.Add(-1)
		return 0, false
	}
	for range sweepBuckets {
		t.empty = t.empty[:0]
		t.at = t.scan(t.at, func(ref arena.Ref) {
			if t.sift(ref, keep) == 0 {
				t.empty = append(t.empty, ref)
			}
		})
		for _, ref := range t.empty {
			if p, ok := t.findRef(t.hash(recordKey(t.mem, ref)), ref); ok {
				sh.dropEntry(p, ref)
			}
		}
		if t.at == 0 || t.n == 0 {
			return false
		}
	}
	return true
}
