package engine

import (
	"math"
	"sync"
	"time"
)

// timeouts ends waits whose time has come: a heap of them by their deadline, and one timer for all.
// A timer for each would take as much memory as the rest of a client that waits. The timer is not
// taken back when the first wait ends otherwise: it fires in vain, once, and a client that waits
// again and again for seconds costs the runtime nothing.
type timeouts struct {
	base time.Time // deadlines count from here, by the monotonic clock

	mu    sync.Mutex // protects what follows; no lock is taken under it
	heap  []*wait    // heap[0] ends first; wait.slot is a wait's index plus one
	timer *time.Timer
	next  time.Duration // when the timer fires; never is not at all
}

const never = time.Duration(math.MaxInt64)

// add has w end after d, unless it ends before.
func (t *timeouts) add(w *wait, d time.Duration) {
	now := time.Since(t.base)
	w.deadline = now + min(d, never-1-now)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heap = append(t.heap, w)
	t.up(len(t.heap) - 1)
	t.armLocked(now)
}

// remove forgets w.
func (t *timeouts) remove(w *wait) {
	if w.deadline == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.slot > 0 {
		t.removeLocked(w)
	}
}

func (t *timeouts) removeLocked(w *wait) {
	i, last := int(w.slot)-1, len(t.heap)-1
	w.slot = 0
	moved := t.heap[last]
	t.heap[last] = nil
	if t.heap = t.heap[:last]; i < last {
		t.heap[i] = moved
		t.down(i)
		t.up(int(moved.slot) - 1)
	}
}

// len is the number of waits with a time limit.
func (t *timeouts) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.heap)
}

// past reports whether the time of w has come.
func (t *timeouts) past(w *wait) bool { return w.deadline != 0 && time.Since(t.base) >= w.deadline }

// armLocked sets the timer to the first deadline, if it would fire later.
func (t *timeouts) armLocked(now time.Duration) {
	if len(t.heap) == 0 || t.heap[0].deadline >= t.next {
		return
	}
	t.next = t.heap[0].deadline
	if t.timer == nil {
		t.timer = time.AfterFunc(t.next-now, t.fire)
	} else {
		t.timer.Reset(t.next - now)
	}
}

// fire ends what is due.
func (t *timeouts) fire() {
	now := time.Since(t.base)
	var due []*wait
	t.mu.Lock()
	for len(t.heap) > 0 && t.heap[0].deadline <= now {
		due = append(due, t.heap[0])
		t.removeLocked(t.heap[0])
	}
	t.next = never
	t.armLocked(now)
	t.mu.Unlock()
	for _, w := range due {
		w.end(timedOut)
	}
}

// up and down move the wait at an index to where it belongs.
func (t *timeouts) up(i int) {
	w := t.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if t.heap[parent].deadline <= w.deadline {
			break
		}
		t.set(i, t.heap[parent])
		i = parent
	}
	t.set(i, w)
}

func (t *timeouts) down(i int) {
	w := t.heap[i]
	for {
		child := 2*i + 1
		if child+1 < len(t.heap) && t.heap[child+1].deadline < t.heap[child].deadline {
			child++
		}
		if child >= len(t.heap) || w.deadline <= t.heap[child].deadline {
			break
		}
		t.set(i, t.heap[child])
		i = child
	}
	t.set(i, w)
}

func (t *timeouts) set(i int, w *wait) {
	t.heap[i] = w
	w.slot = int32(i) + 1
}
