package packets

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// exchange sends bytes, ends the client's side and returns everything that came back until the
// server closed.
func exchange(t *testing.T, s *harness.Server, raw string) string {
	t.Helper()
	c := s.Dial(t)
	// A server that closes on a protocol error may do so before it has taken every byte.
	if err := c.TryWrite(raw); err == nil {
		halfClose(t, c)
	}
	return c.ReadUntilClosed()
}

func halfClose(t *testing.T, c *harness.Conn) {
	t.Helper()
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		t.Fatalf("%T is no TCP connection", c.Conn)
	}
	_ = tcp.CloseWrite() // the server may have closed first
}

const ping = "*1\r\n$4\r\nPING\r\n"

// wire is what is sent; the answer is the oracle's.
var wire = []string{
	ping,
	ping + ping + ping,
	"PING\r\n",
	"PING\n",
	"ping\r\n",
	"  PING  \r\n",
	"\tPING\r\n",
	"\r\n",
	"\n",
	"\r\n\r\nPING\r\n",
	"   \r\nPING\r\n",
	"*0\r\n" + ping,
	"*-1\r\n" + ping,
	"*-10\r\n" + ping,
	"*-2147483648\r\n" + ping,
	"*\r\n" + ping,
	"*a\r\n" + ping,
	"* 1\r\n" + ping,
	"*+1\r\n$4\r\nPING\r\n" + ping,
	"*01\r\n$4\r\nPING\r\n",
	"*1 \r\n$4\r\nPING\r\n",
	"*1\n$4\r\nPING\r\n",
	"*1\r\n$4\nPING\r\n",
	"*1\r\r\n$4\r\nPING\r\n",
	"*1\r\n$4\r\nPINGxx" + ping,
	"*1\r\n$04\r\nPING\r\n",
	"*1\r\n$4 \r\nPING\r\n",
	"*1\r\n$-1\r\n" + ping,
	"*1\r\n$-2\r\n" + ping,
	"*1\r\n$\r\n" + ping,
	"*1\r\n$a\r\n" + ping,
	"*1\r\n$0\r\n\r\n" + ping,
	"*2\r\n$0\r\n\r\n$1\r\na\r\n" + ping,
	"*1\r\nPING\r\n",
	"*1\r\n:4\r\nPING\r\n",
	"*1\r\n+PING\r\n",
	"*1\r\n*1\r\n",
	"*1\r\n\r\n",
	"*1\r\n\x00\r\n",
	"*1\r\n\xff\r\n",
	"*1\r\n$9223372036854775807\r\n",
	"*1\r\n$9223372036854775808\r\n",
	"*1\r\n$99999999999999999999999\r\n",
	"*1\r\n$2147483648\r\n",
	"*1\r\n$2000000000\r\n",
	"*1\r\n$536870913\r\n",
	"*9223372036854775807\r\n",
	"*9223372036854775808\r\n",
	"*2147483647\r\n",
	"*2147483648\r\n",
	"*1000000000\r\n",
	"*1048577\r\n",
	"*-9223372036854775808\r\n" + ping,
	"*-9223372036854775809\r\n" + ping,
	// commands before the error are answered, those after it are not
	ping + "*1\r\n$a\r\n" + ping,
	"SET k v\r\nGET k\r\n*1\r\nx\r\nSET k w\r\n",
	"GET k\r\n",
	ping + ping + "*abc\r\n",
	// what is incomplete is not executed
	"*1\r\n$4\r\nPING",
	"*1\r\n$4\r\nPING\r",
	"*2\r\n$4\r\nECHO\r\n",
	"PING",
	"*",
	"*1",
	"*1\r",
	// inline quoting
	"ECHO \"a b\"\r\n",
	"ECHO 'a b'\r\n",
	"ECHO \"\\x41\\n\\r\\t\\b\\a\\\\\\\"\\q\"\r\n",
	"ECHO \"\\x4\"\r\n",
	"ECHO \"\\xzz\"\r\n",
	"ECHO 'it\\'s'\r\n",
	"ECHO '\\n'\r\n",
	"ECHO \"\"\r\n",
	"ECHO ''\r\n",
	"ECHO \"a\"b\r\n",
	"ECHO 'a'b\r\n",
	"ECHO \"a\r\n",
	"ECHO 'a\r\n",
	"ECHO a\"b\r\n",
	"ECHO a\"b\"\r\n",
	"ECHO a'b'\r\n",
	"\"PING\"\r\n",
	"\"\"\r\n",
	"'' a\r\n",
	"ECHO \"a\"\"b\"\r\n",
	"ECHO \"unbalanced\r\nPING\r\n",
	"PING\r\nECHO \"unbalanced\r\nPING\r\n",
	"ECHO a\x00b\r\n",
	"ECHO \"a\\x00b\"\r\n",
	"\x00\r\nPING\r\n",
	"PING\x00\r\n",
	"ECHO a\rb\r\n",
	"ECHO \ta\t\r\n",
	"ECHO \v\r\n",
	"SET inline 1\nGET inline\nDEL inline\n",
	"NOSUCH\r\nPING\r\n",
	"NOSUCH a 'b c' \"d\\r\\n\"\r\n",
	"$4\r\nPING\r\n",
	"+OK\r\n",
	"-ERR\r\n",
	":1\r\n",
	"%1\r\n",
	// long lines
	"ECHO " + strings.Repeat("x", 60_000) + "\r\n",
	strings.Repeat("x", 64<<10) + "\r\nPING\r\n",
	strings.Repeat("x", 70_000),
	strings.Repeat("x", 100_000) + "\r\n" + ping,
	strings.Repeat(" ", 60_000) + "PING\r\n",
	"*" + strings.Repeat("1", 70_000),
	"*1\r\n$" + strings.Repeat("1", 70_000),
	"*" + strings.Repeat("0", 100) + "1\r\n",
	"NOSUCH " + strings.Repeat("y ", 20_000) + "\r\n",
	// the end of a connection
	"QUIT\r\n",
	"QUIT\r\nPING\r\n",
	ping + "*1\r\n$4\r\nQUIT\r\n" + ping,
	"QUIT now\r\n",
	"SET q 1\r\nQUIT\r\nSET q 2\r\n",
	"GET q\r\n",
	"MULTI\r\nQUIT\r\nPING\r\n",
	"MULTI\r\nSET q 9\r\n",
	"GET q\r\n",
	"POST / HTTP/1.1\r\nPING\r\n",
	"Host: example\r\nPING\r\n",
	"host: example\r\nPING\r\n",
	"post\r\nPING\r\n",
	"PING\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n",
	"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"*2\r\n$4\r\nPOST\r\n$1\r\n/\r\n" + ping,
	"*1\r\n$5\r\nHost:\r\n" + ping,
	"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n",
	"CLIENT REPLY SKIP\r\nPING\r\nECHO 2\r\n",
	"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY ON\r\n",
	"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n",
	"CLIENT REPLY OFF\r\nNOSUCH\r\nGET\r\nCLIENT REPLY ON\r\n",
	"CLIENT REPLY OFF\r\n*1\r\nx\r\n",
	"RESET\r\n",
	"HELLO 3\r\nRESET\r\nGET nokey\r\n",
	"HELLO 3\r\nGET nokey\r\nHGETALL nokey\r\nSMEMBERS nokey\r\nMGET a b\r\nHELLO 9\r\n",
	// binary in names
	harness.Encode("GET", "\x00\r\n\xff"),
	harness.Encode("\x00\x01", "\x02"),
	harness.Encode("SET", "bin\r\n", "\r\n\x00") + harness.Encode("GET", "bin\r\n") + harness.Encode("DEL", "bin\r\n"),
}

func TestWire(t *testing.T) {
	redis := harness.StartRedis(t)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		larder := harness.Start(t, "network-driver "+driver)
		redis.Dial(t).MustOK("FLUSHALL")
		compareAll(t, larder, redis, wire)
	})
}

func compareAll(t *testing.T, larder, redis *harness.Server, cases []string) {
	t.Helper()
	for _, raw := range cases {
		a, b := exchange(t, larder, raw), exchange(t, redis, raw)
		a = strings.Replace(a, "HELLO <proto> AUTH", "HELLO AUTH", 1) // 7.4 shows where the protocol goes
		if maskHello(a) != maskHello(b) {
			same := samePrefix(a, b)
			t.Errorf("%s\n  larder %s\n  redis  %s\n  after %d equal bytes", shorten(raw), shorten(a[same:]), shorten(b[same:]), same)
		}
	}
}

// maskHello removes what the reply to HELLO says about the server and not about the protocol.
func maskHello(s string) string {
	before, rest, ok := strings.Cut(s, "$6\r\nserver\r\n")
	if !ok {
		return s
	}
	_, rest, _ = strings.Cut(rest, "$7\r\nmodules\r\n")
	return before + "HELLO..." + rest
}

// samePrefix is the number of bytes that two answers have in common, up to a line that is left
// whole.
func samePrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return strings.LastIndexByte(a[:n], '\n') + 1
}

func shorten(s string) string {
	const most = 300
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// unauthenticated are packets to a server that wants a password first: the limits are narrow until
// it has come.
var unauthenticated = []string{
	ping,
	"PING\r\n",
	"*10\r\n$4\r\nPING\r\n",
	"*11\r\n$4\r\nPING\r\n",
	"*11\r\n",
	"*1\r\n$16384\r\n",
	"*1\r\n$16385\r\n",
	"*1\r\n$536870912\r\n",
	"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
	"*1000000\r\n",
	"GET k\r\nSET k v\r\nNOSUCH\r\nMULTI\r\nEXEC\r\n",
	"COMMAND\r\n",
	"HELLO 3\r\n",
	"HELLO 2\r\n",
	"HELLO 7\r\n",
	"AUTH\r\n",
	"AUTH wrong\r\n",
	"AUTH secret\r\nPING\r\n",
	"AUTH default secret\r\nPING\r\n",
	"AUTH nobody secret\r\nPING\r\n",
	"AUTH secret\r\nAUTH wrong\r\nPING\r\n",
	"AUTH secret\r\n*12\r\n" + "$4\r\nMGET\r\n" + strings.Repeat("$1\r\nk\r\n", 11),
	"AUTH secret\r\n" + harness.Encode("ECHO", strings.Repeat("x", 20_000)),
	"AUTH secret\r\nRESET\r\nPING\r\n",
	"HELLO 3 AUTH default wrong\r\nPING\r\n",
	"HELLO 3 AUTH default secret\r\nPING\r\n",
	"RESET\r\nPING\r\n",
	"QUIT\r\nPING\r\n",
	"ECHO " + strings.Repeat("x", 30_000) + "\r\n",
	"POST / HTTP/1.1\r\n",
}

func TestUnauthenticated(t *testing.T) {
	redis := harness.StartRedis(t, "requirepass secret")
	harness.EachDriver(t, func(t *testing.T, driver string) {
		larder := harness.Start(t, "network-driver "+driver, "requirepass secret")
		compareAll(t, larder, redis, unauthenticated)
	})
}

// TestHTTPIsLogged: a browser tricked into talking to the server is cut off, and somebody should
// hear of it.
func TestHTTPIsLogged(t *testing.T) {
	s := harness.Start(t)
	if got := exchange(t, s, "POST / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Errorf("answered %q", got)
	}
	if !strings.Contains(strings.ToLower(s.Log()), "security attack") {
		t.Errorf("the log does not tell:\n%s", s.Log())
	}
}
