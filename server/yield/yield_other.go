//go:build !linux

// Package yield is how background work lets the loops go on.
package yield

import "time"

// Moment leaves the processor for 100 us.
func Moment() { time.Sleep(100 * time.Microsecond) }
