// Admission: may this request run? The checks stand in the order of Redis'
// processCommand, because a request that fails several of them shows the client
// which comes first:
//
//	1 the command exists            5 it may run inside MULTI
//	2 its arity fits                6 memory allows it (room.go)
//	3 it is not protected           7 the disk works, if it writes
//	4 the client is authenticated   8 no subscription forbids it (pubsub.go)
//	                                9 the data set is loaded
//	                               10 it is not a monitor's, which may not touch keys
//	                               11 clients do not pause (pause.go)
//	                                (then it is queued or called)
//
// Later kinds of refusal (ACL, read-only replica) have their place between 5 and
// the end. Whether the server has made its last snapshot, so that a write would be
// lost, is only asked under the write's locks (Ctx.run): the snapshot is made
// under all of them, so the answer cannot change any more.

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
	const special = Protected | NoMulti | DenyOOM | RunsQueue
	state := k.state()
	if s.authenticated && spec.Flags&special == 0 && state == 0 && s.txn == nil && s.member == nil {
		return spec, ""
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
	if s.needsRoom(spec) {
		if e := s.makeRoom(c, spec, state); e != "" {
			return spec, e
		}
	}
	if e := s.refusedByDisk(spec, state); e != "" {
		return spec, e
	}
	if s.Restricted() && spec.Flags&WhileSubscribed == 0 {
		return spec, errSubscribed(spec)
	}
	if state&persistence.Loading != 0 && (spec.Flags&Loading == 0 || spec.Flags&RunsQueue != 0 && s.txn != nil && s.txn.lacks&Loading != 0) {
		return spec, ErrLoading
	}
	if s.monitor && s.runs(spec, Write|ReadOnly|MayReplicate|PausesAsWrite) {
		return spec, ErrMonitorKeys
	}
	if state != 0 && s.pauses(spec, state) {
		return spec, postponed
	}
	return spec, ""
}

// refusedByDisk returns the error that persistence has for the command while the disk fails, "" for
// none.
func (s *Session) refusedByDisk(spec *Spec, state uint32) Error {
	if state == 0 {
		return ""
	}
	if spec.Flags&HealthCheck != 0 || s.runs(spec, Write) {
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

// runs reports whether the command has a flag: it, or one that it runs from the
// queue.
func (s *Session) runs(spec *Spec, flag Flags) bool {
	return spec.Flags&flag != 0 || spec.Flags&RunsQueue != 0 && s.txn != nil && s.txn.flags&flag != 0
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
