package server

import "golang.org/x/sys/unix"

// giveWay leaves the processor for 100 us. A signal may end it sooner. The runtime's own sleep takes
// longer to come back.
func giveWay() { _ = unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil) }
