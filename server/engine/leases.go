// Leases of clients (store/leases.go): who holds some, and who waits for the end of one.
//
// A client that waits is a request that waits, as for BLPOP. But those who wait for one value may be
// thousands, and each of them is served by the same change: so they are not resumed before the loop
// goes on, one behind the other, but by notices, some at a time.

package engine

import (
	"sync"
	"time"

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

// endLeases ends the leases of a client that has gone.
func (k *Kernel) endLeases(s *Session) {
	if by := k.leases.take(s); by != nil {
		by.End(k.Store)
	}
}
