package netloop

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/larderkv/larder/protocol/chain"
)

// driver owns connections: the event loops, or the goroutines of the portable driver.
type driver interface {
	// adopt takes the connection over, or returns an error and leaves it to the caller.
	adopt(nc net.Conn) error
	// drain makes each connection close as soon as its output has been sent; those to come are
	// closed at once.
	drain()
	// stop closes every connection at once.
	stop()
	// done is closed when, after drain or stop, the last connection is gone and the driver's
	// goroutines have ended.
	done() <-chan struct{}
	// flush sees to what has been pushed by PushLater.
	flush()
	// resize changes the number of event loops.
	resize(n int) error
	// addTo adds the driver's traffic.
	addTo(*Stats)
	// loopStats lists the event loops.
	loopStats() []LoopStats
}

// errNotMine is a driver's answer to a connection that it cannot drive.
var errNotMine = errors.New("netloop: no descriptor")

// Server owns connections from accept to close. Safe for concurrent use.
type Server struct {
	opts     Options
	log      *slog.Logger
	blocks   *chain.Pool  // of all output
	queued   atomic.Int64 // see QueuedMessages
	loops    driver       // nil: portable only
	portable driver
	detached atomic.Int32 // batches whose goroutines have handed their loops over

	complaints complaints // of the system, and of what the server is short of
	strangers  complaints // of clients: apart, so that these cannot hide the others

	withoutURing sync.Once // the log says that a loop does without

	handshakes handshakes
	accepting  sync.WaitGroup // Serve calls, and connections in redcon's hands or in a handshake

	mu        sync.Mutex
	listeners map[*listener]struct{} // under mu
	closing   bool                   // under mu

	ids      atomic.Uint64
	accepted atomic.Int64
	rejected atomic.Int64
	current  atomic.Int64
	closed   [closeReasons]atomic.Int64
}

// New starts the event loops. They run until Shutdown or Close.
func New(opts Options) (*Server, error) {
	if opts.NewSession == nil || opts.Limits == nil {
		return nil, errors.New("netloop: NewSession and Limits are required")
	}
	s := &Server{opts: opts, log: opts.Log, blocks: chain.NewPool(), listeners: make(map[*listener]struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.handshakes.init(max(1, runtime.GOMAXPROCS(0)-1), func() {
		s.complain("too many TLS handshakes: the oldest is given up", errCrowded)
	})
	s.handshakes.leaveTo(max(1, opts.Loops))
	if !opts.Portable {
		loops, err := newLoops(s, max(1, opts.Loops))
		if err != nil {
			return nil, err
		}
		s.loops = loops
	}
	s.portable = newPortable(s)
	return s, nil
}

// adopt gives a new connection to a driver. The event loops need a second descriptor for a moment:
// where that was the last, the portable driver does with the one that there is.
func (s *Server) adopt(nc net.Conn) {
	err := errNotMine
	if s.loops != nil {
		err = s.loops.adopt(nc)
	}
	if errors.Is(err, errNotMine) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		err = s.portable.adopt(nc)
	}
	if err == nil {
		return
	}
	if !errors.Is(err, net.ErrClosed) {
		s.complain("cannot take a connection over", err)
	}
	s.closeRaw(socketOf(nc))
}

// closeRaw closes a connection that no driver has.
func (s *Server) closeRaw(nc net.Conn) {
	if err := nc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("closing a connection", "error", err)
	}
}

// open makes the session of a new connection. A nil session means that the bytes are to be sent
// before closing.
func (s *Server) open(c Conn) (Session, []byte) {
	s.accepted.Add(1)
	session, refusal := s.opts.NewSession(c)
	if session == nil {
		s.rejected.Add(1)
		s.closed[MaxClients].Add(1)
		return nil, refusal
	}
	s.current.Add(1)
	return session, nil
}

// close ends a session.
func (s *Server) close(session Session, reason CloseReason) {
	s.current.Add(-1)
	s.closed[reason].Add(1)
	session.Closed(reason)
}

// commit makes the turns before it durable.
func (s *Server) commit() error {
	if s.opts.Commit == nil {
		return nil
	}
	return s.opts.Commit()
}

// changed reports whether a session's last turn must not be answered if Commit fails.
func changed(s Session) bool {
	c, ok := s.(Changer)
	return !ok || c.Changed()
}

// notDurable logs that a connection is closed because its requests could not be made durable.
func (s *Server) notDurable(c Conn, err error) {
	s.log.Warn("closing a client whose requests could not be made durable", "id", c.ID(), "addr", c.RemoteAddr(), "error", err)
}

func (s *Server) addListener(l *listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	s.accepting.Add(1)
	return true
}

func (s *Server) removeListener(l *listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	s.accepting.Done()
}

// stopAccepting closes the listeners and waits until redcon has let go of every connection.
func (s *Server) stopAccepting() error {
	s.mu.Lock()
	s.closing = true
	var errs []error
	for l := range s.listeners {
		errs = append(errs, l.Close())
	}
	s.mu.Unlock()
	s.handshakes.stop()
	s.accepting.Wait()
	return errors.Join(errs...)
}

// Shutdown stops accepting, sends what is owed to each client, closes every connection with reason
// Shutdown and returns when all are gone. Requests that have not been executed yet are not. When
// ctx ends first the rest is closed at once and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.stopAccepting()
	s.eachDriver(driver.drain)
	var late error
	s.eachDriver(func(d driver) {
		select {
		case <-d.done():
		case <-ctx.Done():
			late = ctx.Err()
			d.stop()
			<-d.done()
		}
	})
	return errors.Join(err, late)
}

// Close stops accepting, closes every connection at once with reason Shutdown and returns when all
// are gone.
func (s *Server) Close() error {
	err := s.stopAccepting()
	s.eachDriver(driver.stop)
	s.eachDriver(func(d driver) { <-d.done() })
	return errors.Join(err, s.blocks.Close())
}

func (s *Server) eachDriver(f func(driver)) {
	if s.loops != nil {
		f(s.loops)
	}
	f(s.portable)
}

// OutputMemory is how many bytes the blocks take that hold output, what is being made and what
// clients have not taken, and how many those that are on their way back to the system.
func (s *Server) OutputMemory() (held, leaving int64) { return s.blocks.Used() }

// QueuedMessages is how many bytes the sessions' accounts have of messages in queues of event loops,
// which count for every receiver, and are shared by them.
func (s *Server) QueuedMessages() int64 { return s.queued.Load() }

// Flush has what PushLater has been given sent without further delay.
func (s *Server) Flush() { s.eachDriver(driver.flush) }

// SetLoops changes the number of event loops, at least 1, and has their connections move, which notice
// nothing. It does not wait for that: a loop of which a session computes for long ends later. The
// portable driver has no loops, and nothing happens. After an error everything is as it was.
func (s *Server) SetLoops(n int) error {
	if s.loops == nil {
		return nil
	}
	if err := s.loops.resize(max(1, n)); err != nil {
		return err
	}
	s.handshakes.leaveTo(max(1, n))
	return nil
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	st := Stats{Accepted: s.accepted.Load(), Rejected: s.rejected.Load(), Current: s.current.Load()}
	for r := range s.closed {
		st.closed[r] = s.closed[r].Load()
	}
	s.eachDriver(func(d driver) { d.addTo(&st) })
	return st
}

// Loops is what each event loop has done, and how many connections it has. There are none under the
// portable driver.
func (s *Server) Loops() []LoopStats {
	if s.loops == nil {
		return nil
	}
	return s.loops.loopStats()
}

// traffic counts a driver's, or a loop's, bytes and system calls.
type traffic struct{ in, out, reads, writes atomic.Int64 }

func (t *traffic) addTo(st *Stats) {
	st.BytesIn += t.in.Load()
	st.BytesOut += t.out.Load()
	st.Reads += t.reads.Load()
	st.Writes += t.writes.Load()
}
