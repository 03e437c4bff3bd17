package vfs

import (
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// Op is a kind of call that Faulty can let fail.
type Op uint8

const (
	OpCreate Op = iota // an OpenFile for writing
	OpWrite
	OpSync
	OpTruncate
	OpRename
	OpRemove
	OpMkdir
	OpSyncDir
	opCount
)

// Forever is a number of calls that no test makes.
const Forever = int64(1) << 62

// Faulty passes calls on to another file system, but for those that it lets fail. Without a plan it
// changes nothing.
type Faulty struct {
	FS
	mu       sync.Mutex
	plans    [opCount]plan
	space    int64 // bytes that still fit; -1: no limit
	readOnly error
}

// plan says which calls of one kind fail: skip more succeed, then times fail.
type plan struct {
	skip, times int64
	err         error
	short       int // a write's bytes that are written all the same
}

// NewFaulty wraps a file system.
func NewFaulty(base FS) *Faulty { return &Faulty{FS: base, space: -1} }

// Fail lets calls of one kind fail with err and without effect: after skip more that succeed the
// next times of them. A failed sync of a file in Mem loses data as Mem's model says. It replaces
// what was planned for that kind.
func (f *Faulty) Fail(op Op, skip, times int64, err error) {
	f.plan(op, plan{skip: skip, times: times, err: err})
}

// FailShort lets writes fail as Fail does after they have written n bytes, or all but the last byte
// of fewer.
func (f *Faulty) FailShort(skip, times int64, n int, err error) {
	f.plan(OpWrite, plan{skip: skip, times: times, err: err, short: n})
}

func (f *Faulty) plan(op Op, p plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plans[op] = p
}

// SetSpace lets writes fail with ENOSPC once n more bytes are written, what still fits being
// written; truncations give nothing back. n < 0 lifts the limit.
func (f *Faulty) SetSpace(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space = n
}

// SetReadOnly lets every change of files and folders fail with err (EROFS or EACCES); nil ends
// that. Files that are open for writing stay so under EACCES, as a folder's permissions say nothing
// about them, and fail under others.
func (f *Faulty) SetReadOnly(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readOnly = err
}

// Heal ends all faults.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plans, f.space, f.readOnly = [opCount]plan{}, -1, nil
}

// verdict is the planned error for this call, or nil, and how many bytes a failing write writes.
func (f *Faulty) verdict(op Op) (short int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	onFile := op == OpWrite || op == OpTruncate
	if f.readOnly != nil && op != OpSync && op != OpSyncDir && !(onFile && f.readOnly == syscall.EACCES) {
		return 0, f.readOnly
	}
	p := &f.plans[op]
	switch {
	case p.skip > 0:
		p.skip--
	case p.times > 0:
		p.times--
		return p.short, p.err
	}
	return 0, nil
}

// OpenFile implements FS.
func (f *Faulty) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_RDWR) != 0 {
		if _, err := f.verdict(OpCreate); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, fs: f, name: name}, nil
}

// Rename implements FS.
func (f *Faulty) Rename(from, to string) error {
	if _, err := f.verdict(OpRename); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return f.FS.Rename(from, to)
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	if _, err := f.verdict(OpRemove); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return f.FS.Remove(name)
}

// Mkdir implements FS.
func (f *Faulty) Mkdir(name string, perm fs.FileMode) error {
	if _, err := f.verdict(OpMkdir); err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return f.FS.Mkdir(name, perm)
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(name string) error {
	if _, err := f.verdict(OpSyncDir); err != nil {
		return &fs.PathError{Op: "sync", Path: name, Err: err}
	}
	return f.FS.SyncDir(name)
}

type faultyFile struct {
	File
	fs   *Faulty
	name string
}

// Write implements File.
func (f *faultyFile) Write(p []byte) (int, error) {
	short, err := f.fs.verdict(OpWrite)
	if err != nil {
		short = min(short, max(len(p)-1, 0))
	} else {
		short, err = f.fs.take(len(p))
	}
	if err == nil {
		return f.File.Write(p)
	}
	n := 0
	if short > 0 {
		var failed error
		if n, failed = f.File.Write(p[:short]); failed != nil {
			err = failed
		}
	}
	return n, &fs.PathError{Op: "write", Path: f.name, Err: err}
}

// take takes room for n bytes on the disk, or what there is.
func (f *Faulty) take(n int) (fits int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.space < 0 {
		return n, nil
	}
	if int64(n) > f.space {
		fits, err = int(f.space), syscall.ENOSPC
	} else {
		fits = n
	}
	f.space -= int64(fits)
	return fits, err
}

// Truncate implements File.
func (f *faultyFile) Truncate(size int64) error {
	if _, err := f.fs.verdict(OpTruncate); err != nil {
		return &fs.PathError{Op: "truncate", Path: f.name, Err: err}
	}
	return f.File.Truncate(size)
}

// Sync implements File.
func (f *faultyFile) Sync() error {
	if _, err := f.fs.verdict(OpSync); err != nil {
		if m, ok := f.File.(*memFile); ok {
			m.loseUnsynced()
		}
		return &fs.PathError{Op: "sync", Path: f.name, Err: err}
	}
	return f.File.Sync()
}
