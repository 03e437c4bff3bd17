//go:build unix

package main

import (
	"os"
	"syscall"
)

// stopUntilContinued stops the process, by which Upstart's `expect stop` sees that it is ready.
func stopUntilContinued() error { return syscall.Kill(os.Getpid(), syscall.SIGSTOP) }
