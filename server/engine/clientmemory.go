// Memory of clients, and maxmemory-clients.
//
// # What a client takes
//
// Its connection reports the size of its buffers whenever one has changed (Sized, from
// netloop), its session adds itself, the parser's tables, names, and what is queued,
// watched and subscribed to (weigh, once per batch). Both only report differences, which go into the
// session's total and into everybody's: a client whose buffers stay as they are
// costs a few comparisons per batch, and the sum of all is one atomic load.
//
// # Eviction
//
// When the sum reaches maxmemory-clients, clients are closed until it is below, as in
// Redis those first that take most. The moment to look is when a client has grown,
// on the loop that has grown it; beyond that only when the limit changes, and ten
// times a second. Redis looks before each command instead.
//
// Who takes 32 KiB and more is in a list by its power of two, so that the largest are
// found without a look at ten thousand others; within a list the largest of the first
// few are taken, where Redis takes any. The rest, of less than 32 KiB, are only looked
// through when the lists are empty, the largest first, of equal ones the oldest. CLIENT
// NO-EVICT takes a client out of choice but not out of the sum, so that others are
// closed for its bytes; this, too, is Redis'.
//
// # Who grows while others are evicted
//
// Nobody may be closed for bytes of a client that cannot be chosen yet. So a client
// that grows is in its list before its bytes are in the sum, and one that shrinks is in
// its list until they are out of it: while the lists are locked, clients that need
// another list, or would reach the limit, wait for them outside of the sum. At any
// moment the sum is at most what all have.
//
// A client that is closed is out of the sum at once and for good, though its loop frees
// its buffers a moment later: otherwise the loops that meanwhile receive something would
// close others in its place. It reports no differences any more; one that it is reporting in
// this moment it takes back (subtract). So the sum cannot drift, in whatever order the two
// goroutines come.

package engine

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/larderkv/larder/server/netloop"
)

const (
	// sessionMemory is what a session takes by itself, in bytes, and its place in
	// the registry.
	sessionMemory = int64(unsafe.Sizeof(Session{})) + 40

	heavyFrom  = 15 // log2 of the bytes from which a client is in a list
	heavyLists = 19 // the last one holds all from 8 GiB on
	looked     = 64 // members of a list that are compared

	recentSlots = 8 // seconds that RecentMax looks back
)

// Values of Session.list besides the indices of heavy, which begin at 1.
const (
	light  int32 = 0  // less than 32 KiB: in no list
	gone   int32 = -1 // evicted or closed
	exempt int32 = -2 // not to be evicted
)

// clientMemory is what Clients knows of memory.
type clientMemory struct {
	total   atomic.Int64 // bytes
	evicted atomic.Int64 // clients

	listing sync.Mutex // protects the fields below, Session.place and writes to Session.list
	heavy   [1 + heavyLists][]*Session
	short   bool // every client that may be evicted has been, and their sum is still above the limit

	second atomic.Int64 // of now, set by Enforce
	recent [recentSlots]struct{ input, output atomic.Int64 }
}

// Memory is what all clients take, in bytes: buffers, queued commands, watched keys
// and a constant for each connection. One atomic load.
func (r *Clients) Memory() int64 { return r.size.total.Load() }

// Evicted counts the clients closed because all together took too much.
func (r *Clients) Evicted() int64 { return r.size.evicted.Load() }

// Sized notes that the connection takes delta bytes more. See netloop.Sizer. Safe from any
// goroutine: messages that wait for a client grow by those who send them.
func (s *Session) Sized(delta int64) {
	k, r := s.kernel, &s.kernel.Clients
	if s.list.Load() == gone {
		return
	}
	grown := max(delta, 0)
	r.size.total.Add(delta - grown)
	memory := s.pub.memory.Add(delta)
	limit := k.Config.Values().ClientsLimit()
	if s.listFor(memory) != s.list.Load() || grown > 0 && limit > 0 && r.Memory()+grown >= limit {
		k.closed(r.place(s, grown, limit))
	} else {
		r.size.total.Add(grown)
		settled := s.list.Load() == gone // since a moment ago
		if settled {
			r.subtract(s)
		}
		if (grown > 0 || settled) && limit > 0 && r.Memory() >= limit {
			k.evictClients(limit)
		}
	}
	if grown > 0 {
		z := s.conn.Sizes()
		r.noteRecent(z)
		k.grewUnread(&z, grown)
	}
}

// weigh notes what the session itself takes.
func (s *Session) weigh() {
	tables := int64(s.parser.Memory())
	own := sessionMemory + tables
	if s.txn != nil {
		own += s.txn.memory()
	}
	if s.member != nil {
		own += s.member.Memory()
	}
	if w := s.wait.Load(); w != nil {
		own += w.memory()
	}
	if t := s.tracking.Load(); t != nil {
		own += t.memory()
	}
	if own == s.own {
		return
	}
	s.tables.Store(uint32(min(tables, math.MaxUint32)))
	delta := own - s.own
	s.own = own
	s.Sized(delta)
}

// listFor is the index of the list for the session, which takes so many bytes.
func (s *Session) listFor(memory int64) int32 {
	if s.noEvict.Load() {
		return exempt
	}
	return listOf(memory)
}

// listOf is the index of the list for clients of so many bytes.
func listOf(memory int64) int32 {
	if memory < 1<<heavyFrom {
		return light
	}
	return min(int32(bits.Len64(uint64(memory)))-heavyFrom, heavyLists)
}

// place puts the session where its memory belongs, adds to the sum the bytes by which
// it has grown, and evicts whom it must. It returns what evictLocked does.
func (r *Clients) place(s *Session, grown, limit int64) (victims []victim, short bool) {
	r.size.listing.Lock()
	defer r.size.listing.Unlock()
	r.size.total.Add(grown)
	if s.list.Load() == gone {
		r.subtract(s)
	} else {
		r.listLocked(s, s.listFor(s.pub.memory.Load()))
	}
	return r.evictLocked(limit)
}

// listLocked puts the session into a list.
func (r *Clients) listLocked(s *Session, to int32) {
	r.unlistLocked(s)
	s.list.Store(to)
	if to > light {
		s.place = int32(len(r.size.heavy[to]))
		r.size.heavy[to] = append(r.size.heavy[to], s)
	}
}

// unlistLocked takes the session out of its list, if it is in one.
func (r *Clients) unlistLocked(s *Session) {
	from := s.list.Load()
	if from <= light {
		return
	}
	list := r.size.heavy[from]
	last := list[len(list)-1]
	list[s.place], last.place = last, s.place
	list[len(list)-1] = nil
	r.size.heavy[from] = list[:len(list)-1]
	s.list.Store(light)
}

// releaseLocked takes a session out of the sum and out of choice. It returns how many
// bytes that were.
func (r *Clients) releaseLocked(s *Session) int64 {
	r.unlistLocked(s)
	s.list.Store(gone)
	return r.subtract(s)
}

// subtract takes out of the sum what it has of a session that is gone. It returns how many
// bytes that were.
func (r *Clients) subtract(s *Session) int64 {
	memory := s.pub.memory.Swap(0)
	r.size.total.Add(-memory)
	return memory
}

// forget is the end of a session that is no longer registered.
func (r *Clients) forget(s *Session) {
	r.size.listing.Lock()
	defer r.size.listing.Unlock()
	r.releaseLocked(s)
}

// EnforceClientsLimit evicts clients if all together take more than
// maxmemory-clients allows, or too much under maxmemory by unread messages, and lets time
// pass for RecentMax. It costs little if there is nothing to do.
func (k *Kernel) EnforceClientsLimit() {
	r := &k.Clients
	r.passTime(k.clock().Unix())
	v := k.Config.Values()
	if limit := v.ClientsLimit(); limit > 0 && r.Memory() >= limit {
		k.evictClients(limit)
	}
	k.boundUnread(v.MaxMemory)
}

// victim is what the log says of an evicted client.
type victim struct {
	*Session
	memory int64
}

// evictClients closes clients until all together take less than limit bytes.
func (k *Kernel) evictClients(limit int64) {
	k.Clients.size.listing.Lock()
	victims, short := k.Clients.evictLocked(limit)
	k.Clients.size.listing.Unlock()
	k.closed(victims, short)
}

// closed logs what evictLocked has done.
func (k *Kernel) closed(victims []victim, short bool) {
	for _, v := range victims {
		k.logEvicted(v.Session, "evicting client", "memory", v.memory)
	}
	if short {
		k.Log.Warn("over maxmemory-clients after evicting all clients that may be evicted")
	}
}

// evictLocked closes clients until all together take less than limit bytes, if there is
// a limit. It returns the clients that it has closed. short reports that the sum is still above
// the limit, the first time in a row alone.
func (r *Clients) evictLocked(limit int64) (victims []victim, short bool) {
	if limit == 0 {
		return nil, false
	}
	var small []victim
	searched := false
	for r.size.total.Load() >= limit {
		s := r.heaviestLocked()
		if s == nil && !searched {
			small, searched = r.smallLocked(), true
			continue // some are perhaps not small any more
		}
		if s == nil && len(small) > 0 {
			s, small = small[0].Session, small[1:]
		}
		if s == nil {
			short = !r.size.short
			r.size.short = true
			return victims, short
		}
		memory := r.releaseLocked(s)
		if r.evict(s) {
			victims = append(victims, victim{s, memory})
		}
	}
	r.size.short = false
	return victims, false
}

// evict closes a client to have its memory back. It reports false if that was about to go anyway.
func (r *Clients) evict(s *Session) bool {
	if s.killed.Swap(true) {
		return false
	}
	r.size.evicted.Add(1)
	s.conn.Kill(netloop.Evicted)
	return true
}

// logEvicted says why a client was evicted, and of how much memory it was: what it was that took it.
func (k *Kernel) logEvicted(s *Session, why, what string, bytes int64) {
	k.Log.Info(why, "id", s.ID(), "addr", s.conn.RemoteAddr(), "name", s.Name(), what, bytes)
}

// heaviestLocked is a session of the highest list that is not empty, or nil.
func (r *Clients) heaviestLocked() *Session {
	for i := int32(heavyLists); i > light; {
		list := r.size.heavy[i]
		if len(list) == 0 {
			i--
			continue
		}
		best, most := list[0], list[0].pub.memory.Load()
		for _, s := range list[1:min(len(list), looked)] {
			if memory := s.pub.memory.Load(); memory > most {
				best, most = s, memory
			}
		}
		if to := listOf(most); to < i { // it has shrunk, and waits for the lock to say so
			r.listLocked(best, to)
			continue
		}
		return best
	}
	return nil
}

// smallLocked lists the sessions that are in no list and may be evicted, by descending
// size. Those that belong into a list by now are put there instead.
func (r *Clients) smallLocked() []victim {
	var small []victim
	r.where(func(s *Session) bool {
		if s.list.Load() != light || s.killed.Load() {
			return false
		}
		memory := s.pub.memory.Load()
		if to := listOf(memory); to > light {
			r.listLocked(s, to)
			return false
		}
		small = append(small, victim{s, memory})
		return true
	})
	slices.SortFunc(small, func(a, b victim) int {
		return cmp.Or(cmp.Compare(b.memory, a.memory), cmp.Compare(a.ID(), b.ID()))
	})
	return small
}

// noteRecent remembers large buffers for RecentMax.
func (r *Clients) noteRecent(z netloop.Sizes) {
	slot := &r.size.recent[r.size.second.Load()%recentSlots]
	raise(&slot.input, z.QueryBuf+z.QueryFree)
	raise(&slot.output, z.Output+z.OutputFree)
}

func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); n > old; old = a.Load() {
		if a.CompareAndSwap(old, n) {
			return
		}
	}
}

// passTime forgets what is too old for RecentMax.
func (r *Clients) passTime(now int64) {
	last := r.size.second.Load()
	if now <= last {
		return
	}
	for t := max(last+1, now-recentSlots+1); t <= now; t++ {
		slot := &r.size.recent[t%recentSlots]
		slot.input.Store(0)
		slot.output.Store(0)
	}
	r.size.second.Store(now)
}

// RecentMax is the most that one client's input and output buffers have taken in the
// last seconds, in bytes. A client whose buffers have not changed for longer counts
// if it takes 32 KiB.
func (r *Clients) RecentMax() (input, output int64) {
	for i := range r.size.recent {
		slot := &r.size.recent[i]
		input, output = max(input, slot.input.Load()), max(output, slot.output.Load())
	}
	r.size.listing.Lock()
	defer r.size.listing.Unlock()
	for _, list := range r.size.heavy {
		for _, s := range list {
			z := s.conn.Sizes()
			input, output = max(input, z.QueryBuf+z.QueryFree), max(output, z.Output+z.OutputFree)
		}
	}
	return input, output
}
