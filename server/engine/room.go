// Room: what happens to a command that needs memory when there is a cap.
//
// # What counts
//
// Towards maxmemory count the Go heap as it was at the start, what clients'
// buffers and sessions take, leases, and what the store counts: records and tables in use,
// and free memory between them beyond an allowance, so that fragmentation is
// charged like data. Garbage of the Go heap, the log's buffers, and old records
// that only a running snapshot still needs do not count: evicting keys would not
// make them less (NotCounted). All of it is a handful of atomic loads.
//
// Who sets a limit wants the process to stay within it, though, and beside the store
// 12 to 18 MB are resident: the program's pages, the runtime, garbage. Of that so much
// counts that the resident set stays within a tenth above a limit of 100 MB (base).
// Below some 80 MB it does not: there the program would take the room of the data, so
// less and less of it counts, and nothing under a limit of 32 MB. At 40 MB a whole
// sixteenth would cost 4 % of the keys.
//
// # Who pays
//
// The command that needs room makes it, before it runs and before it takes any lock,
// in steps of the store (Evictor.Relieve, some tens of microseconds, one shard's
// lock at a time):
//
//	counted + need <= limit   go
//	otherwise                 one step; a burst of victims makes room for the next
//	                          few commands too
//	                            <= limit + slack   go
//	                            nothing to evict   OOM, as Redis
//	                            above              further steps
//
// What a batch may spend on further steps is a slice of time
// (maxmemory-eviction-tenacity). When it is used up, a request goes on if its own
// steps have freed more than it will take, so that the total falls; this is how
// writers go on while a lowered limit is being reached. If they have not, the request
// stays where it is, in the connection's buffer, and the session yields: the loop's
// other clients have their turns, and the next one goes on evicting.
//
// A long request waits in the same way while it arrives: of each 256 KiB of it the
// session asks for room before it lets the connection receive the next (mayReceive).
// So a value of 100 MB comes in as fast as keys go, nobody waits with it, and what
// is in use stays at the limit. It is received where it will be kept (loan.go):
// others wait for one slice of eviction and one piece, less than a millisecond.
// Measured with little else to do, 100 MB into 512 MB full of keys of 100 bytes: the
// longest PING or GET took 2 to 4 ms, and 245 ms when the value was collected in the
// connection's buffer, evicted for as a whole and copied.
//
// A request that could not fit an empty store is refused at once, and nothing is
// evicted for it. Redis evicts first and accepts whatever comes when the memory in
// use is below the limit by one byte: there the overshoot is the size of a value.
//
// Idle time pays what no command does (Kernel.EvictWhenIdle): after a load, after CONFIG
// SET maxmemory, for clients' buffers. While commands do (Kernel.Paid) it stays
// away: two who evict meet at the shards' locks, and a loop that waits there for a
// thread which the system has put aside keeps all its clients waiting.
//
// Replies have rules of their own (replyroom.go).
//
// # When nothing may be evicted
//
// While data are loaded the log that is replayed decides what is there. While the log
// fails the DELs of victims would be lost, and after the last snapshot they would come
// too late; writes are refused then by what follows in admit. While clients pause nothing may
// disappear, and what would need room waits (pause.go).

package engine

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

const (
	// bigRequest is the size above which a request lies in a buffer of its client's
	// own, which counts already.
	bigRequest = 64 << 10
	// bigPiece is what such a request may receive between two looks at memory.
	bigPiece = 256 << 10
	// Slack is what may be above the limit for a moment: a share of it, within bounds.
	slackShare, leastSlack, mostSlack = 256, 256 << 10, 2 << 20
	// base leaves 1/freeShare of the limit to memory that nobody accounts for, and counts at most
	// 1/mostShare of the limit on top of the heap at the start, and 1/smallShare of what the limit is
	// above smallLimit.
	freeShare, mostShare   = 24, 16
	smallLimit, smallShare = 32 << 20, 10
)

// room is the kernel's account of memory that neither store nor clients account for.
type room struct {
	start  int64        // bytes of the Go heap at the start
	beside atomic.Int64 // resident set beyond what store and clients account for, in bytes, see WatchResident; 0: unknown
	moving atomic.Int64 // bytes of clients' buffers and queues that are being executed: they count as values too
	// promised is bytes that replies which are being made may still take, see replyroom.go.
	promised atomic.Int64
	paid     atomic.Bool  // a command has made room since somebody asked
	since    atomic.Int64 // when the limit was passed without a way back, unix ns, 0: it is not
	over     atomic.Int64 // ns in all such times that have ended
}

// base is what counts under a limit beside store and clients: the Go heap as it was at
// the start, or if it is more, what is resident beyond a share of the limit that is free.
// It is bounded, so that garbage costs few keys and a small limit holds some.
func (r *room) base(limit int64) int64 {
	most := min(limit/mostShare, max(0, limit-smallLimit)/smallShare)
	return min(max(r.start, r.beside.Load()-limit/freeShare), r.start+most)
}

// WatchResident takes note of the process' resident set, in bytes, 0 if it is not known.
// The background worker calls it some times a second.
func (k *Kernel) WatchResident(rss int64) {
	beside := max(0, rss-k.Store.Resident()-k.Clients.Memory()-k.Store.LeaseBytes())
	if before := k.room.beside.Load(); before != 0 {
		beside = (before + beside) / 2 // the parts were not read at one instant
	}
	k.room.beside.Store(beside)
}

// Counted is the number of bytes that count towards maxmemory. Without a limit no
// fragmentation does.
func (k *Kernel) Counted() int64 {
	limit := k.Config.Values().MaxMemory
	if limit == 0 {
		limit = math.MaxInt64
	}
	return k.counted(limit)
}

func (k *Kernel) counted(limit int64) int64 {
	beside := k.room.base(limit) + k.Clients.Memory() + k.Store.LeaseBytes() - k.queued()
	return beside + k.Store.Counted(limit) + k.room.promised.Load() - k.room.moving.Load()
}

// atMost is an upper bound of counted that takes fewer loads.
func (k *Kernel) atMost(limit int64) int64 {
	return k.room.base(limit) + k.Clients.Memory() + k.Store.LeaseBytes() + k.Store.Memory() + k.room.promised.Load()
}

// NotCounted is how many of the bytes in use do not count towards maxmemory, since no
// eviction would free them.
func (k *Kernel) NotCounted() int64 {
	return max(0, k.UsedMemory()-k.Counted())
}

// OverLimit is the time for which memory was above the limit though keys were
// evicted, or none could be: in all, the present time included, and the present
// time, 0 if it is not.
func (k *Kernel) OverLimit() (total, current time.Duration) {
	if since := k.room.since.Load(); since != 0 {
		current = max(0, time.Duration(k.clock().UnixNano()-since))
	}
	return time.Duration(k.room.over.Load()) + current, current
}

// resetOverLimit forgets these times.
func (k *Kernel) resetOverLimit() {
	k.room.over.Store(0)
	k.room.since.Store(0)
}

// above notes that memory is above the limit and stays there for now.
func (r *room) above(now time.Time) { r.since.CompareAndSwap(0, now.UnixNano()) }

// within notes that it is not.
func (k *Kernel) within() {
	if k.room.since.Load() == 0 {
		return
	}
	if since := k.room.since.Swap(0); since != 0 {
		k.room.over.Add(max(0, k.clock().UnixNano()-since))
	}
}

// mayEvict reports whether the state of persistence allows it, and no pause forbids it.
func mayEvict(state uint32) bool {
	return state&(persistence.Loading|persistence.LogFailing|persistence.Stopping|pausedAll|pausedWrites) == 0
}

// Paid reports whether commands have made room for themselves since it was last asked.
func (k *Kernel) Paid() bool { return k.room.paid.Swap(false) }

// EvictWhenIdle does one step of what idle time does for memory: it evicts while more
// counts than the limit allows. It reports whether there may be more to do. now is in
// unix milliseconds.
func (k *Kernel) EvictWhenIdle(e *store.Evictor, now int64) (more bool) {
	limit := k.Config.Values().MaxMemory
	over := k.counted(limit) - limit
	if limit == 0 || over <= 0 {
		k.within()
		return false
	}
	if !mayEvict(k.state()) {
		return false
	}
	e.EvictFirst, e.Background = true, true
	more = e.Relieve(now, over, limit)
	if !more && k.counted(limit) > limit {
		k.room.above(k.clock())
	}
	return more
}

// later is what admission says of a request that is to be looked at again in the
// session's next turn. It is never a reply.
const later Error = "later"

// needsRoom reports whether the command is refused when memory is short, or its commands are: it may
// take some, or makes the queue longer.
func (s *Session) needsRoom(spec *Spec, flags Flags) bool {
	return flags&DenyOOM != 0 || flags&RunsScript != 0 && flags&(Write|PausesAsWrite) != 0 ||
		s.txn != nil && s.txn.queuing && spec.Flags&EndsMulti == 0
}

// makeRoom decides whether there is memory for the request in c. The error is "",
// ErrOOM, or later.
func (s *Session) makeRoom(c *Ctx, spec *Spec, flags Flags, state uint32) Error {
	k := s.kernel
	if k.Store.Exhausted() {
		return ErrOOM
	}
	v := k.Config.Values()
	limit, need := v.MaxMemory, int64(len(c.wire))
	if limit == 0 {
		return ""
	}
	plain := need <= bigRequest && spec.Flags&RunsQueue == 0 && spec.Grows == nil
	if !plain || k.atMost(limit)+need > limit && k.counted(limit)+need > limit {
		return s.makeRoomInSteps(c, spec, flags, v, state)
	}
	if k.room.since.Load() != 0 {
		k.within()
	}
	return ""
}

// size is how many bytes the request brings, and need how many of them do not count
// yet: a long request lies in its client's buffer, and the commands that EXEC runs in
// the queue. What commands add to their bytes is part of both (Spec.Grows).
func (s *Session) size(c *Ctx, spec *Spec) (size, need int64) {
	size = int64(len(c.wire))
	need = size
	if size > bigRequest {
		held := s.conn.Sizes()
		need = max(0, size-held.QueryBuf-held.QueryFree)
	}
	var grows int64
	switch {
	case spec.Flags&RunsQueue != 0 && s.txn != nil:
		size += s.txn.bytes
		args := c.Args
		for i := range s.txn.queue {
			if q := &s.txn.queue[i]; q.spec.Grows != nil {
				c.Args = q.args
				grows += q.spec.Grows(c)
			}
		}
		c.Args = args
	case spec.Grows != nil && !s.Queuing():
		grows = spec.Grows(c)
	}
	return size + grows, need + grows
}

// StringLength is the length in bytes of the string under a name, 0 if there is
// nothing, and whether nothing else is there. It locks the name's shard: only for
// Spec.Grows.
func (c *Ctx) StringLength(name []byte) (n int64, ok bool) {
	k := c.Store.Key(name)
	c.Store.Lock(k.Shard())
	defer c.Store.Unlock(k.Shard())
	if c.Store.Occupier(k.Shard()) != nil { // the request will have to wait, and be weighed again
		return 0, true
	}
	e, ok := c.Peek(k)
	if !ok {
		return 0, true
	}
	if e.Type() != store.TypeString {
		return 0, false
	}
	return int64(len(e.Bytes())), true
}

// callHeld runs a command that stores what its client holds already. While it is
// there twice it counts once, or others would evict for it.
func (s *Session) callHeld(c *Ctx, spec *Spec) {
	held := int64(len(c.wire))
	if spec.Flags&RunsQueue != 0 && s.txn != nil {
		held += s.txn.bytes
	}
	s.kernel.room.moving.Add(held)
	defer s.kernel.room.moving.Add(-held)
	if s.loan != nil {
		c.Args, c.Loan = copyArgs(c.Args, s.loan), s.loan
		c.wire, c.looked = nil, nil
	}
	c.call(spec)
	c.Loan = nil
}

// mayReceive reports whether more is to be received of a request of which have bytes
// are there, or others are to be served until there is room.
func (s *Session) mayReceive(c *Ctx, have int) bool {
	k := s.kernel
	v := k.Config.Values()
	if v.MaxMemory == 0 || k.atMost(v.MaxMemory)+bigPiece <= v.MaxMemory {
		return true
	}
	return s.roomFor(c, v, k.state(), int64(have+s.want), bigPiece) != later
}

// makeRoomInSteps is makeRoom where the way is not known to be free.
func (s *Session) makeRoomInSteps(c *Ctx, spec *Spec, flags Flags, v *config.Values, state uint32) Error {
	if s.pauses(flags, state) { // it is not to run now, and nothing may be evicted
		return ""
	}
	size, need := s.size(c, spec)
	verdict := s.roomFor(c, v, state, size, need)
	if verdict == later && len(c.wire) > 0 && c.wire[0] != '*' {
		// Quotes in an inline request are undone in place, so that it cannot be parsed
		// again. It is short; Redis lets all requests go on when their slice is used up.
		verdict = ""
	}
	if verdict != later {
		s.paid = 0
	}
	return verdict
}

// roomFor decides whether there is memory for need bytes of a request that has size in
// all, and makes it if need be: "", ErrOOM, or later.
func (s *Session) roomFor(c *Ctx, v *config.Values, state uint32, size, need int64) Error {
	k, limit := s.kernel, v.MaxMemory
	counted := k.counted(limit)
	switch {
	case state&persistence.Loading != 0:
		return ""
	case counted+need <= limit && k.room.start+size <= limit:
		k.within()
		return ""
	case !mayEvict(state):
		if v.Policy().Rule != eviction.NoEviction || counted <= limit {
			return "" // what follows in admit refuses it for its own reason
		}
		return ErrOOM
	case k.room.start+size > limit: // it can never fit
		return ErrOOM
	}
	if k.Latency.Threshold() > 0 {
		start := k.clock()
		defer func() { k.Latency.Add("eviction-cycle", k.clock().Sub(start)) }()
	}
	return s.evict(c, v, size, need)
}

// evict does steps until there is room for the request, its slice is used up, or
// nothing is left to evict.
func (s *Session) evict(c *Ctx, v *config.Values, size, need int64) Error {
	k, limit := s.kernel, v.MaxMemory
	hard := limit + slack(limit)
	if c.evictor == nil {
		c.evictor = k.Store.NewEvictor()
	}
	if c.evictor.Watch = nil; k.Latency.Threshold() > 0 {
		c.evictor.Watch = k.watchRemoval
	}
	if !k.room.paid.Load() {
		k.room.paid.Store(true)
	}
	start := time.Time{}
	counted := k.counted(limit)
	for {
		over := counted + need - limit
		progress := c.evictor.Relieve(c.Now, over+need/4, limit)
		after := k.counted(limit)
		s.paid += max(0, counted-after)
		counted = after
		switch {
		case !progress && counted+need > limit:
			if counted <= limit && counted+need <= hard {
				return ""
			}
			k.room.above(k.clock())
			return ErrOOM
		case counted+need <= hard:
			k.within()
			return ""
		}
		now := k.clock()
		if start.IsZero() {
			start = now
		}
		if c.evicting+now.Sub(start) < slice(v.EvictionTenacity) {
			continue
		}
		c.evicting += now.Sub(start)
		k.room.above(now)
		if s.paid >= size+size/4 {
			return ""
		}
		return later
	}
}

// watchRemoval is store.Evictor's Watch. As in Redis what takes long is the event eviction-del; a big
// collection, which would, is freed in the background.
func (k *Kernel) watchRemoval(remove func()) {
	start := k.clock()
	remove()
	k.Latency.Add("eviction-del", k.clock().Sub(start))
}

// slack is how much more than the limit may count while commands go on.
func slack(limit int64) int64 {
	return min(max(limit/slackShare, leastSlack), mostSlack)
}

// slice is the time that a batch may spend on further steps of eviction, by Redis'
// formula: 50 us for each step of maxmemory-eviction-tenacity up to 10, then 15 %
// more for each, and no end at 100.
func slice(tenacity int64) time.Duration {
	switch {
	case tenacity <= 10:
		return time.Duration(tenacity) * 50 * time.Microsecond
	case tenacity < 100:
		return time.Duration(500 * math.Pow(1.15, float64(tenacity-10)) * float64(time.Microsecond))
	}
	return math.MaxInt64
}
