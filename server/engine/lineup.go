package engine

import "sync"

// lineup is a queue of clients that wait for the same moment. Ten thousand clients that are resumed
// at once would keep all others waiting until the last of them has been served. So only letGo are:
// each that has been served, or has closed, lets the next one go. Others come in between.
type lineup struct {
	shut func() bool // that moment has not come; safe from any goroutine

	mu       sync.Mutex // protects what follows
	first    *wait      // of those who have not been let go, in order of arrival
	last     *wait
	resuming int // how many have been let go and not been served
}

// letGo is how many clients are being resumed at any time.
const letGo = 64

// inLine is what a wait is in a lineup. It is protected by the lineup's mu, but for line.
type inLine struct {
	line       *lineup // the client's loop only; nil: it is in none
	prev, next *wait
	queued     bool // else it has been let go
}

// join has a wait looked at again when the moment has come, which may be now. A wait that is in a
// lineup stays there.
func (q *lineup) join(w *wait) {
	if w.in.line != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w.in = inLine{line: q, queued: true, prev: q.last}
	if q.last != nil {
		q.last.in.next = w
	} else {
		q.first = w
	}
	q.last = w
	q.letGoLocked()
}

// leaveLine is for a wait that is looked at again, or over.
func (w *wait) leaveLine() {
	q := w.in.line
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.in.queued {
		q.removeLocked(w)
	} else {
		q.resuming--
	}
	w.in = inLine{}
	q.letGoLocked()
}

// open is called when the moment has come.
func (q *lineup) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.letGoLocked()
}

// letGoLocked resumes as many as may be resumed at a time. The caller holds mu.
func (q *lineup) letGoLocked() {
	for q.first != nil && q.resuming < letGo && !q.shut() {
		w := q.first
		q.removeLocked(w)
		q.resuming++
		if w.reason == ForKey {
			w.Ready()
		} else {
			w.end(done)
		}
	}
}

// removeLocked takes a wait out of the queue. The caller holds mu.
func (q *lineup) removeLocked(w *wait) {
	in := &w.in
	if in.prev != nil {
		in.prev.in.next = in.next
	} else {
		q.first = in.next
	}
	if in.next != nil {
		in.next.in.prev = in.prev
	} else {
		q.last = in.prev
	}
	in.prev, in.next, in.queued = nil, nil, false
}
