package protocol

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// outcome is what a stream of bytes means: its requests and the error that ends it.
type outcome struct {
	requests [][]string
	err      string
	left     int // bytes that belong to no complete request
}

func (o outcome) String() string { return fmt.Sprintf("%q err=%q left=%d", o.requests, o.err, o.left) }

// feed parses data given in pieces that end at the given offsets. The buffer moves at each step, as
// netloop's does.
func feed(data []byte, lim Limits, ends []int) outcome {
	var (
		p   Parser
		out outcome
		buf []byte
		had int
	)
	for _, end := range append(ends, len(data)) {
		buf = append(append(make([]byte, 0, len(buf)+end-had), buf...), data[had:end]...)
		had = end
		for {
			args, n, err := p.Next(buf, &lim)
			if err != nil {
				out.err = err.Error()
				return out
			}
			if args != nil {
				request := make([]string, len(args))
				for i, a := range args {
					request[i] = string(a)
				}
				out.requests = append(out.requests, request)
			}
			buf = buf[n:]
			if args == nil {
				break
			}
		}
	}
	out.left = len(buf)
	return out
}

func whole(data string) outcome {
	return feed([]byte(data), Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}, nil)
}

func every(n int) (ends []int) {
	for i := 1; i < n; i++ {
		ends = append(ends, i)
	}
	return ends
}

func TestRequests(t *testing.T) {
	long := strings.Repeat("a", maxPart)
	longest := strings.Repeat("a", maxLine-1)
	for _, c := range []struct {
		in   string
		want string // requests separated by |, arguments by blanks
		err  string
		left int
	}{
		{in: "PING\r\n", want: "PING"},
		{in: "PING\n", want: "PING"},
		{in: "  SET  k\tv \r\nGET k\n", want: "SET k v|GET k"},
		{in: "\r\n\n   \r\nPING\r\n", want: "PING"},
		{in: "*1\r\n$4\r\nPING\r\n", want: "PING"},
		{in: "*0\r\n*-1\r\n*-10\r\n*1\r\n$4\r\nPING\r\n", want: "PING"},
		{in: "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", want: "ECHO "},
		{in: "*2\r\n$4\r\nECHOxx$2\r\nhiYYPING\r\n", want: "ECHO hi|PING"},
		{in: "*1\rX$4\rYPINGZZ", want: "PING"},
		{in: "*2\r\n$3\r\nGET\r\n$1\r\n", left: 17},
		{in: "PING\r\n*", want: "PING", left: 1},
		{in: "PING", left: 4},
		{in: "PI\x00NG\r\nPING\r\n", left: 13},
		{in: "*1\x00\r\n$4\r\nPING\r\n", left: 15},

		{in: "\x0bECHO a\x0bb\r\n", want: "ECHO a\x0bb"},
		{in: `ECHO "a\x41\n\r\t\b\a\q\"\x4g"` + "\r\n", want: "ECHO aA\n\r\t\b\aq\"x4g"},
		{in: `ECHO 'a\'b\n"'` + "\r\n", want: `ECHO a'b\n"`},
		{in: `ECHO foo"bar" "" ''` + "\r\n", want: "ECHO foobar  "},
		{in: "ECHO \"a\r\" b\rc\r\n", want: "ECHO a\r b c"},
		{in: "PING\r\nECHO \"a\r\n", want: "PING", err: "Protocol error: unbalanced quotes in request"},
		{in: "ECHO \"a\"b\r\n", err: "Protocol error: unbalanced quotes in request"},
		{in: "ECHO 'a'b\r\n", err: "Protocol error: unbalanced quotes in request"},
		{in: "ECHO \"a\\\"\r\n", err: "Protocol error: unbalanced quotes in request"},
		{in: "ECHO '\r\n", err: "Protocol error: unbalanced quotes in request"},
		{in: long[5:] + "PING \n", want: long[5:] + "PING"},
		{in: long, left: maxPart},
		{in: longest + "\n", want: longest},
		{in: longest + "a\n", err: "Protocol error: too big inline request"},
		{in: long + "a", err: "Protocol error: too big inline request"},
		{in: "\x00" + long, err: "Protocol error: too big inline request"},

		{in: "*9223372036854775807\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*2147483648\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*2147483647\r\n", left: 13},
		{in: "*1000000000\r\n", left: 13},
		{in: "*-9223372036854775808\r\nPING\r\n", want: "PING"},
		{in: "*-9223372036854775809\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*-0\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*01\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*+1\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "* 1\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*1\n$4\nPING\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*-10", left: 4},
		{in: "*" + long[1:], left: maxPart},
		{in: "*" + longest[1:] + "\r\n", err: "Protocol error: invalid multibulk length"},
		{in: "*" + longest + "\r\n", err: "Protocol error: too big mbulk count string"},
		{in: "*1\r\n$" + longest[1:] + "\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*" + long, err: "Protocol error: too big mbulk count string"},
		{in: "*1\r\n$9223372036854775807\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$-2\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$-1\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$2000000000\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$536870912\r\n", left: 16},
		{in: "*1\r\n$04\r\nPING\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$\r\n", err: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$" + long, err: "Protocol error: too big bulk count string"},
		{in: "*1\r\nPING\r\n", err: "Protocol error: expected '$', got 'P'"},
		{in: "*1\r\n\r\n", err: "Protocol error: expected '$', got '\r'"},
		{in: "PING\r\n*1\r\n:4\r\nPING\r\n", want: "PING", err: "Protocol error: expected '$', got ':'"},
	} {
		want := outcome{err: c.err, left: c.left}
		if c.want != "" {
			for _, r := range strings.Split(c.want, "|") {
				want.requests = append(want.requests, strings.Split(r, " "))
			}
		}
		if got := whole(c.in); got.String() != want.String() {
			t.Errorf("%.60q:\n got %.300s\nwant %.300s", c.in, got, want)
		}
		if len(c.in) > 1000 {
			continue
		}
		lim := Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
		if got := feed([]byte(c.in), lim, every(len(c.in))); got.String() != want.String() {
			t.Errorf("byte by byte %.60q:\n got %.300s\nwant %.300s", c.in, got, want)
		}
	}
}

func TestUnauthenticated(t *testing.T) {
	lim := Limits{MaxBulk: DefaultMaxBulk}
	big := string(bytes.Repeat([]byte{'x'}, maxUnauthBulk))
	eleven := strings.Split("PING a b c d e f g h i j", " ")
	for _, c := range []struct {
		in  []byte
		err string
	}{
		{request(eleven[:10]...), ""},
		{request(eleven...), "Protocol error: unauthenticated multibulk length"},
		{request("ECHO", big), ""},
		{request("ECHO", big+"x"), "Protocol error: unauthenticated bulk length"},
		{[]byte(strings.Join(eleven, " ") + "\r\n"), ""},
		{[]byte("*1\r\n$536870913\r\n"), "Protocol error: invalid bulk length"},
	} {
		if got := feed(c.in, lim, nil); got.err != c.err {
			t.Errorf("%.60q: error %q, want %q", c.in, got.err, c.err)
		}
	}
}

// TestLongLinesInPieces: a line may have 64 KiB while its end has not come, wherever it is cut.
func TestLongLinesInPieces(t *testing.T) {
	for _, c := range []struct {
		first, end string
		err        string // if the line has one byte more
	}{
		{"", "\n", "Protocol error: too big inline request"},
		{"*", "\r\n", "Protocol error: too big mbulk count string"},
		{"*1\r\n$", "\r\n", "Protocol error: too big bulk count string"},
	} {
		lim := Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
		head := len(c.first) - strings.LastIndexByte(c.first, '\n') - 1
		part := c.first + strings.Repeat("1", maxPart-head)
		if got := feed([]byte(part+c.end), lim, []int{len(part)}); got.err == c.err {
			t.Errorf("%q: %s", c.first, got.err)
		}
		if got := feed([]byte(part+"1"+c.end), lim, []int{len(part) + 1}); got.err != c.err {
			t.Errorf("%q: error %q, want %q", c.first, got.err, c.err)
		}
	}
}

// TestAhead: what is looked at ahead is what Next returns afterwards, for lengths of all numbers of
// digits; a request that is not complete leaves nothing behind.
func TestAhead(t *testing.T) {
	lim := Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	for _, size := range []int{0, 1, 9, 10, 64, 99, 100, 12_345} {
		in := request("ECHO", strings.Repeat("x", size))
		var p Parser
		kept := [][]byte{[]byte("kept")}
		args, n := p.AppendAhead(kept, in, &lim)
		if n != len(in) || len(args) != 3 || string(args[0]) != "kept" || string(args[1]) != "ECHO" || len(args[2]) != size {
			t.Fatalf("size %d: %d bytes of %d, %.60q", size, n, len(in), args)
		}
		next, n, err := p.Next(in, &lim)
		if err != nil || n != len(in) || len(next) != 2 || !bytes.Equal(next[1], args[2]) {
			t.Fatalf("size %d: %d bytes of %d, %.60q, %v", size, n, len(in), next, err)
		}
		for end := range min(len(in), 200) {
			room := make([][]byte, 1, 4)
			if args, n := p.AppendAhead(room, in[:end], &lim); n != 0 || len(args) != 1 {
				t.Fatalf("size %d, %d bytes of it: %d bytes, %q", size, end, n, args)
			}
			for i, a := range room[:4] {
				if a != nil {
					t.Fatalf("size %d, %d bytes of it: argument %d is still %q", size, end, i, a)
				}
			}
		}
	}
}
