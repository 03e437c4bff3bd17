package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseImage gives back the pages of the program itself that starting has touched.
//
// Starting runs much of the program once, and with each page that is touched the kernel maps those
// around it that are in its cache: nearly all of the program's 9 MB, which count as resident though
// a server needs about half. What it needs is mapped again at its next use, by some hundred page
// faults without input and output. Measured: of 9.8 MB resident when idle 7 remained, of 11.4 after
// GETs and SETs 9.4.
//
// Only what is still as in the file may go. A position-independent program has pages that were
// changed while it was loaded and then made read-only: what lies beside such ones stays.
func releaseImage() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	var area string // the area that the lines are about, if it is one of the program's
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "Anonymous:") && strings.HasSuffix(line, " 0 kB") && area != "":
			if err := release(area); err != nil {
				return err
			}
		case strings.HasSuffix(line, " "+exe):
			area = line
		case strings.HasPrefix(line, "VmFlags:"): // the last one of an area
			area = ""
		}
	}
	return lines.Err()
}

// release gives back the pages of an area, given as in /proc/PID/maps, that the program only reads.
func release(area string) error {
	var start, end uintptr
	var perms string
	if _, err := fmt.Sscanf(area, "%x-%x %s", &start, &end, &perms); err != nil {
		return fmt.Errorf("%q: %w", area, err)
	}
	if !strings.HasPrefix(perms, "r-") {
		return nil
	}
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED); errno != 0 {
		return errno
	}
	return nil
}
