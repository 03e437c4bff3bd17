package journal

import (
	"strconv"
	"testing"
)

func TestHeaders(t *testing.T) {
	for _, n := range []int{0, 9, 10, 99, 100, 12345, 1 << 40} {
		if got, want := string(AppendHeader(nil, '$', n)), "$"+strconv.Itoa(n)+"\r\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestWire: what is not in the journal's own form is put into it.
func TestWire(t *testing.T) {
	args := [][]byte{[]byte("SET"), []byte("k"), []byte("0123456789ab")}
	want := AppendCommand(nil, args...)
	for _, wire := range []string{
		string(want), "SET k 0123456789ab\r\n", "*0\r\n" + string(want), "*03\r\n" + string(want[4:]),
		"*3\r\n$3\r\nSET\r\n$01\r\nk\r\n$12\r\n0123456789ab\r\n", "",
	} {
		if got := isCommand([]byte(wire), args); got != (wire == string(want)) {
			t.Errorf("%q: %v", wire, got)
		}
	}
	for n := range 1200 {
		if got, want := headerSize(n), len(AppendHeader(nil, '$', n)); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}
