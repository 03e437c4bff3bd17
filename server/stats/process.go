package stats

import (
	"runtime/metrics"
	"time"
)

// Process is what the operating system and the Go runtime say of this process.
type Process struct {
	User, System time.Duration // processor time
	RSS          int64         // bytes, 0 if unknown
	Go           int64         // bytes the Go runtime uses: heap, stacks and its own
	GoResident   int64         // bytes it has taken from the system: Go, and free pages not given back yet
	TotalMemory  int64         // bytes the machine has, 0 if unknown
}

// ReadProcess asks for the present values. It costs some tens of microseconds.
func ReadProcess() Process {
	var p Process
	p.Go, p.GoResident = goMemory()
	p.User, p.System = cpuTimes()
	p.RSS, p.TotalMemory = residentMemory()
	return p
}

// GoMemory is what the runtime has taken, less what it has given back or could, in bytes.
// It costs a few microseconds.
func GoMemory() int64 {
	used, _ := goMemory()
	return used
}

// GoResident is what the runtime has taken and not given back, in bytes: GoMemory
// and what could be given back. It costs a few microseconds.
func GoResident() int64 {
	_, resident := goMemory()
	return resident
}

// GCPercent is the runtime's GOGC, -1: it does not collect.
func GCPercent() int {
	s := [...]metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s[:])
	return int(s[0].Value.Uint64())
}

func goMemory() (used, resident int64) {
	s := [...]metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s[:])
	resident = int64(s[0].Value.Uint64() - s[1].Value.Uint64())
	return resident - int64(s[2].Value.Uint64()), resident
}
