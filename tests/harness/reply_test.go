package harness

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReadReply: whatever the harness takes for one reply must be exactly its bytes.
func TestReadReply(t *testing.T) {
	for _, raw := range []string{
		"+OK\r\n", "-ERR x\r\n", ":-5\r\n", "$-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*-1\r\n", "*0\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", "_\r\n", "#t\r\n", ",1.5\r\n",
		"(123\r\n", "-ERR longer than the buffer\r\n", "=7\r\ntxt:abc\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", "~1\r\n+a\r\n", ">2\r\n+push\r\n:1\r\n",
	} {
		for _, buffer := range []int{16, 4096} { // a line that is longer, and one that is not
			r, err := ReadReply(bufio.NewReaderSize(strings.NewReader(raw+"+next\r\n"), buffer))
			if err != nil || r.Raw != raw {
				t.Errorf("%q: %q, %v", raw, r.Raw, err)
			}
		}
	}
	for _, raw := range []string{"", "OK\r\n", "+OK\n", "$3\r\nabcd\r\n", "$x\r\n", "*2\r\n:1\r\n", "$5\r\nab", "%1\r\n:1\r\n", strings.Repeat("*1\r\n", 100)} {
		if r, err := ReadReply(bufio.NewReader(strings.NewReader(raw))); err == nil {
			t.Errorf("%q passes as %v", raw, r)
		}
	}
}

// TestReplyReader: a reply stays what it was when the next one is read, and what it holds is where it was.
func TestReplyReader(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("*3\r\n$1\r\na\r\n%1\r\n+k\r\n*0\r\n:7\r\n*1\r\n$3\r\nb\r\n\r\n"))
	var rr replyReader
	first, err := rr.next(r)
	if err != nil {
		t.Fatal(err)
	}
	second, err := rr.next(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Elems) != 3 || first.Text != "3" || second.Elems[0].Text != "b\r\n" {
		t.Errorf("%v, %v", first, second)
	}
	var got []string
	for _, e := range append(first.Elems, first.Elems[1].Elems...) {
		got = append(got, string(e.Kind)+" "+e.Text+" "+e.Raw)
	}
	want := []string{"$ a $1\r\na\r\n", "% 1 %1\r\n+k\r\n*0\r\n", ": 7 :7\r\n", "+ k +k\r\n", "* 0 *0\r\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuoted(t *testing.T) {
	for _, s := range []string{"", "a b~!", `"`, `\`, "\x00", "\x1f", "\x7f", "\xff", "é"} {
		if got := quoted(s); got != strconv.Quote(s) {
			t.Errorf("%q: %s", s, got)
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
