package netloop

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// notice is a set of things that other goroutines want of a connection of an event loop.
type notice uint8

const (
	noticeNew    notice = 1 << iota // the loop is to take it over
	noticeResume                    // Conn.Resume
	noticeKill                      // conn.killed says why
	noticeBack                      // the batch of conn.away has been executed
	noticeMoved                     // another loop has given it to this one

	noticeComing = noticeNew | noticeMoved // the loop has not got it yet
)

// notices is how everybody reaches a loop: the connections that something is wanted of, and those
// that have been pushed something. Both lists are bounded by the connections there are, each of
// which stands in a list once at most, with a set of notices or a queue of messages; a queue of
// functions, which it was, would grow for as long as one slow command keeps the loop from running
// them. The messages are the only thing of any size, and Conn.Push bounds them.
//
// The eventfd is written only if the loop sleeps or is about to: a loop that has something to do
// looks here in each round (pending), which costs a load. That spares a push of one client of the
// loop to another one three system calls.
type notices struct {
	wake     int         // eventfd, in the loop's epoll set
	pending  atomic.Bool // there is something to take; set under mu
	killing  atomic.Bool // a notice is a kill; set under mu
	sleeping atomic.Bool // the loop waits, or is about to, and wants the eventfd written

	mu      sync.Mutex
	rung    bool     // under mu: wake is readable
	waiting []*conn  // under mu: those with a notice that the loop has not seen yet
	pushes  []*conn  // under mu: those with conn.pushing whom the loop does not know of yet
	hurry   bool     // under mu: one of them has much in its queue
	free    *message // under mu: entries of queues for reuse
	spare   int      // under mu: how many
	orders  orders   // under mu: what the loop itself is to do
	closed  bool     // under mu: the loop has ended
	seen    []*conn  // the loop's: the slice of the last round, to swap with
}

// orders is what a loop is to do with all of its connections: loop.drain, loop.stop, or loop.spread.
type orders struct{ drain, stop, spread bool }

// post leaves a notice. It reports false if the loop has ended and will not see it.
func (c *conn) post(what notice) bool {
	n := c.lockNotices()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	if c.notices == 0 {
		n.waiting = append(n.waiting, c)
		n.announceLocked()
	}
	c.notices |= what
	if what&noticeKill != 0 {
		n.killing.Store(true)
	}
	return true
}

// order asks the loop itself for something.
func (n *notices) order(what orders) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.orders.drain = n.orders.drain || what.drain
	n.orders.stop = n.orders.stop || what.stop
	n.orders.spread = n.orders.spread || what.spread
	n.announceLocked()
}

// announceLocked makes sure that the loop looks here before it sleeps, or wakes up.
func (n *notices) announceLocked() {
	if !n.pending.Load() {
		n.pending.Store(true)
	}
	if !n.rung && n.sleeping.Load() {
		n.rung = true
		ring(n.wake)
	}
}

// sleep announces that the loop is about to wait. It reports false, and the loop may not, if there
// is something to take.
func (n *notices) sleep() bool {
	n.sleeping.Store(true)
	if n.pending.Load() {
		n.sleeping.Store(false)
		return false
	}
	return true
}

// take empties the queue of notices. The result is valid until the next call.
func (n *notices) take() (waiting []*conn, what orders) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rung {
		n.rung = false
		silence(n.wake)
	}
	n.pending.Store(len(n.pushes) > 0)
	n.killing.Store(false)
	waiting, n.waiting = n.waiting, n.seen[:0]
	n.seen = waiting
	what, n.orders = n.orders, orders{}
	return waiting, what
}

// killed returns the connections that are to be closed. Their notices stay.
func (n *notices) killed() (conns []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.killing.Store(false)
	for _, c := range n.waiting {
		if c.notices&noticeKill != 0 && c.notices&noticeComing == 0 {
			conns = append(conns, c)
		}
	}
	return conns
}

// of takes the notices of a connection that take has returned.
func (n *notices) of(c *conn) (what notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	what, c.notices = c.notices, 0
	return what
}

// close refuses further notices. Those that are there can still be taken.
func (n *notices) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}

// closeWake closes the eventfd, after the last take.
func (n *notices) closeWake() error { return unix.Close(n.wake) }
