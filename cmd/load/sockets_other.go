//go:build !linux

package load

import (
	"io"

	"golang.org/x/sys/unix"
)

func pollNow(polls []unix.PollFd) error {
	if _, err := unix.Poll(polls, 0); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// readNow returns 0 and no error if there is nothing to read.
func readNow(fd int, b []byte) (int, error) {
	n, err := unix.Read(fd, b)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// writeNow returns how much the system takes.
func writeNow(fd int, b []byte) (int, error) {
	n, err := unix.Write(fd, b)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, err
	}
	return n, nil
}
