// Admission: may this request run? The checks stand in the order of Redis'
// processCommand, because a request that fails several of them shows the client
// which comes first:
//
//	1 the command exists            6 the user may run it (permit.go)
//	2 its arity fits                7 memory allows it (room.go)
//	3 it is not protected           8 the disk works, if it writes
//	4 the client is authenticated   9 no subscription forbids it (pubsub.go)
//	5 it may run inside MULTI      10 the data set is loaded
//	                               11 it is not a monitor's, which may not touch keys
//	                               12 clients do not pause (pause.go)
//	                                (then it is queued or called)
//
// A read-only replica has its place between 6 and the end. Whether the server has made its last
// snapshot, so that a write would be lost, is only asked under the write's locks (Ctx.run): the
// snapshot is made under all of them, so the answer cannot change any more.

package engine

import (
	"strings"

	"github.com/larderkv/larder/persistence"
)

// admit finds the row of the request in c.Args and decides whether it may run.
// The row is nil when there is none. later means that nothing is to be said yet.
func (s *Session) admit(c *Ctx) (*Spec, Error) {
	k := s.kernel
	var spec *Spec
	if c.looked != nil {
		spec = c.looked.row
	}
	if spec == nil {
		spec = k.Table.Resolve(c.Args)
	}
	if spec == nil {
		return nil, k.Table.errUnknown(c.Args)
	}
	c.meter.last = spec
	if !spec.Fits(len(c.Args)) {
		return spec, ErrArity(spec)
	}
	const special = Protected | NoMulti | DenyOOM | RunsQueue | RunsScript
	state, free := k.state(), s.User().Free()
	if free && s.authenticated && state == 0 && s.txn == nil && s.member == nil {
		switch spec.Flags & special {
		case 0:
			return spec, ""
		case DenyOOM, RunsScript: // there may be nothing to be weighed
			if k.Config.Values().MaxMemory == 0 && !k.Store.Exhausted() {
				c.short = false
				return spec, ""
			}
		}
	}
	if spec.Flags&Protected != 0 && !k.Config.Values().DebugAllowed(s.Local()) {
		return spec, ErrDebugForbidden
	}
	if spec.Flags&NoAuth == 0 && s.authRequired() {
		return spec, ErrNoAuth
	}
	if spec.Flags&NoMulti != 0 && s.txn != nil && s.txn.queuing {
		return spec, ErrNoMulti
	}
	if !free {
		if e := c.forbidden(spec); e != "" {
			return spec, e
		}
	}
	flags := s.flags(c, spec)
	if s.needsRoom(spec, flags) {
		if e := s.admitByMemory(c, spec, flags, state); e != "" {
			return spec, e
		}
	}
	if e := s.refusedByDisk(flags, state); e != "" {
		return spec, e
	}
	if s.Restricted() && spec.Flags&WhileSubscribed == 0 {
		return spec, errSubscribed(spec)
	}
	if state&persistence.Loading != 0 && (spec.Flags&Loading == 0 || spec.Flags&RunsQueue != 0 && s.txn != nil && s.txn.lacks&Loading != 0) {
		return spec, ErrLoading
	}
	if s.monitor && flags&(Write|ReadOnly|MayReplicate|PausesAsWrite) != 0 {
		return spec, ErrMonitorKeys
	}
	if state != 0 && s.pauses(flags, state) {
		return spec, postponed
	}
	return spec, ""
}

// admitByMemory decides whether there is memory for the request, and makes it if need be: "", ErrOOM,
// or later. A script that has not said what it does runs without, and its commands are told.
func (s *Session) admitByMemory(c *Ctx, spec *Spec, flags Flags, state uint32) Error {
	c.short = false
	e := s.makeRoom(c, spec, flags, state)
	if e == ErrOOM && flags&(RunsScript|DenyOOM) == RunsScript && s.mayRunShort(spec) && !s.lacksOccupied(c) {
		c.short = true
		return ""
	}
	return e
}

// mayRunShort reports whether the request runs something now, and does not make the queue longer.
func (s *Session) mayRunShort(spec *Spec) bool { return !s.Queuing() || spec.Flags&EndsMulti != 0 }

// refusedByDisk returns the error that persistence has for a command with these flags while the disk
// fails, "" for none.
func (s *Session) refusedByDisk(flags Flags, state uint32) Error {
	if state == 0 {
		return ""
	}
	if flags&(HealthCheck|Write) != 0 {
		if state&persistence.SaveFailing != 0 {
			return ErrSaveFailing
		}
		if state&persistence.LogFailing != 0 {
			if cause := s.kernel.aof.Err(); cause != nil { // else it has just recovered
				return errLogFailing(cause)
			}
		}
	}
	return ""
}

// flags are those of the request in c, and of those that it runs from the queue.
func (s *Session) flags(c *Ctx, spec *Spec) Flags {
	flags := spec.flags(c)
	if flags&RunsQueue != 0 && s.txn != nil {
		flags |= s.txn.flags
	}
	return flags
}

// flags are those of the request in c.
func (s *Spec) flags(c *Ctx) Flags {
	if s.FlagsOf != nil {
		return s.FlagsOf(c, s.Flags)
	}
	return s.Flags
}

// Local reports whether the client is on this machine.
func (s *Session) Local() bool { return s.conn.Unix() || loopback(s.conn.RemoteAddr()) }

// reject answers a request that was not admitted. Inside MULTI it spoils the
// transaction; refusing EXEC itself discards it.
func (s *Session) reject(c *Ctx, spec *Spec, e Error) {
	if spec != nil {
		s.kernel.Stats.Rejected(int(s.slot), spec.index)
	}
	if s.txn != nil && s.txn.queuing {
		s.txn.aborted = true
	}
	if spec != nil && spec.Flags&RunsQueue != 0 {
		if c.monitored { // they have been shown its MULTI
			c.show(spec)
		}
		s.dropTxn()
		e = Errf("EXECABORT Transaction discarded because of: %s", strings.TrimPrefix(string(e), "ERR "))
	}
	c.writeError(e)
}
