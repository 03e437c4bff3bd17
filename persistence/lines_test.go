package persistence

import (
	"testing"
	"unsafe"
)

// TestDirtyLine: no batch that changes something takes the line away from those who look at the state.
func TestDirtyLine(t *testing.T) {
	var m Manager
	if unsafe.Offsetof(m.dirty)-unsafe.Offsetof(m.state) < 64 || unsafe.Offsetof(m.debtLimit)-unsafe.Offsetof(m.dirty) < 64 {
		t.Error("dirty shares a cache line")
	}
}
