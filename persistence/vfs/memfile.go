package vfs

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// memFile is an open file of Mem. Its fields are protected by the file system's lock.
type memFile struct {
	fs     *Mem
	node   *node
	name   string
	flag   int
	off    int64
	closed bool
}

// begin takes the file system's lock, which the caller releases in any case, and says whether the
// call may go on. changes is true for calls that Mem.Calls counts.
func (f *memFile) begin(op string, changes bool) error {
	f.fs.mu.Lock()
	var err error
	switch {
	case f.closed:
		err = fs.ErrClosed
	case changes && f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
		err = syscall.EBADF
	case changes:
		err = f.fs.countLocked()
	default:
		err = f.fs.aliveLocked()
	}
	return f.fail(op, err)
}

func (f *memFile) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// Read implements File.
func (f *memFile) Read(p []byte) (int, error) {
	err := f.begin("read", false)
	defer f.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := f.readLocked(p, f.off)
	f.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt implements File.
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	err := f.begin("read", false)
	defer f.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return f.readLocked(p, off)
}

// readLocked returns io.EOF when p is longer than the file from off.
func (f *memFile) readLocked(p []byte, off int64) (int, error) {
	switch {
	case f.node.perm.IsDir():
		return 0, f.fail("read", syscall.EISDIR)
	case f.flag&os.O_WRONLY != 0:
		return 0, f.fail("read", syscall.EBADF)
	case off < 0:
		return 0, f.fail("read", syscall.EINVAL)
	}
	n := copy(p, f.node.data[min(off, int64(len(f.node.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements File.
func (f *memFile) Write(p []byte) (int, error) {
	err := f.begin("write", true)
	defer f.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 && len(p) > 0 { // POSIX: a write of nothing moves nothing
		f.off = int64(len(f.node.data))
	}
	f.node.write(f.off, p)
	f.off += int64(len(p))
	return len(p), nil
}

// Seek implements File.
func (f *memFile) Seek(offset int64, whence int) (int64, error) {
	err := f.begin("seek", false)
	defer f.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, f.fail("seek", syscall.EINVAL)
	}
	f.off = offset
	return offset, nil
}

// Close implements File.
func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return nil
}

// Stat implements File.
func (f *memFile) Stat() (fs.FileInfo, error) {
	err := f.begin("stat", false)
	defer f.fs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return f.node.info(f.name), nil
}

// Truncate implements File.
func (f *memFile) Truncate(size int64) error {
	err := f.begin("truncate", true)
	defer f.fs.mu.Unlock()
	if err == nil && size < 0 {
		err = f.fail("truncate", syscall.EINVAL)
	}
	if err != nil {
		return err
	}
	f.node.truncate(size)
	return nil
}

// Sync implements File.
func (f *memFile) Sync() error {
	err := f.begin("sync", true)
	defer f.fs.mu.Unlock()
	if err != nil {
		return err
	}
	f.node.sync()
	return nil
}

// StartSync implements File; there is nothing to hurry.
func (f *memFile) StartSync(int64, int64) error {
	err := f.begin("sync", false)
	f.fs.mu.Unlock()
	return err
}

// loseUnsynced is a sync that fails: part of what is unsynced reaches the disk, and no later sync
// will write the rest.
func (f *memFile) loseUnsynced() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.synced = f.node.remains(f.fs.rng)
	f.node.pending = nil
}

// write changes the bytes from off, which may lie beyond the end.
func (n *node) write(off int64, p []byte) {
	if len(p) == 0 {
		return // and the file does not grow, as POSIX has it
	}
	w := write{off: off, data: append([]byte{}, p...)}
	n.data = w.apply(n.data)
	n.pending = append(n.pending, w)
}

func (n *node) truncate(size int64) {
	w := write{off: size}
	n.data = w.apply(n.data)
	n.pending = append(n.pending, w)
}

func (n *node) sync() {
	for _, w := range n.pending {
		n.synced = w.apply(n.synced)
	}
	n.pending = nil
}

// apply does the write to a file's bytes, which it changes, and returns them.
func (w write) apply(b []byte) []byte {
	end := w.off + int64(len(w.data))
	if w.data == nil {
		b = b[:min(w.off, int64(len(b)))]
	}
	if grow := end - int64(len(b)); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[w.off:], w.data)
	return b
}
