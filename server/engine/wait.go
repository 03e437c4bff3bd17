// Waiting: a client that gets no reply yet.
//
// A handler that has nothing to say calls one of Ctx's Wait functions and returns. Its locks are
// free then, and the loop neither reads nor executes anything for this connection until the wait is
// over: a client that waits is a few hundred bytes, no goroutine and no timer of its own.
//
//	Wait         for some time: DEBUG SLEEP
//	WaitFor      for something that the server does elsewhere: SAVE, MIGRATE, WAITAOF, WAIT
//	WaitForKeys  for a key, to try again: BLPOP and its family (waitkeys.go)
//
// A client whose request comes during a pause waits likewise, before any handler (pause.go).
//
// # Ends
//
// A wait ends once, in one of several ways: what it was for has happened, its time is up, or CLIENT
// UNBLOCK. Each may come from any goroutine, at any time, perhaps before the loop has heard that
// the connection is to block. Whoever comes first sets the state, all others come too late; and
// Conn.Resume only says that the session is to look, which the loop does after the turn. So no end
// is lost. What is left to be done then, the reply first of all, is done by the client's own loop.
//
// A client that goes takes its wait with it (Closed).

package engine

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store"
)

// Reason is what a client waits for.
type Reason uint8

const (
	// ForServer is work that the server does for this client. It cannot be unblocked.
	ForServer Reason = iota
	// ForAck is the acknowledgement that its writes are kept, on the disk or by replicas.
	ForAck
	// ForKey is a key that it can pop from.
	ForKey
	// ForPause is the end of a pause. It cannot be unblocked.
	ForPause
	// ForScript is the end of a script that has occupied what the request needs. It cannot be
	// unblocked.
	ForScript
)

// The states of a wait: what it does, or how it has ended.
const (
	waiting   int32 = iota
	trying          // the client's loop is running the request again
	done            // what it was for has happened
	timedOut        // or CLIENT UNBLOCK has said so
	unblocked       // by CLIENT UNBLOCK, with an error
)

// wait is what a client that got no reply yet is waiting for. There may be as many as clients; 240
// bytes are a size that Go allocates without waste.
type wait struct {
	session *Session
	state   atomic.Int32
	ready   atomic.Bool // a key may have something: to be tried again
	reason  Reason
	again   bool    // the request, tried again, goes on waiting
	slot    int32   // of timeouts, under their mutex
	until   *lineup // and until that says so as well, if it is not nil
	spec    *Spec
	reply   func(c *Ctx) error
	after   func()         // nil, or what AfterWait has been given
	slow    *time.Duration // of a command that counts as busy: when it began, as Kernel.elapsed

	deadline time.Duration // of timeouts; 0: no time limit

	call   kept // of one that waits for keys, for the end of a pause or of a script, or that counts as busy
	waiter store.Waiter
	behind *Run // of one that waits for the end of a script
	in     inLine
}

// Wait ends the handler without a reply: after d the client gets what reply
// writes. reply runs on the client's loop with no shard locked and c.Args empty.
// Where nothing may wait reply runs at once.
//
// Here and in a WaitFor ForServer the command counts as one that has taken so long, as if it had been
// busy: Redis is, and has it in the slow log. reply may go on waiting, and all of it counts as one.
func (c *Ctx) Wait(d time.Duration, reply func(c *Ctx) error) error {
	if !c.MayWait() {
		return reply(c)
	}
	w := c.block(ForServer, reply)
	c.Kernel.timeouts.add(w, d)
	return nil
}

// WaitFor is Wait for something that happens elsewhere: start is called once, with
// the function that ends the wait, which is safe from any goroutine and may be
// called at any time, start included. It need not be called if the client goes.
// A d above zero ends the wait in any case; reply finds out by itself what has
// happened. Where nothing may wait start is not called and reply runs at once.
func (c *Ctx) WaitFor(why Reason, start func(resume func()), d time.Duration, reply func(c *Ctx) error) error {
	if !c.MayWait() {
		return reply(c)
	}
	w := c.block(why, reply)
	if d > 0 {
		c.Kernel.timeouts.add(w, d)
	}
	start(func() { w.end(done) })
	return nil
}

// AfterWait has f called when the wait is over, with its reply or with its client.
// It is for the start of a WaitFor, once; f must not wait for anything.
func (c *Ctx) AfterWait(f func()) { c.Session.wait.Load().after = f }

// block makes the session wait. The call counts when the wait is over.
func (c *Ctx) block(why Reason, reply func(c *Ctx) error) *wait {
	s := c.Session
	w := &wait{session: s, reason: why, spec: c.Spec, reply: reply}
	if why == ForServer && len(c.Args) > 0 { // else it goes on waiting, see Resumed
		began := c.Kernel.elapsed()
		w.call, w.slow = s.keep(c, c.Spec), &began
	}
	s.wait.Store(w)
	s.next = netloop.Block
	s.kernel.Clients.blocked.Add(1)
	c.meter.calls--
	return w
}

// end ends a wait, if nothing else has. Safe from any goroutine. A wait whose request is being
// tried again does not end; the try looks at its time limit by itself.
func (w *wait) end(how int32) bool {
	if !w.state.CompareAndSwap(waiting, how) {
		return false
	}
	w.session.conn.Resume()
	return true
}

// memory is what a wait takes, in bytes.
func (w *wait) memory() int64 {
	return int64(unsafe.Sizeof(wait{})) + w.call.size() + w.waiter.Memory()
}

// Resumed goes on where the client waited. See netloop.Session.
func (s *Session) Resumed(out *chain.Buffer) netloop.Action {
	s.logged = false
	w := s.wait.Load()
	switch {
	case w == nil || s.killed.Load():
		return netloop.Wait
	case w.ready.Swap(false) && w.state.CompareAndSwap(waiting, trying):
		return s.tryAgain(w, out)
	case w.state.Load() == waiting:
		return netloop.Block
	case w.reason == ForScript && w.state.Load() == timedOut:
		return s.refuseBusy(w, out)
	case w.reason == ForPause || w.reason == ForScript:
		return s.runPostponed(w, out)
	}
	s.next = netloop.Wait
	c := s.begin(out)
	var busy kept
	if w.slow != nil { // the slow log may have to look at what is lent
		busy, w.call = w.call, kept{}
	}
	s.endWait(c)
	s.handOn(c, true)
	c.Spec = w.spec
	c.meter.row, c.meter.last, c.meter.calls = w.spec, w.spec, 1
	if w.slow != nil {
		c.meter.since = *w.slow
	}
	start := c.Out.Len()
	err := error(errUnblocked)
	if w.state.Load() != unblocked {
		err = w.reply(c)
	}
	if err == nil && c.Out.Counting() && !c.Out.Refused() {
		err = ErrReplyOOM
	}
	if err != nil {
		c.fail(w.spec, start, err)
	}
	if w.slow != nil {
		s.endBusy(c, w, busy)
	}
	if s.reply != replyOn && s.wait.Load() == nil { // it may wait again
		s.suppress(c, start)
	}
	s.finish(c)
	return s.next
}

// endBusy ends a wait that counts as busy, unless the command goes on waiting: then all of it is still
// to count.
func (s *Session) endBusy(c *Ctx, w *wait, call kept) {
	if next := s.wait.Load(); next != nil {
		next.call, next.slow = call, w.slow
		return
	}
	c.Args = call.args
	c.read(w.spec)
	s.kernel.giveBack(call.loan)
}

// endWait forgets the wait, if there is one. Whoever waits behind it is told, by c if there is one.
func (s *Session) endWait(c *Ctx) {
	w := s.wait.Swap(nil)
	if w == nil {
		return
	}
	s.kernel.timeouts.remove(w)
	w.leaveLine()
	if w.after != nil {
		w.after()
	}
	switch w.reason {
	case ForKey:
		s.leaveKeys(w, c)
	case ForServer, ForPause, ForScript:
		s.kernel.giveBack(w.call.loan)
	case ForAck:
	}
	s.kernel.Clients.blocked.Add(-1)
}

// Unblock ends the session's wait as if its time were up, or with an error. It reports whether the
// session was waiting for what it may be kept from. Safe from any goroutine; one that may not wait
// itself does not unblock a client that is being served in this moment.
func (s *Session) Unblock(withError, mayWait bool) bool {
	how := timedOut
	if withError {
		how = unblocked
	}
	for {
		w := s.wait.Load()
		switch {
		case w == nil || w.reason == ForServer || w.reason == ForPause || w.reason == ForScript:
			return false
		case w.end(how):
			return true
		case w.state.Load() > trying || !mayWait:
			return false
		}
		yield() // another loop is running its request, which waits for no client
	}
}
