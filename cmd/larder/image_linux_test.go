package main

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestReleaseImage: the program goes on without the pages that are gone, and fewer are resident.
func TestReleaseImage(t *testing.T) {
	before := residentFiles(t)
	if err := releaseImage(); err != nil {
		t.Fatal(err)
	}
	if after := residentFiles(t); after >= before {
		t.Errorf("%d kB of files are resident, before %d", after, before)
	}
}

// residentFiles is how much of mapped files is resident, in kB.
func residentFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("this kernel does not say what is resident of files")
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb
}
