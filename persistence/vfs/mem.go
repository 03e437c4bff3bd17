package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrCrashed is what every call returns after the world has stopped.
var ErrCrashed = errors.New("crashed")

// Mem is a file system in memory that knows what a power failure may leave of it; the package's
// essay has the model. The root folder exists. Times stand still, permissions are kept but not
// enforced.
type Mem struct {
	mu      sync.Mutex // everything below, and all nodes
	root    *node
	journal []*change // of entries, not durable yet, oldest first
	locks   map[string]bool
	calls   int64
	crashAt int64 // 0: never
	crashed bool
	rng     *rand.Rand // what a failed sync leaves
}

// node is a file or a folder.
type node struct {
	perm fs.FileMode // with fs.ModeDir for a folder

	// A folder: its entries as they are, and as they are on the disk.
	entries, durable map[string]*node

	// A file: its bytes as they are and as they were last synced, and the writes between.
	data, synced []byte
	pending      []write
}

// write is a write of data at off, or a truncation to off if data is nil.
type write struct {
	off  int64
	data []byte
}

// change is a change of entries that becomes durable as a whole.
type change struct {
	entries []entryChange
	after   *change // must have happened for this one to happen
}

type entryChange struct {
	dir  *node
	name string
	node *node // nil: the entry goes
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{root: newFolder(0o755), locks: map[string]bool{}, rng: rand.New(rand.NewPCG(1, 1))}
}

func newFolder(perm fs.FileMode) *node {
	return &node{perm: perm | fs.ModeDir, entries: map[string]*node{}, durable: map[string]*node{}}
}

// Calls is the number of calls so far that change something or make it durable: creating and
// truncating opens, writes, truncations, renames, removals, new folders, and both syncs.
func (m *Mem) Calls() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// CrashAt stops the world at the n-th call that Calls counts, from 1: that call has no effect, and
// it and every later call, reads too, return ErrCrashed. 0 takes it back.
func (m *Mem) CrashAt(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashAt = n
}

// Crashed reports whether the world has stopped.
func (m *Mem) Crashed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.crashed
}

// countLocked numbers a call that changes something. The caller gives up on an error.
func (m *Mem) countLocked() error {
	m.calls++
	if m.calls == m.crashAt {
		m.crashed = true
	}
	return m.aliveLocked()
}

func (m *Mem) aliveLocked() error {
	if m.crashed {
		return ErrCrashed
	}
	return nil
}

// lookupLocked finds the folder and the last element of a path; the node is nil if there is no such
// entry.
func (m *Mem) lookupLocked(path string) (dir *node, name string, n *node, err error) {
	if err := m.aliveLocked(); err != nil {
		return nil, "", nil, err
	}
	clean := strings.Trim(filepath.ToSlash(filepath.Clean(path)), "/")
	if clean == "" || clean == "." {
		return nil, "", m.root, nil
	}
	n = m.root
	for part := range strings.SplitSeq(clean, "/") {
		if n == nil {
			return nil, "", nil, fs.ErrNotExist
		}
		if !n.perm.IsDir() {
			return nil, "", nil, syscall.ENOTDIR
		}
		dir, name, n = n, part, n.entries[part]
	}
	return dir, name, n, nil
}

// changeLocked changes entries now, and on the disk once their folders are synced.
func (m *Mem) changeLocked(after *change, entries ...entryChange) *change {
	for _, e := range entries {
		e.apply(e.dir.entries)
	}
	c := &change{entries: entries, after: after}
	m.journal = append(m.journal, c)
	return c
}

func (e entryChange) apply(entries map[string]*node) {
	if e.node == nil {
		delete(entries, e.name)
		return
	}
	entries[e.name] = e.node
}

// OpenFile implements FS.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.openLocked(name, flag, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &memFile{fs: m, node: n, name: name, flag: flag}, nil
}

func (m *Mem) openLocked(path string, flag int, perm fs.FileMode) (*node, error) {
	dir, name, n, err := m.lookupLocked(path)
	writes := flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case err != nil:
		return nil, err
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		if err := m.countLocked(); err != nil {
			return nil, err
		}
		n = &node{perm: perm & fs.ModePerm}
		m.changeLocked(nil, entryChange{dir, name, n})
		return n, nil
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case n.perm.IsDir() && writes:
		return nil, syscall.EISDIR
	case flag&os.O_TRUNC != 0 && writes:
		if err := m.countLocked(); err != nil {
			return nil, err
		}
		n.truncate(0)
	}
	return n, nil
}

// Rename implements FS.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.renameLocked(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (m *Mem) renameLocked(from, to string) error {
	fromDir, fromName, n, err := m.lookupLocked(from)
	if err != nil {
		return err
	}
	toDir, toName, old, err := m.lookupLocked(to)
	switch {
	case err != nil:
		return err
	case n == nil:
		return fs.ErrNotExist
	case fromDir == nil || toDir == nil:
		return syscall.EBUSY
	case n.contains(toDir):
		return syscall.EINVAL
	case old != nil && old.perm.IsDir():
		return fs.ErrExist // os.Rename replaces no folder
	case old != nil && n.perm.IsDir():
		return syscall.ENOTDIR
	}
	if err := m.countLocked(); err != nil || n == old {
		return err
	}
	link, unlink := entryChange{toDir, toName, n}, entryChange{fromDir, fromName, nil}
	if fromDir == toDir {
		m.changeLocked(nil, link, unlink)
		return nil
	}
	m.changeLocked(m.changeLocked(nil, link), unlink)
	return nil
}

// contains reports whether a folder is dir or above it.
func (n *node) contains(dir *node) bool {
	if n == dir {
		return true
	}
	for _, below := range n.entries {
		if below.contains(dir) {
			return true
		}
	}
	return false
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.removeLocked(name); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func (m *Mem) removeLocked(path string) error {
	dir, name, n, err := m.lookupLocked(path)
	switch {
	case err != nil:
		return err
	case n == nil:
		return fs.ErrNotExist
	case dir == nil:
		return syscall.EBUSY
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	if err := m.countLocked(); err != nil {
		return err
	}
	m.changeLocked(nil, entryChange{dir, name, nil})
	return nil
}

// Mkdir implements FS.
func (m *Mem) Mkdir(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, last, n, err := m.lookupLocked(name)
	if err == nil && n != nil {
		err = fs.ErrExist
	}
	if err == nil {
		err = m.countLocked()
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	m.changeLocked(nil, entryChange{dir, last, newFolder(perm & fs.ModePerm)})
	return nil
}

// folderLocked finds a folder.
func (m *Mem) folderLocked(path string) (*node, error) {
	_, _, n, err := m.lookupLocked(path)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, fs.ErrNotExist
	case !n.perm.IsDir():
		return nil, syscall.ENOTDIR
	}
	return n, nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.folderLocked(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var list []fs.DirEntry
	for name, n := range dir.entries {
		list = append(list, fs.FileInfoToDirEntry(n.info(name)))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, last, n, err := m.lookupLocked(name)
	if err == nil && n == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return n.info(last), nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.folderLocked(name)
	if err == nil {
		err = m.countLocked()
	}
	if err != nil {
		return &fs.PathError{Op: "sync", Path: name, Err: err}
	}
	m.flushLocked(func(c *change) bool {
		return slices.ContainsFunc(c.entries, func(e entryChange) bool { return e.dir == dir })
	})
	return nil
}

// Lock implements FS. Nobody but users of this file system can hold it.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lockedNodeLocked(name)
	if err != nil {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	key := filepath.Clean(name)
	if m.locks[key] {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrLocked}
	}
	m.locks[key] = true
	return &memLock{memFile{fs: m, node: n, name: name}, key}, nil
}

func (m *Mem) lockedNodeLocked(name string) (*node, error) {
	if dir, err := m.folderLocked(name); err == nil {
		return dir, nil
	}
	return m.openLocked(name, os.O_RDWR|os.O_CREATE, 0o644)
}

// memLock is a held lock.
type memLock struct {
	memFile
	key string
}

func (l *memLock) Close() error {
	if err := l.memFile.Close(); err != nil {
		return err
	}
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.key)
	return nil
}

// info describes a node.
func (n *node) info(name string) fs.FileInfo {
	return memInfo{name: name, size: int64(len(n.data)), mode: n.perm}
}

type memInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }
