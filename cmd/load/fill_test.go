package load

import (
	"strings"
	"testing"
	"testing/iotest"
)

func TestCountReplies(t *testing.T) {
	for _, tc := range []struct {
		in  string
		n   int
		err string
	}{
		{in: "+OK\r\n:1\r\n+OK\r\n", n: 3},
		{in: "", n: 0},
		{in: "+OK\r\n", n: 2, err: "1 replies missing"},
		{in: "+OK\r\n-ERR no\r\n", n: 2, err: "ERR no"},
		{in: "+a-b\r\n+-\r\n", n: 2},
	} {
		err := countReplies(strings.NewReader(tc.in), tc.n)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("countReplies(%q, %d) = %v, want %q", tc.in, tc.n, err, tc.err)
		}
		if tc.err != "" {
			continue
		}
		if err := countReplies(iotest.OneByteReader(strings.NewReader(tc.in)), tc.n); err != nil {
			t.Errorf("countReplies(%q, %d) byte by byte = %v", tc.in, tc.n, err)
		}
	}
}
