// Package vfs is the file system as a value, so that what must survive a power failure can be
// tested against one.
//
// # Problem
//
// A server that promises durability rests on four facts about files that no ordinary test sees: a
// write is durable only after a sync of the file; a name (created, renamed, removed) only after a
// sync of its folder; what has not been synced may be lost, kept, or kept in part and in any order;
// and after a failed sync the kernel may have thrown the data away, while it is still there to be
// read. Code that gets one of them wrong works for years on a developer's machine.
//
// # Layout
//
// Three file systems stand behind one interface. OS is the real one. Mem lives in memory, numbers
// the calls that change something, stops the world at one of them, and builds from there a disk as
// a power failure could have left it. Faulty wraps either and fails chosen calls the way disks do:
// full, failing, read-only.
//
// # Mem's model of a disk
//
//   - A file is what was last synced plus a journal of the writes and truncations since. In a crash
//     every 512-byte sector stops at a point of that journal of its own, and so does the length:
//     sectors beyond what was written read as zeros.
//   - A folder's entry is a link to a file. Changes of entries wait in a journal for SyncDir of
//     their folder. In a crash each may have happened or not, but not before an older one of the
//     same name, and a rename never loses the file: inside a folder it happens as a whole, between
//     folders the new name comes first.
//   - A sync of a file says nothing of its name, and a sync of a folder nothing of the files' contents.
//   - After a sync that Faulty let fail, part of the data is on the disk and the rest never will
//     be, unless it is written again; readers see it until the crash.
//
// This is what POSIX allows less what no journaling file system does (losing a synced file in a
// rename). It is stricter than ext4 in its default mode, which orders names after data.
//
// # Rejected
//
// A copy of the whole tree at each sync: simple, but then data and names become durable together,
// and the mistakes worth finding (a rename without SyncDir, a manifest written before its file is
// synced) pass. Counting reads as well as writes: a crash at a read leaves the same disk as one at
// the next write.
//
// # Numbers
//
// OS adds to os.File a call through an interface: no allocation in Read, Write and Truncate.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is Lock's answer while somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// FS is a file system. Names are paths of the host system. Errors are *fs.PathError and
// *os.LinkError as package os has them, so errors.Is works with fs.ErrNotExist and the system's
// error numbers. Safe for concurrent use.
type FS interface {
	// OpenFile is os.OpenFile: flag are the O_ constants of package os, perm what a new file gets.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)

	// Rename gives a file another name, in place of a file that has it. Durable after SyncDir of
	// both folders.
	Rename(from, to string) error

	// Remove removes a name: a file's, or that of an empty folder.
	Remove(name string) error

	// Mkdir makes one folder; its parent exists.
	Mkdir(name string, perm fs.FileMode) error

	// ReadDir lists a folder by name.
	ReadDir(name string) ([]fs.DirEntry, error)

	Stat(name string) (fs.FileInfo, error)

	// SyncDir makes the creations, renames and removals in a folder durable. A file system that
	// cannot sync a folder (EINVAL, EBADF) does so by itself and counts as success, as in Redis'
	// fsyncFileDir.
	SyncDir(name string) error

	// Lock takes an exclusive lock on a folder, or on a file that is created if need be. It does
	// not wait: the error is ErrLocked while another process or another Lock of this one holds it,
	// and errors.ErrUnsupported where the system has no such lock. It ends with Close or with the
	// process.
	Lock(name string) (io.Closer, error)
}

// File is an open file. As with os.File, Write writes everything or returns an error and how much
// it wrote. Its methods may be called concurrently; those that use the position (Read, Write, Seek)
// see one another's.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Seeker
	io.Closer

	Stat() (fs.FileInfo, error)

	// Truncate cuts the file to size bytes or extends it by zeros. The position stays.
	Truncate(size int64) error

	// Sync returns when the data, and what is needed to read it, is on the disk (fdatasync). After
	// an error the unsynced data must be taken for lost: the kernel may have dropped it, and a
	// second Sync would then succeed without it.
	Sync() error

	// StartSync asks the system to begin to write n bytes from off to the disk, without waiting for
	// it. It promises nothing; it keeps a Sync of a long file from having everything to do at its
	// end. Only Linux has it.
	StartSync(off, n int64) error
}
