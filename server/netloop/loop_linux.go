package netloop

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/protocol/chain"
)

const (
	readSize     = 64 << 10  // a loop's shared read buffer
	directSize   = 256 << 10 // most that one read appends to a query buffer
	minRoom      = 16 << 10  // least room worth reading into behind a query buffer
	smallRest    = 4 << 10   // leftover that is copied in front of the next read rather than read behind
	outSize      = 64 << 10  // a loop's shared output buffer
	sendMost     = 1 << 20   // most that one call offers the kernel of a long output
	smallOutput  = 16 << 10  // unsent output that is kept in a buffer of its size
	sendPieces   = 2 + sendMost/(64<<10)
	lastReads    = 64      // reads of input that nobody will look at, before closing
	maxEvents    = 512     // per round
	roundDirect  = 8 << 20 // bytes that a round appends to query buffers, before their sizes are looked at
	holdFor      = 20 * time.Millisecond
	clockRounds  = 8 // rounds between two looks at the clock, each of which may have waited for holdFor
	tickInterval = time.Second
)

// listening is the events of a connection that the kernel reports, once per change:
// level-triggered, each event would be looked at a second time by the next epoll_wait. EPOLLOUT
// joins it while there is unsent output.
const listening uint32 = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// loop is one event loop: a goroutine that reads, executes and writes for its connections. All fields
// but notices and the atomic ones are that goroutine's.
//
// Another goroutine may take the loop over wherever a session is called (handover_linux.go). So what
// a round has yet to do stands in fields, and nowhere on a stack: occurred, reads, batch, next,
// heeding and dueNow are lists from which things are taken one by one.
type loop struct {
	server *Server
	driver *loops
	number int // no other loop has it
	ep     int

	_       [64]byte // around what others write, see "Cache lines" in the package's comment
	notices notices
	_       [64]byte

	pushes pushRound

	conns []*conn // by descriptor
	live  int     // connections in conns
	owing int     // those of them that have unsent output (conn.roomAsked)
	again []*conn // connections that are due; they have their turn at the end of the round
	next  line    // connections to be resumed before anything else is executed

	occurred []unix.EpollEvent // this round's, not looked at yet
	heeding  line              // connections with notices, not heeded yet
	orders   orders            // to be done after them
	dueNow   line              // those of again whose turn is to come in this round
	batch    batch             // the turn under way
	resumes  bool              // another goroutine has begun this round

	in      []byte        // shared read buffer
	inUsed  int           // in[:inUsed] is the input in reads
	direct  int           // bytes read into query buffers this round
	reads   []read        // this round's; reads[readsAt:] are not executed yet
	readsAt int           //
	out     []byte        // shared output buffer: the replies of turns, until sendTurns
	reply   *chain.Buffer // lent to the session that has its turn; begins in out
	turns   []turn        // this round's, not settled yet
	more    chain.Chain   // blocks behind the output of the last turn, until it is sent
	vector  vector
	uring   *uring // nil: each turn's output has a system call of its own
	sent    int32  // turn.sent of the turn that afterTurn has
	sealed  []byte // where output is encrypted; nil until it is
	buffers buffers
	events  []unix.EpollEvent

	giving giving  // connections that are to move to other loops
	looked int     // where in conns the search for them goes on
	movers []*conn // those of this round

	rounds   uint
	now      time.Time // some rounds old
	nextTick time.Time
	draining bool // no new connections; the loop ends with the last one

	count   struct{ in, out, reads, writes int64 } // traffic so far
	traffic traffic                                // as last published

	_       [64]byte
	load    atomic.Int32 // connections given to this loop
	active  atomic.Int32 // about how many of them have sent or got something within a second
	leaving atomic.Bool  // the loop ends when it has given all of them away; set under loops.mu
	_       [20]byte     // loops fill cache lines
}

// newLoop makes a loop that does not run yet.
func newLoop(d *loops, number int) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(err, unix.Close(ep))
	}
	if err := control(ep, unix.EPOLL_CTL_ADD, wake, unix.EPOLLIN); err != nil {
		return nil, errors.Join(err, unix.Close(wake), unix.Close(ep))
	}
	l := &loop{
		server: d.server,
		driver: d,
		number: number,
		ep:     ep,
		in:     make([]byte, readSize),
		out:    make([]byte, 0, outSize),
		reply:  new(chain.Buffer),
		events: make([]unix.EpollEvent, maxEvents),
		now:    time.Now(),
	}
	l.notices.wake = wake
	if d.server.opts.URing {
		l.uring, err = newURing()
	}
	switch {
	case err == nil:
	case d.server.opts.URingOptional:
		d.server.withoutURing.Do(func() { d.server.log.Info("sending without io_uring", "reason", err) })
	default:
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// run is the loop, until it ends or another goroutine takes it over.
func (l *loop) run() {
	if l.resumes {
		l.round()
	}
	for l.live > 0 || !l.draining && !(l.leaving.Load() && l.driver.leave(l)) {
		l.direct = 0
		l.occurred = l.events[:l.poll()]
		l.round()
	}
	l.publish()
	l.notices.close()
	l.heed() // connections that came last are to be closed
	if err := l.release(); err != nil {
		l.server.log.Error("closing an event loop", "error", err)
	}
	l.driver.over()
}

// release closes what the loop has of the system.
func (l *loop) release() error {
	err := errors.Join(l.notices.closeWake(), unix.Close(l.ep))
	if l.uring != nil {
		err = errors.Join(err, l.uring.close())
	}
	return err
}

// round gives each connection that is ready one turn (one read, one batch), sends the replies (one
// write each), does what others want of its connections, and gives the connections with leftovers a
// turn. Where a round was interrupted, this does the rest of it.
func (l *loop) round() {
	if l.resumes {
		l.runNext(l.batch.c)
		l.goOn()
		l.runReads()
	}
	l.runEvents()
	l.runReads()
	l.sendTurns()
	if l.notices.pending.Load() || l.resumes {
		l.heed()
	}
	if l.pushes.left() || l.notices.pending.Load() {
		l.sendPushes(false)
	}
	l.runAgain()
	l.runReads()
	l.sendTurns()
	if l.giving.left > 0 {
		l.giveSome()
	}
	if !l.now.Before(l.nextTick) {
		l.tick()
	}
}

// runEvents reads from those that have sent something.
func (l *loop) runEvents() {
	for len(l.occurred) > 0 {
		ev := l.occurred[0]
		l.occurred = l.occurred[1:]
		if int(ev.Fd) == l.notices.wake {
			continue // l.notices.pending says the same
		}
		if c := l.conns[ev.Fd]; c != nil {
			c.ready(ev.Events)
		}
	}
}

// poll returns how many events are ready. It waits only if there is nothing else to do.
//
// A wait that tells the scheduler about itself lets another goroutine have the processor, but is
// dear: the runtime's monitor thread then looks after the loop every 20 us, 5 % of all CPU time at
// full load without pipelining, and the loop has to get a processor back. So the loop first waits
// for a moment without telling. Should the runtime need the processor meanwhile, its signal ends
// the wait, but that takes 10 to 20 ms: only where the scheduler has one more than there are loops
// and goroutines that have handed one over. Measured: the monitor's sleeps went from 4.9 to 0.1 % of
// the profile.
//
// Both waits are longer than a tick of the system's clock, of 1 to 10 ms: for a shorter one the
// kernel programs the timer of the processor, and takes it back when input comes. On a virtual
// machine of 250 Hz with 20,000 SETs per second waits of 1 ms cost 21.4 us of processor time per
// SET, those of 5 and 20 ms 13.3, Redis 16.1.
func (l *loop) poll() int {
	l.rounds++
	var n int
	idle := len(l.again) == 0 && !l.pushes.left() && l.giving.left == 0 && l.notices.sleep()
	if !idle {
		n = pollHeld(l.ep, l.events, 0)
	} else if l.driver.free.Load() > l.server.detached.Load() {
		n = pollHeld(l.ep, l.events, holdFor)
	}
	if n == 0 && idle {
		l.publish()
		n = pollWait(l.ep, l.events, tickInterval)
		l.now = time.Now()
	} else if l.rounds%clockRounds == 0 {
		l.publish()
		l.now = time.Now()
	}
	if idle {
		l.notices.sleeping.Store(false)
	}
	return n
}

// read is input in the shared buffer, until its connection's turn.
type read struct {
	c  *conn
	in []byte
}

// readRoom returns where to read the next input to, nil if there is no room before runReads. It does
// not run them itself: one of them may hand the loop over, and whoever was about to read would be
// forgotten with its caller.
func (l *loop) readRoom() []byte {
	if len(l.in)-l.inUsed < minRoom {
		return nil
	}
	return l.in[l.inUsed:]
}

// addRead notes that c has n bytes of input at the beginning of the room.
func (l *loop) addRead(c *conn, n int) {
	l.reads = append(l.reads, read{c, l.in[l.inUsed : l.inUsed+n : l.inUsed+n]})
	l.inUsed += n
}

// runReads gives the connections that have been read their turns. With several of them, the
// sessions may first have a look at what is coming, so that their waits for memory overlap.
func (l *loop) runReads() {
	if len(l.reads) > 1 && l.readsAt == 0 {
		for _, r := range l.reads {
			if !r.c.closed && r.c.preview != nil {
				r.c.preview.Preview(r.in)
			}
		}
		for _, r := range l.reads {
			if !r.c.closed && r.c.preview != nil {
				r.c.preview.Warm()
			}
		}
	}
	for l.readsAt < len(l.reads) {
		r := l.reads[l.readsAt]
		l.reads[l.readsAt] = read{}
		l.readsAt++
		if !r.c.closed {
			r.c.execute(r.in, false)
		}
	}
	l.reads, l.readsAt, l.inUsed = l.reads[:0], 0, 0
}

// turn is what a session has returned, until its output is sent at the end of the round.
type turn struct {
	c    *conn
	out  []byte
	next Action

	changed bool // the turn must not be answered if Commit fails
	cut     bool // its output is not whole

	sent int32 // of out, if conn.ahead says that the kernel has been given it: bytes, a negative errno, or notSent
}

// lend returns the place for the output of c's turn. It begins in the rest of the shared buffer.
func (l *loop) lend(c *conn) *chain.Buffer {
	if len(l.out) > cap(l.out)/2 {
		l.sendTurns()
	}
	l.reply.Lend(l.out[len(l.out):], l.server.blocks, c)
	return l.reply
}

// endTurn takes the output of a turn. One that has outgrown the room is sent at once.
func (l *loop) endTurn(c *conn, next Action) {
	out, more, whole := l.reply.Take()
	l.out = l.out[:len(l.out)+len(out)]
	l.turns = append(l.turns, turn{c: c, out: out, next: next, changed: changed(c.session), cut: !whole})
	if more.Len() > 0 || !whole {
		l.more = more
		l.sendTurns()
	}
}

// line is a queue of connections, to which some are added in front. Whoever takes the last one out
// need not come back and find it empty: that one may hand the loop over.
type line struct {
	conns []*conn // empty when the queue is
	at    int     // conns[at:] is the queue
}

func (q *line) add(c *conn, first bool) {
	switch {
	case !first:
		q.conns = append(q.conns, c)
	case q.at > 0:
		q.at--
		q.conns[q.at] = c
	default:
		q.conns = slices.Insert(q.conns, 0, c)
	}
}

func (q *line) empty() bool { return len(q.conns) == 0 }

func (q *line) take() *conn {
	if q.empty() {
		return nil
	}
	c := q.conns[q.at]
	q.conns[q.at] = nil
	if q.at++; q.at == len(q.conns) {
		q.conns, q.at = q.conns[:0], 0
	}
	return c
}

// runNext resumes those whom the session of by has named in its last turn, and whom these name in
// turn. They have waited longest, so their replies leave before its.
func (l *loop) runNext(by *conn) {
	last := len(l.turns) - 1
	for c := l.next.take(); c != nil; c = l.next.take() {
		if !c.blocked {
			l.sendTurns() // it may be about to be, by a turn of this round
		}
		c.answer()
	}
	if last >= 0 && last < len(l.turns)-1 && l.turns[last].c == by { // not settled meanwhile
		t := l.turns[last]
		l.turns = append(slices.Delete(l.turns, last, last+1), t)
	}
}

// sendTurns sends the output of the turns so far, and does what the sessions want next. What the
// turns have done is committed first: every byte of a reply goes through here.
func (l *loop) sendTurns() {
	if len(l.turns) == 0 {
		return
	}
	err := l.server.commit()
	if l.uring != nil && len(l.turns) > 1 && err == nil {
		l.sendAhead()
	}
	for i, t := range l.turns {
		l.turns[i] = turn{}
		if t.c.closed { // by what became of a turn before; another connection may have its descriptor
			continue
		}
		if err != nil && t.changed {
			l.server.notDurable(t.c, err)
			t.c.close(NotDurable)
			continue
		}
		if t.cut {
			t.c.close(OutputHardLimit)
			continue
		}
		l.sent = t.sent
		if i < len(l.turns)-1 {
			t.c.afterTurn(t.out, &chain.Chain{}, t.next)
		} else {
			t.c.afterTurn(t.out, &l.more, t.next)
		}
	}
	l.more.Free() // of a connection that was closed
	l.turns = l.turns[:0]
	l.out = l.out[:0]
}

func (l *loop) runAgain() {
	if l.dueNow.empty() {
		if len(l.again) == 0 {
			return
		}
		l.dueNow.conns, l.again = l.again, l.dueNow.conns
	}
	for c := l.dueNow.take(); c != nil; c = l.dueNow.take() {
		c.inAgain = false
		if c.due() {
			c.turn()
		}
	}
}

// heed does what other goroutines want of the loop and of its connections.
func (l *loop) heed() {
	if !l.resumes {
		l.heeding.conns, l.orders = l.notices.take()
	}
	l.resumes = false
	for c := l.heeding.take(); c != nil; c = l.heeding.take() {
		c.heed(l.notices.of(c))
	}
	o := l.orders
	l.orders = orders{}
	if o.drain {
		l.sendPushes(true) // they are owed
		l.drain()
	}
	if o.stop {
		l.stop()
	}
	if o.spread {
		l.spread()
	}
}

// tick does what needs doing once a second. It looks at every connection only if one may be idle
// for too long or owes output: with thousands of idle ones that would be a pause for all others.
func (l *loop) tick() {
	l.nextTick = l.now.Add(tickInterval)
	l.balance()
	class := Class(0)
	lim := l.server.opts.Limits(class)
	if lim.IdleTimeout <= 0 && l.owing == 0 {
		return
	}
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		if is := c.Class(); is != class {
			class, lim = is, l.server.opts.Limits(is)
		}
		if c.unsent() > 0 {
			c.checkOutput(&lim)
		}
		if !c.closed && !c.blocked && c.away == nil && lim.IdleTimeout > 0 && l.now.UnixNano()-c.active > int64(lim.IdleTimeout) {
			c.close(IdleTimeout)
		}
	}
}

// publish makes the traffic counted since the last time visible.
func (l *loop) publish() {
	l.traffic.in.Store(l.count.in)
	l.traffic.out.Store(l.count.out)
	l.traffic.reads.Store(l.count.reads)
	l.traffic.writes.Store(l.count.writes)
}

// drain closes each connection as soon as its output has gone out.
func (l *loop) drain() {
	l.draining = true
	for _, c := range l.conns {
		if c != nil {
			c.closeAfterFlush(Shutdown)
		}
	}
}

// stop closes each connection.
func (l *loop) stop() {
	l.draining = true
	for _, c := range l.conns {
		if c != nil {
			c.close(Shutdown)
		}
	}
}

// register makes the session of a new connection and begins to listen to it.
func (l *loop) register(c *conn) {
	if l.draining {
		c.discard()
		return
	}
	session, refusal := l.server.open(c)
	if session == nil {
		if len(refusal) > 0 {
			c.refuse(refusal)
		}
		l.load.Add(-1)
		c.closed = true
		c.report(farewell(c.fd))
		return
	}
	c.session = session
	c.preview, _ = session.(Previewer)
	c.active = l.now.UnixNano()
	c.account()
	if !l.enter(c) {
		return
	}
	if c.secure != nil { // may have got the first request with the end of the handshake
		c.readable = true
		c.watch()
	}
}

// enter begins to listen to a connection. It returns false if that is closed.
func (l *loop) enter(c *conn) bool {
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	l.live++
	interest := listening
	if c.roomAsked {
		interest |= unix.EPOLLOUT
		l.owing++
	}
	if err := control(l.ep, unix.EPOLL_CTL_ADD, c.fd, interest); err != nil {
		l.server.log.Warn("cannot watch a connection", "error", err)
		c.close(ReadError)
		return false
	}
	return true
}
