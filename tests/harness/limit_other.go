//go:build !linux

package harness

import "errors"

// limitFiles needs prlimit(2), which is Linux' own.
func limitFiles(int, int64) error { return errors.ErrUnsupported }
