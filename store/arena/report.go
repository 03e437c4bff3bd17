package arena

import "context"

// ClassStats count the blocks of one size, in all arenas that were added to it.
type ClassStats struct {
	Size  int   // bytes of a slot
	Span  int   // bytes of a span
	Spans int64 // spans of this size
	Slots int64 // in these spans
	Live  int64 // slots in use
}

// Report says how memory is laid out, size class by size class.
type Report struct {
	Classes   []ClassStats // by size
	Large     int64        // blocks above the largest class
	LargeUsed int64        // bytes of them that are in use
	Free      int64        // bytes of free spans that are resident
	Returned  int64        // bytes of free spans that the system has back
	Pending   int64        // bytes of freed large blocks that are resident still
}

// Report begins a report with what the heap itself knows. It takes the heap's lock.
func (h *Heap) Report() *Report {
	r := &Report{Classes: make([]ClassStats, len(sizeClasses.class))}
	for i, c := range sizeClasses.class {
		r.Classes[i] = ClassStats{Size: int(c.size), Span: 1 << spanShift[c.kind]}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind := range h.dirty {
		r.Free += int64(len(h.dirty[kind])) << spanShift[kind]
		r.Returned += int64(len(h.clean[kind])) << spanShift[kind]
	}
	for _, s := range h.pending {
		r.Pending += s.used
	}
	return r
}

// AddTo adds the arena's blocks to a report. The shard's lock is held.
func (a *Arena) AddTo(r *Report) {
	for c := range a.spans {
		l, sum := &a.spans[c], &r.Classes[c]
		sum.Spans += int64(len(l.all))
		sum.Slots += int64(len(l.all)) * int64(sizeClasses.class[c].slots)
		sum.Live += int64(l.live)
	}
	a.h.mu.Lock()
	defer a.h.mu.Unlock()
	r.Large += int64(len(a.large))
	for _, page := range a.large {
		r.LargeUsed += int64(a.desc[page].prev) << 12
	}
}

// Purge gives the memory that is free now back to the system, without the reserve
// that Scavenge keeps. It locks the heap for a moment at a time and no shard, works
// off a gigabyte in some tens of milliseconds, and stops early when ctx ends.
func (h *Heap) Purge(ctx context.Context) error {
	h.mu.Lock()
	var slices int
	for _, s := range h.pending {
		slices += int(s.used/releaseSlice) + 1
	}
	var spans [kinds]int
	for kind := range spans {
		spans[kind] = len(h.dirty[kind])
	}
	h.mu.Unlock()
	for ; slices > 0 && ctx.Err() == nil; slices-- {
		switch done, _, err := h.scavengeLarge(); {
		case err != nil:
			return err
		case !done:
			slices = 0
		}
	}
	for kind, n := range spans {
		for ; n > 0 && ctx.Err() == nil; n -= releaseBatch {
			if err := h.release(uint8(kind), n); err != nil {
				return err
			}
		}
	}
	return nil
}
