//go:build !linux

package server

import "runtime"

// yieldProcessor lets another goroutine run; whether another thread runs is up to the system.
func yieldProcessor() { runtime.Gosched() }
