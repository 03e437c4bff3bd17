package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/store"
)

// Clients is the registry of open sessions. It is safe from any goroutine.
type Clients struct {
	mu      sync.Mutex // protects byID
	byID    map[uint64]*Session
	blocked atomic.Int64
	size    clientMemory
}

// add registers s unless limit sessions are open.
func (r *Clients) add(s *Session, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byID) >= limit {
		return false
	}
	r.byID[s.conn.ID()] = s
	return true
}

func (r *Clients) remove(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, s.conn.ID())
}

// Len counts the open sessions.
func (r *Clients) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID)
}

// Blocked counts the clients that wait for something.
func (r *Clients) Blocked() int64 { return r.blocked.Load() }

// Limited counts the clients whose wait has a time limit.
func (k *Kernel) Limited() int { return k.timeouts.len() }

// ByID finds an open session that has not been killed, nil if there is none.
func (r *Clients) ByID(id uint64) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.byID[id]; s != nil && !s.killed.Load() {
		return s
	}
	return nil
}

// All lists the open sessions that have not been killed, by ascending id.
func (r *Clients) All() []*Session {
	return r.where(func(s *Session) bool { return !s.killed.Load() })
}

// where lists the open sessions of which ok is true, by ascending id.
func (r *Clients) where(ok func(*Session) bool) []*Session {
	var found []*Session
	r.mu.Lock()
	for _, s := range r.byID {
		if ok(s) {
			found = append(found, s)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(found, func(a, b *Session) int { return cmp.Compare(a.ID(), b.ID()) })
	return found
}

// published is the part of a session's state that others may see. The loop
// stores it once per batch, anybody loads it.
type published struct {
	state      atomic.Uint64 // the database in the lower 32 bits, flags above
	counts     atomic.Uint64 // watched keys in the lower 32 bits, requests in the queue of MULTI plus one above, 0: no MULTI
	last       atomic.Pointer[Spec]
	lastActive atomic.Int64 // unix ms
	queueBytes atomic.Int64
	watcher    atomic.Pointer[store.Watcher] // nil: no keys are watched
	memory     atomic.Int64                  // bytes of the whole client, 0 once it is evicted
}

// Flags in published.state.
const (
	stateRESP3 uint64 = 1 << (32 + iota)
	stateBlocked
	stateClosing
	stateNoEvict
	stateNoTouch
	stateMonitor
)

// pack makes the session's state fit two words, each of which is read and written at once.
func (s *Session) pack() (state, counts uint64) {
	state = uint64(uint32(s.db))
	set := func(bit uint64, on bool) {
		if on {
			state |= bit
		}
	}
	set(stateRESP3, s.resp3.Load())
	set(stateBlocked, s.wait.Load() != nil)
	set(stateClosing, s.next == netloop.CloseAfterFlush)
	set(stateNoEvict, s.noEvict.Load())
	set(stateNoTouch, s.noTouch)
	set(stateMonitor, s.monitor)
	if t := s.txn; t != nil {
		if t.queuing || len(t.queue) > 0 { // or EXEC is running it
			counts = uint64(len(t.queue)+1) << 32
		}
		counts |= uint64(uint32(t.watcher.Len()))
	}
	return state, counts
}

// publish makes the session's state visible to others. last is nil if no command has run. now is in
// unix ms.
func (s *Session) publish(last *Spec, now int64) {
	state, counts := s.pack()
	if state != s.pub.state.Load() {
		s.pub.state.Store(state)
	}
	if counts != s.pub.counts.Load() {
		s.pub.counts.Store(counts)
	}
	if last != nil && last != s.pub.last.Load() {
		s.pub.last.Store(last)
	}
	var watcher *store.Watcher
	if uint32(counts) > 0 {
		watcher = &s.txn.watcher
	}
	if watcher != s.pub.watcher.Load() {
		s.pub.watcher.Store(watcher)
	}
	s.pub.lastActive.Store(now)
	s.weigh()
}

// loopback reports whether a remote address "ip:port" is of this machine.
func loopback(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	return err == nil && ap.Addr().Unmap().WithZone("").IsLoopback()
}

// ClientInfo is one session as CLIENT LIST shows it.
type ClientInfo struct {
	ID              uint64
	Addr, LocalAddr string
	FD              int
	Name            string
	LibName, LibVer string
	Age, Idle       time.Duration
	Flags           string // Redis' letters
	DB              int
	Queued          int // length of the MULTI queue, -1 outside MULTI
	QueueBytes      int64
	Tables          int64 // bytes that the arguments of an incomplete request take beside the query buffer
	Memory          int64 // bytes of all that the client takes
	Watched         int   // watched keys
	Channels        int   // what the client has subscribed to
	Patterns        int
	ShardChannels   int
	RESP            int
	Redirect        int64 // the client that is told instead of it what to forget, 0 none, -1 it does not track
	User            string
	Command         string // the last one's full name, "NULL" before the first
	Sizes           netloop.Sizes
}

// Info describes the session. It is safe from any goroutine; what another
// session has done in its present batch may be missing.
func (s *Session) Info() ClientInfo {
	state, counts, now := s.pub.state.Load(), s.pub.counts.Load(), s.kernel.clock()
	i := ClientInfo{
		ID: s.conn.ID(), Addr: s.conn.RemoteAddr(), LocalAddr: s.conn.LocalAddr(), FD: s.conn.FD(),
		Age:        now.Sub(s.conn.Created()),
		Idle:       now.Sub(time.UnixMilli(s.pub.lastActive.Load())),
		DB:         int(uint32(state)),
		Queued:     int(counts>>32) - 1,
		QueueBytes: s.pub.queueBytes.Load(),
		Tables:     int64(s.tables.Load()),
		Memory:     s.pub.memory.Load(),
		Watched:    int(uint32(counts)),

		Channels:      int(s.subscribed[pubsub.Channels].Load()),
		Patterns:      int(s.subscribed[pubsub.Patterns].Load()),
		ShardChannels: int(s.subscribed[pubsub.ShardChannels].Load()),

		RESP:    2,
		User:    s.User().Name(),
		Command: "NULL",
		Sizes:   s.conn.Sizes(),
	}
	if state&stateRESP3 != 0 {
		i.RESP = 3
	}
	if last := s.pub.last.Load(); last != nil {
		i.Command = last.full
	}
	t := s.tracking.Load()
	i.Redirect = s.Redirect()
	watcher := s.pub.watcher.Load()
	i.Flags = clientFlags(state, t, s.Subscribed(), i.Queued >= 0, watcher != nil && watcher.Changed(), s.conn.Unix())
	s.meta.Lock()
	i.Name, i.LibName, i.LibVer = s.meta.name, s.meta.libName, s.meta.libVer
	s.meta.Unlock()
	return i
}

// clientFlags prints the flags in Redis' order.
func clientFlags(state uint64, t *tracking, subscribed, multi, dirty, unix bool) string {
	var f []byte
	add := func(on bool, c byte) {
		if on {
			f = append(f, c)
		}
	}
	add(state&stateMonitor != 0, 'O')
	add(subscribed, 'P')
	add(multi, 'x')
	add(state&stateBlocked != 0, 'b')
	add(t != nil, 't')
	add(t != nil && t.broken.Load(), 'R')
	add(t != nil && t.Broadcast, 'B')
	add(dirty, 'd')
	add(state&stateClosing != 0, 'c')
	add(unix, 'U')
	add(state&stateNoEvict != 0, 'e')
	add(state&stateNoTouch != 0, 'T')
	if len(f) == 0 {
		return "N"
	}
	return string(f)
}
