package stats

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// systemName is what uname says of the system.
func systemName() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return "Linux"
	}
	return cText(u.Sysname[:]) + " " + cText(u.Release[:]) + " " + cText(u.Machine[:])
}

// cText is the text up to a zero. C's char has a sign on some processors.
func cText[T int8 | uint8](chars []T) string {
	var text []byte
	for _, c := range chars {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return string(text)
}

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
