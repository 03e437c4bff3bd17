package netloop

import (
	"sync"

	"golang.org/x/sys/unix"
)

// mailbox carries functions to a loop's goroutine. The eventfd is written when the first one is put into an empty box,
// so a busy loop is woken once per round at most.
type mailbox struct {
	wake    int // eventfd, in the loop's epoll set
	mu      sync.Mutex
	letters []func() // under mu
	closed  bool     // under mu
	read    []func() // the loop's: the slice of the last round, to swap with
}

// post reports false if the loop has ended, and f will not run.
func (m *mailbox) post(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.letters = append(m.letters, f)
	if len(m.letters) == 1 {
		ring(m.wake)
	}
	return true
}

// deliver runs the functions that are there now.
func (m *mailbox) deliver() {
	m.mu.Lock()
	letters := m.letters
	m.letters = m.read[:0]
	if len(letters) > 0 {
		silence(m.wake)
	}
	m.mu.Unlock()
	for i, f := range letters {
		f()
		letters[i] = nil
	}
	m.read = letters
}

// close refuses further letters, then runs the last ones.
func (m *mailbox) close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.deliver()
	return unix.Close(m.wake)
}
