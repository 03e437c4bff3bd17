package harness

import (
	"bufio"
	"strings"
	"testing"
)

// TestReadReply: whatever the harness takes for one reply must be exactly its bytes.
func TestReadReply(t *testing.T) {
	for _, raw := range []string{
		"+OK\r\n", "-ERR x\r\n", ":-5\r\n", "$-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*-1\r\n", "*0\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", "_\r\n", "#t\r\n", ",1.5\r\n",
		"(123\r\n", "=7\r\ntxt:abc\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", "~1\r\n+a\r\n", ">2\r\n+push\r\n:1\r\n",
	} {
		r, err := ReadReply(bufio.NewReader(strings.NewReader(raw + "+next\r\n")))
		if err != nil || r.Raw != raw {
			t.Errorf("%q: %q, %v", raw, r.Raw, err)
		}
	}
	for _, raw := range []string{"", "OK\r\n", "+OK\n", "$3\r\nabcd\r\n", "$x\r\n", "*2\r\n:1\r\n", "$5\r\nab", "%1\r\n:1\r\n", strings.Repeat("*1\r\n", 100)} {
		if r, err := ReadReply(bufio.NewReader(strings.NewReader(raw))); err == nil {
			t.Errorf("%q passes as %v", raw, r)
		}
	}
}

func TestSorted(t *testing.T) {
	read := func(raw string) Reply {
		r, err := ReadReply(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ab, ba := read("*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n"), read("*4\r\n+b\r\n:2\r\n+a\r\n:1\r\n")
	mixed := read("*4\r\n+b\r\n:1\r\n+a\r\n:2\r\n")
	if ab.Sorted(2) != ba.Sorted(2) || ab.Sorted(2) == mixed.Sorted(2) || ab.Sorted(1) != mixed.Sorted(1) {
		t.Errorf("%q %q %q", ab.Sorted(2), ba.Sorted(2), mixed.Sorted(2))
	}
}
