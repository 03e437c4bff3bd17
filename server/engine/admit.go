// Admission: may this request run? The checks stand in the order of Redis'
// processCommand, because a request that fails several of them shows the client
// which comes first:
//
//	1 the command exists            5 it may run inside MULTI
//	2 its arity fits                6 memory allows it
//	3 it is not protected           (then it is queued or called)
//	4 the client is authenticated
//
// Later kinds of refusal (ACL, read-only replica, disk errors, loading) have
// their place between 5 and the end.

package engine

import (
	"strings"
)

// admit finds the row of the request in c.Args and decides whether it may run.
// The row is nil when there is none.
func (s *Session) admit(c *Ctx) (*Spec, Error) {
	k := s.kernel
	spec := c.row
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
	if s.authenticated && spec.Flags&special == 0 {
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
	if s.grows(spec) && k.full() {
		return spec, ErrOOM
	}
	return spec, ""
}

// full tells whether commands that need memory have to be refused.
func (k *Kernel) full() bool {
	limit := k.Config.Values().MaxMemory
	return limit > 0 && k.Store.Memory() > limit || k.Store.Exhausted()
}

// grows tells whether the command may need memory: it, or one that it runs from
// the queue.
func (s *Session) grows(spec *Spec) bool {
	return spec.Flags&DenyOOM != 0 || spec.Flags&RunsQueue != 0 && s.txn != nil && s.txn.flags&DenyOOM != 0
}

// Local tells whether the client is on this machine.
func (s *Session) Local() bool { return s.conn.Unix() || loopback(s.conn.RemoteAddr()) }

// reject answers a request that was not admitted. Inside MULTI it spoils the
// transaction; refusing EXEC itself discards it.
func (s *Session) reject(c *Ctx, spec *Spec, e Error) {
	if spec != nil {
		s.kernel.Stats.Rejected(s.slot, spec.index)
	}
	if s.txn != nil && s.txn.queuing {
		s.txn.aborted = true
	}
	if spec != nil && spec.Flags&RunsQueue != 0 {
		s.dropTxn()
		e = Errf("EXECABORT Transaction discarded because of: %s", strings.TrimPrefix(string(e), "ERR "))
	}
	c.writeError(e)
}
