package netloop

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/protocol/chain"
)

// connMemory is what a connection takes besides buffers, in bytes: itself and its place in the
// loop's table, which grows by a quarter at a time.
const connMemory = int(unsafe.Sizeof(conn{})) + 10

// conn is a connection of an event loop. But for the embedded client, which is fixed or atomic, and
// fields with a note, its fields belong to the loop's goroutine.
type conn struct {
	client
	loop    *loop                // nil while the connection moves to another
	home    atomic.Pointer[loop] // where it is, or moves to; changed under the notices.mu of the old one
	pushed  queue                // under home's notices.mu: what Push has been given and the loop has not sent yet
	noted   noted                // under home's notices.mu: of pushed
	session Session
	preview Previewer // the session, if it is one

	query  []byte // query[taken:] is input that the session has not taken yet
	taken  int
	output []byte // output[sent:] is what the kernel has not taken yet, and in front of
	sent   int
	chain  chain.Chain // the rest of it
	making int         // bytes of the blocks of the output that is being made
	made   int         // and of that output
	away   *away       // not nil while another goroutine executes a batch of the connection's

	secure *secure // not nil: TLS
	sealed int     // bytes of encrypted output that the kernel has not taken yet

	unasked int // bytes of the unsent output that were pushed, at most; see asked

	active    int64         // loop time of the last byte in either direction, unix nanoseconds
	softSince int64         // loop time since when the output is past the soft limit, or held back; 0: it is not
	killed    atomic.Uint32 // the first Kill's reason plus one
	notices   notice        // under home's notices.mu: what others want of the connection
	pushing   bool          // under home's notices.mu: in the list of those with something in pushed
	lent      bool          // query is the session's memory
	reason    CloseReason   // why closing
	roomAsked bool          // there is unsent output, and the kernel reports when it can take some
	writable  bool          // there is unsent output, and the kernel has not said yet that it takes no more
	readable  bool          // there may be input in the socket
	ended     bool          // the client has ended its side; what it sent before may not be read yet
	inAgain   bool          // in loop.again
	leftover  bool          // the session said there are complete requests left
	paused    bool          // neither read nor executed until the output has gone out
	blocked   bool          // the session waits for Resume
	closing   bool          // to be closed when the output has gone out
	ahead     bool          // the kernel has been given the output of a turn, and write has yet to look at loop.sent
	closed    bool
	moving    bool // about to be taken out of its loop's lists, to move to another loop
}

func (c *conn) Resume() { c.post(noticeResume) }

func (c *conn) ResumeAfter(other Conn, first bool) bool {
	o, ok := other.(*conn)
	if !ok || c.away != nil || o.home.Load() != c.loop || o.loop != c.loop { // o.loop is nil while it is on its way
		return false
	}
	c.loop.next.add(o, first)
	return true
}

func (c *conn) Kill(reason CloseReason) {
	if c.killed.CompareAndSwap(0, uint32(reason)+1) {
		c.post(noticeKill)
	}
}

func (c *conn) Killed() bool { return c.killed.Load() != 0 }

// limits are those of the connection's class. Safe from any goroutine.
func (c *conn) limits() Limits { return c.home.Load().server.opts.Limits(c.Class()) }

// heed does what others want of the connection.
func (c *conn) heed(what notice) {
	if what&noticeNew != 0 {
		c.loop.register(c)
	}
	if what&noticeMoved != 0 {
		c.arrive()
	}
	if what&noticeKill != 0 {
		c.close(CloseReason(c.killed.Load() - 1))
	}
	if what&noticeBack != 0 {
		c.comeBack()
	}
	if what&noticeResume != 0 && !c.closed {
		c.resume()
	}
}

func (c *conn) Sizes() Sizes {
	own := connMemory
	if c.secure != nil {
		own += secureMemory
	}
	z := c.sizesWith(own)
	z.Unread = c.sizes.unasked.Load()
	return z
}

func (c *conn) rest() []byte { return c.query[c.taken:] }
func (c *conn) unsent() int  { return c.sealed + len(c.output) - c.sent + c.chain.Len() }

// asked is how much of the unsent output answers the client's own requests: that makes it pause.
// Messages do not, since they come all the same. Of those that are unsent as many are taken to be
// messages as there were: a number that errs to the client's advantage, by what they were at most.
func (c *conn) asked() int { return c.unsent() - c.unasked }

// due says whether the connection is to have a turn without a new event.
func (c *conn) due() bool {
	return !c.closed && (c.writable || !c.closing && !c.blocked && !c.paused && c.away == nil && (c.leftover || c.readable))
}

// ready handles what the kernel has to say about the connection. Events are edge-triggered: what
// cannot be looked at now is remembered, not reported again.
func (c *conn) ready(events uint32) {
	if events&unix.EPOLLOUT != 0 && c.unsent() > 0 && !c.flush() {
		return
	}
	if events&^unix.EPOLLOUT == 0 {
		return
	}
	c.readable = true
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.ended = true
		if c.blocked || (c.closing || c.paused || c.away != nil) && events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			c.close(ClientClosed)
			return
		}
	}
	if !c.inAgain && c.due() { // else the leftover comes first
		c.read()
	}
}

// turn gives a connection that is due its turn.
func (c *conn) turn() {
	if c.writable && (!c.flush() || c.writable || !c.due()) {
		return
	}
	if c.leftover {
		c.execute(c.rest(), true)
		return
	}
	c.read()
}

// read takes input in and gives the connection its turn, with others at the end of the round if the
// input lies in the shared buffer. A short leftover goes in front of it there, behind a long one it
// is read in place.
func (c *conn) read() {
	l := c.loop
	if c.killed.Load() != 0 { // the loop closes it when it comes to its notices
		return
	}
	rest := c.rest()
	direct := len(rest) > smallRest
	var buf []byte
	if direct {
		if l.direct >= roundDirect {
			c.watch() // another round
			return
		}
		buf = c.makeRoom()
	} else {
		if buf = l.readRoom(); buf == nil {
			c.watch() // those that have been read come first
			return
		}
		buf = buf[copy(buf, rest):]
	}
	if c.secure != nil {
		c.readSecure(buf, len(rest), direct)
		return
	}
	n, errno := receive(c.fd, buf)
	switch {
	case errno == syscall.EAGAIN:
		c.readable = false
		c.account()
		return
	case errno != 0:
		c.close(ReadError)
		return
	case n == 0:
		c.hangUp()
		return
	}
	// A short read has emptied the socket, and whatever comes later is a new event; but not an end
	// that is there already.
	c.readable = n == len(buf) || c.ended
	l.count.reads++
	c.received(n, len(rest), direct)
}

// received has the session be given n bytes of input, which lie behind so many that were left over.
func (c *conn) received(n, rest int, direct bool) {
	l := c.loop
	l.count.in += int64(n)
	c.sizes.read.Add(int64(n))
	c.active = l.now.UnixNano()
	if direct {
		l.direct += n
		c.query = c.query[:len(c.query)+n]
		c.execute(c.rest(), true)
		return
	}
	l.addRead(c, rest+n)
}

// hangUp: the client has ended its side. Redis drops what it has not sent by then; here the client
// gets all the replies.
func (c *conn) hangUp() {
	if c.unsent() == 0 {
		c.close(ClientClosed)
		return
	}
	c.closeAfterFlush(ClientClosed)
}

// makeRoom returns where the next read goes behind the query buffer's input.
func (c *conn) makeRoom() []byte {
	if c.lent && len(c.query) < cap(c.query) {
		return lentRoom(c.session, c.query)
	}
	if cap(c.query)-len(c.query) < minRoom {
		c.grow()
		if c.lent {
			return lentRoom(c.session, c.query)
		}
	}
	buf := c.query[len(c.query):cap(c.query)]
	return buf[:min(len(buf), directSize)]
}

// grow makes room in the query buffer for a long request. If the session has no memory for it, the
// buffer at most doubles what the client has really sent, less if the session knows that less is
// missing.
func (c *conn) grow() {
	rest, old := c.rest(), c.query
	size := len(rest) + growth(c.session, len(rest), minRoom)
	if !c.lent {
		if b := lend(c.session, rest); b != nil {
			c.replaceQuery(b)
			c.lent = true
			return
		}
		if c.taken > 0 && cap(old) >= size {
			c.query, c.taken = old[:copy(old, rest)], 0
			return
		}
	}
	c.replaceQuery(append(c.loop.buffers.get(size), rest...))
}

// replaceQuery puts another buffer, or none, in the place of the query buffer, whose memory goes
// where it came from.
func (c *conn) replaceQuery(b []byte) {
	old := c.query
	c.query, c.taken = b, 0
	switch {
	case c.lent:
		c.lent = false
		c.account() // before the session counts it
		c.session.(Lender).GiveBack()
	case old != nil:
		c.loop.buffers.put(old)
	}
}

// execute gives the session the input: the query buffer's, or else the shared read buffer's.
func (c *conn) execute(in []byte, inQuery bool) {
	if !c.messagesFirst() {
		return
	}
	c.loop.batch = batch{c: c, in: in, inQuery: inQuery}
	c.loop.goOn()
}

// batch is the input of a turn, of which the session has taken some.
type batch struct {
	c       *conn // nil: there is none
	in      []byte
	taken   int
	inQuery bool // in lies in the query buffer
}

// goOn gives the session whose turn it is its input, and what it leaves of it once more after those
// that it wants to be resumed before.
func (l *loop) goOn() {
	b := &l.batch
	for b.c != nil {
		c := b.c
		if c.closed { // by sendTurns, and the input is gone
			*b = batch{}
			return
		}
		n, next := c.session.Data(b.in[b.taken:], l.lend(c))
		if c.away != nil {
			c.away.bringBack(n, next)
		}
		if b.taken += n; next == Again && b.taken == len(b.in) {
			next = Wait
		}
		if next != Again {
			c.keepRest(b.in[b.taken:], b.taken, b.inQuery)
			*b = batch{}
		}
		l.endTurn(c, next)
		if !l.next.empty() {
			l.runNext(c)
		}
	}
}

// resume ends a Block, for one who has posted a notice.
func (c *conn) resume() {
	c.answer()
	c.loop.runNext(nil)
	c.loop.sendTurns() // before the next notice
}

// answer lets a session that is blocked go on.
func (c *conn) answer() {
	if c.away != nil {
		c.away.resume = true // it may be about to block
		return
	}
	if !c.blocked || c.closing || c.closed || c.killed.Load() != 0 {
		return
	}
	if !c.messagesFirst() {
		return
	}
	c.blocked = false
	next := c.session.Resumed(c.loop.lend(c))
	if c.away != nil {
		c.away.bringBack(0, next)
	}
	if next == Wait {
		next = Yield // to what came in meanwhile
	}
	c.loop.endTurn(c, next)
}

// keepRest keeps the input that the session has not taken.
func (c *conn) keepRest(rest []byte, taken int, inQuery bool) {
	l := c.loop
	if inQuery && (len(rest) > smallRest && !c.lent || c.lent && taken == 0) {
		c.taken += taken
		return
	}
	var b []byte
	if len(rest) > 0 {
		b = append(l.buffers.get(len(rest)), rest...)
	}
	c.replaceQuery(b)
}

// afterTurn ends a turn: it sends the output, out and then more, and does what the session wants
// next. out lies in the loop's memory. What is left in more is the caller's to free.
func (c *conn) afterTurn(out []byte, more *chain.Chain, next Action) {
	if next == CloseNow {
		c.close(Quit)
		return
	}
	c.making, c.made = 0, 0
	if !c.send(out, more) || next == Again {
		return
	}
	c.leftover = next == Yield && len(c.rest()) > 0
	switch next {
	case Yield:
		c.paused = c.paused || c.asked() > 0
	case Block:
		if c.ended {
			c.close(ClientClosed)
			return
		}
		c.blocked = true
	case CloseAfterFlush:
		c.closeAfterFlush(Quit)
		return
	}
	if len(c.query) > 0 {
		if lim := c.limits(); lim.QueryBuffer > 0 && int64(len(c.rest())) > lim.QueryBuffer {
			c.close(QueryBufferLimit)
			return
		}
	}
	c.watch()
}

// send writes out and more once; what the kernel does not take waits behind what it has not taken
// before. It returns false if the connection is closed.
func (c *conn) send(out []byte, more *chain.Chain) bool {
	l := c.loop
	n, all := 0, len(out)+more.Len()
	if all > 0 && c.unsent() == 0 {
		if n = c.write(out, more); n < 0 {
			return false
		}
	}
	if n < len(out) {
		c.hold(out[n:])
	}
	more.Drop(max(0, n-len(out)))
	c.chain.Join(more)
	if n == all && c.sealed == 0 {
		return true
	}
	if n > 0 || c.sizes.waiting.Load() == 0 {
		c.sizes.waiting.Store(l.now.UnixNano())
	}
	lim := c.limits()
	return c.checkOutput(&lim)
}

// write hands the beginning of out and more to the kernel, once, and notes whether it would have
// taken more. It returns how much was taken, or -1: the connection is closed.
func (c *conn) write(out []byte, more *chain.Chain) int {
	if c.secure != nil {
		return c.writeSecure(out, more)
	}
	var n int
	var errno syscall.Errno
	l := c.loop
	offered := len(out)
	ahead := false
	if c.ahead {
		n, errno, ahead = c.takeAhead()
	}
	switch {
	case ahead:
	case more.Len() == 0:
		n, errno = send(c.fd, out)
	default:
		n, offered, errno = l.vector.send(c.fd, out, more)
	}
	switch errno {
	case 0:
	case syscall.EAGAIN:
		c.writable = false
		return 0
	default:
		c.close(WriteError)
		return -1
	}
	c.writable = n == offered && n < len(out)+more.Len()
	l.count.out += int64(n)
	l.count.writes++
	c.sizes.written.Add(int64(n))
	c.active = l.now.UnixNano()
	return n
}

// hold copies b behind the unsent output: to a small buffer while it is short, then to blocks.
func (c *conn) hold(b []byte) {
	l := c.loop
	unsent := len(c.output) - c.sent
	switch {
	case c.chain.Len() > 0 || unsent > 0 && unsent+len(b) > smallOutput || len(b) > outSize:
		c.chain.Write(l.server.blocks, b)
	case len(b) <= cap(c.output)-len(c.output):
		c.output = append(c.output, b...)
	default:
		grown := append(append(l.buffers.get(unsent+len(b)), c.output[c.sent:]...), b...)
		c.dropOutput()
		c.output = grown
	}
}

// checkOutput applies the limits to output that the client does not take. It returns false if the
// connection is closed.
func (c *conn) checkOutput(lim *Limits) bool {
	n := int64(c.unsent())
	if lim.OutputHard > 0 && n > lim.OutputHard || lim.UnaskedHard > 0 && int64(c.unasked) > lim.UnaskedHard {
		c.close(OutputHardLimit)
		return false
	}
	now := c.loop.now.UnixNano()
	switch {
	case lim.OutputSoft <= 0 || n <= lim.OutputSoft && !c.paused:
		c.softSince = 0
	case c.softSince == 0:
		c.softSince = now
	case now-c.softSince > int64(lim.OutputSoftSeconds)*int64(time.Second):
		c.close(OutputSoftLimit)
		return false
	}
	if int64(c.asked()) > lim.pause() {
		c.paused = true
	}
	return true
}

// flush sends what has been waiting for room in the kernel. It returns false if the connection is
// closed.
func (c *conn) flush() bool {
	first := c.output[c.sent:]
	n := c.write(first, &c.chain)
	if n < 0 {
		return false
	}
	c.sent += min(n, len(first))
	c.chain.Drop(n - min(n, len(first)))
	if c.sent == len(c.output) {
		c.dropOutput()
	}
	c.unasked = min(c.unasked, c.unsent())
	if n > 0 {
		c.sizes.waiting.Store(c.active)
	}
	if c.asked() == 0 && !c.closing {
		c.paused = false
	}
	if c.unsent() == 0 {
		c.sizes.waiting.Store(0)
		if c.closing {
			c.close(c.reason)
			return false
		}
		c.paused, c.softSince = false, 0
	}
	c.watch()
	return !c.closed
}

func (c *conn) dropOutput() {
	c.loop.buffers.put(c.output)
	c.output, c.sent = nil, 0
}

// Grow is told that the output that is being made takes another block. See chain.Owner.
func (c *conn) Grow(n, written int) bool {
	if c.killed.Load() != 0 {
		return false
	}
	if c.away != nil {
		return c.away.grow(n, written)
	}
	if lim := c.limits(); lim.OutputHard > 0 && int64(c.unsent()+written) > lim.OutputHard {
		c.Kill(OutputHardLimit)
		return false
	}
	c.making += n
	c.made = written
	c.account()
	if c.killed.Load() != 0 { // all clients together take too much, and this one most
		c.making -= n
		return false
	}
	return true
}

// Shrink is told that so much was given back. See chain.Owner.
func (c *conn) Shrink(n, written int) {
	if c.away != nil {
		c.away.account(-n)
		return
	}
	c.making -= n
	c.made = written
	c.account()
}

// watch makes sure that the connection is heard of again: by a turn in the next round if one is
// due, and by an event when the kernel can take more if there is unsent output.
func (c *conn) watch() {
	c.account()
	if !c.inAgain && c.due() {
		c.inAgain = true
		c.loop.again = append(c.loop.again, c)
	}
	if c.unsent() > 0 == c.roomAsked {
		return
	}
	c.roomAsked = !c.roomAsked
	interest := listening
	if c.roomAsked {
		interest |= unix.EPOLLOUT
		c.loop.owing++
	} else {
		c.loop.owing--
	}
	if err := control(c.loop.ep, unix.EPOLL_CTL_MOD, c.fd, interest); err != nil {
		c.loop.server.log.Warn("cannot watch a connection", "error", err)
		c.close(ReadError)
	}
}

// account publishes the sizes of the connection's buffers.
func (c *conn) account() {
	query := memoryOf(c.query, c.lent)
	output := cap(c.output) + c.chain.Held() + c.making
	if c.secure != nil {
		output += c.secure.memory()
	}
	setIfNew(&c.sizes.unasked, c.unasked)
	c.setSizes(c.session, len(c.query)-c.taken, query, c.unsent()+c.made, connMemory+query+output)
}

// closeAfterFlush closes as soon as there is nothing left to send.
func (c *conn) closeAfterFlush(reason CloseReason) {
	if c.closing {
		return
	}
	if c.away != nil {
		c.away.last = true
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

func (c *conn) dropQuery() { c.replaceQuery(nil) }

// close ends the connection and its session.
func (c *conn) close(reason CloseReason) {
	if c.closed {
		return
	}
	if killed := c.killed.Load(); killed != 0 {
		reason = CloseReason(killed - 1)
	}
	l := c.loop
	c.closed = true
	l.conns[c.fd] = nil
	if c.roomAsked {
		l.owing--
	}
	c.killed.CompareAndSwap(0, uint32(reason)+1) // Push does nothing any more
	if c.sizes.pushed.Load() != 0 {
		l.notices.reuse(l.notices.takeOne(c).first)
	}
	c.dropOutput()
	c.chain.Free()
	c.writable = false
	if c.secure != nil {
		c.secure.bye()
	}
	if c.reason = reason; c.away == nil {
		c.endSession()
	}
	if c.closing {
		c.report(farewell(c.fd))
		return
	}
	c.report(unix.Close(c.fd))
}

// endSession is the rest of close, when nobody uses the session and its input any more.
func (c *conn) endSession() {
	c.dropQuery()
	c.loop.live--
	c.loop.server.close(c.session, c.reason)
	c.loop.load.Add(-1)
	c.clearSizes()
}

// discard closes a connection that has no session yet.
func (c *conn) discard() {
	c.loop.load.Add(-1)
	c.closed = true
	c.report(unix.Close(c.fd))
}

// report logs a close that failed; the descriptor is gone all the same.
func (c *conn) report(err error) {
	if err != nil {
		c.loop.server.log.Debug("closing a connection", "error", err)
	}
}
