package store

import (
	"container/heap"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Leases: who is making the value of a key that is absent or stale. The first reader gets a token and
// fetches the value, while the others wait for it or take what there is; so what lies behind the cache
// is asked once. The rule is that of Facebook's memcached (Nishtala and others, Scaling Memcache at
// Facebook, NSDI 2013): the value is taken only if the key has not changed since the token was given.
//
//	Lease      a reader gets the token, if nobody has it
//	Wait       another one waits for its end, in the order in which they came (waiters.go)
//	Fill       reports whether a token is still good, for a value with some tags
//	EndLease   its holder gives up
//	End        of a LeaseHolder: the client has gone
//
// A lease ends with any change of its key (publish, removed, touchWatchedDB), when its time is up, or by
// its holder. The key's expiry or eviction is no change: the value that is being made is as good as
// before. A deletion counts though the key is absent (Delete): whoever deletes says that what lies behind
// the cache has changed, and the holder may have read it before. Leases are not saved, and a token is never
// given twice (nextNumber), so one of before a restart is worth nothing.
//
// # Who waits
//
// When a lease ends the first who waits is told, and is the next to hold one if it still finds no value.
// If it finds one it leaves, and so many of the next are told that there are tellAtOnce who have not
// answered, or fewer if the value is long (tellBytes); each that leaves has others told. So ten thousand
// are served in groups, and no lock is held, and no loop kept from other clients, for more than one
// group. What always holds, under the lock of the shard, but for
// those whom a pause keeps:
//
//	a lease that nobody holds has somebody in its queue who was told and has not answered
//
// Those who are served get the same reply. Whoever makes it keeps it here meanwhile (Share).
//
// # Invalidation
//
// A tag may be invalidated while a key that is to have it does not exist, so that no link of it could
// tell. So an invalidation notes its number in a table, in a slot by the tag's hash, and a lease the
// number of the last one before it was given. A value with a tag whose slot is later is refused. Tags
// that share a slot refuse a value for nothing, which costs making it again: with 16,384 slots, and 100
// other tags invalidated while a value with 3 tags is made, one in 55.
//
// # Cost
//
// A shard without leases tests nothing that it does not test anyway (the interest word, see feed.go).
// With some, each change looks its key up in a map.

const (
	tellAtOnce = 16      // of those who wait for one lease
	tellBytes  = 1 << 20 // of what they share: it is told at once only to so many that it comes to no more
	endAtOnce  = 64      // leases whose time is up, in one unit of the maintenance

	fenceSlots = 1 << 14

	usualLeases = 1 << 16 // at most, unless SetMaxLeases says otherwise
	leaseName   = 256     // bytes of a key's name, on average, for which there is room then
	leaseShare  = 16      // all take at most this part of a memory limit
)

// leaseMemory is what a lease takes besides its key's name, in bytes: itself, and its entry in the map.
const leaseMemory = int64(unsafe.Sizeof(lease{})) + 64

// lease is one key that somebody makes a value for, or whose waiters are being told that nobody does.
type lease struct {
	queue  waitQueue // of those who wait for its end
	told   int       // of them, see waitPlace
	token  uint64    // 0: nobody holds it
	began  int64     // unix ms
	until  int64
	fence  uint64 // number of the last invalidation before it
	hidden bool   // there was a value that had been invalidated, and is still to be removed
	slot   int    // in the heap of the shard

	shared any // see Share
	size   int // of it, in bytes

	holder     *LeaseHolder
	prev, next *lease // of the holder, under its mutex
	listed     bool   // likewise
}

// leases is what one shard has.
type leases struct {
	byKey map[watchKey]*lease
	ends  leaseHeap // of those that somebody holds
}

// leasing is the store's part.
type leasing struct {
	most   atomic.Int64 // in byKey of all shards
	limit  atomic.Int64 // of bytes
	count  atomic.Int64
	bytes  atomic.Int64 // of leases, their keys' names, and what is shared
	fences atomic.Pointer[[fenceSlots]uint64]
	serial uint64 // of the last invalidation; with the slots of fences, changed under all locks

	given, filled, refused, late atomic.Int64
}

// LeaseStats are counts of leases.
type LeaseStats struct {
	Leases  int64 // that somebody holds or waits for
	Bytes   int64 // that they take
	Given   int64
	Filled  int64 // by a value that was taken
	Refused int64 // values that came with a token that was good no more
	Late    int64 // whose time was up
}

// Leases counts leases.
func (s *Store) Leases() LeaseStats {
	l := &s.leasing
	return LeaseStats{Leases: l.count.Load(), Bytes: l.bytes.Load(),
		Given: l.given.Load(), Filled: l.filled.Load(), Refused: l.refused.Load(), Late: l.late.Load()}
}

// LeaseBytes is what leases take: Go memory, which Used and Counted do not have. One atomic load.
func (s *Store) LeaseBytes() int64 { return s.leasing.bytes.Load() }

// SetMaxLeases bounds how many leases there are at one time, and by that their bytes: to so many of keys
// with names of ordinary length, and to a part of what becomes a memory limit, in bytes; 0 is no limit.
func (s *Store) SetMaxLeases(n, memory int64) {
	bytes := n * (leaseMemory + leaseName)
	if memory > 0 {
		bytes = min(bytes, memory/leaseShare)
	}
	s.leasing.most.Store(n)
	s.leasing.limit.Store(bytes)
}

// LeaseHolder is a client that may hold leases.
type LeaseHolder struct {
	mu    sync.Mutex // protects the list; the last lock to be taken
	first *lease
}

// add and remove keep the list of leases that a client holds. The lock of the lease's shard is held.
func (h *LeaseHolder) add(l *lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.holder, l.listed = h, true
	l.prev, l.next = nil, h.first
	if h.first != nil {
		h.first.prev = l
	}
	h.first = l
}

func (h *LeaseHolder) remove(l *lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.listed {
		h.unlist(l)
	}
}

func (h *LeaseHolder) unlist(l *lease) {
	if l.prev == nil {
		h.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
	l.prev, l.next, l.listed = nil, nil, false
}

// take takes one off the list, with its token.
func (h *LeaseHolder) take() (l *lease, token uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l = h.first; l != nil {
		token = l.token // only changed when it is not listed
		h.unlist(l)
	}
	return l, token
}

// End ends all leases of a client that gets no more of them. The caller holds no shard.
func (h *LeaseHolder) End(s *Store) {
	for {
		l, token := h.take()
		if l == nil {
			return
		}
		sh := &s.shards[s.ShardOf([]byte(l.queue.key.name))]
		end := func() {
			if l.token == token {
				sh.endLease(l)
			}
		}
		sh.mu.Lock()
		if sh.occupied {
			sh.later(end)
		} else {
			end()
		}
		sh.mu.Unlock()
	}
}

// Lease gives by a lease on a key for d milliseconds and returns its token. It returns 0 if another one
// has it or is about to get it (busy), or if there are too many leases. w is the caller's Waiter if it
// has waited. hidden says that the caller has found a value that was not to be shown.
func (v *View) Lease(k Key, by *LeaseHolder, d int64, w *Waiter, hidden bool) (token uint64, busy bool) {
	sh := v.shard(&k)
	l := sh.leases.byKey[watchKey{v.DB, string(k.Name)}]
	switch {
	case l == nil:
		if l = sh.newLease(watchKey{v.DB, string(k.Name)}); l == nil {
			return 0, false
		}
	case l.token != 0 && l.until > v.Now:
		return 0, true
	case l.token != 0:
		sh.s.leasing.late.Add(1)
		sh.endLease(l)
		if l = sh.leases.byKey[watchKey{v.DB, string(k.Name)}]; l == nil { // nobody has waited for it
			return v.Lease(k, by, d, w, hidden)
		}
	}
	if l.told > 0 && (w == nil || len(w.places) == 0 || !w.places[0].told) {
		return 0, true
	}
	s := &sh.s.leasing
	s.given.Add(1)
	l.token, l.began, l.until = sh.nextNumber(v.Now), v.Now, v.Now+d
	l.fence, l.hidden = s.serial, hidden
	sh.share(l, nil, 0)
	by.add(l)
	heap.Push(&sh.leases.ends, l)
	sh.s.alarm.tell(l.dueTick(v.Now))
	return l.token, false
}

// newLease makes the lease of a key that has none, unless there are too many.
func (sh *shard) newLease(k watchKey) *lease {
	s := &sh.s.leasing
	size := leaseMemory + int64(len(k.name))
	if s.count.Load() >= s.most.Load() || s.bytes.Load()+size > s.limit.Load() {
		return nil
	}
	if s.fences.Load() == nil {
		s.fences.CompareAndSwap(nil, new([fenceSlots]uint64))
	}
	l := &lease{queue: waitQueue{key: k}, slot: -1}
	l.queue.lease = l
	if sh.leases.byKey == nil {
		sh.leases.byKey = make(map[watchKey]*lease)
	}
	sh.leases.byKey[k] = l
	s.count.Add(1)
	s.bytes.Add(size)
	sh.setInterest()
	return l
}

func (sh *shard) dropLease(l *lease) {
	delete(sh.leases.byKey, l.queue.key)
	sh.share(l, nil, 0)
	sh.s.leasing.count.Add(-1)
	sh.s.leasing.bytes.Add(-leaseMemory - int64(len(l.queue.key.name)))
	sh.setInterest()
}

// share keeps x, of so many bytes, for those who wait for a lease. What there is no room for is not kept.
func (sh *shard) share(l *lease, x any, size int) {
	s := &sh.s.leasing
	if l.shared != nil {
		s.bytes.Add(-int64(l.size))
	}
	if x != nil && s.bytes.Load()+int64(size) > s.limit.Load() {
		x = nil
	}
	if x != nil {
		s.bytes.Add(int64(size))
	}
	l.shared, l.size = x, size
}

// Shared is what has last been given to Share by somebody who waits for the same lease as w, nil if
// nothing has since somebody held it. The shard is locked.
func (v *View) Shared(w *Waiter) any {
	if len(w.places) == 0 {
		return nil
	}
	return w.places[0].q.lease.shared
}

// Share keeps x for all who wait for the same lease as w, until the last of them has left or somebody
// holds it; if leases take all that they may it is not kept. The more bytes it has, the fewer are told at
// once. The shard is locked.
func (v *View) Share(w *Waiter, x any, size int) {
	if len(w.places) > 0 {
		p := &w.places[0]
		v.Store.shards[p.shard].share(p.q.lease, x, size)
	}
}

// Others reports whether somebody else waits for the same lease as w.
func (w *Waiter) Others() bool {
	return len(w.places) > 0 && w.places[0].q.first != w.places[0].q.last
}

// endLease ends a lease that somebody holds, and tells the first of those who wait.
func (sh *shard) endLease(l *lease) {
	l.holder.remove(l)
	heap.Remove(&sh.leases.ends, l.slot)
	l.token, l.holder = 0, nil
	if l.queue.first == nil {
		sh.dropLease(l)
		return
	}
	l.tell(1)
}

// tell has some of those who wait told, the first in the queue first.
func (l *lease) tell(most int) {
	for p := l.queue.first; p != nil && l.told < most; p = p.next {
		l.tellOne(p)
	}
}

func (l *lease) tellOne(p *waitPlace) {
	if !p.told {
		p.told = true
		l.told++
		p.w.Owner.Ready()
	}
}

// stay is for one who waits and has looked in vain. If nobody holds the lease, which is so during a
// pause alone, it is the next one's turn.
func (l *lease) stay(p *waitPlace) {
	if !p.told {
		return
	}
	p.told = false
	if l.told--; l.token == 0 && p.next != nil {
		l.tellOne(p.next)
	}
}

// leave is for one who has just been taken out of the queue.
func (l *lease) leave(sh *shard, p *waitPlace) {
	if p.told {
		p.told = false
		l.told--
	}
	switch {
	case l.token != 0:
	case l.queue.first == nil:
		sh.dropLease(l)
	default:
		l.tell(max(1, min(tellAtOnce, tellBytes/max(1, l.size))))
	}
}

// joinLease puts w into the queue of a key's lease, which is busy.
func (v *View) joinLease(k Key, w *Waiter) {
	w.places = w.one[:1]
	w.places[0] = waitPlace{w: w, shard: int32(k.Shard())}
	v.shard(&k).leases.byKey[watchKey{v.DB, string(k.Name)}].queue.join(&w.places[0])
}

// held is the lease of a key if somebody holds it with a token.
func (v *View) held(k Key, token uint64) *lease {
	l := v.shard(&k).leases.byKey[watchKey{v.DB, string(k.Name)}]
	if l == nil || token == 0 || l.token != token || l.until <= v.Now {
		return nil
	}
	return l
}

// Fill reports whether a value with some tags may be stored by the holder of a token, and how many
// milliseconds it has taken to make. The caller stores it at once, which ends the lease. If it may not,
// the lease has ended.
func (v *View) Fill(k Key, token uint64, names [][]byte) (took int64, ok bool) {
	sh, s := v.shard(&k), &v.Store.leasing
	l := v.held(k, token)
	if l == nil {
		s.refused.Add(1)
		return 0, false
	}
	mark := v.Store.mark(v.DB)
	stale := false
	for _, name := range names {
		stale = stale || s.fence(v.Store, mark, name) > l.fence
	}
	var e Entry
	v.peek(&e, &k)
	if e.ref != 0 && (e.rec.expire == 0 || e.rec.expire > v.Now) { // perhaps it was invalidated
		links := e.extras().links()
		for i := range len(links) / linkSize {
			ref, _ := linkAt(links, i)
			stale = stale || s.fence(v.Store, mark, v.Store.tags.Name(ref)) > l.fence
		}
	}
	if stale {
		s.refused.Add(1)
		sh.endLease(l)
		return 0, false
	}
	s.filled.Add(1)
	return v.Now - l.began, true
}

// EndLease ends the lease with a token. It reports whether there was one.
func (v *View) EndLease(k Key, token uint64) bool {
	l := v.held(k, token)
	if l == nil {
		return false
	}
	v.shard(&k).endLease(l)
	return true
}

// fence is the number of the last invalidation of a tag, or of one that shares its slot.
func (l *leasing) fence(s *Store, mark uint32, tag []byte) uint64 {
	return l.fences.Load()[fenceSlot(s, mark, tag)]
}

func fenceSlot(s *Store, mark uint32, tag []byte) uint64 {
	return (maphash.Bytes(s.seed, tag) + uint64(mark)*0x9E3779B97F4A7C15) % fenceSlots
}

// noteInvalidation is for a tag that is invalidated. All locks are held.
func (l *leasing) noteInvalidation(s *Store, mark uint32, tag []byte) {
	if f := l.fences.Load(); f != nil { // else there has been no lease yet
		l.serial++
		f[fenceSlot(s, mark, tag)] = l.serial
	}
}

// touchLease ends the lease of a key that has changed.
func (sh *shard) touchLease(k watchKey, ev Event) {
	l := sh.leases.byKey[k]
	switch {
	case l == nil || l.token == 0 || ev == EventExpired || ev == EventEvicted:
	case ev == EventInvalidated && l.hidden:
		l.hidden = false // the removal of what was gone when the lease was given
	default:
		sh.endLease(l)
	}
}

// endLeaseOf ends the lease of a key if somebody holds it.
func (v *View) endLeaseOf(k *Key) {
	sh := v.shard(k)
	if l := sh.leases.byKey[watchKey{v.DB, string(k.Name)}]; l != nil && l.token != 0 {
		sh.endLease(l)
	}
}

// touchLeases ends the leases of a database that holds other data now. All locks are held.
func (sh *shard) touchLeases(db int) {
	for k, l := range sh.leases.byKey {
		if k.db == db && l.token != 0 {
			sh.endLease(l)
		}
	}
}

// dueTick is the tick at which the lease is found to have ended. Ticks are compared on a circle, so it
// is at most a year ahead: of a lease that is longer somebody looks too early, and once more.
func (l *lease) dueTick(now int64) uint32 {
	const year = 365 * 24 * 60 * 60 * 1000
	return uint32((min(l.until, now+year)-1)>>tickShift + 1)
}

// dueTick is the first tick at which a lease is found to have ended, if there is one.
func (ls *leases) dueTick(now int64) (tick uint32, ok bool) {
	if len(ls.ends) == 0 {
		return 0, false
	}
	return ls.ends[0].dueTick(now), true
}

// leaseStep does one unit of the maintenance and reports whether there was anything to do.
func (sh *shard) leaseStep(now int64) (did bool) {
	for range endAtOnce {
		if len(sh.leases.ends) == 0 || sh.leases.ends[0].until > now {
			break
		}
		sh.s.leasing.late.Add(1)
		sh.endLease(sh.leases.ends[0])
		did = true
	}
	return did
}

// leaseHeap has the lease that ends first in front.
type leaseHeap []*lease

func (h leaseHeap) Len() int           { return len(h) }
func (h leaseHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push and Pop are for package container/heap.
func (h *leaseHeap) Push(x any) {
	l := x.(*lease)
	l.slot = len(*h)
	*h = append(*h, l)
}

func (h *leaseHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h, l.slot = (*h)[:last], -1
	return l
}
