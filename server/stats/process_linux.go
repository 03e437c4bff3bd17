package stats

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// residentMemory reads the resident set of the process and the machine's memory.
func residentMemory() (rss, total int64) {
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(statm); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64) // 0: unknown
			rss = pages * int64(os.Getpagesize())
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		total = int64(info.Totalram) * int64(info.Unit)
	}
	return rss, total
}
