package stats

import (
	"testing"
	"unsafe"
)

// TestSlotLines: the copies of the counters share no cache line, with each other or with what every call
// reads.
func TestSlotLines(t *testing.T) {
	var c Commands
	if unsafe.Offsetof(c.slots)-unsafe.Offsetof(c.Tracking) < 64 {
		t.Error("the first copy shares a line with Tracking")
	}
	written := unsafe.Offsetof(c.slots[0].misses) + unsafe.Sizeof(c.slots[0].misses)
	if unsafe.Sizeof(c.slots[0])-written < 64 {
		t.Error("a copy's lookups share a line with the next copy")
	}
}
