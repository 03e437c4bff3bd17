//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock uses flock and not fcntl: the lock belongs to the open file, so that two servers in one
// process (tests) exclude each other and closing another descriptor of the file does not release
// it.
func lock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
	}); err != nil {
		return err
	}
	if failed == unix.EWOULDBLOCK {
		return ErrLocked
	}
	return failed
}
