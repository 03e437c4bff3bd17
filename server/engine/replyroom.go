// Room for replies: what happens to a command whose reply does not fit under the cap.
//
// A reply is in memory until its client has taken it, and its size is known only when it is made:
// SRANDMEMBER s -60000000 on three members answers with 420 MB. So there are two rules under
// maxmemory, for replies that are longer than the loop's shared buffer (32 KiB at least):
//
//   - A reply takes what the cap leaves free. Where that is used up the command goes on, but its
//     output is only counted (chain.Buffer), so that at its end the size is known. Then what there
//     is of it is taken back, the locks are free, and the session makes room for that many bytes as
//     for a write (roomFor): it evicts in steps and yields between them. Then the command runs again.
//     If there is no way to make room the client gets an error in place of the reply.
//   - All that clients have not taken, in whole blocks, is at most half of the cap, so that those
//     who do not read cannot evict everything.
//
// If a reply fits by neither, and some client has taken nothing of what it owes for a second, the
// one of these that holds most is closed, and the request looked at again when its memory is back:
// who asks comes before who does not read. A small reserve that does not ask for room keeps
// ordinary replies going at a cap that nothing may be evicted for.
//
// Only reads are run again: what they did, and counted, is forgotten. A command that writes has
// happened when its reply does not fit. Most of these take out of the store what they reply
// (SPOP, LPOP, ZPOPMIN, GETDEL), and the others reply with one value (GETEX, SET with GET), so they
// always get their blocks. A script has happened too, and its client gets the error. Inside EXEC,
// where nothing can be evicted since shards are locked, a read whose reply does not fit has the error
// as its element.
//
// To know the size beforehand would save the first run. It was rejected: every command would have
// to work out its size by a second piece of code that must agree with the first, and most of the
// work of a large reply is to find its elements, which counting does once more only when memory is
// short.

package engine

import (
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
)

const (
	// All unsent output together has at most 1/unsentShare of the limit.
	unsentShare = 2
	// Without a look at what the limit leaves it has 1/evictingReserve of it. Where nothing may be
	// evicted this is all that there is at a full cap, and values that are larger could not be read:
	// then it is 1/fixedReserve, which still keeps the resident set within a tenth above the limit.
	evictingReserve, fixedReserve = 64, 32
	// alwaysFits is how much of the loop's shared buffer a reply has at least, in bytes.
	alwaysFits = 32 << 10
	// stuckAfter is how long a client takes nothing before it may be closed for its output.
	stuckAfter = time.Second
	// worthClosing is what such a client holds at least, in bytes.
	worthClosing = 64 << 10
	// stuckPause is how long the memory of one that was closed is waited for at most.
	stuckPause = time.Second
	// replyTries is how often a command runs whose reply turns out longer each time.
	replyTries = 4
)

// replyRoom is what a Ctx knows of the room for the reply of the running command.
type replyRoom struct {
	granted int64          // bytes that room has been made for
	lacking int64          // bytes of a reply that was taken back, since it did not fit
	allow   func(int) bool // mayGrow, bound once
}

// stuck is the kernel's note of the last client that was closed for its output. Its bytes do not
// count as a client's any more, but they are in memory until its loop has given them back.
type stuck struct {
	closed atomic.Int64 // unix ns, 0: nothing is on its way back
	goal   atomic.Int64 // unsent output of all when it has come back
}

// pending reports whether that memory is to be waited for.
func (k *Kernel) pending() bool {
	closed := k.stuck.closed.Load()
	if closed == 0 {
		return false
	}
	held, leaving := k.unsent()
	if held+leaving > k.stuck.goal.Load() && k.clock().UnixNano()-closed < int64(stuckPause) {
		return true
	}
	k.stuck.closed.CompareAndSwap(closed, 0)
	return false
}

// mayGrow reports whether the reply of the running command may take n bytes more. The command's
// shards are locked.
func (c *Ctx) mayGrow(n int) bool {
	k := c.Kernel
	v := k.Config.Values()
	limit := v.MaxMemory
	if limit == 0 || c.Spec == nil || c.Spec.Flags&(ReadOnly|RunsScript) == 0 {
		return true
	}
	if c.room.granted >= int64(n) {
		c.room.granted -= int64(n)
		k.room.promised.Add(-int64(n))
		return true
	}
	owed, leaving := k.owed()
	if owed+int64(n) <= replyReserve(v) {
		return true
	}
	return owed+int64(n) <= limit/unsentShare && !k.pending() && k.counted(limit)+leaving+int64(n) <= limit
}

// replyReserve is how much unsent output all clients may have whatever the limit leaves.
func replyReserve(v *config.Values) int64 {
	if v.Policy().Rule == eviction.NoEviction {
		return v.MaxMemory / fixedReserve
	}
	return v.MaxMemory / evictingReserve
}

// owed is what clients have not taken and what has been promised to replies, in bytes, and leaving
// what is in memory of output that is gone: a part of a long reply that was taken back, or what a
// client that was closed had not read.
func (k *Kernel) owed() (owed, leaving int64) {
	held, leaving := k.unsent()
	return held + k.room.promised.Load(), leaving
}

// MayFit reports whether a reply of at least so many bytes can fit under the cap at all. One for
// which the loop's shared buffer may do always can.
func (c *Ctx) MayFit(bytes float64) bool {
	limit := c.Kernel.Config.Values().MaxMemory
	return limit == 0 || bytes <= float64(max(limit/unsentShare, alwaysFits))
}

// unfit takes back a reply of which a part was only counted, and notes its size.
func (c *Ctx) unfit(spec *Spec, start int) {
	size := c.Out.Len() - start
	c.Out.Truncate(start)
	if c.frame.locked || spec.Flags&RunsScript != 0 {
		c.fail(spec, start, ErrReplyOOM)
		return
	}
	c.room.lacking = int64(size)
	c.meter.calls--
}

// answer runs the command, and again when there is room for its reply. It returns false if the
// request has to come again.
func (s *Session) answer(c *Ctx, spec *Spec) (done bool) {
	c.room.lacking, s.lacking = s.lacking, 0
	if c.room.lacking == 0 {
		c.call(spec)
	}
	if c.room.lacking > 0 {
		defer func(before bool) { c.Uncounted = before }(c.Uncounted)
		c.Uncounted = true
	}
	for tries := 1; c.room.lacking > 0; tries++ {
		need := c.room.lacking + c.room.lacking/16 + outputBound // it may draw other elements the next time
		verdict := s.roomForReply(c, need)
		switch {
		case verdict == later && (c.wire == nil || c.wire[0] == '*'): // not one with quotes, undone in place
			s.lacking, c.room.lacking = c.room.lacking, 0
			return false
		case verdict != "" || tries == replyTries:
			c.room.lacking = 0
			c.count(spec)
			c.fail(spec, c.Out.Len(), ErrReplyOOM)
			return true
		}
		c.room.lacking, c.room.granted = 0, need
		s.kernel.room.promised.Add(need)
		c.call(spec)
		s.kernel.room.promised.Add(-c.room.granted)
		c.room.granted = 0
	}
	return true
}

// roomForReply decides whether there is room for a reply of so many bytes, and makes it if need be:
// "", ErrOOM, or later.
func (s *Session) roomForReply(c *Ctx, need int64) Error {
	k := s.kernel
	v := k.Config.Values()
	limit := v.MaxMemory
	owed, leaving := k.owed()
	switch {
	case limit == 0 || owed+need <= replyReserve(v):
		return ""
	case need > limit/unsentShare:
		return ErrOOM
	case c.Out.Len() > 0 || leaving > 0 || k.pending():
		return later // first the replies to earlier requests go out
	}
	verdict := ErrOOM
	if owed+need <= limit/unsentShare {
		verdict = s.roomFor(c, v, k.state(), need, need)
	}
	if verdict != later {
		s.paid = 0
	}
	if verdict == ErrOOM && k.closeStuck() {
		return later
	}
	return verdict
}

// closeStuck closes the client with most unsent output of those that have taken nothing of it for a
// while. It reports whether there is one.
func (k *Kernel) closeStuck() bool {
	now := k.clock().UnixNano()
	r := &k.Clients
	r.size.listing.Lock()
	s, held := r.stuckLocked(now)
	if s != nil {
		r.releaseLocked(s)
	}
	r.size.listing.Unlock()
	if s == nil {
		return false
	}
	inUse, leaving := k.unsent()
	k.stuck.goal.Store(inUse + leaving - held)
	k.stuck.closed.Store(now)
	if r.evict(s) {
		k.logEvicted(s, "evicting client that does not take its output, for the reply of another", "output", held)
	}
	return true
}

// isStuck reports whether a client with such buffers takes nothing of output that is worth closing it.
func isStuck(z *netloop.Sizes, now int64) bool {
	return z.Output >= worthClosing && z.Waiting != 0 && now-z.Waiting >= int64(stuckAfter)
}

// stuckLocked is the session with most unsent output of those that take none, or nil.
func (r *Clients) stuckLocked(now int64) (worst *Session, most int64) {
	most = worthClosing
	for _, list := range r.size.heavy {
		for _, s := range list {
			z := s.conn.Sizes()
			if z.Output > most && isStuck(&z, now) {
				worst, most = s, z.Output
			}
		}
	}
	return worst, most
}
