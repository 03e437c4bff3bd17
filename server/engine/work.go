package engine

import (
	"context"
	"sync"
)

// work is what commands do outside of any event loop and after their handlers:
// goroutines that may take shard locks. It ends before the store does.
type work struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // protects closed, and jobs from starting after Close waits
	closed bool
	jobs   sync.WaitGroup
}

// Go runs f in a goroutine and reports whether it does: not after Close. When ctx
// ends f has to return soon, whatever it waits for.
func (k *Kernel) Go(f func(ctx context.Context)) bool {
	w := &k.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.jobs.Go(func() { f(w.ctx) })
	return true
}

// Close ends what Go has started and waits for it. No handler runs any more.
func (k *Kernel) Close() {
	w := &k.work
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.jobs.Wait()
}
