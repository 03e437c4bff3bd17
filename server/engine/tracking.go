// Client-side caching: CLIENT TRACKING and what follows from it.
//
// A client that tracks is told which of the keys that it keeps copies of have changed. There are two
// modes, and in both the client that is told may be another one (REDIRECT), for clients of RESP2,
// which take messages only on a connection of their own.
//
//	default  the server notes which keys a client has read (store/track.go), and tells it of the
//	         first change of each. OPTIN and OPTOUT let the client say what is not worth noting.
//	BCAST    the server notes nothing, and tells of every change of a key that begins with one of
//	         the client's prefixes.
//
// # Order
//
// A read is noted, and a change is told, under the lock of the key's shard. A message to another
// client comes after the replies that have been made for it by then, so after the reply that it
// makes obsolete; one to the client that makes the change comes after its reply (message.go). Hence
// a client never keeps a value of before a message that it has got. It may get messages about
// values that it has read since: they cost it another read.
//
// In BCAST mode the changes of a batch are collected, and told at its end, before its replies leave:
// one message for each prefix, with all keys in order, as Redis does once per round of its loop. By
// then the locks are free. Whoever reads such a key meanwhile reads the new value.
//
// # Who changes the state
//
// What a client has asked for is a value that never changes, which the client's loop replaces and
// anybody reads (Session.tracking). Whether the client it redirects to still exists is the one thing
// that others find out.

package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/store"
)

// TrackingOptions are what a client has asked for by CLIENT TRACKING ON.
type TrackingOptions struct {
	Broadcast, OptIn, OptOut, NoLoop bool
	Redirect                         *Session // who is told instead, or nil
	Prefixes                         []string // of Broadcast: in order
}

// tracking is the state of a client that tracks.
type tracking struct {
	TrackingOptions
	tracker *store.Tracker // nil in BCAST mode
	broken  atomic.Bool    // Redirect has gone
}

// memory is what it takes, in bytes.
func (t *tracking) memory() int64 {
	const each = 128 // measured: a prefix here and in the index
	sum := int64(256)
	for _, p := range t.Prefixes {
		sum += each + 2*int64(len(p))
	}
	return sum
}

// Redirect is the number of the client that is told instead, 0 for none; -1 of a client that does not
// track. Safe from any goroutine.
func (s *Session) Redirect() int64 {
	t := s.tracking.Load()
	switch {
	case t == nil:
		return -1
	case t.Redirect == nil:
		return 0
	}
	return int64(t.Redirect.ID())
}

// caches is what the kernel knows of clients that track.
type caches struct {
	mu       sync.RWMutex // protects the next three
	clients  map[*Session]struct{}
	prefixes map[string]map[*Session]struct{} // of clients in BCAST mode
	lengths  []int                            // of the prefixes, ascending, each once

	outside   sync.Mutex  // protects what
	what      changes     // has changed outside commands and is not told of yet
	something atomic.Bool // there is something
}

// Tracking counts the clients that track, and the different prefixes that they are told of.
func (k *Kernel) Tracking() (clients, prefixes int) {
	k.caches.mu.RLock()
	defer k.caches.mu.RUnlock()
	return len(k.caches.clients), len(k.caches.prefixes)
}

// Tracking is what the client has asked for; ok is false if it does not track. Broken reports that
// the client to be told instead has gone.
func (s *Session) Tracking() (o TrackingOptions, broken, ok bool) {
	if t := s.tracking.Load(); t != nil {
		return t.TrackingOptions, t.broken.Load(), true
	}
	return TrackingOptions{}, false, false
}

// Track makes the client one that tracks, or changes how it does. Prefixes are added to those that it
// has. Only for rows that say OwnLocks.
func (c *Ctx) Track(o TrackingOptions) {
	s, r := c.Session, &c.Kernel.caches
	old := s.tracking.Load()
	t := &tracking{TrackingOptions: o}
	t.Prefixes = slices.Clone(o.Prefixes)
	if old != nil {
		t.tracker = old.tracker
		t.Prefixes = slices.Concat(old.Prefixes, o.Prefixes)
	}
	slices.Sort(t.Prefixes)
	t.Prefixes = slices.Compact(t.Prefixes)
	if !o.Broadcast && t.tracker == nil {
		t.tracker = c.Store.NewTracker(s)
	}
	r.mu.Lock()
	if r.clients == nil {
		r.clients, r.prefixes = make(map[*Session]struct{}), make(map[string]map[*Session]struct{})
	}
	r.clients[s] = struct{}{}
	for _, p := range o.Prefixes {
		r.addPrefix(p, s)
	}
	s.tracking.Store(t)
	r.mu.Unlock()
	if o.Broadcast && old == nil {
		c.Broadcast(+1)
	}
	c.remembers = s.remembers()
}

// StopTracking ends it, if the client tracks.
func (c *Ctx) StopTracking() {
	c.Session.stopTracking(&c.View)
	c.remembers = false
}

// stopTracking is StopTracking, with or without a command.
func (s *Session) stopTracking(v *store.View) {
	t := s.tracking.Load()
	if t == nil {
		return
	}
	r := &s.kernel.caches
	r.mu.Lock()
	delete(r.clients, s)
	for _, p := range t.Prefixes {
		r.removePrefix(p, s)
	}
	s.tracking.Store(nil)
	r.mu.Unlock()
	s.caching = false
	if t.Broadcast {
		v.Broadcast(-1)
	} else {
		v.Store.EndTracker(t.tracker)
	}
}

// addPrefix tells a client of keys that begin with p.
func (r *caches) addPrefix(p string, s *Session) {
	of := r.prefixes[p]
	if of == nil {
		of = make(map[*Session]struct{})
		r.prefixes[p] = of
		if i, ok := slices.BinarySearch(r.lengths, len(p)); !ok {
			r.lengths = slices.Insert(r.lengths, i, len(p))
		}
	}
	of[s] = struct{}{}
}

// removePrefix ends it. A length of which no prefix is left stays until the last prefix goes: it
// costs a search in vain for each change.
func (r *caches) removePrefix(p string, s *Session) {
	delete(r.prefixes[p], s)
	if len(r.prefixes[p]) == 0 {
		delete(r.prefixes, p)
	}
	if len(r.prefixes) == 0 {
		r.lengths = nil
	}
}

// SetCaching does what CLIENT CACHING does: the reads of the next command, or of the next
// transaction, are an exception from OPTIN or OPTOUT.
func (c *Ctx) SetCaching() {
	c.Session.caching = true
	c.remembers = c.Session.remembers()
}

// Caching reports whether SetCaching has been said for what comes next.
func (s *Session) Caching() bool { return s.caching }

// endCaching ends it after a request that was not CLIENT, unless a transaction is being queued.
func (s *Session) endCaching(c *Ctx, spec *Spec) {
	if s.Queuing() || spec != nil && spec.Flags&KeepsCaching != 0 {
		return
	}
	s.caching = false
	c.remembers = s.remembers()
}

// remembers reports whether the keys that the client reads now are noted.
func (s *Session) remembers() bool {
	t := s.tracking.Load()
	switch {
	case t == nil || t.Broadcast:
		return false
	case t.OptIn:
		return s.caching
	case t.OptOut:
		return !s.caching
	}
	return true
}

// remember runs a command that reads, and notes its keys. Their shards are locked.
func (c *Ctx) remember(s *Spec) error {
	hidden := c.Hidden
	err := s.Handler(c)
	tr := c.Session.tracking.Load().tracker
	for i := range c.Keys {
		c.View.Track(c.Keys[i], tr, c.Hidden != hidden)
	}
	return err
}

// forgetter is told by the store what a command changes, or what changes outside commands, without a
// Ctx. See store.Forgetter.
type forgetter struct {
	k *Kernel
	c *Ctx
}

// Forget implements store.Forgetter.
func (f *forgetter) Forget(trackers []*store.Tracker, key []byte) {
	m := invalidation{keys: [][]byte{key}}
	for _, tr := range trackers {
		s := tr.Owner.(*Session)
		t := s.tracking.Load()
		if t == nil || t.tracker != tr || t.NoLoop && f.c != nil && f.c.Session == s {
			continue
		}
		m.tell(s, t, f.c)
	}
}

// Changed implements store.Forgetter.
func (f *forgetter) Changed(key []byte) {
	if f.c != nil && f.c.Session != nil { // else it is background work
		f.c.changes.add(key)
		return
	}
	r := &f.k.caches
	r.outside.Lock()
	r.what.add(key)
	r.something.Store(true)
	r.outside.Unlock()
}

// ForgetAll tells all clients that track to forget everything. All shards are locked.
func (c *Ctx) ForgetAll() {
	c.Store.ForgetTracked()
	r := &c.Kernel.caches
	r.mu.RLock()
	defer r.mu.RUnlock()
	var m invalidation
	for s := range r.clients {
		m.tell(s, s.tracking.Load(), c)
	}
}

// invalidation is a message about keys, or about everything.
type invalidation struct {
	keys      [][]byte // nil: everything
	pushed    *Message // to clients of RESP3
	published *Message // to clients of RESP2 that subscribe to channels
}

// tell tells s, or whom it redirects to. by is the command in whose course it is said, or nil.
func (m *invalidation) tell(s *Session, t *tracking, by *Ctx) {
	to := s
	if t.Redirect != nil {
		if to = t.Redirect; to.killed.Load() {
			t.broken.Store(true)
			if s.resp3.Load() {
				broken := NewMessage(fmt.Appendf(nil, ">2\r\n$21\r\ntracking-redir-broken\r\n:%d\r\n", to.ID()))
				s.Deliver(by, &broken)
			}
			return
		}
	}
	switch {
	case to.resp3.Load():
		if m.pushed == nil {
			m.pushed = m.encode(">2\r\n$10\r\ninvalidate\r\n", "_\r\n")
		}
		to.Deliver(by, m.pushed)
	case t.Redirect != nil && to.Subscribed():
		if m.published == nil {
			m.published = m.encode("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n", "$-1\r\n")
		}
		to.Deliver(by, m.published)
	}
}

// encode makes a message of the head of an array or push, and of what comes last in it.
func (m *invalidation) encode(head, everything string) *Message {
	if m.keys == nil {
		msg := NewMessage([]byte(head + everything))
		return &msg
	}
	const around = 16 // bytes, at most, of a length and what stands around it
	size := len(head) + around
	for _, k := range m.keys {
		size += around + len(k)
	}
	b := append(make([]byte, 0, size), head...)
	b = append(strconv.AppendInt(append(b, '*'), int64(len(m.keys)), 10), "\r\n"...)
	for _, k := range m.keys {
		b = appendBulk(b, k)
	}
	msg := NewMessage(b)
	return &msg
}

// changes are names of keys that have changed and that BCAST clients are not told of yet.
type changes struct {
	names []byte // one behind the other
	ends  []int
}

func (ch *changes) add(key []byte) {
	ch.names = append(ch.names, key...)
	ch.ends = append(ch.ends, len(ch.names))
}

// keptChanges is the most memory for names, in bytes, that a batch leaves to the next.
const keptChanges = 64 << 10

func (ch *changes) reset() {
	if cap(ch.names) > keptChanges {
		*ch = changes{}
	}
	ch.names, ch.ends = ch.names[:0], ch.ends[:0]
}

// broadcast tells BCAST clients of what the batch has changed, and of what has changed outside
// commands since somebody did so.
func (c *Ctx) broadcast() {
	if len(c.changes.ends) > 0 {
		c.Kernel.caches.broadcast(&c.changes, c)
		c.changes.reset()
	}
	c.Kernel.TellChanges()
}

// TellChanges tells BCAST clients of what has changed outside commands. It is one load if nothing
// has.
func (k *Kernel) TellChanges() {
	r := &k.caches
	if !r.something.Load() {
		return
	}
	r.outside.Lock()
	what := r.what
	r.what = changes{}
	r.something.Store(false)
	r.outside.Unlock()
	r.broadcast(&what, nil)
}

// broadcast tells of some changes: a client gets a message for each of its prefixes, in their order,
// with the keys in theirs. by is the command that has made them last, or nil.
func (r *caches) broadcast(ch *changes, by *Ctx) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := make(map[string][][]byte)
	start := 0
	for _, end := range ch.ends {
		key := ch.names[start:end:end]
		start = end
		for _, n := range r.lengths {
			if n > len(key) {
				break
			}
			if _, ok := r.prefixes[string(key[:n])]; ok {
				found[string(key[:n])] = append(found[string(key[:n])], key)
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(found)) {
		keys := found[p]
		slices.SortFunc(keys, bytes.Compare)
		m := invalidation{keys: slices.CompactFunc(keys, bytes.Equal)}
		for s := range r.prefixes[p] {
			if t := s.tracking.Load(); !t.NoLoop || by == nil || by.Session != s {
				m.tell(s, t, by)
			}
		}
	}
}
