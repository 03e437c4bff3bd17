package rdb

import (
	"io"
	"sync/atomic"
)

// Chunks go from the goroutine that encodes to the one that computes the
// checksum and writes, and come back empty.
const (
	chunkSize = 256 << 10
	chunks    = 4
)

// writer is the second half of an Encoder: a goroutine that takes full chunks.
type writer struct {
	w        io.Writer
	checksum bool
	sync     func(off, n int64) error
	every    int64

	full, empty chan []byte
	done        chan struct{} // closed when the goroutine has returned

	// What follows is the goroutine's until done is closed.
	crc     uint64
	written int64
	synced  int64

	failure atomic.Pointer[error]
}

func newWriter(w io.Writer, o Options) *writer {
	wr := &writer{
		w: w, checksum: o.Checksum, sync: o.Sync, every: o.SyncEvery,
		full: make(chan []byte, chunks), empty: make(chan []byte, chunks), done: make(chan struct{}),
	}
	for range chunks - 1 {
		wr.empty <- make([]byte, 0, chunkSize)
	}
	go wr.run()
	return wr
}

// exchange hands a chunk over and returns an empty one.
func (w *writer) exchange(chunk []byte) (empty []byte) {
	w.full <- chunk
	return <-w.empty
}

// err is the first failure, nil as long as there is none.
func (w *writer) err() error {
	if p := w.failure.Load(); p != nil {
		return *p
	}
	return nil
}

func (w *writer) run() {
	defer close(w.done)
	for chunk := range w.full {
		if w.failure.Load() == nil {
			if err := w.write(chunk); err != nil {
				w.failure.Store(&err)
			}
		}
		w.empty <- chunk[:0]
	}
}

func (w *writer) write(chunk []byte) error {
	if w.checksum {
		w.crc = updateCRC(w.crc, chunk)
	}
	n, err := w.w.Write(chunk)
	w.written += int64(n)
	if err != nil {
		return err
	}
	if n < len(chunk) {
		return io.ErrShortWrite
	}
	if w.sync != nil && w.written-w.synced >= w.every {
		from := w.synced
		w.synced = w.written
		return w.sync(from, w.written-from)
	}
	return nil
}

// finish ends the goroutine and waits for it.
func (w *writer) finish() {
	close(w.full)
	<-w.done
}
