package netloop

import (
	"sync"

	"golang.org/x/sys/unix"
)

// notice is a set of things that other goroutines want of a connection of an event loop.
type notice uint8

const (
	noticeNew    notice = 1 << iota // the loop is to take it over
	noticePush                      // conn.pushed is to be sent
	noticeResume                    // Conn.Resume
	noticeKill                      // conn.killed says why
)

// notices is how other goroutines reach a loop: the queue of connections that something is wanted
// of. It is bounded by what it can hold. A connection stands in it once at most, with a set of
// notices; a queue of functions, which it was, would grow for as long as one slow command keeps the
// loop from running them. The bytes that are pushed are the only thing of any size, and Conn.Push
// bounds them.
//
// The eventfd is written when something is put into an empty queue, so a busy loop is woken once
// per round at most.
type notices struct {
	wake    int // eventfd, in the loop's epoll set
	mu      sync.Mutex
	rung    bool    // under mu: wake is readable
	waiting []*conn // under mu: those with a notice that the loop has not seen yet
	drain   bool    // under mu: loop.drain is to be called
	stop    bool    // under mu: loop.stop is to be called
	closed  bool    // under mu: the loop has ended
	seen    []*conn // the loop's: the slice of the last round, to swap with
}

// post leaves a notice, for noticePush with the bytes to be sent, which it copies. It reports false
// if the loop has ended and will not see it.
func (n *notices) post(c *conn, what notice, pushed []byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	if c.notices == 0 {
		n.waiting = append(n.waiting, c)
		n.ringLocked()
	}
	c.notices |= what
	if len(pushed) > 0 {
		c.pushed = append(c.pushed, pushed...)
		c.sizes.pushed.Store(int64(len(c.pushed)))
	}
	return true
}

// order asks the loop itself to drain, or else to stop.
func (n *notices) order(drain bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.drain = n.drain || drain
	n.stop = n.stop || !drain
	n.ringLocked()
}

func (n *notices) ringLocked() {
	if !n.rung {
		n.rung = true
		ring(n.wake)
	}
}

// take empties the queue. The result is valid until the next call.
func (n *notices) take() (waiting []*conn, drain, stop bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rung {
		n.rung = false
		silence(n.wake)
	}
	waiting, n.waiting = n.waiting, n.seen[:0]
	n.seen = waiting
	drain, stop = n.drain, n.stop
	n.drain, n.stop = false, false
	return waiting, drain, stop
}

// of takes the notices of a connection that take has returned.
func (n *notices) of(c *conn) (what notice, pushed []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	what, pushed = c.notices, c.pushed
	c.notices, c.pushed = 0, nil
	c.sizes.pushed.Store(0)
	return what, pushed
}

// appendPushed takes what has been pushed to a connection before the loop comes to its notices, where
// it stays.
func (n *notices) appendPushed(c *conn, b []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	b = append(b, c.pushed...)
	c.pushed = nil
	c.sizes.pushed.Store(0)
	return b
}

// close refuses further notices. Those that are there can still be taken.
func (n *notices) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}

// closeWake closes the eventfd, after the last take.
func (n *notices) closeWake() error { return unix.Close(n.wake) }
