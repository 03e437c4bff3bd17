// Package journal is the one place to which the effects of commands go, in the order in which they
// happened: as commands, in the form that the append-only log and a replica read.
//
// # Offsets
//
// Effects are bytes in a row, counted from the server's start. The end of an effect is its offset:
// what has read the journal up to there has all that happened until then. An offset is the position
// of the log and of a replica at once, so nothing that belongs to one reader alone is among the
// bytes: annotations of time, which only the log's files have, are Marks beside them.
//
// # Readers
//
// A Reader gets all effects from the moment on at which it was attached (the log: when it starts),
// and takes them whenever it likes. With nobody attached an effect costs its writer one atomic load
// (On), and has no offset.
//
// # Order
//
// The caller holds the shard locks of what it changed. Two changes of one key hold the same lock,
// one after the other, so that for every key the order here is the order of the changes; and who
// holds all shard locks stands between two effects. The journal's own lock comes last of all locks
// (but for statistics) and is held while some bytes are copied, never during I/O.
//
// # Memory
//
// An effect is copied once, from the client's input. A reader takes the buffer itself and leaves
// its last one in its place. With several readers the buffer stays until the slowest has taken it;
// one of which they have taken parts is left to the collector, since nobody knows when all are
// done. What bounds the buffer is the readers' to see to: a log that cannot be written makes the
// engine refuse writes.
package journal

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Journal collects effects for its readers. Safe for concurrent use.
type Journal struct {
	clock  func() time.Time
	on     atomic.Bool // there is a reader; changed under mu
	stamps atomic.Bool

	mu      sync.Mutex // protects what follows
	readers []*Reader
	buf     []byte // the effects from start on
	shared  bool   // a reader has taken a part of buf and another one is still to do so
	start   int64
	marks   []Mark // within buf, ascending
	db      int    // that the next command would be executed in; -1: unknown
	second  int64  // of the last mark
}

// Mark says that the effects from an offset on happened in this second of Unix time or later.
type Mark struct{ Offset, Second int64 }

// New returns a journal without readers.
func New(clock func() time.Time) *Journal { return &Journal{clock: clock, db: -1} }

// On reports whether anybody reads: if not, nobody need prepare effects. One atomic load.
func (j *Journal) On() bool { return j.on.Load() }

// SetMarks turns marks of time on or off.
func (j *Journal) SetMarks(on bool) { j.stamps.Store(on) }

func (j *Journal) endLocked() int64 { return j.start + int64(len(j.buf)) }

// Append appends one command and returns its offset, 0 if nobody reads. The arguments are copied.
func (j *Journal) Append(db int, args ...[]byte) (offset int64) { return j.AppendWire(db, nil, args) }

// AppendWire is Append for a command that may be at hand in the journal's own form: wire is the
// request that args were parsed from.
func (j *Journal) AppendWire(db int, wire []byte, args [][]byte) (offset int64) {
	asItCame := isCommand(wire, args)
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.on.Load() {
		return 0
	}
	j.beginLocked(db)
	if asItCame {
		j.buf = append(j.buf, wire...)
	} else {
		j.buf = AppendCommand(j.buf, args...)
	}
	j.tellLocked()
	return j.endLocked()
}

// AppendOwn is Append for a command that only larder knows.
func (j *Journal) AppendOwn(db int, args ...[]byte) (offset int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.on.Load() {
		return 0
	}
	j.beginLocked(db)
	j.buf = AppendOwn(j.buf, args...)
	j.tellLocked()
	return j.endLocked()
}

// AppendEffects appends commands that are executed all or none: in MULTI and EXEC if they are
// several.
func (j *Journal) AppendEffects(e *Effects) (offset int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(e.ends) == 0 || !j.on.Load() {
		return 0
	}
	j.beginLocked(e.ends[0].db)
	if len(e.ends) == 1 {
		j.buf = append(j.buf, e.buf...)
	} else {
		j.appendTransactionLocked(e)
	}
	j.tellLocked()
	return j.endLocked()
}

func (j *Journal) appendTransactionLocked(e *Effects) {
	j.buf = append(j.buf, multi...)
	from := 0
	for _, c := range e.ends {
		j.selectLocked(c.db)
		j.buf = append(j.buf, e.buf[from:c.end]...)
		from = c.end
	}
	j.buf = append(j.buf, exec...)
}

// beginLocked appends what a command of this database needs before it.
func (j *Journal) beginLocked(db int) {
	if j.stamps.Load() {
		if now := j.clock().Unix(); now > j.second {
			j.second = now
			j.marks = append(j.marks, Mark{j.endLocked(), now})
		}
	}
	j.selectLocked(db)
}

func (j *Journal) selectLocked(db int) {
	if db != j.db {
		j.db = db
		j.buf = AppendSelect(j.buf, db)
	}
}

// tellLocked lets the readers know that there is something to take.
func (j *Journal) tellLocked() {
	for _, r := range j.readers {
		if !r.pending.Load() {
			r.pending.Store(true)
		}
	}
}

// Reader takes the effects in their order. Its methods are for one goroutine at a time, but for
// Pending.
type Reader struct {
	j       *Journal
	pos     int64       // what is taken; under j.mu
	pending atomic.Bool // there may be more; changed under j.mu
}

// NewReader returns a reader that is not attached.
func (j *Journal) NewReader() *Reader { return &Reader{j: j} }

// Attach has the reader get what is appended from now on.
func (r *Reader) Attach() {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	r.pos = j.endLocked()
	j.readers = append(j.readers, r)
	j.db, j.second = -1, 0
	j.on.Store(true)
}

// Detach ends that. What the reader has not taken is lost to it.
func (r *Reader) Detach() {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	r.pos = j.endLocked()
	r.pending.Store(false)
	j.readers = slices.DeleteFunc(j.readers, func(x *Reader) bool { return x == r })
	if len(j.readers) == 0 {
		j.on.Store(false)
	}
	j.dropLocked(nil)
}

// Pending reports whether there may be something to take. One atomic load.
func (r *Reader) Pending() bool { return r.pending.Load() }

// End is the offset of the last effect.
func (r *Reader) End() int64 {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return r.j.endLocked()
}

// Buffered is how many bytes there are to take by an attached reader.
func (r *Reader) Buffered() int64 {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return r.j.endLocked() - r.pos
}

// Settle returns the offset up to which all is taken, and whether there is nothing more: then
// nothing is pending any more.
func (r *Reader) Settle() (taken int64, empty bool) {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	if r.pos < r.j.endLocked() {
		return r.pos, false
	}
	r.pending.Store(false)
	return r.pos, true
}

// Cut returns the offset at which everything so far ends, for a reader that goes on elsewhere with
// what follows: that begins by selecting its database. The cut counts as something to take.
func (r *Reader) Cut() int64 {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	j.db = -1
	r.pending.Store(true)
	return j.endLocked()
}

// Batch is what a reader takes: bytes up to an offset, which it must not change nor append to.
type Batch struct {
	Bytes []byte
	Marks []Mark // within the bytes
	End   int64
	Own   bool // nobody else has them: the buffer may be used again
}

// Start is the offset of the batch's first byte.
func (b *Batch) Start() int64 { return b.End - int64(len(b.Bytes)) }

// Take takes all that there is. The journal may go on in spare, nil or the buffer of a batch that
// was the reader's own, which is its no more.
func (r *Reader) Take(spare []byte) Batch {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	b := Batch{Bytes: j.buf[r.pos-j.start:], End: j.endLocked()}
	if len(j.marks) > 0 {
		first, _ := slices.BinarySearchFunc(j.marks, r.pos, func(m Mark, at int64) int { return int(m.Offset - at) })
		b.Marks = j.marks[first:]
	}
	r.pos = b.End
	shared := j.shared
	b.Own = j.dropLocked(spare) && !shared
	return b
}

// dropLocked begins a new buffer, in spare, if every reader has taken all of this one.
func (j *Journal) dropLocked(spare []byte) bool {
	for _, r := range j.readers {
		if r.pos < j.endLocked() {
			j.shared = true
			return false
		}
	}
	j.start, j.buf, j.marks, j.shared = j.endLocked(), spare[:0], nil, false
	return true
}
