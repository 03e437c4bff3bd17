package netloop

import (
	"log/slog"
	"time"

	"github.com/larderkv/larder/protocol/chain"
)

// Action is what a session wants done with its connection next.
type Action uint8

const (
	// Wait: every complete request is executed; go on when there is more input.
	Wait Action = iota
	// Yield: complete requests are left, but the replies have passed the session's bound or the
	// batch was long. What is there is sent, others have their turn, and Data is called again with
	// the rest once all of it has gone out.
	Yield
	// Again: those whom Conn.ResumeAfter has named are to have their say before the next request is
	// executed. Data is called again at once after them, if input is left.
	Again
	// Block: the session waits for something. Nothing is read or executed until Conn.Resume.
	Block
	// CloseAfterFlush: send what is there, then close. No further input is looked at.
	CloseAfterFlush
	// CloseNow: close at once; unsent output is lost.
	CloseNow
)

// Session is one client's state machine. All methods are called on the goroutine that owns the
// connection, one at a time.
type Session interface {
	// Data executes the requests at the front of in and appends their replies to out, which is lent
	// for the call. It returns how many bytes of in it is done with. It must not keep in, out or
	// parts of them. in is never empty, and begins with what the last call left over. If out has
	// only counted something at the end, the connection is closed.
	Data(in []byte, out *chain.Buffer) (taken int, next Action)
	// Resumed is called after Conn.Resume has ended a Block: it appends the reply that the client
	// waited for. Requests that came in meanwhile go to Data after it.
	Resumed(out *chain.Buffer) (next Action)
	// Closed is the last call, made exactly once.
	Closed(reason CloseReason)
}

// Previewer is a Session that makes use of seeing its input before its turn, while other
// connections are ready too. Preview gets what the next call of Data will get, Warm is called when
// all connections have had their Preview. Neither may change anything that the client could notice.
// Closed may come instead of Data.
type Previewer interface {
	Preview(in []byte)
	Warm()
}

// Wanter is what a Session may implement to save memory: Want returns how many bytes the request at
// the front of the unconsumed input still lacks at least, 0 if unknown, and whether it lacks just
// these (protocol.Parser.Want). It shapes the growth of the query buffer, which never more than
// doubles the bytes received.
type Wanter interface{ Want() (n int, exact bool) }

// Lender is what a Session may implement to have a long request received into memory of its own,
// which it can then keep without a copy. It should be a Wanter too.
type Lender interface {
	// Lend is asked when the query buffer has to grow. in is all the input that there is, and was
	// left over by the last call of Data. The result has room for in, which the connection copies
	// to its beginning, and for what the request lacks; only the pages that are received into count
	// as the connection's memory. nil: the connection goes on with buffers of its own. It is not
	// asked again before GiveBack.
	Lend(in []byte) []byte
	// GiveBack reports that the connection does not touch that memory any more. Until then Data
	// gets it as its input, and nothing behind the one request at its front. It is called after
	// Data has taken that request, or before Closed.
	GiveBack()
}

// Changer is what a Session may implement to be spared by a failing Commit: Changed reports whether
// its last turn did something that Commit is to make durable. One that does not implement it is
// taken to have.
type Changer interface{ Changed() bool }

// Sizer is what a Session may implement to keep account of memory: Sized is called when the memory
// that the connection takes (Sizes.Memory) has changed by delta bytes, the first time with what it
// takes by itself. It is not called after Closed, which thereby gives back the sum of all deltas.
type Sizer interface{ Sized(delta int64) }

// Mover is what a Session may implement to hear that its connection is with another loop from now on
// (Conn.Loop).
type Mover interface{ Moved() }

// Conn is what a session and others may do to a connection. All methods are safe from any
// goroutine. After the connection has been closed the ones that change something do nothing.
type Conn interface {
	ID() uint64         // 1, 2, 3 ... in the order of arrival
	RemoteAddr() string // as CLIENT LIST prints it: 127.0.0.1:5000, [::1]:5000, /path/to/socket:0
	LocalAddr() string
	FD() int // the socket's descriptor, -1 if unknown
	Created() time.Time
	Unix() bool // a Unix socket
	// Loop is the number of the event loop that the connection is with, for who keeps something per
	// loop: 0, 1, 2 ... Without event loops it is any number that differs between connections.
	Loop() int
	// CertifiedName is the common name in the certificate by which a TLS client has proved who it is,
	// "" without one.
	CertifiedName() string
	// Class is what the last SetClass said, 0 before. It chooses the connection's limits from then
	// on.
	Class() Class
	SetClass(Class)
	// Resume ends a Block. A session that is not blocked when it arrives is left alone.
	Resume()
	// ResumeAfter has another connection resumed as soon as the running call of this one's session
	// has returned, before all those that were named earlier if first says so. It reports false,
	// and does nothing, if another goroutine owns that connection: then Resume is the way. Only for
	// a session's method, of its own connection.
	ResumeAfter(other Conn, first bool) bool
	// Kill closes the connection soon; unsent output is lost. The first Kill's reason is the one
	// that Closed is told, also if the session ends the connection itself before.
	Kill(reason CloseReason)
	// Killed reports whether there has been a Kill, or a Push beyond the limit: what is pushed now is
	// lost.
	Killed() bool
	// Push sends b, complete out-of-band messages, after the output of the calls made so far and
	// before that of those to come. b must never change again: it is not copied, so that many
	// connections can share it. It counts as the output of each from now on: if that would pass
	// Limits.OutputHard, the connection is closed instead. Where much waits to be sent, it returns
	// bytes by which the caller is to enlarge the account of the session (Sizer); the connection
	// takes them back when it has come to the messages.
	Push(b []byte) (grown int64)
	// PushLater is Push for one of many messages that come within a moment: it may wait until
	// Server.Flush, so that one wake-up and one system call serve all of them. It keeps its place
	// among the connection's messages.
	PushLater(b []byte) (grown int64)
	// AppendPushed appends to b what Push has been given and the connection has not sent yet, which
	// it forgets: the session makes it part of the output of the running call, in front of something
	// that is to come behind all that was pushed before. Only for a session's method, of its own
	// connection.
	AppendPushed(b []byte) []byte
	// HandOver says that the running call of the session's may take long: where other connections
	// would wait for it, another goroutine serves them from now on. The session's connection is
	// blocked until the call returns. It may be closed meanwhile, which Killed reports; Closed comes
	// after the call all the same. Only for a session's method, of its own connection, and as often
	// as one likes.
	HandOver()
	Sizes() Sizes
}

// Sizes says how much memory a connection's buffers take and how much has gone through it, in
// bytes. The numbers are of the end of the connection's last turn.
type Sizes struct {
	QueryBuf  int64 // input that no complete request has been found in yet, or that is not executed yet
	QueryFree int64 // room beside it
	Output    int64 // output that the client has not taken yet
	// Messages is how much of that output was pushed, at most, and Unread how much of these the client
	// has kept waiting: an event loop has offered them to the kernel, and has its own copy of what that
	// did not take; the portable driver has been at it for lateAfter. What else there is lies in memory
	// that connections share, as a rule, and only for a moment.
	Messages, Unread int64
	// OutputFree is room beside it, and before it, where what has been taken was.
	OutputFree int64
	// Waiting is since when the client has taken nothing of that output, in unix nanoseconds; 0:
	// there is none.
	Waiting int64
	Memory  int64 // all that the connection takes: its buffers, used or not, and its own structures
	Read    int64 // since the connection was made
	Written int64
}

// CloseReason says why a connection ended.
type CloseReason uint8

const (
	ClientClosed     CloseReason = iota // the client has closed the connection or its sending half
	ReadError                           // the connection broke
	WriteError                          // the connection broke while something was sent
	ProtocolError                       // for sessions to kill with: a request could not be parsed
	IdleTimeout                         // Limits.IdleTimeout
	OutputHardLimit                     // Limits.OutputHard
	OutputSoftLimit                     // Limits.OutputSoft for Limits.OutputSoftSeconds
	QueryBufferLimit                    // Limits.QueryBuffer
	Killed                              // for sessions to kill with: CLIENT KILL and its like
	Quit                                // the session returned CloseAfterFlush or CloseNow
	Shutdown                            // the server stops
	MaxClients                          // Options.NewSession refused the connection
	NotDurable                          // Options.Commit failed: the replies would have promised too much
	Evicted                             // for sessions to kill with: all clients together took too much memory
	closeReasons     int         = iota
)

// String names the reason for a log line.
func (r CloseReason) String() string {
	names := [closeReasons]string{
		"closed by client", "read error", "write error", "protocol error", "idle timeout", "output buffer hard limit",
		"output buffer soft limit", "query buffer limit", "killed", "quit", "server shutdown", "refused",
		"not durable", "evicted",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// Class says which limits a connection has: client-output-buffer-limit has three kinds of clients.
// What the numbers mean is the business of Options.Limits; a new connection is of class 0.
type Class uint8

// DefaultOutputPause is the unsent output, in bytes, past which a connection is neither read nor
// executed. Sessions do well to Yield when one batch has produced as much.
const DefaultOutputPause = 1 << 20

// Limits bounds what one connection may take. Zero means no limit, except for OutputPause. A
// connection that is paused counts as past the soft limit, though the output that would pass it has
// not been made: where Redis would collect it and close the connection, larder closes it after the
// same time.
type Limits struct {
	QueryBuffer       int64 // bytes received and not executed (client-query-buffer-limit)
	OutputPause       int   // bytes unsent that stop reading and executing; 0: DefaultOutputPause
	OutputHard        int64 // bytes unsent that close the connection (client-output-buffer-limit)
	UnaskedHard       int64 // bytes that were pushed, and are unsent, that close it
	OutputSoft        int64 // bytes unsent that close it after OutputSoftSeconds
	OutputSoftSeconds int   //
	// IdleTimeout closes a connection without a byte in either direction while it is not blocked,
	// to the second (timeout). If class 0 has none, no other class has.
	IdleTimeout time.Duration
	KeepAlive   time.Duration // TCP keepalive, first probe; set when the connection is made (tcp-keepalive)
}

func (l *Limits) pause() int64 {
	if l.OutputPause <= 0 {
		return DefaultOutputPause
	}
	return int64(l.OutputPause)
}

// Options configures a Server.
type Options struct {
	Loops    int  // event loops at first; less than one: one. Not used by the portable driver.
	Portable bool // a goroutine per connection, also where event loops are available
	// URing has event loops send through io_uring, with one system call for many connections. Where that
	// cannot be had (see ProbeURing) New and SetLoops fail, unless URingOptional says that a loop does
	// without then. The log says so once.
	URing, URingOptional bool
	// NewSession makes the session of a new connection, on the goroutine that will own it. If it
	// returns nil the bytes are sent to the client and the connection is closed.
	NewSession func(Conn) (Session, []byte)
	// Limits are those of the connections of a class. It is read at use: what it returns may change
	// at run time. Safe for concurrent use.
	Limits func(Class) Limits
	Log    *slog.Logger // nil: no log
	// Commit is called after turns and before any of their output is sent, to make durable what the
	// sessions have done: once for all the turns that a loop sends together, once per turn by the
	// portable driver. It may block; its loop waits. If it fails, the connections whose turns
	// changed something (Changer) are closed (NotDurable) and their output is lost. It is not
	// called for what Push sends. nil: nothing is to be done. Safe for concurrent use.
	Commit func() error
}

// Stats counts since the server was made. A busy loop's bytes, reads and writes are some rounds
// old.
type Stats struct {
	Accepted int64 // connections handed to NewSession
	Rejected int64 // of those, refused
	Current  int64 // connections with a session
	Loops    int   // event loops that take connections
	Rings    int   // event loops that send through io_uring
	BytesIn  int64
	BytesOut int64
	Reads    int64 // system calls that brought input
	Writes   int64 // system calls that took output
	closed   [closeReasons]int64
}

// LoopStats are those of one event loop, some rounds old if it is busy.
type LoopStats struct {
	Connections       int64
	BytesIn, BytesOut int64
	Reads, Writes     int64 // system calls
}

// Closed returns how many connections ended for this reason.
func (s *Stats) Closed(r CloseReason) int64 { return s.closed[r] }
