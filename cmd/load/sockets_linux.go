package load

import (
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls that never wait, without telling the runtime.

func pollNow(polls []unix.PollFd) error {
	_, _, errno := unix.RawSyscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&polls[0])), uintptr(len(polls)), 0)
	if errno == unix.EINTR {
		for i := range polls {
			polls[i].Revents = 0
		}
		return nil
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// readNow returns 0 and no error if there is nothing to read.
func readNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return int(n), nil
}

// writeNow returns how much the system takes.
func writeNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, errno
	}
	return int(n), nil
}
