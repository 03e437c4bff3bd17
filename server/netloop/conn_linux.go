package netloop

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a connection of an event loop. But for the embedded client, which is fixed or atomic, its fields belong to the
// loop's goroutine.
type conn struct {
	client
	loop    *loop
	session Session

	query  []byte // query[taken:] is input that the session has not taken yet
	taken  int
	output []byte // output[sent:] is what the kernel has not taken yet
	sent   int

	active    int64 // loop time of the last byte in either direction, unix nanoseconds
	softSince int64 // loop time since when the output is past the soft limit; 0: it is not
	interest  uint32
	reason    CloseReason // why closing
	inAgain   bool        // in loop.again
	leftover  bool        // the session said there are complete requests left
	paused    bool        // neither read nor executed until the output has gone out
	blocked   bool        // the session waits for Resume
	closing   bool        // to be closed when the output has gone out
	closed    bool
}

func (c *conn) Post(f func()) {
	c.loop.mail.post(func() {
		if !c.closed {
			f()
		}
	})
}

func (c *conn) Resume()                 { c.Post(c.resume) }
func (c *conn) Kill(reason CloseReason) { c.Post(func() { c.close(reason) }) }

func (c *conn) Push(b []byte) {
	b = append([]byte(nil), b...)
	c.Post(func() {
		if !c.closing && c.send(b, false) {
			c.watch()
		}
	})
}

func (c *conn) rest() []byte { return c.query[c.taken:] }
func (c *conn) unsent() int  { return len(c.output) - c.sent }

// executable says whether Data may be called without new input.
func (c *conn) executable() bool {
	return !c.closed && !c.closing && !c.blocked && !c.paused && c.leftover
}

// ready handles what the kernel has to say about the connection.
func (c *conn) ready(events uint32) {
	if events&unix.EPOLLOUT != 0 && c.unsent() > 0 && !c.flush() {
		return
	}
	reading := c.interest&unix.EPOLLIN != 0
	switch {
	case reading && events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		if !c.inAgain { // what is there has to be executed first
			c.read()
		}
	case events&(unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) != 0:
		// Not reading, so the client is not coming back: a blocked one is told by RDHUP, others by a reset.
		c.close(ClientClosed)
	}
}

// read takes input in and gives the connection its turn. A short leftover goes in front of it in the shared buffer, behind
// a long one it is read in place.
func (c *conn) read() {
	l := c.loop
	rest := c.rest()
	direct := len(rest) > smallRest
	var buf []byte
	if direct {
		c.makeRoom()
		buf = c.query[len(c.query):cap(c.query)]
		buf = buf[:min(len(buf), directSize)]
	} else {
		buf = l.in[copy(l.in, rest):]
	}
	n, errno := sysRead(c.fd, buf)
	switch {
	case errno == syscall.EAGAIN:
		return
	case errno != 0:
		c.close(ReadError)
		return
	case n == 0:
		c.hangUp()
		return
	}
	l.count.in += int64(n)
	l.count.reads++
	c.sizes.read.Add(int64(n))
	c.active = l.now.UnixNano()
	if direct {
		c.query = c.query[:len(c.query)+n]
		c.execute(c.rest(), true)
		return
	}
	c.execute(l.in[:len(rest)+n], false)
}

// hangUp: the client has ended its side. Redis drops what it has not sent by then; here the client gets all the replies.
func (c *conn) hangUp() {
	if c.unsent() == 0 {
		c.close(ClientClosed)
		return
	}
	c.closeAfterFlush(ClientClosed)
}

// makeRoom grows the query buffer for a long request. It at most doubles what the client has really sent, less if the
// session knows that less is missing.
func (c *conn) makeRoom() {
	if cap(c.query)-len(c.query) >= minRoom {
		return
	}
	rest := c.rest()
	grow := len(rest)
	if w, ok := c.session.(Wanter); ok {
		if want := w.Want(); want > 0 {
			grow = min(grow, want)
		}
	}
	size := len(rest) + max(grow, minRoom)
	old := c.query
	if c.taken > 0 && cap(old) >= size {
		c.query = old[:copy(old, rest)]
	} else {
		c.query = append(c.loop.buffers.get(size), rest...)
		c.loop.buffers.put(old)
	}
	c.taken = 0
}

// execute gives the session the input: the query buffer's, or else the shared read buffer's.
func (c *conn) execute(in []byte, inQuery bool) {
	taken, out, next := c.session.Data(in, c.loop.out[:0])
	c.keepRest(in[taken:], taken, inQuery)
	c.settle(out, next)
}

// resume ends a Block.
func (c *conn) resume() {
	if !c.blocked || c.closing {
		return
	}
	c.blocked = false
	out, next := c.session.Resumed(c.loop.out[:0])
	if next == Wait {
		next = Yield // to what came in meanwhile
	}
	c.settle(out, next)
}

// keepRest keeps the input that the session has not taken.
func (c *conn) keepRest(rest []byte, taken int, inQuery bool) {
	l := c.loop
	if inQuery && len(rest) > smallRest {
		c.taken += taken
		return
	}
	old := c.query
	c.query, c.taken = nil, 0
	if len(rest) > 0 {
		c.query = append(l.buffers.get(len(rest)), rest...)
	}
	if old != nil {
		l.buffers.put(old)
	}
}

// settle ends a turn: it sends the output and does what the session wants next.
func (c *conn) settle(out []byte, next Action) {
	if next == CloseNow {
		c.close(Quit)
		return
	}
	if !c.send(out, true) {
		return
	}
	if next == Yield && len(c.rest()) == 0 {
		next = Wait
	}
	c.leftover = next == Yield
	switch next {
	case Yield:
		if c.unsent() > 0 {
			c.paused = true
		} else {
			c.queueAgain()
		}
	case Block:
		c.blocked = true
	case CloseAfterFlush:
		c.closeAfterFlush(Quit)
		return
	}
	if len(c.query) > 0 {
		if lim := c.loop.server.opts.Limits(); lim.QueryBuffer > 0 && int64(len(c.rest())) > lim.QueryBuffer {
			c.close(QueryBufferLimit)
			return
		}
	}
	c.watch()
}

// send writes out once; what the kernel does not take waits behind what it has not taken before. lent: out is the loop's
// buffer. It returns false if the connection is closed.
func (c *conn) send(out []byte, lent bool) bool {
	l := c.loop
	n := 0
	if len(out) > 0 && c.unsent() == 0 {
		if n = c.write(out); n < 0 {
			return false
		}
	}
	stolen := false
	if n < len(out) {
		stolen = c.hold(out, n, lent)
	}
	switch {
	case stolen && &out[0] == &l.out[:1][0]:
		l.out = l.buffers.get(outSize)
	case lent && !stolen && cap(out) <= keepOut:
		l.out = out[:0]
	}
	if n == len(out) {
		return true
	}
	lim := l.server.opts.Limits()
	return c.checkOutput(&lim)
}

// write hands b to the kernel, once. It returns how much of it was taken, or -1: the connection is closed.
func (c *conn) write(b []byte) int {
	n, errno := sysWrite(c.fd, b)
	switch errno {
	case 0:
	case syscall.EAGAIN:
		return 0
	default:
		c.close(WriteError)
		return -1
	}
	l := c.loop
	l.count.out += int64(n)
	l.count.writes++
	c.sizes.written.Add(int64(n))
	c.active = l.now.UnixNano()
	return n
}

// hold keeps out[n:] until the kernel takes it. A long one that was lent by the loop is not copied but kept.
func (c *conn) hold(out []byte, n int, lent bool) (stolen bool) {
	if c.unsent() > 0 {
		if c.sent > 0 && cap(c.output)-len(c.output) < len(out)-n {
			c.output = c.output[:copy(c.output, c.output[c.sent:])]
			c.sent = 0
		}
		c.output = append(c.output, out[n:]...)
		return false
	}
	if lent && len(out)-n >= stealFrom {
		c.output, c.sent = out, n
		return true
	}
	c.output, c.sent = append(c.loop.buffers.get(len(out)-n), out[n:]...), 0
	return false
}

// checkOutput applies the limits to output that the client does not take. It returns false if the connection is closed.
func (c *conn) checkOutput(lim *Limits) bool {
	n := int64(c.unsent())
	if lim.OutputHard > 0 && n > lim.OutputHard {
		c.close(OutputHardLimit)
		return false
	}
	now := c.loop.now.UnixNano()
	switch {
	case lim.OutputSoft <= 0 || n <= lim.OutputSoft:
		c.softSince = 0
	case c.softSince == 0:
		c.softSince = now
	case now-c.softSince > int64(lim.OutputSoftSeconds)*int64(time.Second):
		c.close(OutputSoftLimit)
		return false
	}
	if n > lim.pause() {
		c.paused = true
	}
	return true
}

// flush sends what has been waiting for room in the kernel. It returns false if the connection is closed.
func (c *conn) flush() bool {
	n := c.write(c.output[c.sent:])
	if n < 0 {
		return false
	}
	c.sent += n
	if c.unsent() == 0 {
		c.dropOutput()
		if c.closing {
			c.close(c.reason)
			return false
		}
		c.paused, c.softSince = false, 0
		if c.executable() {
			c.queueAgain()
		}
	}
	c.watch()
	return !c.closed
}

func (c *conn) dropOutput() {
	c.loop.buffers.put(c.output)
	c.output, c.sent = nil, 0
}

func (c *conn) queueAgain() {
	if !c.inAgain {
		c.inAgain = true
		c.loop.again = append(c.loop.again, c)
	}
}

// watch tells the kernel what the loop wants to hear of the connection, if that has changed.
func (c *conn) watch() {
	c.setSizes(c.rest(), c.unsent())
	var interest uint32
	switch {
	case c.closing || c.paused:
	case c.blocked:
		interest = unix.EPOLLRDHUP
	default:
		interest = unix.EPOLLIN
	}
	if c.unsent() > 0 {
		interest |= unix.EPOLLOUT
	}
	if interest == c.interest {
		return
	}
	c.interest = interest
	if err := control(c.loop.ep, unix.EPOLL_CTL_MOD, c.fd, interest); err != nil {
		c.loop.server.log.Warn("cannot watch a connection", "error", err)
		c.close(ReadError)
	}
}

// closeAfterFlush closes as soon as there is nothing left to send.
func (c *conn) closeAfterFlush(reason CloseReason) {
	if c.closing {
		return
	}
	if c.unsent() == 0 {
		c.closing = true
		c.close(reason)
		return
	}
	c.closing, c.reason = true, reason
	c.dropQuery()
	c.watch()
}

func (c *conn) dropQuery() {
	c.loop.buffers.put(c.query)
	c.query, c.taken = nil, 0
}

// close ends the connection and its session.
func (c *conn) close(reason CloseReason) {
	if c.closed {
		return
	}
	l := c.loop
	c.closed = true
	l.conns[c.fd] = nil
	l.live--
	l.server.close(c.session, reason)
	c.loop.load.Add(-1)
	c.dropQuery()
	c.dropOutput()
	c.setSizes(nil, 0)
	if c.closing {
		c.report(farewell(c.fd, l.in))
		return
	}
	c.report(unix.Close(c.fd))
}

// discard closes a connection that has no session yet.
func (c *conn) discard() {
	c.loop.load.Add(-1)
	c.report(unix.Close(c.fd))
}

// report logs a close that failed; the descriptor is gone all the same.
func (c *conn) report(err error) {
	if err != nil {
		c.loop.server.log.Debug("closing a connection", "error", err)
	}
}
