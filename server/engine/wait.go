package engine

import (
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/server/netloop"
)

// wait is what a client that got no reply yet is waiting for. The handler that
// called Ctx.Wait or WaitFor has returned, its locks are free, and the loop neither
// reads nor runs anything for this connection until somebody ends the wait; then
// the session writes the reply the client was waiting for.
//
// A wait is ended from any goroutine, at any time, perhaps more than once and
// perhaps before the loop has heard that the connection is to block: over says
// that it has ended, Conn.Resume only that the session is to look, which the loop
// does after the turn. So no end is lost; and one that comes late, when the session
// waits for something else already, finds that wait not over, and it goes on.
type wait struct {
	over  atomic.Bool
	timer *time.Timer // nil: no time limit
	after func()      // nil, or what AfterWait has been given
	spec  *Spec
	reply func(c *Ctx) error
}

// Wait ends the handler without a reply: after d the client gets what reply
// writes. reply runs on the client's loop with no shard locked and c.Args empty.
// Where nothing may wait reply runs at once.
func (c *Ctx) Wait(d time.Duration, reply func(c *Ctx) error) error {
	if !c.MayWait() {
		return reply(c)
	}
	s, w := c.Session, c.block(reply)
	w.timer = time.AfterFunc(d, func() { s.end(w) })
	return nil
}

// WaitFor is Wait for something that happens elsewhere: start is called once, with
// the function that ends the wait, which is safe from any goroutine and may be
// called at any time, start included. It need not be called if the client goes.
// A d above zero ends the wait in any case; reply finds out by itself what has
// happened. Where nothing may wait start is not called and reply runs at once.
func (c *Ctx) WaitFor(start func(resume func()), d time.Duration, reply func(c *Ctx) error) error {
	if !c.MayWait() {
		return reply(c)
	}
	s, w := c.Session, c.block(reply)
	resume := func() { s.end(w) }
	if d > 0 {
		w.timer = time.AfterFunc(d, resume)
	}
	start(resume)
	return nil
}

// AfterWait has f called when the wait is over, with its reply or with its client.
// It is for the start of a WaitFor, once; f must not wait for anything.
func (c *Ctx) AfterWait(f func()) { c.Session.wait.after = f }

// block makes the session wait.
func (c *Ctx) block(reply func(c *Ctx) error) *wait {
	s := c.Session
	s.wait = &wait{spec: c.Spec, reply: reply}
	s.next = netloop.Block
	s.kernel.Clients.blocked.Add(1)
	return s.wait
}

// end ends a wait of this session. Safe from any goroutine.
func (s *Session) end(w *wait) {
	if !w.over.Swap(true) {
		s.conn.Resume()
	}
}

// Resumed writes the reply of a wait that is over. See netloop.Session.
func (s *Session) Resumed(out []byte) ([]byte, netloop.Action) {
	s.logged = false
	w := s.wait
	switch {
	case w == nil || s.killed.Load():
		return out, netloop.Wait
	case !w.over.Load():
		return out, netloop.Block
	}
	s.endWait()
	s.next = netloop.Wait
	c := s.begin(out)
	c.Spec, c.meter.last = w.spec, w.spec
	start := c.Out.Len()
	if err := w.reply(c); err != nil {
		c.fail(w.spec, start, err)
	}
	if s.reply != replyOn && s.wait == nil { // it may wait again
		s.suppress(c, start)
	}
	return s.finish(c), s.next
}

// endWait forgets the wait, if there is one.
func (s *Session) endWait() {
	if s.wait == nil {
		return
	}
	if s.wait.timer != nil {
		s.wait.timer.Stop()
	}
	if s.wait.after != nil {
		s.wait.after()
	}
	s.wait = nil
	s.kernel.Clients.blocked.Add(-1)
}
