//go:build !linux

package stats

import "runtime"

func systemName() string { return runtime.GOOS + " " + runtime.GOARCH }

func residentMemory() (rss, total int64) { return 0, 0 }
