// Package yield is how background work lets the loops go on.
package yield

import "golang.org/x/sys/unix"

// Moment leaves the processor for 100 us. A signal may end it sooner. The runtime's own sleep takes
// longer to come back, and its Gosched gives nothing back to the system, whose other threads wait for
// its next tick then.
func Moment() { _ = unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil) }
