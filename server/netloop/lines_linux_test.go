package netloop

import (
	"testing"
	"unsafe"
)

// TestLoopLines: what others write of a loop shares no cache line with what its rounds use, and loops and
// connections, which the allocator puts side by side, fill whole lines.
func TestLoopLines(t *testing.T) {
	var l loop
	if unsafe.Offsetof(l.notices)-unsafe.Offsetof(l.ep) < 64 || unsafe.Offsetof(l.pushes)-unsafe.Offsetof(l.notices)-
		unsafe.Sizeof(l.notices) < 64 {
		t.Error("notices share a line")
	}
	if unsafe.Offsetof(l.load)-unsafe.Offsetof(l.count) < 64+unsafe.Sizeof(l.count) {
		t.Error("the number of connections shares a line with what the loop counts")
	}
	if size := unsafe.Sizeof(conn{}); size%64 != 0 {
		t.Errorf("a connection takes %d bytes", size)
	}
	if size := unsafe.Sizeof(l); size%64 != 0 {
		t.Errorf("a loop takes %d bytes", size)
	}
}
