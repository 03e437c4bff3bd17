// A client that waits for keys is a request that waits: with its arguments, copied, and its row. It
// stands in the queue of each of its keys (store/waiters.go). When it is told that one is ready the
// request is tried again from the start, by its own loop: admission, locks, handler, effect and
// statistics are those of any request. It is what takes the element; nobody hands it one. So a
// client that goes away, or is killed, in whatever moment, has taken nothing that it does not get;
// the request is either never run again or run and answered.
//
// A try that finds nothing, or too little (somebody else came first) keeps the client's place. So does
// one that meets a value of another type. A client of several keys tries only while one that it was told of
// has something: else it would take, under another of its keys, what is for those who have waited
// there for longer.
//
// # Order
//
// In Redis those who wait are served right after the command that has made a key ready, or after
// its EXEC, and before the next command of anybody, first all who wait for that key, then those for
// whom these have made other keys ready (BLMOVE). Here the command collects whom it has to tell
// (Ctx.ready). When its locks are free, the session hands them to its loop and pauses its pipeline
// (netloop.Again); the loop resumes those that it owns, and only then goes on. A client that is
// served tells the next in its queue, who is resumed before the others.
//
// Clients of other loops are told by a notice, and others may come before them, as they may be
// before any request. So with io-threads above 1 the order in which clients were served is that in
// which they came, but for those who come while one is being woken.

package engine

import (
	"runtime"
	"time"

	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store"
)

// WaitForKeys ends the handler without a reply: the command is to run again when one of some of its
// keys has a value of a type. If none has for d, the client gets what reply writes; a d of 0 is for
// ever. A command that runs again and calls WaitForKeys goes on waiting as before. Where nothing
// may wait reply runs at once.
func (c *Ctx) WaitForKeys(keys []store.Key, t store.Type, d time.Duration, reply func(c *Ctx) error) error {
	return c.waitForKeys(keys, store.Waiter{Type: t}, d, reply)
}

// WaitForElements is WaitForKeys for one key whose value must have at least so many elements.
func (c *Ctx) WaitForElements(k store.Key, t store.Type, least int, d time.Duration, reply func(c *Ctx) error) error {
	return c.waitForKeys([]store.Key{k}, store.Waiter{Type: t, Least: uint32(least)}, d, reply)
}

func (c *Ctx) waitForKeys(keys []store.Key, what store.Waiter, d time.Duration, reply func(c *Ctx) error) error {
	if !c.MayWait() {
		return reply(c)
	}
	if w := c.Session.wait.Load(); w != nil {
		w.again = true
		c.meter.calls--
		return nil
	}
	w := c.block(ForKey, reply)
	w.call = c.Session.keep(c, c.Spec)
	w.waiter.Type, w.waiter.Lease, w.waiter.Least, w.waiter.Owner = what.Type, what.Lease, what.Least, w
	c.View.Wait(keys, &w.waiter)
	if d > 0 {
		c.Kernel.timeouts.add(w, d)
	}
	return nil
}

// Waited reports whether the command has waited for its keys and runs again.
func (c *Ctx) Waited() bool { return c.MayWait() && c.Session.wait.Load() != nil }

// Ready is told that a key may have something, by whoever cannot tell it to a Ctx. See
// store.Waiter.
func (w *wait) Ready() {
	w.ready.Store(true)
	w.session.conn.Resume()
}

// madeReady collects whom the running command has to tell. See store.View.
func (c *Ctx) madeReady(w *store.Waiter) { c.ready = append(c.ready, w.Owner.(*wait)) }

// handOn tells those whom the commands so far have made something ready for. It reports whether
// some of them are to be resumed before anything else. first puts them before those who already
// are.
func (s *Session) handOn(c *Ctx, first bool) (here bool) {
	n := len(c.ready)
	for i := range c.ready {
		w := c.ready[i]
		if first { // one after the other in front: the first comes last
			w = c.ready[n-1-i]
		}
		w.ready.Store(true)
		if s.conn.ResumeAfter(w.session.conn, first) {
			here = true
		} else {
			w.session.conn.Resume()
		}
	}
	clear(c.ready)
	c.ready = c.ready[:0]
	return here
}

// tryAgain runs the request of a wait.
func (s *Session) tryAgain(w *wait, out *chain.Buffer) netloop.Action {
	s.next = netloop.Wait
	w.leaveLine()
	c := s.begin(out)
	if !c.StillReady(&w.waiter) {
		s.goOnWaiting(c, w)
		s.finish(c)
		return s.next
	}
	start := c.Out.Len()
	c.Args, c.looked, c.wire = w.call.args, nil, nil
	spec, refused := s.admit(c)
	switch {
	case refused == later: // there is no room yet: in another round
		s.next = netloop.Block
		w.state.Store(waiting)
		w.Ready()
		s.finish(c)
		return s.next
	case refused == postponed:
		w.again, w.until = true, &s.kernel.pause.lineup
	case refused != "":
		s.reject(c, spec, refused)
	default:
		c.perform(&w.call)
	}
	s.handOn(c, false)
	if w.again {
		s.goOnWaiting(c, w)
		s.finish(c)
		return s.next
	}
	s.endWait(c)
	s.handOn(c, true)
	if s.reply != replyOn {
		s.suppress(c, start)
	}
	if s.caching {
		s.endCaching(c, spec)
	}
	s.finish(c)
	return s.next
}

// goOnWaiting keeps a client waiting that has tried in vain.
func (s *Session) goOnWaiting(c *Ctx, w *wait) {
	w.again = false
	s.next = netloop.Block
	w.state.Store(waiting)
	if s.kernel.timeouts.past(w) { // it may have come while nobody could end the wait
		w.end(timedOut)
	}
	c.Stay(&w.waiter)
	s.handOn(c, false)
	if q := w.until; q != nil {
		w.until = nil
		q.join(w)
	}
}

// leaveKeys takes the wait out of its queues and lets go of its request.
func (s *Session) leaveKeys(w *wait, c *Ctx) {
	if c != nil {
		c.Leave(&w.waiter)
	} else {
		v := store.View{Store: s.kernel.Store, Now: s.kernel.clock().UnixMilli()}
		v.Leave(&w.waiter)
	}
	s.kernel.giveBack(w.call.loan)
	w.call = kept{}
}

// yield lets another goroutine run.
func yield() { runtime.Gosched() }
