package limit

import "encoding/binary"

// Sliding windows: at most limit hits within any stretch of time as long as the window.
//
// A log of all hits decides exactly, and takes memory without bound; that is the sorted set with
// ZREMRANGEBYSCORE. Two counters with a weighted sum (Cloudflare's approximation) take two numbers,
// and are wrong in both directions when hits are not spread evenly, by up to a whole limit. Here the
// hits are a log of at most Entries entries, a time and how many hits it had. Hits of the same
// millisecond share an entry from the start. When the log is full, neighbours within the same
// parcel of time, a 62nd of the window, are merged into the later one. So:
//
//   - it is exact as long as the hits within the window came in Entries different milliseconds or
//     less, which is always so for limits up to Entries;
//   - beyond that a hit counts for up to a 62nd of the window too long, and never too short: more
//     than the limit never pass within any window, and who is refused would have been refused by the
//     exact log of a window that is longer by a 62nd;
//   - a parcel has at most one entry after merging, and a window touches at most 63 parcels, so there
//     is room for the next entry. Parcels are aligned to the clock, so that an entry that is merged
//     again and again stays in its parcel, and the error does not add up.
//
// What it takes is Append's form: a few bytes for an entry. A window of an hour with a limit of a
// thousand takes at most some 270 bytes.

const (
	// Entries is the number of entries of a window, and the limit up to which it is always exact.
	Entries = 64

	// parcels is into how many parts a window is divided to merge entries: a window that is not
	// aligned to them touches one more, and one entry must be left for the next hit.
	parcels = Entries - 2

	// MaxWindow bounds windows, and the times of entries, in milliseconds: sums of two do not overflow.
	MaxWindow = 1 << 61
	maxTime   = 1 << 62

	// MaxState bounds the bytes of the state of any window.
	MaxState = len(mark) + Entries*2*binary.MaxVarintLen64
)

// mark begins every state, so that a string of something else is not taken for one.
const mark = "w\x01"

// Window is the hits of one key. The zero value has none.
type Window struct {
	n       int
	entries [Entries]entry
}

type entry struct {
	at    int64 // unix ms, ascending
	count int64 // hits, at least 1
}

// Parse reads what Append has written. It reports false for anything else.
func (w *Window) Parse(state []byte) bool {
	w.n = 0
	if len(state) <= len(mark) || string(state[:len(mark)]) != mark {
		return false
	}
	state = state[len(mark):]
	var at, sum uint64
	for len(state) > 0 {
		delta, n := binary.Uvarint(state)
		if n <= 0 || delta == 0 || delta > maxTime-at {
			return false
		}
		count, m := binary.Uvarint(state[n:])
		if m <= 0 || count == 0 || count > lastTime-sum || w.n == Entries {
			return false
		}
		at, sum = at+delta, sum+count
		w.entries[w.n] = entry{int64(at), int64(count)}
		w.n++
		state = state[n+m:]
	}
	return true
}

// Append appends the state: the mark, and for each entry two numbers, how many milliseconds it is
// later than the one before, and its hits.
func (w *Window) Append(b []byte) []byte {
	b = append(b, mark...)
	before := int64(0)
	for _, e := range w.entries[:w.n] {
		b = binary.AppendUvarint(b, uint64(e.at-before))
		b = binary.AppendUvarint(b, uint64(e.count))
		before = e.at
	}
	return b
}

// Take lets quantity hits pass at the time now, or none of them, if no more than limit, 1 <= limit,
// pass within the window, in milliseconds, 1 <= window <= MaxWindow. With a quantity of 0 it tells how
// things stand. What is older than the window is forgotten. Times are in milliseconds, 0 < now <=
// MaxWindow.
//
// Hits of a time that is still to come, since the clock was set back or is another machine's, count
// like all others.
func (w *Window) Take(limit, window, now, quantity int64) Verdict {
	w.forget(now - window)
	total := w.total()
	v := Verdict{Limit: limit, RetryAfter: -1}
	switch {
	case quantity > limit-total:
		v.Limited = true
		if quantity <= limit {
			v.RetryAfter = w.leaves(total-(limit-quantity)) + window - now
		}
	case quantity > 0:
		w.add(window, now, quantity)
		total += quantity
	}
	v.Remaining = max(0, limit-total)
	v.ResetAfter = max(0, w.Last()+window-now)
	return v
}

// Last is the time of the last hit, in unix milliseconds.
func (w *Window) Last() int64 {
	if w.n == 0 {
		return 0
	}
	return w.entries[w.n-1].at
}

// forget drops the entries up to a time.
func (w *Window) forget(until int64) {
	old := 0
	for old < w.n && w.entries[old].at <= until {
		old++
	}
	if old > 0 {
		w.n = copy(w.entries[:], w.entries[old:w.n])
	}
}

func (w *Window) total() (sum int64) {
	for _, e := range w.entries[:w.n] {
		sum += e.count
	}
	return sum
}

// leaves is the time of the entry with which the first so many hits will have left the window. There
// are as many.
func (w *Window) leaves(hits int64) int64 {
	i := 0
	for hits -= w.entries[0].count; hits > 0; hits -= w.entries[i].count {
		i++
	}
	return w.entries[i].at
}

func (w *Window) add(window, now, quantity int64) {
	now = max(now, w.Last())
	if w.n > 0 && w.Last() == now {
		w.entries[w.n-1].count += quantity
		return
	}
	// The first round makes room, but for entries of a time to come, and of a window that was longer.
	for parcel := (window + parcels - 1) / parcels; w.n == Entries; parcel *= 2 {
		w.merge(parcel)
	}
	w.entries[w.n] = entry{now, quantity}
	w.n++
}

// merge leaves one entry in each parcel of so many milliseconds: the last, with the hits of all.
func (w *Window) merge(parcel int64) {
	kept := 0
	for _, e := range w.entries[1:w.n] {
		last := &w.entries[kept]
		if e.at/parcel == last.at/parcel {
			last.at, last.count = e.at, last.count+e.count
			continue
		}
		kept++
		w.entries[kept] = e
	}
	w.n = kept + 1
}
