//go:build !linux

package harness

import "errors"

// listening asks netlink(7), which is Linux' own.
func listening() (map[string]int, error) { return nil, errors.ErrUnsupported }
