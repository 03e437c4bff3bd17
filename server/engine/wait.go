package engine

import (
	"time"

	"github.com/larderkv/larder/server/netloop"
)

// wait is what a client that got no reply yet is waiting for. The handler that
// called Ctx.Wait has returned, its locks are free, and the loop neither reads
// nor runs anything for this connection until somebody calls Conn.Resume; then
// the session writes the reply the client was waiting for.
//
// A timer is the only event that ends a wait today. Others, a push to a list that
// BLPOP watches, end it the same way: they note what happened and resume the
// connection.
type wait struct {
	timer *time.Timer
	spec  *Spec
	reply func(c *Ctx) error
}

// Wait ends the handler without a reply: after d the client gets what reply
// writes. reply runs on the client's loop with no shard locked and c.Args empty.
// Inside EXEC nothing waits and reply runs at once.
func (c *Ctx) Wait(d time.Duration, reply func(c *Ctx) error) error {
	s := c.Session
	if c.inExec {
		return reply(c)
	}
	s.wait = &wait{spec: c.Spec, reply: reply}
	s.wait.timer = time.AfterFunc(d, s.conn.Resume)
	s.next = netloop.Block
	s.kernel.Clients.blocked.Add(1)
	return nil
}

// Resumed writes the reply of a wait that is over. See netloop.Session.
func (s *Session) Resumed(out []byte) ([]byte, netloop.Action) {
	w := s.wait
	if w == nil || s.killed.Load() {
		return out, netloop.Wait
	}
	s.endWait()
	s.next = netloop.Wait
	c := s.begin(out)
	c.Spec, c.meter.last = w.spec, w.spec
	start := c.Out.Len()
	if err := w.reply(c); err != nil {
		c.fail(w.spec, start, err)
	}
	if s.reply != replyOn {
		s.suppress(c, start)
	}
	return s.end(c), s.next
}

// endWait forgets the wait, if there is one.
func (s *Session) endWait() {
	if s.wait == nil {
		return
	}
	s.wait.timer.Stop()
	s.wait = nil
	s.kernel.Clients.blocked.Add(-1)
}
