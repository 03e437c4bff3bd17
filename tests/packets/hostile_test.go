package packets

import (
	"net"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// hostile are packets that announce the impossible, or never end. A server that believes them
// allocates, spins, recurses or dies.
var hostile = map[string]string{
	"bulk of 2^63-1":            "*1\r\n$9223372036854775807\r\n",
	"2^63-1 arguments":          "*9223372036854775807\r\n",
	"a billion arguments":       "*1000000000\r\n",
	"bulk of -2":                "*1\r\n$-2\r\n",
	"-10 arguments":             "*-10\r\n",
	"bulk of 2 GB":              "*1\r\n$2000000000\r\n",
	"bulk of 512 MB":            "*1\r\n$536870912\r\n",
	"bare $2000000000":          "$2000000000\r\n",
	"64 KiB without newline":    strings.Repeat("x", 64<<10),
	"64 KiB of digits":          "*" + strings.Repeat("1", 64<<10),
	"a million arguments begun": "*1048576\r\n" + strings.Repeat("$1\r\na\r\n", 1000),
	"only a star":               "*",
	"only a CR":                 "*1\r",
	"zeros":                     strings.Repeat("\x00", 4096),
	"empty arrays":              strings.Repeat("*0\r\n", 50_000),
	"empty lines":               strings.Repeat("\r\n", 50_000),
	"deep nonsense":             strings.Repeat("*1\r\n", 1000),
}

// TestHostilePackets sends each packet on many connections that stay open, and looks at the process
// from outside: it answers others, its memory stays where it was, and the connections are given
// back.
func TestHostilePackets(t *testing.T) {
	const (
		copies   = 50
		mayGrow  = 48 << 20 // bytes for all packets and copies together; one believed length would be 500 MB
		patience = harness.Patience
	)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver)
		other := s.Dial(t)
		other.Do("PING")
		memory, files := s.RSS(t), s.OpenFiles(t)
		for name, raw := range hostile {
			var open []*harness.Conn
			for range copies {
				c := s.Dial(t)
				_ = c.TryWrite(raw) // the server may close first
				open = append(open, c)
			}
			if r := other.Do("PING"); r.Raw != "+PONG\r\n" {
				t.Fatalf("%s: PING: %v", name, r)
			}
			if grown := s.RSS(t) - memory; grown > mayGrow {
				t.Fatalf("%s: memory grew by %d bytes", name, grown)
			}
			for _, c := range open {
				abort(t, c)
			}
		}
		harness.Eventually(t, patience, "all descriptors are given back", func() bool { return s.OpenFiles(t) <= files })
		if r := other.Do("PING"); r.Raw != "+PONG\r\n" {
			t.Fatal(r)
		}
	})
}

// abort ends a connection with a reset: the client has gone without a word.
func abort(t *testing.T, c *harness.Conn) {
	t.Helper()
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a closed socket cannot be made to linger, and need not
	}
	_ = c.Close()
}

// TestHalfOpen: a client that ends its sending side still gets its answers, then the connection
// closes; one that vanishes in the middle of a request, of a reply or of a transaction leaves
// nothing behind.
func TestHalfOpen(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver)
		other := s.Dial(t)
		other.MustOK("SET", "big", strings.Repeat("x", 1<<20))
		files := s.OpenFiles(t)
		if got := exchange(t, s, strings.Repeat(ping, 1000)); got != strings.Repeat("+PONG\r\n", 1000) {
			t.Errorf("half-closed client got %d bytes", len(got))
		}
		for _, raw := range []string{
			"", "*2\r\n$3\r\nGET\r\n$3", harness.Encode("MULTI") + harness.Encode("SET", "half", "1"), harness.Encode("WATCH", "big"),
			strings.Repeat(harness.Encode("GET", "big"), 50), "*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1000000\r\n" + strings.Repeat("y", 500_000),
		} {
			for range 20 {
				c := s.Dial(t)
				c.WriteRaw(raw)
				abort(t, c)
			}
		}
		harness.Eventually(t, harness.Patience, "vanished clients are gone", func() bool { return s.OpenFiles(t) <= files })
		if r := other.Do("EXISTS", "half"); r.Raw != ":0\r\n" {
			t.Errorf("half a request was executed: %v", r)
		}
	})
}

// TestLimits: the bounds that close a connection or refuse it.
func TestLimits(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		t.Run("client-query-buffer-limit", func(t *testing.T) {
			s := harness.Start(t, "network-driver "+driver, "client-query-buffer-limit 1mb")
			c := s.Dial(t)
			_ = c.TryWrite("*2\r\n$4\r\nECHO\r\n$50000000\r\n" + strings.Repeat("x", 8<<20)) // closed while we write
			if got := c.ReadUntilClosed(); got != "" {
				t.Errorf("answered %.100q", got)
			}
		})
		t.Run("client-output-buffer-limit", func(t *testing.T) {
			s := harness.Start(t, "network-driver "+driver, "client-output-buffer-limit normal 2mb 1mb 1")
			c, other := s.Dial(t), s.Dial(t)
			other.MustOK("SET", "big", strings.Repeat("x", 1<<20))
			c.WriteRaw(strings.Repeat(harness.Encode("GET", "big"), 500))
			harness.Eventually(t, harness.Patience, "the client that does not read is closed", func() bool {
				return strings.Count(other.Do("CLIENT", "LIST").Text, "\n") == 1
			})
		})
		t.Run("maxclients", func(t *testing.T) {
			larder := harness.Start(t, "network-driver "+driver, "maxclients 3")
			redis := harness.StartRedis(t, "maxclients 3")
			for _, s := range []*harness.Server{larder, redis} {
				// The harness' own first connection may still be on its way out.
				harness.Eventually(t, harness.Patience, "the server is empty", func() bool {
					c := s.Dial(t)
					defer func() { _ = c.Close() }()
					return strings.Count(c.Do("CLIENT", "LIST").Text, "\n") == 1
				})
				keep := s.Dial(t)
				harness.Eventually(t, harness.Patience, "one client", func() bool {
					return strings.Count(keep.Do("CLIENT", "LIST").Text, "\n") == 1
				})
				for range 2 {
					s.Dial(t).Do("PING")
				}
				c := s.Dial(t)
				if got := c.ReadUntilClosed(); got != "-ERR max number of clients reached\r\n" {
					t.Errorf("%s: %q", s.Name, got)
				}
				if r := keep.Do("PING"); r.Raw != "+PONG\r\n" {
					t.Errorf("%s: %v", s.Name, r)
				}
			}
		})
		t.Run("timeout", func(t *testing.T) {
			s := harness.Start(t, "network-driver "+driver, "timeout 1")
			idle := s.Dial(t)
			idle.Do("PING")
			if got := idle.ReadUntilClosed(); got != "" {
				t.Errorf("%q", got)
			}
		})
		t.Run("proto-max-bulk-len", func(t *testing.T) {
			larder := harness.Start(t, "network-driver "+driver, "proto-max-bulk-len 1mb")
			redis := harness.StartRedis(t, "proto-max-bulk-len 1mb")
			compareAll(t, larder, redis, []string{
				"*2\r\n$4\r\nECHO\r\n$1048577\r\n",
				"SET k v\r\nSETRANGE k 1048576 x\r\nSETRANGE k 1048575 x\r\nSTRLEN k\r\nAPPEND k x\r\nSTRLEN k\r\nDEL k\r\n",
			})
		})
	})
}
