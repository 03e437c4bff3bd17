package packets

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// digits and dots fill lines around the limits: 64 KiB while the end is missing, and 80 KiB less
// what Redis' allocator takes when all of a line arrives at once.
func digits(n int) string { return strings.Repeat("7", n) }
func dots(n int) string   { return strings.Repeat(".", n) }

const (
	limit    = 64 << 10
	crlf     = "\r\n"
	patience = harness.Patience
)

// malformed are requests that are wrong, or look so. Some are right up to a point, and some wait for
// more for good.
var malformed = []string{
	// numbers of arguments
	"*" + crlf, "*-" + crlf, "*--1" + crlf, "*+1" + crlf, "*1a" + crlf, "*a1" + crlf, "* 1" + crlf, "*1 " + crlf, "*1.0" + crlf, "*1e1" + crlf,
	"*0x1" + crlf, "*01" + crlf, "*00" + crlf, "*-0" + crlf, "*-01" + crlf, "*\xff" + crlf, "*1\n", "*1\n\r\n", "**1" + crlf, "*$1" + crlf,
	"*2147483647" + crlf, "*2147483648" + crlf, "*4294967297" + crlf, "*9223372036854775807" + crlf, "*9223372036854775808" + crlf,
	"*18446744073709551617" + crlf, "*-9223372036854775808" + crlf, "*-9223372036854775809" + crlf, "*" + digits(100) + crlf,
	"*1\x00" + crlf + ping, "*\x00" + crlf + ping,
	// lengths
	"*1\r\n$" + crlf, "*1\r\n$-" + crlf, "*1\r\n$-0" + crlf, "*1\r\n$-1" + crlf + ping, "*1\r\n$-2" + crlf, "*1\r\n$+4\r\nPING\r\n",
	"*1\r\n$04\r\nPING\r\n", "*1\r\n$ 4\r\nPING\r\n", "*1\r\n$4 \r\nPING\r\n", "*1\r\n$4a\r\nPING\r\n", "*1\r\n$4.0\r\nPING\r\n", "*1\r\n$0x4\r\nPING\r\n",
	"*1\r\n$\xff" + crlf, "*1\r\n$4\nPING\r\n", "*1\r\n$536870912" + crlf, "*1\r\n$536870913" + crlf, "*1\r\n$2147483648" + crlf, "*1\r\n$4294967300\r\nPING\r\n",
	"*1\r\n$9223372036854775807" + crlf, "*1\r\n$9223372036854775808" + crlf, "*1\r\n$18446744073709551620\r\nPING\r\n", "*1\r\n$" + digits(100) + crlf,
	"*1\r\n$4\x00\r\nPING\r\n", "*2\r\n$4\r\nPING\r\n$-1" + crlf, "*2\r\n$4\r\nECHO\r\n$x" + crlf,
	// what stands where a length should
	"*1\r\nPING\r\n", "*1\r\n4\r\nPING\r\n", "*1\r\n:4" + crlf, "*1\r\n+PING" + crlf, "*1\r\n-ERR" + crlf, "*1\r\n*1" + crlf, "*1\r\n_" + crlf, "*1\r\n#t" + crlf,
	"*1\r\n%1" + crlf, "*1\r\n~1" + crlf, "*1\r\n>1" + crlf, "*1\r\n=4" + crlf, "*1\r\n(1" + crlf, "*1\r\n,1" + crlf, "*1\r\n!4" + crlf, "*1\r\n|1" + crlf,
	"*1\r\n\r\n", "*1\r\n \r\n", "*1\r\n\x00\r\n", "*1\r\n\xff\r\n", "*1\r\n\x1b\r\n", "*1\r\n\"4\r\n", "*1\r\n'4\r\n", "*1\r\n\\4\r\n", "*1\r\n\n",
	// the ends of bulks are not looked at, and shift what follows
	"*1\r\n$4\r\nPINGabPING\r\n", "*1\r\n$4\r\nPING\r\n\r\n" + ping, "*1\r\n$3\r\nPING\r\n", "*1\r\n$5\r\nPING\r\n" + ping, "*2\r\n$4\r\nPING\r\n\r\n",
	// other things that clients send by mistake
	"$4\r\nPING\r\n", ":1\r\n" + ping, "+PING\r\n", "%1\r\n$4\r\nPING\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "\x00\x00\x00\x00" + ping, "\xff\xfe\r\n",
	"GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "Host: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	// quotes
	"PING \"\r\n", "PING '\r\n", "PING \"a\"b\r\n", "PING 'a'b\r\n", "PING \"a\\\r\n", "PING '\\'\r\n", "\"\r\n", "'\r\n", "PING \"\\x4\r\n", "\"PING\"x\r\n",
	// after what is right
	ping + "*x" + crlf + ping, "PING\r\n*1\r\n$x" + crlf, "MULTI\r\nPING\r\n*1\r\n:1" + crlf, ping + "PING '\r\n" + ping,
	// long lines, without an end, with it, and one that comes too late
	"*" + digits(limit-2), "*" + digits(limit-1), "*" + digits(limit), "*" + digits(limit+1), "*" + digits(limit-1) + crlf, "*" + digits(limit) + crlf, "*" + digits(70_000) + crlf,
	"*1\r\n$" + digits(limit-2), "*1\r\n$" + digits(limit-1), "*1\r\n$" + digits(limit), "*1\r\n$" + digits(limit+1), "*1\r\n$" + digits(limit-1) + crlf,
	"*1\r\n$" + digits(limit) + crlf, "*1\r\n$" + digits(70_000) + crlf, "*2\r\n$4\r\nECHO\r\n$" + digits(limit), "*1\r\n" + digits(limit), "*1\r\n" + digits(limit-1) + crlf,
	dots(limit - 1), dots(limit), dots(limit + 1), dots(limit+2) + ping, dots(limit-2) + crlf, dots(limit-1) + crlf, dots(limit) + crlf, dots(limit+1) + crlf, dots(limit) + "\n", dots(limit+1) + "\n",
	dots(70_000) + crlf, dots(80_000) + crlf, dots(limit-1) + crlf + ping, "ECHO " + dots(70_000) + crlf + ping, "ECHO \"" + dots(70_000) + crlf, strings.Repeat(" ", 70_000) + "PING\r\n",
	dots(90_000) + crlf, dots(100_000), "\x00" + dots(limit-2), "\x00" + dots(limit), "PING\r\n" + dots(limit+1), strings.Repeat("\r", limit+1), "*" + strings.Repeat("\n", limit),
}

// TestMalformed sends each at once and in pieces, and compares what comes back, and whether the
// connection lives on.
func TestMalformed(t *testing.T) {
	redis := harness.StartRedis(t)
	want := map[string]verdict{}
	for _, raw := range malformed {
		for _, parts := range [][]string{{raw}, inPieces(raw)} {
			want[strings.Join(parts, "|")] = judge(t, redis, parts, false)
		}
	}
	harness.EachDriver(t, func(t *testing.T, driver string) {
		larder := harness.Start(t, "network-driver "+driver, "io-threads 1")
		for _, raw := range malformed {
			slow := want[strings.Join(inPieces(raw), "|")]
			for _, parts := range [][]string{{raw}, inPieces(raw)} {
				want := want[strings.Join(parts, "|")]
				got := judge(t, larder, parts, want.closed)
				// What is sent at once may arrive in pieces: of a line that is longer than the limit it
				// matters how much was there when either server looked.
				for tries := 0; got != want && got != slow && len(raw) > limit && tries < 5; tries++ {
					want = judge(t, redis, parts, false)
					got = judge(t, larder, parts, want.closed)
				}
				if got != want && (got != slow || len(raw) <= limit) {
					t.Errorf("%s, %d bytes in %d pieces\n  larder %s\n  redis  %s", shorten(raw), len(raw), len(parts), got, want)
				}
			}
		}
	})
}

// inPieces cuts a request into its bytes; of a long one those around the limit, the rest in larger
// pieces.
func inPieces(raw string) (parts []string) {
	const near, piece = 6, 10_000
	for at := 0; at < len(raw); {
		n := 1
		switch {
		case len(raw) <= 200:
		case at < limit-near:
			n = min(piece, limit-near-at)
		case at >= limit+2*near:
			n = piece
		}
		n = min(n, len(raw)-at)
		parts = append(parts, raw[at:at+n])
		at += n
	}
	return parts
}

// verdict is what a server makes of a request.
type verdict struct {
	reply  string
	closed bool
}

func (v verdict) String() string {
	if v.closed {
		return shorten(v.reply) + " and closes"
	}
	return shorten(v.reply)
}

// judge sends the parts on a connection, each when the server has read the one before, and looks
// whether the server still has the connection. If it is to close it, it gets the time for that.
func judge(t *testing.T, s *harness.Server, parts []string, closes bool) (v verdict) {
	t.Helper()
	c, other := s.Dial(t), s.Dial(t)
	c.MustOK("CLIENT", "SETNAME", "judged")
	ask := func() int {
		n, err := strconv.Atoi(other.Info("stats", "total_net_input_bytes"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	ask() // by now all that came before is counted
	before, each := ask(), len(harness.Encode("INFO", "stats"))
	for _, part := range parts {
		if c.TryWrite(part) != nil {
			break
		}
		before += len(part)
		harness.Eventually(t, patience, "the server has read what was sent", func() bool {
			before += each
			return ask() >= before || !connected(other)
		})
	}
	for deadline := time.Now().Add(patience); closes && connected(other) && time.Now().Before(deadline); {
	}
	if v.closed = !connected(other); !v.closed {
		halfClose(t, c)
	}
	v.reply = c.ReadUntilClosed()
	harness.Eventually(t, patience, "the connection is gone", func() bool { return !connected(other) })
	_ = c.Close()
	_ = other.Close()
	return v
}

// connected reports whether the server has the connection that is judged.
func connected(other *harness.Conn) bool {
	return strings.Contains(other.Do("CLIENT", "LIST").Text, " name=judged ")
}
