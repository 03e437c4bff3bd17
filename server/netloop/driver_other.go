//go:build !linux

package netloop

// newLoops returns no driver: there is no epoll here.
func newLoops(*Server, int) (driver, error) { return nil, nil }
