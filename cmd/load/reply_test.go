package load

import (
	"slices"
	"strings"
	"testing"
)

func TestReply(t *testing.T) {
	for _, tc := range []struct {
		in          string
		mark        byte
		size, nils  int
		empty, zero bool
		failure     string
	}{
		{in: "+OK\r\n", mark: '+'},
		{in: "+\r\n", mark: '+'},
		{in: "-ERR no such thing\r\n", mark: '-', failure: "ERR no such thing"},
		{in: ":0\r\n", mark: ':', zero: true},
		{in: ":-1\r\n", mark: ':', size: -1},
		{in: "$5\r\nhello\r\n", mark: '$', size: 5},
		{in: "$0\r\n\r\n", mark: '$'},
		{in: "$-1\r\n", mark: '$', size: -1, empty: true},
		{in: "$6\r\n\r\n-E\r\n\r\n", mark: '$', size: 6},
		{in: "*0\r\n", mark: '*', empty: true},
		{in: "*-1\r\n", mark: '*', size: -1, empty: true},
		{in: "*3\r\n$1\r\na\r\n$-1\r\n:7\r\n", mark: '*', size: 3, nils: 1},
		{in: "*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n*1\r\n$2\r\nab\r\n", mark: '*', size: 2},
		{in: "*2\r\n:-1\r\n-ERR within\r\n", mark: '*', size: 2},
	} {
		for _, piece := range []int{len(tc.in), 1, 2, 3} {
			var r reply
			ended := 0
			// Twice, so that what is left of the first one would show.
			for chunk := range slices.Chunk([]byte(tc.in+tc.in), piece) {
				for len(chunk) > 0 {
					n, whole, err := r.Reply(chunk)
					if err != nil {
						t.Fatalf("%q in pieces of %d: %v", tc.in, piece, err)
					}
					if chunk = chunk[n:]; !whole {
						continue
					}
					ended++
					if r.mark != tc.mark || r.size != tc.size || r.nils != tc.nils || r.empty() != tc.empty ||
						r.zero() != tc.zero || r.errorOut != tc.failure {
						t.Errorf("%q in pieces of %d: %+v", tc.in, piece, r)
					}
				}
			}
			if ended != 2 {
				t.Errorf("%q in pieces of %d: %d ended", tc.in, piece, ended)
			}
		}
	}
}

func TestReplyRefuses(t *testing.T) {
	for _, in := range []string{"\r\n", "OK\r\n", "+OK\n", "$x\r\n", "$-2\r\n", "*5000000000\r\n", ":\r\n", "+" +
		strings.Repeat("x", longestLine+1)} {
		var r reply
		if _, _, err := r.Reply([]byte(in)); err == nil {
			t.Errorf("%.20q is taken", in)
		}
	}
}

// FuzzReply: whatever comes, all of it is consumed or refused, and pieces do not matter.
func FuzzReply(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n$-1\r\n:7\r\n"), 3)
	f.Add([]byte("-ERR\r\n+OK"), 1)
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		if piece < 1 {
			return
		}
		whole, failed := replies(t, in, len(in)+1)
		again, failedAgain := replies(t, in, piece)
		if whole != again || failed != failedAgain {
			t.Errorf("%d replies (error: %v), in pieces of %d %d (error: %v)", whole, failed, piece, again, failedAgain)
		}
	})
}

// replies counts those in bytes that come in pieces.
func replies(t *testing.T, in []byte, piece int) (ended int, failed bool) {
	var r reply
	for chunk := range slices.Chunk(in, piece) {
		for len(chunk) > 0 {
			n, whole, err := r.Reply(chunk)
			if err != nil {
				return ended, true
			}
			if n < 1 || !whole && n != len(chunk) {
				t.Fatalf("%d of %q were consumed", n, chunk)
			}
			if chunk = chunk[n:]; whole {
				ended++
			}
		}
	}
	return ended, false
}
