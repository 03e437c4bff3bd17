package server

import "golang.org/x/sys/unix"

// yieldProcessor lets a thread run that waits for this processor, if there is one.
func yieldProcessor() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
