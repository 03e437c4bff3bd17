package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out what fsync adds, the times of the file: no second write into the file
// system's journal.
func syncData(f *os.File) error {
	return control(f, "fdatasync", unix.Fdatasync)
}

func startSync(f *os.File, off, n int64) error {
	return control(f, "sync_file_range", func(fd int) error {
		return unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}

// control makes a system call on the descriptor, which stays open meanwhile, again when a signal
// interrupts it.
func control(f *os.File, op string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = call(int(fd))
		for failed == unix.EINTR {
			failed = call(int(fd))
		}
	})
	if err == nil && failed != nil {
		err = &fs.PathError{Op: op, Path: f.Name(), Err: failed}
	}
	return err
}
