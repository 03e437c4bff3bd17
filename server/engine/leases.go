// Leases of clients (store/leases.go): who holds some, and who waits for the end of one.
//
// A client that waits is a request that waits, as for BLPOP. But those who wait for one value may be
// thousands, and each of them is served by the same change: so they are not resumed before the loop
// goes on, one behind the other, but by notices, some at a time. And all get one reply, encoded once in
// each version of the protocol (ReplyShared).
//
// Each of them still runs its request anew, which finds the value or does not: one that has been
// invalidated meanwhile is served to nobody. Rejected: to push the reply to all of them in the moment of
// the fill, as a message is. Somebody could then get the old value long after the reply to an
// invalidation, and what is spared is little beside sending the replies.

package engine

import (
	"sync"
	"time"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/store"
)

// leaseHolders are the clients that have been given leases. A field in each session would be eight bytes
// more for all those that never ask for one.
type leaseHolders struct {
	mu sync.Mutex // protects of; no lock is taken under it
	of map[*Session]*store.LeaseHolder
}

// get finds the holder of a session, or makes one.
func (h *leaseHolders) get(s *Session) *store.LeaseHolder {
	h.mu.Lock()
	defer h.mu.Unlock()
	by := h.of[s]
	if by == nil {
		if h.of == nil {
			h.of = make(map[*Session]*store.LeaseHolder)
		}
		by = new(store.LeaseHolder)
		h.of[s] = by
	}
	return by
}

// take forgets the holder of a session; nil if it has none.
func (h *leaseHolders) take(s *Session) *store.LeaseHolder {
	h.mu.Lock()
	defer h.mu.Unlock()
	by := h.of[s]
	delete(h.of, s)
	return by
}

// TakeLease asks for a lease of d milliseconds on a key for the client. See store.View.Lease.
func (c *Ctx) TakeLease(k store.Key, d int64, hidden bool) (token uint64, busy bool) {
	var waiter *store.Waiter
	if c.Waited() {
		waiter = &c.Session.wait.Load().waiter
	}
	return c.Lease(k, c.Kernel.leases.get(c.Session), d, waiter, hidden)
}

// WaitForLease ends the handler without a reply: the command is to run again when the lease on a key,
// which is busy, has ended, as WaitForKeys.
func (c *Ctx) WaitForLease(k store.Key, d time.Duration, reply func(c *Ctx) error) error {
	return c.waitForKeys([]store.Key{k}, store.Waiter{Lease: true}, d, reply)
}

// sharedReply is what all are answered who have waited for a value.
type sharedReply struct {
	version uint64    // of the value
	encoded [2][]byte // in RESP2 and RESP3; nil: nobody has needed it yet
}

// longestShared is the longest value whose reply is shared: it lies in Go's heap until all have got it.
const longestShared = 256 << 10

// ReplyShared answers with what write writes about a value of so many bytes: what all get who have waited
// for the same lease, and find the value of this version. Values that have no version (0) are not shared.
func (c *Ctx) ReplyShared(version uint64, size int, write func()) {
	w := &c.Session.wait.Load().waiter
	r, _ := c.Shared(w).(*sharedReply)
	if size > longestShared || version == 0 || r == nil && !w.Others() {
		c.Share(w, nil, size)
		write()
		return
	}
	if r == nil || r.version != version {
		r = &sharedReply{version: version}
	}
	in := &r.encoded[c.Session.RESP()-2]
	if *in == nil {
		*in = c.encode(write)
		c.Share(w, r, len(r.encoded[0])+len(r.encoded[1]))
	}
	c.Out.Raw(*in)
}

// encode returns what write writes.
func (c *Ctx) encode(write func()) []byte {
	var b chain.Buffer
	var w protocol.Writer
	out := c.Out
	w.Reset(&b, out.RESP3())
	c.Out = &w
	write()
	c.Out = out
	encoded, _, _ := b.Take()
	return encoded
}

// endLeases ends the leases of a client that has gone.
func (k *Kernel) endLeases(s *Session) {
	if by := k.leases.take(s); by != nil {
		by.End(k.Store)
	}
}
