//go:build unix

package server

import "syscall"

// setBacklog calls listen again, which changes the queue of a listening socket.
func setBacklog(fd uintptr, backlog int) error { return syscall.Listen(int(fd), backlog) }
