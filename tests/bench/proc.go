//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of cutime and cstime: USER_HZ, which is 100 on every architecture Go runs on.
const clockTick = 10 * time.Millisecond

// cpu returns the processor time that all threads of the server have used, those that have ended
// and those of processes that it started and saw end included. Its own is exact to the nanosecond;
// stat has it too, but in steps of 10 ms.
func (s *server) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return 0, err
	}
	own, err := processTime(s.pid)
	if err != nil {
		return 0, err
	}
	children, err := parseChildrenCPU(stat)
	return own + children, err
}

// processTime is the processor time of another process: clock_getcpuclockid(3) is this arithmetic.
func processTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what the scheduler has counted, of all threads
	var t unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|scheduled), &t)
	return time.Duration(t.Nano()), err
}

// parseChildrenCPU adds cutime and cstime, fields 16 and 17 of proc(5)'s stat, of children that have
// been waited for. The second field is the program's name in parentheses and may hold blanks and
// parentheses itself, so counting starts behind the last one.
func parseChildrenCPU(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[end+1:])
	if end < 0 || len(fields) < 15 {
		return 0, fmt.Errorf("not a stat line: %q", stat)
	}
	var ticks int64
	for _, f := range fields[13:15] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// rss returns the server's resident memory in bytes.
func (s *server) rss() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0, err
	}
	return parseKB(string(status), "VmRSS")
}

// settleWithin bounds the waiting of settledRSS.
const settleWithin = 12 * time.Second

// settledRSS waits until the resident memory has stood still for s.still, for at most settleWithin:
// allocators and compactors give back in the background.
func (s *server) settledRSS() (int64, error) {
	const every, slack = 100 * time.Millisecond, 0.002
	last, err := s.rss()
	began := time.Now()
	for since := began; err == nil && time.Since(since) < s.still && time.Since(began) < settleWithin; {
		time.Sleep(every)
		var now int64
		now, err = s.rss()
		if math.Abs(float64(now-last)) > slack*float64(last) {
			since, last = time.Now(), now
		}
	}
	if err != nil {
		return 0, err
	}
	return s.rss()
}

// availableMemory is what processes can get without swapping, in bytes.
func availableMemory() (int64, error) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return parseKB(string(info), "MemAvailable")
}

// parseKB finds "name:   123 kB" and returns it in bytes.
func parseKB(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("no %s there", name)
}
