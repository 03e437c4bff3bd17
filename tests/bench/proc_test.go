//go:build linux

package main

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseChildrenCPU(t *testing.T) {
	for _, tc := range []struct {
		stat string
		want time.Duration
		bad  bool
	}{
		{stat: "42 (larder) S 1 42 42 0 -1 4194304 100 0 0 0 250 31 12 7 20 0 7 0 1 2 3", want: 190 * time.Millisecond},
		{stat: "42 (odd) name) R) S 1 42 42 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 7 0", want: 0},
		{stat: "42 (larder) S 1 42 42", bad: true},
		{stat: "42 (larder) S 1 42 42 0 -1 4194304 100 0 0 0 250 31 x 0 20 0", bad: true},
		{stat: "", bad: true},
	} {
		got, err := parseChildrenCPU([]byte(tc.stat))
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("parseChildrenCPU(%q) = %v, %v; want %v, error %v", tc.stat, got, err, tc.want, tc.bad)
		}
	}
}

// TestProcessTime: the clock of a process is that of its threads, and has finer steps than a clock tick.
func TestProcessTime(t *testing.T) {
	of := func() time.Duration {
		spent, err := processTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return spent
	}
	var usage unix.Rusage
	before := of()
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	during := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	if during < before-2*clockTick || during > of()+2*clockTick {
		t.Errorf("the process has used %v by its clock, %v by getrusage", before, during)
	}
	fine := false
	for range 100 {
		fine = fine || of()%clockTick != 0
	}
	if !fine {
		t.Error("the clock goes in steps of 10 ms")
	}
}

func TestParseKB(t *testing.T) {
	const status = "Name:\tlarder\nVmHWM:\t    9000 kB\nVmRSS:\t    8190 kB\nThreads:\t7\n"
	if got, err := parseKB(status, "VmRSS"); err != nil || got != 8190<<10 {
		t.Errorf("VmRSS = %d, %v", got, err)
	}
	for _, name := range []string{"VmSwap", "Name"} {
		if got, err := parseKB(status, name); err == nil {
			t.Errorf("%s = %d, want an error", name, got)
		}
	}
}

func TestParseInfo(t *testing.T) {
	const info = "# Memory\r\nused_memory_human:1.00M\r\nused_memory:1048576\r\n"
	if got, err := parseInfo(info, "used_memory"); err != nil || got != 1<<20 {
		t.Errorf("used_memory = %d, %v", got, err)
	}
	if _, err := parseInfo(info, "used"); err == nil {
		t.Error("a field that is not there was found")
	}
}

func TestServerOutput(t *testing.T) {
	var o serverOutput
	for _, part := range []string{
		"starting\ngc 1 @0.012s 2%: 0.021+0.33+0.004 ms clock, 0.04+0.1/0.2/0.3+0.008 ms cpu, 4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n",
		"gc 2 @0.5s 1%: 0.018+0.9+", "0.250 ms clock, 0.03+0.1/0.2/0.3+0.5 ms cpu, 4->4->1 MB, 4 MB goal, 2 P (forced)\n",
		"gc nonsense @ ms clock\nready",
	} {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if longest, cycles := o.collector(); longest != 250*time.Microsecond || cycles != 2 {
		t.Errorf("collector() = %v, %d", longest, cycles)
	}
	if got, want := o.tail(), "starting\ngc nonsense @ ms clock\nready"; got != want {
		t.Errorf("tail() = %q, want %q", got, want)
	}
}

func TestParsePrivate(t *testing.T) {
	const rollup = "5600-7fff ---p 00000000 00:00 0    [rollup]\nRss:     9000 kB\nShared_Dirty:   7000 kB\nPrivate_Clean:     24 kB\nPrivate_Dirty:   1000 kB\n"
	if got, err := parsePrivate(rollup); err != nil || got != 1024<<10 {
		t.Errorf("parsePrivate = %d, %v", got, err)
	}
	if got, err := parsePrivate("Rss: 9000 kB\nPrivate_Clean: 24 kB\n"); err == nil {
		t.Errorf("parsePrivate without Private_Dirty = %d", got)
	}
}
