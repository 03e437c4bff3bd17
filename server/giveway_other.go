//go:build !linux

package server

import "time"

// giveWay leaves the processor for 100 us.
func giveWay() { time.Sleep(100 * time.Microsecond) }
