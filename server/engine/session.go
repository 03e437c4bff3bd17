package engine

import (
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

const (
	// outputBound is how much output a batch may write before it lets the loop
	// flush it, and the loop decide whether the client keeps up.
	outputBound = 256 << 10
	// batchBound is how many commands a batch may run before other clients of the
	// loop get their turn.
	batchBound = 1024
)

// Session is the state of one client. It implements netloop.Session; unless a
// method says otherwise it belongs to the connection's loop. There is one for each
// connection: 480 bytes are a size that Go allocates without waste.
type Session struct {
	kernel *Kernel
	conn   netloop.Conn
	parser protocol.Parser
	limits protocol.Limits

	preview request // the first request of the coming turn, if Preview found it

	db            int
	want          int         // what the request being received lacks at least, in bytes
	lacking       int64       // bytes of the reply to the request at the front of the input, which did not fit
	paid          int64       // bytes evicted so far to make room for the request at the front of the input
	own           int64       // bytes of the session itself that its memory account contains, see weigh
	loan          *store.Loan // what the request is received into, nil: the connection's buffers
	slot          uint8       // which copy of the counters this session writes: its loop's
	authenticated bool
	next          netloop.Action             // what to do after the running request
	resp3         atomic.Bool                // changed by the loop, with telling locked
	noEvict       atomic.Bool                // changed by the loop
	user          atomic.Pointer[acl.Record] // never nil; changed by the loop
	noTouch       bool
	onlooker      bool // its reads are no use of the cache: they count neither as hits nor as misses
	monitor       bool // it is told of every command
	light         bool // its last commands took so little that not each was timed
	logged        bool // the last batch appended to the log
	wantExact     bool // the request lacks no more than want
	reply         replyMode
	caching       bool                 // CLIENT CACHING has been said for what comes next
	txn           *txn                 // nil while there is neither MULTI nor WATCH
	wait          atomic.Pointer[wait] // nil unless the client waits; changed by the loop, others may end it

	member     *pubsub.Member[*Session]   // nil while the client has subscribed to nothing
	tracking   atomic.Pointer[tracking]   // nil unless the client tracks; changed by the loop
	subscribed [pubsub.Kinds]atomic.Int32 // to how many topics of each kind; for others to see

	telling sync.Mutex // held while a message is encoded and pushed, and while resp3 changes

	silent atomic.Bool   // CLIENT REPLY OFF; changed by the loop
	killed atomic.Bool   // set from anywhere: run nothing any more
	list   atomic.Int32  // which of Clients' lists the session is in
	place  int32         // in that list; for Clients
	tables atomic.Uint32 // bytes of the parser's, at most what fits; for others to see
	pub    published
	meta   struct {
		sync.Mutex            // protects the fields below
		name, libName, libVer string
	}
}

// replyMode is the state of CLIENT REPLY.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // CLIENT REPLY SKIP itself runs
	replySkip     // the command whose reply is skipped
)

func newSession(k *Kernel, conn netloop.Conn) *Session {
	s := &Session{kernel: k, conn: conn}
	s.Moved()
	s.logout()
	s.pub.lastActive.Store(k.clock().UnixMilli())
	return s
}

// Moved has the session count where others of its event loop do. See netloop.Mover.
func (s *Session) Moved() { s.slot = uint8(s.conn.Loop() % stats.Slots) }

// Data executes the requests at the front of in. See netloop.Session.
func (s *Session) Data(in []byte, out *chain.Buffer) (taken int, next netloop.Action) {
	if s.killed.Load() {
		return len(in), netloop.CloseNow
	}
	c := s.begin(out)
	if s.loan != nil {
		s.received(len(in))
	}
	base := c.Out.Len()
	s.next = netloop.Wait
	for n := 1; ; n++ {
		used, err := s.nextRequest(c, in[taken:])
		taken += used
		if err != nil {
			s.protocolError(c, err)
			break
		}
		c.wire = in[taken-used : taken]
		if c.Args == nil {
			s.want, s.wantExact = s.parser.Want(in[taken:])
			if have := len(in) - taken; have > bigRequest && !s.mayReceive(c, have) {
				s.next = netloop.Yield
			}
			break
		}
		if !s.request(c) {
			taken -= used
			s.next = netloop.Yield
			break
		}
		if len(c.ready) > 0 && s.handOn(c, false) && s.next == netloop.Wait {
			s.next = netloop.Again
		}
		if s.next != netloop.Wait {
			break
		}
		if s.killed.Load() {
			s.next = netloop.CloseNow
			if s.list.Load() == gone { // perhaps by its own CONFIG SET, which is to be answered
				s.next = netloop.CloseAfterFlush
			}
			break
		}
		if c.Out.Refused() { // the connection is about to be closed
			s.next = netloop.CloseNow
			break
		}
		if n >= batchBound || c.Out.Len()-base >= outputBound {
			s.next = netloop.Yield
			break
		}
	}
	s.finish(c)
	return taken, s.next
}

// Want is how many bytes the request at the front of the input still lacks at least,
// and whether that is all. See netloop.Wanter.
func (s *Session) Want() (n int, exact bool) { return s.want, s.wantExact }

// Changed reports whether the last batch appended to the log. See netloop.Changer.
func (s *Session) Changed() bool { return s.logged }

// begin borrows the scratch memory of a batch.
func (s *Session) begin(out *chain.Buffer) *Ctx {
	k := s.kernel
	s.logged = false
	v := k.Config.Values()
	s.limits.MaxBulk = v.ProtoMaxBulkLen
	c := k.ctxs.get(k)
	s.beginMeter(c)
	c.evicting, c.handed = 0, false
	c.DB, c.NoTouch, c.Uncounted, c.Hits, c.Misses = s.db, s.noTouch, s.onlooker, 0, 0
	c.Session = s
	c.monitored = k.state()&monitored != 0
	c.remembers = s.remembers()
	c.ahead.drop()
	c.writer.Reset(out, s.resp3.Load())
	if v.MaxMemory > 0 {
		out.Allow(c.room.allow)
	} else {
		out.Allow(nil)
	}
	return c
}

// finish gives it back, with the batch's statistics counted and its state published.
func (s *Session) finish(c *Ctx) {
	c.broadcast()
	c.deliverOwn()
	s.endMeter(c)
	c.countLookups()
	c.CountChanges()
	s.publish(c.meter.last, c.Now)
	s.kernel.ctxs.put(c)
}

// request deals with one request: refuse, queue or run it. It returns false if there
// is no room for it yet: the request has to come again.
func (s *Session) request(c *Ctx) (done bool) {
	start := c.Out.Len()
	spec, err := s.admit(c)
	switch {
	case err == later:
		return false
	case err == postponed:
		s.postpone(c, spec)
	case err == ErrOOM && s.lacksOccupied(c):
		s.postponeBehind(c, spec)
	case err != "":
		s.reject(c, spec, err)
	case s.txn != nil && s.txn.queuing && spec.Flags&Unqueued == 0:
		s.enqueue(c, spec)
	case spec.Flags&RunsQueue != 0 || len(c.wire) > bigRequest && spec.Flags&DenyOOM != 0:
		s.callHeld(c, spec)
	default:
		if !s.answer(c, spec) {
			return false
		}
	}
	if s.reply != replyOn && s.wait.Load() == nil {
		s.suppress(c, start)
	}
	if s.caching && s.wait.Load() == nil {
		s.endCaching(c, spec)
	}
	c.deliverOwn()
	return true
}

// suppress drops what the request wrote, as CLIENT REPLY asked for.
func (s *Session) suppress(c *Ctx, start int) {
	c.Out.Truncate(start)
	switch s.reply {
	case replySkipNext:
		s.reply = replySkip
	case replySkip:
		s.reply = replyOn
	}
}

// protocolError answers a request that is none. The connection cannot be read on.
func (s *Session) protocolError(c *Ctx, err error) {
	start := c.Out.Len()
	c.writeError(Error("ERR " + err.Error()))
	if s.reply != replyOn {
		c.Out.Truncate(start)
	}
	s.next = netloop.CloseAfterFlush
}

// Closed ends the session. See netloop.Session.
func (s *Session) Closed(reason netloop.CloseReason) {
	s.killed.Store(true)
	s.endWait(nil)
	s.kernel.endLeases(s)
	s.dropTxn()
	s.dropSubscriptions()
	s.endMonitor()
	s.stopTracking(&store.View{Store: s.kernel.Store})
	s.kernel.Clients.remove(s)
	s.kernel.Clients.forget(s)
	s.logEnd(reason)
}

// logEnd logs why the connection has ended. One that was cut at its limit is worth a line at every
// level, as in Redis: a subscriber has lost messages by it, and learns only that it is disconnected.
func (s *Session) logEnd(reason netloop.CloseReason) {
	id, addr := s.conn.ID(), s.conn.RemoteAddr()
	parameter := ""
	switch reason {
	case netloop.OutputHardLimit, netloop.OutputSoftLimit:
		parameter = "client-output-buffer-limit"
	case netloop.QueryBufferLimit:
		parameter = "client-query-buffer-limit"
	}
	if parameter == "" {
		s.kernel.Log.Debug("client closed", "id", id, "addr", addr, "reason", reason.String())
		return
	}
	s.kernel.Log.Warn("client disconnected at its limit", "id", id, "addr", addr, "name", s.Name(),
		"reason", reason.String(), "parameter", parameter)
}

// ID is the connection's number, ascending from 1. Safe from any goroutine.
func (s *Session) ID() uint64 { return s.conn.ID() }

// Conn is the session's connection.
func (s *Session) Conn() netloop.Conn { return s.conn }

// authRequired reports whether only commands flagged NoAuth may run.
func (s *Session) authRequired() bool {
	return !s.authenticated && !s.kernel.Users.Default().User().Open()
}

// Authenticated reports whether the client may run commands.
func (s *Session) Authenticated() bool { return !s.authRequired() }

// RESP is the protocol version of the replies, 2 or 3.
func (s *Session) RESP() int {
	if s.resp3.Load() {
		return 3
	}
	return 2
}

// SetRESP switches the replies to RESP2 or RESP3, the one being written included.
func (c *Ctx) SetRESP(version int) {
	if s := c.Session; s.RESP() != version {
		s.telling.Lock()
		pushed := c.takePushed()
		s.resp3.Store(version == 3)
		s.telling.Unlock()
		c.putPushed(pushed)
	}
	c.Out.SetRESP3(version == 3)
}

// Select makes db the database of this and the following commands.
func (c *Ctx) Select(db int) { c.Session.db, c.DB = db, db }

// SetNoTouch does what CLIENT NO-TOUCH does.
func (c *Ctx) SetNoTouch(on bool) { c.Session.noTouch, c.NoTouch = on, on }

// SetNoEvict does what CLIENT NO-EVICT does.
func (s *Session) SetNoEvict(on bool) {
	s.noEvict.Store(on)
	s.kernel.Clients.place(s, 0, 0)
}

// Name is what CLIENT SETNAME set. Safe from any goroutine.
func (s *Session) Name() string {
	s.meta.Lock()
	defer s.meta.Unlock()
	return s.meta.name
}

// SetName names the client. It copies name.
func (s *Session) SetName(name []byte) {
	s.Sized(int64(len(name) - len(s.meta.name)))
	s.meta.Lock()
	defer s.meta.Unlock()
	s.meta.name = string(name)
}

// SetLibrary records what CLIENT SETINFO says; a nil argument leaves its field.
func (s *Session) SetLibrary(name, version []byte) {
	old := len(s.meta.libName) + len(s.meta.libVer)
	s.meta.Lock()
	if name != nil {
		s.meta.libName = string(name)
	}
	if version != nil {
		s.meta.libVer = string(version)
	}
	s.meta.Unlock()
	s.Sized(int64(len(s.meta.libName) + len(s.meta.libVer) - old))
}

// ReplyOn ends ReplyOff and ReplySkip. The three are the modes of CLIENT REPLY.
func (s *Session) ReplyOn() {
	s.reply = replyOn
	s.silent.Store(false)
}

// ReplyOff suppresses all replies from this one on.
func (s *Session) ReplyOff() {
	s.reply = replyOff
	s.silent.Store(true)
}

// ReplySkip suppresses the reply of this command and of the next.
func (s *Session) ReplySkip() {
	if s.reply != replyOff {
		s.reply = replySkipNext
	}
}

// CloseAfterReply closes the connection when the reply has been sent; nothing
// after this command runs.
func (s *Session) CloseAfterReply() { s.next = netloop.CloseAfterFlush }

// Hangup closes the connection without a reply.
func (s *Session) Hangup() { s.next = netloop.CloseNow }

// Kill closes the session from outside, another client's CLIENT KILL. Safe from
// any goroutine: no request begins after it. A session that kills itself uses
// CloseAfterReply.
func (s *Session) Kill() {
	s.killed.Store(true)
	s.conn.Kill(netloop.Killed)
}

// Publish makes this session's own state current for CLIENT LIST and INFO.
func (c *Ctx) Publish() { c.Session.publish(c.Spec, c.Now) }

// Reset does what RESET does, but for its reply: the state of a new connection.
func (c *Ctx) Reset() {
	s := c.Session
	s.dropTxn()
	if s.member != nil || s.monitor {
		s.dropSubscriptions()
		s.endMonitor()
		c.settle()
	}
	c.StopTracking()
	c.Select(0)
	c.SetRESP(2)
	c.SetNoTouch(false)
	s.SetNoEvict(false)
	s.ReplyOn()
	s.SetName(nil)
	s.logout()
}
