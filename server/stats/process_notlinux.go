//go:build !linux

package stats

func residentMemory() (rss, total int64) { return 0, 0 }
