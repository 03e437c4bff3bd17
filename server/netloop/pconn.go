package netloop

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/protocol/chain"
)

// pconnMemory is what a connection takes besides buffers, in bytes: itself, and the rest of what
// was measured for an idle one (TestIdleConnections), most of which is its goroutine's stack.
const pconnMemory = 6 << 10

// pconn is a connection of the portable driver. The fields without a note belong to its goroutine.
type pconn struct {
	client
	driver  *portable
	nc      net.Conn
	socket  net.Conn // under nc, which may have TLS
	session Session

	mu          sync.Mutex
	wake        sync.Cond   // on mu: a notice has come, or the connection was killed
	notices     pnotices    // under mu: what others want of the connection
	pushed      [][]byte    // under mu: what Push has been given and the goroutine has not sent yet
	noted       noted       // under mu: of pushed
	killed      bool        // under mu: nc is closed, reason says why
	reason      CloseReason // under mu until the goroutine ends
	interrupted bool        // under mu: a read deadline in the past has been set

	query    []byte    // input that the session has not taken
	lent     bool      // query is the session's memory
	busy     bool      // a read has filled small: the next ones borrow a larger buffer
	blocked  bool      // the session waits for Resume
	leftover bool      // the session said there are complete requests left
	closing  bool      // the goroutine is about to end
	polite   bool      // the last reply must arrive: see halfClose
	drainBy  time.Time // when not zero: what has arrived is still answered, until then at most
	small    [smallRead]byte

	active   atomic.Int64 // last byte in either direction, unix nanoseconds
	behind   int          // bytes of messages that are to be written after the write under way
	held     int          // bytes of memory that the output takes while a write is under way
	making   int          // bytes of the blocks of the output that is being made
	made     int          // and of that output
	entries  int          // bytes of the queue that is being sent, beside the messages
	sending  atomic.Int64 // when that queue was taken, unix nanoseconds; 0: there is none
	writing  atomic.Int64 // start of the write under way, unix nanoseconds; 0: none
	borrowed atomic.Bool  // a read waits with a borrowed buffer
	halted   atomic.Bool  // requests wait until that write is through
	slow     time.Time    // the ticker's: since when there has been too much output; zero: there is not
}

// pnotices is a set of things that other goroutines want of a connection. See notices for why it is
// no queue.
type pnotices uint8

const (
	pnoticePush   pnotices = 1 << iota // pconn.pushed is to be sent
	pnoticeResume                      // Conn.Resume
	pnoticeCalm                        // the borrowed buffer is to be given back
	pnoticeDrain                       // see drain
)

// lateAfter is how long messages wait for a client of the portable driver until they are unread ones
// (Sizes.Unread).
const lateAfter = 100 * time.Millisecond

func (c *pconn) Sizes() Sizes {
	z := c.sizesWith(pconnMemory)
	since := c.sending.Load()
	if since == 0 {
		since = c.writing.Load()
	}
	if since != 0 && time.Now().UnixNano()-since >= int64(lateAfter) {
		z.Unread = z.Messages
	}
	return z
}

// limits are those of the connection's class. Safe from any goroutine.
func (c *pconn) limits() Limits { return c.driver.server.opts.Limits(c.Class()) }

// post leaves a notice. It interrupts a read that waits.
func (c *pconn) post(what pnotices) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.postLocked(what)
}

func (c *pconn) postLocked(what pnotices) {
	if c.killed {
		return
	}
	c.notices |= what
	c.wake.Signal()
	if !c.interrupted {
		c.interrupted = true
		if err := c.nc.SetReadDeadline(time.Unix(1, 0)); err != nil {
			c.killLocked(ReadError)
		}
	}
}

func (c *pconn) Loop() int { return int(c.id) }

func (c *pconn) ResumeAfter(Conn, bool) bool { return false }

// HandOver does nothing: nobody waits for this connection's goroutine.
func (c *pconn) HandOver() {}

func (c *pconn) Resume() { c.post(pnoticeResume) }

func (c *pconn) Kill(reason CloseReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killLocked(reason)
}

// killLocked closes the socket; the goroutine notices at its next step, or at once if it is in a
// read or write.
func (c *pconn) killLocked(reason CloseReason) {
	if c.killed {
		return
	}
	c.killed, c.reason = true, reason
	c.wake.Signal()
	// TLS would say that this is the end, and wait for room to say it.
	if err := c.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.driver.server.log.Debug("closing a connection", "error", err)
	}
}

func (c *pconn) Push(b []byte) (grown int64) {
	if len(b) == 0 {
		return 0
	}
	if owed := c.owed() + int64(len(b)); owed > uncounted {
		if lim := c.limits(); c.overflows(&lim, len(b)) {
			c.Kill(OutputHardLimit)
			return 0
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed {
		return 0
	}
	c.pushed = append(c.pushed, b)
	c.postLocked(pnoticePush)
	return c.noted.grow(c.sizes.pushed.Add(int64(len(b)) + pushEntry))
}

// takePushed takes what has been pushed, and what the session's account has of it.
func (c *pconn) takePushed() (pushed [][]byte, noted int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pushed, c.pushed = c.pushed, nil
	c.sizes.pushed.Store(0)
	return pushed, c.noted.clear()
}

// PushLater is Push: the goroutine is woken by its read's deadline, which is set once until it has
// looked.
func (c *pconn) PushLater(b []byte) (grown int64) { return c.Push(b) }

func (c *pconn) AppendPushed(b []byte) []byte {
	pushed, noted := c.takePushed()
	for _, message := range pushed {
		b = append(b, message...)
	}
	c.tell(c.session, -noted)
	return b
}

// checkTime applies the limits that are about time; called by the driver's ticker.
func (c *pconn) checkTime(now time.Time) {
	lim := c.limits()
	since := time.Time{}
	switch writing := c.writing.Load(); {
	case lim.OutputSoft <= 0 || writing == 0:
	case c.halted.Load():
		since = time.Unix(0, writing)
	case c.owed() > lim.OutputSoft && c.slow.IsZero():
		since = now
	case c.owed() > lim.OutputSoft:
		since = c.slow
	}
	if c.slow = since; !since.IsZero() && now.Sub(since) > time.Duration(lim.OutputSoftSeconds)*time.Second {
		c.Kill(OutputSoftLimit)
		return
	}
	active := c.active.Load()
	if c.borrowed.Load() && now.UnixNano()-active > int64(time.Second) {
		c.post(pnoticeCalm)
	}
	if active != 0 && lim.IdleTimeout > 0 && now.UnixNano()-active > int64(lim.IdleTimeout) {
		c.Kill(IdleTimeout)
	}
}

// run is the connection's goroutine.
func (c *pconn) run() {
	defer c.driver.leave(c)
	s := c.driver.server
	session, refusal := s.open(c)
	if session == nil {
		c.polite = true
		c.write(refusal, &chain.Chain{})
		c.finish()
		return
	}
	c.session = session
	c.account(0)
	c.touch()
	for !c.closing {
		switch {
		case c.heed():
		case c.leftover:
			c.execute(c.query)
		case c.blocked && !c.drainBy.IsZero():
			c.end(Shutdown)
		case c.blocked && len(c.query) >= readAhead:
			c.sleep()
		default:
			c.read()
		}
	}
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	c.replaceQuery(nil)
	s.close(session, reason)
	c.finish()
}

// end makes the goroutine stop. A kill that came first keeps its reason.
func (c *pconn) end(reason CloseReason) {
	c.closing = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.killed {
		c.reason = reason
	}
}

// finish closes the socket.
func (c *pconn) finish() {
	if c.polite {
		if err := halfClose(c.nc, c.small[:]); err != nil {
			c.driver.server.log.Debug("closing a connection", "error", err)
		}
	}
	c.mu.Lock()
	c.killLocked(c.reason)
	c.pushed = nil
	c.sizes.pushed.Store(0)
	c.mu.Unlock()
	c.clearSizes()
}

// heed does what others want of the connection, and reports whether there was anything, a kill
// included. The order is that of conn.heed.
func (c *pconn) heed() bool {
	c.mu.Lock()
	what, killed := c.notices, c.killed
	c.notices = 0
	c.mu.Unlock()
	if killed {
		c.closing = true
		return true
	}
	if what&pnoticePush != 0 && !c.writePushed() {
		return true
	}
	if what&pnoticeCalm != 0 {
		c.busy = false
		c.account(0)
	}
	if what&pnoticeResume != 0 {
		c.resume()
	}
	if what&pnoticeDrain != 0 && !c.closing {
		c.drain()
	}
	return what != 0
}

// writePushed writes what has been pushed so far: short messages together, long ones from where
// they lie. It returns false if the connection is to be closed.
func (c *pconn) writePushed() bool {
	pushed, noted := c.takePushed()
	c.behind, c.entries = 0, len(pushed)*pushEntry
	for _, b := range pushed {
		c.behind += len(b)
	}
	c.sending.Store(time.Now().UnixNano())
	defer c.sent()
	if noted > 0 { // else the account does not know of them, and they are few
		c.account(0)
		c.tell(c.session, -noted)
	}
	big := c.borrow()
	defer c.driver.big.Put(big)
	buf := big.mem[:0]
	for i, b := range pushed {
		pushed[i] = nil
		if len(buf)+len(b) > cap(buf) && !c.writeMessages(&buf) {
			return false
		}
		if len(b) <= cap(buf) {
			buf = append(buf, b...)
		} else if !c.writeMessages(&b) {
			return false
		}
	}
	return c.writeMessages(&buf)
}

// sent is the end of writePushed.
func (c *pconn) sent() {
	c.entries = 0
	c.sending.Store(0)
	c.account(0)
}

// writeMessages writes some of what writePushed has taken, and empties b.
func (c *pconn) writeMessages(b *[]byte) bool {
	c.behind -= len(*b)
	ok := c.write(*b, &chain.Chain{})
	*b = (*b)[:0]
	if !ok {
		c.behind = 0
	}
	return ok
}

// sleep waits for a notice or a kill.
func (c *pconn) sleep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.notices == 0 && !c.killed {
		c.wake.Wait()
	}
}

// hasNotice reports whether somebody wants something of the connection, a kill included.
func (c *pconn) hasNotice() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notices != 0 || c.killed
}

// prepareRead takes back an interruption. It returns false if there is a notice to be heeded first.
func (c *pconn) prepareRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.notices != 0 || c.killed {
		return false
	}
	if c.interrupted || !c.drainBy.IsZero() {
		c.interrupted = false
		if err := c.nc.SetReadDeadline(c.patience()); err != nil {
			c.killLocked(ReadError)
			return false
		}
	}
	return true
}

// patience is until when a read may wait: for ever, or while draining for what is on its way.
func (c *pconn) patience() time.Time {
	if c.drainBy.IsZero() {
		return time.Time{}
	}
	if soon := time.Now().Add(farewellTime); soon.Before(c.drainBy) {
		return soon
	}
	return c.drainBy
}

// read takes input in and gives the session its turn, unless that is blocked. A leftover is read
// behind; otherwise the connection's own small buffer serves, or a borrowed one if that has proved
// too small. The ticker makes a connection that has nothing to read give it back.
func (c *pconn) read() {
	if !c.prepareRead() {
		return
	}
	var buf []byte
	switch {
	case len(c.query) > 0 || c.blocked:
		buf = c.makeRoom()
	case c.busy:
		big := c.borrow()
		defer c.driver.big.Put(big)
		buf = big.mem
		c.borrowed.Store(true)
		defer c.borrowed.Store(false)
	default:
		buf = c.small[:]
	}
	n, err := c.nc.Read(buf)
	c.busy = c.busy || n == smallRead && n == len(buf)
	if n > 0 {
		c.driver.traffic.in.Add(int64(n))
		c.driver.traffic.reads.Add(1)
		c.sizes.read.Add(int64(n))
		switch {
		case c.blocked:
			c.query = c.query[:len(c.query)+n]
			c.account(0)
		case len(c.query) > 0:
			c.touch()
			c.query = c.query[:len(c.query)+n]
			c.execute(c.query)
		default:
			c.touch()
			c.execute(buf[:n])
		}
	}
	switch {
	case err == nil:
	case !errors.Is(err, os.ErrDeadlineExceeded):
		c.end(readReason(err))
	case !c.drainBy.IsZero():
		c.end(Shutdown)
	case !c.hasNotice():
		// Nobody has interrupted this read. TLS remembers the error of a handshake, that of an
		// interrupted one too, and returns it at once from every read to come.
		c.end(ReadError)
	}
}

func readReason(err error) CloseReason {
	if errors.Is(err, io.EOF) {
		return ClientClosed
	}
	return ReadError
}

// makeRoom is conn.makeRoom.
func (c *pconn) makeRoom() []byte {
	if c.lent && len(c.query) < cap(c.query) {
		return lentRoom(c.session, c.query)
	}
	if cap(c.query)-len(c.query) < smallRead {
		if !c.lent && !c.blocked && len(c.query) >= bigRead {
			if b := lend(c.session, c.query); b != nil {
				c.query, c.lent = b, true
				return lentRoom(c.session, b)
			}
		}
		size := len(c.query) + growth(c.session, len(c.query), smallRead)
		c.replaceQuery(append(make([]byte, 0, size), c.query...))
	}
	return c.query[len(c.query):cap(c.query)]
}

// replaceQuery puts another buffer, or none, in the place of the query buffer.
func (c *pconn) replaceQuery(b []byte) {
	c.query = b
	if c.lent {
		c.lent = false
		c.account(0) // before the session counts it
		c.session.(Lender).GiveBack()
	}
}

func (c *pconn) borrow() *bigBuffer {
	b, ok := c.driver.big.Get().(*bigBuffer)
	if !ok {
		panic("BUG: something else in the pool of buffers")
	}
	return b
}

// execute gives the session the input, which is the whole of query or lies in another buffer.
func (c *pconn) execute(in []byte) {
	if c.sizes.pushed.Load() != 0 && !c.writePushed() {
		return
	}
	big := c.borrow()
	big.out.Lend(big.mem, c.driver.server.blocks, c)
	taken, next := c.session.Data(in, &big.out)
	switch rest := in[taken:]; {
	case c.lent && taken == 0:
	case len(rest) == 0:
		c.replaceQuery(nil)
	case !c.lent && len(c.query) > 0 && len(rest) > cap(c.query)/2:
		c.query = rest
	default:
		c.replaceQuery(append([]byte(nil), rest...))
	}
	c.afterTurn(&big.out, next)
	c.driver.big.Put(big)
}

// resume ends a Block.
func (c *pconn) resume() {
	if !c.blocked {
		return
	}
	c.blocked = false
	c.touch()
	big := c.borrow()
	big.out.Lend(big.mem, c.driver.server.blocks, c)
	next := c.session.Resumed(&big.out)
	if next == Wait {
		next = Yield // to what came in meanwhile
	}
	c.afterTurn(&big.out, next)
	c.driver.big.Put(big)
}

// afterTurn ends a turn: it commits it, sends the output and does what the session wants next.
func (c *pconn) afterTurn(made *chain.Buffer, next Action) {
	out, more, whole := made.Take()
	defer more.Free() // what was not sent
	c.making, c.made = 0, 0
	if err := c.driver.server.commit(); err != nil && changed(c.session) {
		c.driver.server.notDurable(c, err)
		c.end(NotDurable)
		return
	}
	if !whole {
		c.end(OutputHardLimit)
		return
	}
	if next == CloseNow {
		c.end(Quit)
		return
	}
	c.halted.Store(next == Yield)
	if !c.write(out, &more) {
		return
	}
	c.leftover = next == Yield && len(c.query) > 0
	c.blocked = next == Block
	if next == CloseAfterFlush {
		c.polite = true
		c.end(Quit)
		return
	}
	if len(c.query) > 0 {
		if lim := c.limits(); lim.QueryBuffer > 0 && int64(len(c.query)) > lim.QueryBuffer {
			c.end(QueryBufferLimit)
			return
		}
	}
	if c.blocked {
		c.active.Store(0) // who waits is not idle
	}
	c.account(0)
}

// account publishes the sizes of the connection's buffers, with unsent bytes of output.
func (c *pconn) account(unsent int) {
	query := memoryOf(c.query, c.lent)
	if c.busy {
		query += bigRead
	}
	memory := pconnMemory + query + c.held + c.making + c.behind + c.entries
	setIfNew(&c.sizes.unasked, c.behind)
	c.setSizes(c.session, len(c.query), query, unsent+c.made+c.behind, memory)
}

// write sends out and more, however long the client takes to read them. It returns false if the
// connection is to be closed.
func (c *pconn) write(out []byte, more *chain.Chain) bool {
	if n := len(out) + more.Len(); n > uncounted {
		if lim := c.limits(); lim.OutputHard > 0 && int64(n) > lim.OutputHard {
			c.end(OutputHardLimit)
			return false
		}
	}
	room := cap(out)
	var first [1][]byte
	for len(out)+more.Len() > 0 {
		b := out
		if len(b) == 0 {
			b = more.Pieces(first[:0], writePiece)[0]
		}
		now := time.Now().UnixNano()
		if c.writing.Load() == 0 {
			c.writing.Store(now)
		}
		c.sizes.waiting.Store(now)
		c.held = room + more.Held()
		c.account(len(out) + more.Len())
		n, err := c.nc.Write(b[:min(len(b), writePiece)])
		if len(out) > 0 {
			out = out[n:]
		} else {
			more.Drop(n)
		}
		c.driver.traffic.out.Add(int64(n))
		c.driver.traffic.writes.Add(1)
		c.sizes.written.Add(int64(n))
		c.touch()
		if err != nil {
			c.end(WriteError)
			return false
		}
	}
	c.held = 0
	c.writing.Store(0)
	c.sizes.waiting.Store(0)
	c.account(0)
	return true
}

// Grow is conn.Grow.
func (c *pconn) Grow(n, written int) bool {
	if c.Killed() {
		return false
	}
	if lim := c.limits(); lim.OutputHard > 0 && int64(written) > lim.OutputHard {
		c.Kill(OutputHardLimit)
		return false
	}
	c.making += n
	c.made = written
	c.account(0)
	if c.Killed() {
		c.making -= n
		return false
	}
	return true
}

// Shrink is conn.Shrink.
func (c *pconn) Shrink(n, written int) {
	c.making -= n
	c.made = written
	c.account(0)
}

func (c *pconn) Killed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed
}

// drainTime bounds how long a client that keeps sending is answered after Shutdown.
const drainTime = time.Second

// drain is what Shutdown asks for: it runs between two turns, when everything has been sent.
// Requests that had arrived by then are still answered, as the event loops do, which read more at a
// time.
func (c *pconn) drain() {
	c.polite = true
	c.drainBy = time.Now().Add(drainTime)
}

func (c *pconn) touch() { c.active.Store(time.Now().UnixNano()) }
