package engine

import (
	"testing"
	"unsafe"
)

// TestSessionLines: sessions of different loops lie side by side, and one of 480 bytes ends in the middle
// of a cache line. So those ends hold what hardly ever changes.
func TestSessionLines(t *testing.T) {
	var s Session
	if size := unsafe.Sizeof(s); size > 480 {
		t.Errorf("a session takes %d bytes, want at most 480", size)
	}
	const half = 32
	if end := unsafe.Offsetof(s.pub) + unsafe.Sizeof(s.pub); end > 480-half {
		t.Errorf("what each batch publishes ends at %d, in the last half line", end)
	}
	if unsafe.Offsetof(s.parser) < unsafe.Sizeof(s.kernel)+unsafe.Sizeof(s.conn) {
		t.Error("a session does not begin with what never changes")
	}
}
