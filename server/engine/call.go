// Calls: how a command comes to run.
//
// Most commands run because a client asks for them. Others run inside a call that is
// running, which has locked the shards for them: those of a transaction inside EXEC,
// those of a log inside its replay, in batches. What is different for them is said by the
// frame that they run in, and by nothing else:
//
//	            a client's own        inside another call
//	locks       taken for its keys    are there, and nothing else may be locked (but straying.go)
//	waiting     if the row says so    never: nobody could get at what it waits for
//	effects     appended by itself    with those of the call around it
//	reply       c.Out                 c.Out, where the call around has room for it
//	time        of the batch          of the call around: all of it is one moment
//
// A handler does not ask where it runs. It asks MayWait, it asks Inside if it would
// make others see the half of something, and the View's questions about the whole store
// know by themselves whether its shards are locked (View.Held).
//
// A call that cannot run in the batch that brought it is kept: in the queue of MULTI.

package engine

import (
	"errors"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/invariants"
)

// frame is what a command has from the call around it. The zero value is that of a
// client's own request.
type frame struct {
	locked bool // its shards are locked
	kept   bool // its effects are the other's to append, or not
	script bool // it is a script's: the shards that it needs may have yet to be locked (straying.go)
}

// MayWait reports whether the command may leave its client without a reply for now.
func (c *Ctx) MayWait() bool { return !c.frame.locked }

// Inside reports whether the command runs inside another one, of which a part is done
// and another is not.
func (c *Ctx) Inside() bool { return c.frame.kept }

// within runs calls inside the one that is running, which has locked their shards and
// will append their effects.
func (c *Ctx) within(calls func()) {
	outer, spec, args := c.frame, c.Spec, c.Args
	c.frame = frame{locked: true, kept: true}
	calls()
	c.frame, c.Spec, c.Args, c.meter.last = outer, spec, args, spec
}

// kept is a call that is kept beyond the batch that brought it.
type kept struct {
	spec *Spec
	args [][]byte
	loan *store.Loan // nil, or where an argument lies that was not copied
}

// keptOverhead is what a kept argument costs beside its bytes.
const keptOverhead = 24

// keep copies the request in c. A long argument goes with its loan.
func (s *Session) keep(c *Ctx, spec *Spec) kept {
	k := kept{spec, copyArgs(c.Args, s.loan), s.loan}
	s.loan = nil
	return k
}

// size is how many bytes the call's arguments take.
func (k *kept) size() int64 { return int64(keptOverhead*len(k.args) + argsSize(k.args)) }

// argsSize is the number of bytes of all arguments.
func argsSize(args [][]byte) (n int) {
	for _, a := range args {
		n += len(a)
	}
	return n
}

// perform runs a call that was kept.
func (c *Ctx) perform(k *kept) {
	c.Args, c.Loan = k.args, k.loan
	c.wire, c.looked = nil, nil
	c.meter.last = k.spec
	c.call(k.spec)
	c.Loan = nil
}

// call runs an admitted command and counts it.
func (c *Ctx) call(spec *Spec) {
	c.count(spec)
	began := c.meter.since
	c.Spec = spec
	if spec.lockKind == lockNone || spec.lockKind == lockAll {
		c.CountChanges() // it may look at the counts: INFO, BGSAVE
		c.countLookups()
	}
	start, hits, misses := c.Out.Len(), c.Hits, c.Misses
	err := c.invoke(spec)
	switch {
	case err != nil:
		c.fail(spec, start, err)
	case c.Out.Counting() && !c.Out.Refused():
		c.Hits, c.Misses = hits, misses
		c.unfit(spec, start)
	case invariants.Enabled:
		c.checkReply(spec, start)
	}
	if spec.Flags&RunsScript != 0 {
		c.measureScript(spec, began)
		return
	}
	c.measure(spec)
}

// countLookups adds the view's hits and misses to those that INFO shows.
func (c *Ctx) countLookups() {
	if c.Hits|c.Misses != 0 {
		if !c.Session.onlooker {
			c.Kernel.Stats.Lookups(int(c.Session.slot), c.Hits, c.Misses)
		}
		c.Hits, c.Misses = 0, 0
	}
}

// fail replaces what a handler has written since start by its error.
func (c *Ctx) fail(spec *Spec, start int, err error) {
	c.Out.Truncate(start)
	switch {
	case errors.Is(err, errStopped):
		c.Session.CloseAfterReply() // with the replies to what came before
		return
	case errors.Is(err, errPaused):
		c.meter.calls--
		c.Session.postponeAdmitted(c, spec)
		return
	case errors.Is(err, errOccupied):
		c.meter.calls--
		c.Session.postponeBehind(c, spec)
		return
	}
	c.writeError(asReply(err))
	c.Kernel.Stats.Failed(int(c.Session.slot), spec.index, 1)
}

// writeError writes an error reply and counts it in errorstats.
func (c *Ctx) writeError(e Error) {
	c.Kernel.Errors.Add(e.code())
	c.Out.Error(string(e))
}
