//go:build !linux

package netloop

import (
	"errors"
	"fmt"
)

// newLoops returns no driver: there is no epoll here.
func newLoops(s *Server, _ int) (driver, error) {
	if s.opts.URing && !s.opts.URingOptional {
		return nil, ProbeURing()
	}
	return nil, nil
}

// ProbeURing returns why event loops cannot send through io_uring here.
func ProbeURing() error { return fmt.Errorf("io_uring: %w", errors.ErrUnsupported) }
