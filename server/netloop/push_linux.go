// Pushing: messages on their way from whoever says them to the loop of the connection, and out. See
// "Pushing" in the package's comment for the order, and why a round sends only some of them.

package netloop

import "github.com/larderkv/larder/protocol/chain"

const (
	pushConns = 16        // connections whose messages a round sends
	pushBytes = 1 << 20   // and after how many bytes it stops before
	pushHurry = 256 << 10 // bytes in one queue from which on a round sends everybody's
	pushSpare = 16 << 10  // entries of queues that a loop keeps for reuse: half a megabyte
	pushAlone = 16 << 10  // bytes of a message that is sent from where it lies
)

// message is an entry of a connection's queue. Its bytes are shared with other connections, and
// never change.
type message struct {
	b    []byte
	next *message
}

// queue is a list of messages.
type queue struct{ first, last *message }

// pushLocked appends b to c's queue. If that has more than hurry bytes then, the loop is to send to
// everybody in its next round. later says that a loop that sleeps need not be woken for it: flush
// does, or somebody who wants more of the loop. It returns what Push does.
func (n *notices) pushLocked(c *conn, b []byte, hurry int64, later bool) (grown int64) {
	if n.closed {
		return 0
	}
	m := n.free
	if m == nil {
		m = new(message)
	} else {
		n.free, m.next = m.next, nil
		n.spare--
	}
	m.b = b
	size := int64(len(b)) + pushEntry
	if c.pushed.last == nil {
		c.pushed.first = m
	} else {
		c.pushed.last.next = m
	}
	c.pushed.last = m
	waiting := c.sizes.pushed.Add(size)
	if waiting > hurry {
		n.hurry = true
	}
	if !c.pushing {
		c.pushing = true
		n.pushes = append(n.pushes, c)
	}
	if later && !n.hurry {
		n.pending.Store(true)
	} else {
		n.announceLocked()
	}
	return c.noted.grow(waiting)
}

// flush wakes the loop if it sleeps though it has been pushed something.
func (n *notices) flush() {
	if n.pending.Load() && n.sleeping.Load() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.announceLocked()
	}
}

// taken is a queue that the loop has taken.
type taken struct {
	c     *conn
	first *message
	noted int64 // what the session's account has of it
}

// takeLocked takes c's queue of so many bytes.
func (n *notices) takeLocked(c *conn) (t taken, size int64) {
	t.c = c
	if t.first = c.pushed.first; t.first != nil {
		size, t.noted = c.sizes.pushed.Swap(0), c.noted.clear()
		c.pushed = queue{}
		if t.noted != 0 {
			c.loop.server.queued.Add(-t.noted)
		}
	}
	return t, size
}

// takeOne takes the queue of a connection before its turn comes in the list, where it stays.
func (n *notices) takeOne(c *conn) taken {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, _ := n.takeLocked(c)
	return t
}

// reuse keeps the entries of a queue that has been sent.
func (n *notices) reuse(first *message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reuseLocked(first)
}

func (n *notices) reuseLocked(first *message) {
	for m := first; m != nil && n.spare < pushSpare; {
		next := m.next
		m.b, m.next = nil, n.free
		n.free = m
		n.spare++
		m = next
	}
}

// pushRound is the loop's side: the connections that are to get their messages. One lock serves
// many of them.
type pushRound struct {
	conns []*conn // conns[at:] are to come
	at    int
	hurry bool             // send to all of them within the round
	taken [pushConns]taken // taken[:used] are being sent
	used  int
	buf   []byte // where short messages are put together
}

func (p *pushRound) left() bool { return p.at < len(p.conns) }

// takePushes takes the queues of the next connections.
func (n *notices) takePushes(p *pushRound) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for size := int64(0); p.used < len(p.taken) && size < pushBytes; {
		if !p.left() {
			if p.used > 0 || len(n.pushes) == 0 {
				break
			}
			p.conns, n.pushes = n.pushes, p.conns[:0]
			p.at, p.hurry, n.hurry = 0, n.hurry, false
		}
		c := p.conns[p.at]
		p.conns[p.at] = nil
		p.at++
		c.pushing = false
		if c.notices&noticeMoved != 0 || c.away != nil { // behind the output that is being made
			continue
		}
		if t, n := n.takeLocked(c); t.first != nil {
			p.taken[p.used] = t
			p.used++
			size += n
		}
	}
	p.hurry = p.hurry || n.hurry
	n.pending.Store(len(n.pushes) > 0 || len(n.waiting) > 0 || n.orders != orders{})
}

// reuseTaken forgets the queues that have been sent.
func (n *notices) reuseTaken(p *pushRound) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range p.taken[:p.used] {
		n.reuseLocked(p.taken[i].first)
		p.taken[i] = taken{}
	}
	p.used = 0
}

// sendPushes sends some connections what they have been pushed: all of them if there is a hurry, or
// if the caller says so.
func (l *loop) sendPushes(all bool) {
	p := &l.pushes
	for {
		l.notices.takePushes(p)
		if p.used == 0 {
			return
		}
		for _, t := range p.taken[:p.used] {
			t.c.sendMessages(t)
			if l.notices.killing.Load() {
				l.closeKilled()
			}
		}
		l.notices.reuseTaken(p)
		if !all && !(p.hurry && p.left()) {
			return
		}
	}
}

// closeKilled closes the connections that have been killed while messages were sent: by sessions that
// keep account of what is not read (Sizer), whose memory is wanted before the next client's message is
// copied.
func (l *loop) closeKilled() {
	for _, c := range l.notices.killed() {
		c.heed(noticeKill)
	}
}

func (c *conn) Push(b []byte) (grown int64) { return c.push(b, false) }

func (c *conn) PushLater(b []byte) (grown int64) { return c.push(b, true) }

// push looks the limits up only for more than Redis' fixed reply buffer holds, which Redis does not
// count either.
func (c *conn) push(b []byte, later bool) (grown int64) {
	if len(b) == 0 || c.killed.Load() != 0 {
		return 0
	}
	hurry := int64(pushHurry)
	if owed := c.owed() + int64(len(b)); owed > uncounted {
		lim := c.limits()
		if c.overflows(&lim, len(b)) {
			c.Kill(OutputHardLimit)
			return 0
		}
		for _, hard := range [...]int64{lim.OutputHard, lim.UnaskedHard} {
			if hard > 0 {
				hurry = min(hurry, hard/4)
			}
		}
	}
	n := c.lockNotices()
	grown = n.pushLocked(c, b, hurry, later)
	n.mu.Unlock()
	if grown != 0 {
		c.home.Load().server.queued.Add(grown)
	}
	return grown
}

// AppendPushed is Conn.AppendPushed.
func (c *conn) AppendPushed(b []byte) []byte {
	t := c.loop.notices.takeOne(c)
	for m := t.first; m != nil; m = m.next {
		b = append(b, m.b...)
	}
	c.loop.notices.reuse(t.first)
	c.tell(c.session, -t.noted)
	return b
}

// messagesFirst sends what has been pushed before a turn, in front of its output. It returns false if
// the connection is closed.
func (c *conn) messagesFirst() bool { return c.sizes.pushed.Load() == 0 || c.sendPushed() }

func (c *conn) sendPushed() (open bool) {
	t := c.loop.notices.takeOne(c)
	c.sendMessages(t)
	c.loop.notices.reuse(t.first)
	return !c.closed
}

// sendMessages sends a queue of messages: short ones together, with one system call for 64 KiB of
// them, long ones from where they lie.
func (c *conn) sendMessages(t taken) {
	if c.closed || c.closing || c.killed.Load() != 0 || t.first == nil {
		return
	}
	if t.first.next == nil {
		c.sendUnasked(t.first.b)
	} else {
		c.sendTogether(t.first)
	}
	if !c.closed {
		c.watch()
	}
	if !c.closed { // what is left is in the account by now
		c.tell(c.session, -t.noted)
	}
}

func (c *conn) sendTogether(first *message) {
	p := &c.loop.pushes
	if p.buf == nil {
		p.buf = make([]byte, 0, outSize)
	}
	buf := p.buf
	for m := first; m != nil && !c.closed; m = m.next {
		if alone := len(m.b) > pushAlone; alone || len(buf)+len(m.b) > cap(buf) {
			c.sendUnasked(buf)
			buf = buf[:0]
			if alone {
				c.sendUnasked(m.b)
				continue
			}
		}
		buf = append(buf, m.b...)
	}
	c.sendUnasked(buf)
}

// sendUnasked sends b, or has it wait behind the unsent output: what the kernel does not take is
// copied there.
func (c *conn) sendUnasked(b []byte) {
	if len(b) == 0 || c.closed {
		return
	}
	before := c.unsent()
	c.unasked += len(b)
	c.send(b, &chain.Chain{})
	c.unasked -= len(b) - max(0, c.unsent()-before)
}
