package packets

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// TestSlowReader: a client pipelines 20,000 GETs of a megabyte and never reads. The server must
// stop executing and reading for it, keep its memory, and serve everybody else; when the client
// begins to read after all, its replies are there and right.
func TestSlowReader(t *testing.T) {
	const (
		requests = 20_000
		size     = 1 << 20
		mayGrow  = 64 << 20
	)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver)
		other, slow := s.Dial(t), s.Dial(t)
		other.MustOK("SET", "big", strings.Repeat("x", size))
		other.Do("GET", "big")
		before := s.RSS(t)
		written := make(chan error, 1)
		go func() { written <- slow.TryWrite(strings.Repeat(harness.Encode("GET", "big"), requests)) }()
		var worst time.Duration
		for range 3000 {
			start := time.Now()
			if r := other.Do("GET", "nokey"); r.Raw != "$-1\r\n" {
				t.Fatal(r)
			}
			worst = max(worst, time.Since(start))
		}
		grown := s.RSS(t) - before
		t.Logf("memory grew by %.1f MB; the slowest of 3000 GETs of the other client took %v", float64(grown)/(1<<20), worst)
		if grown > mayGrow {
			t.Errorf("memory grew by %d bytes", grown)
		}
		for i := range 50 {
			if r := slow.Read(); len(r.Text) != size {
				t.Fatalf("reply %d: %v", i, r)
			}
		}
		abort(t, slow)
		<-written
		harness.Eventually(t, harness.Patience, "the slow reader is gone", func() bool {
			return strings.Count(other.Do("CLIENT", "LIST").Text, "\n") == 1
		})
	})
}

// TestIdleConnections opens ten thousand connections that have said PING once and are silent since,
// or wait for an element besides.
func TestIdleConnections(t *testing.T) {
	for name, waiting := range map[string]bool{"silent": false, "waiting": true} {
		t.Run(name, func(t *testing.T) { manyConnections(t, waiting) })
	}
}

func manyConnections(t *testing.T, waiting bool) {
	connections := 10_000
	if harness.Race {
		connections = 1000
	}
	allowFiles(t, uint64(connections)+1000)
	// Bytes of the server's memory per connection. A buffer of 16 KiB for each would show; Redis
	// needs about 2 KiB.
	most := map[string]int64{"epoll": 4 << 10, "io_uring": 4 << 10, "portable": 40 << 10}
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver, "maxclients 20000")
		other := s.Dial(t)
		other.Do("PING")
		before := s.RSS(t)
		conns := make([]net.Conn, connections)
		answer := make([]byte, len("+PONG\r\n"))
		for i := range conns {
			c, err := net.Dial("tcp", s.Addr)
			if err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			defer func() { _ = c.Close() }()
			conns[i] = c
			said := ping
			if waiting {
				said += harness.Encode("BLPOP", fmt.Sprint("queue:", i%100), "0")
			}
			if _, err := c.Write([]byte(said)); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(harness.Patience)); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(answer); err != nil || string(answer[:n]) != "+PONG\r\n" {
				t.Fatalf("connection %d: %q, %v", i, answer[:n], err)
			}
		}
		each := (s.RSS(t) - before) / int64(connections)
		t.Logf("%s: %d bytes per idle connection", driver, each)
		if each > most[driver] && !harness.Race { // too few connections there to tell
			t.Errorf("%d bytes per idle connection, more than %d", each, most[driver])
		}
		if r := other.Do("PING"); r.Raw != "+PONG\r\n" {
			t.Error(r)
		}
		blocked := 0
		if waiting {
			blocked = connections
		}
		for _, want := range []string{fmt.Sprintf("connected_clients:%d\r\n", connections+1), fmt.Sprintf("blocked_clients:%d\r\n", blocked)} {
			harness.Eventually(t, harness.Patience, "INFO clients says "+want, func() bool {
				return strings.Contains(other.Do("INFO", "clients").Text, want)
			})
		}
		if waiting {
			firstIsServed(t, other, conns)
		}
	})
}

// firstIsServed pushes one element to each queue: the connection that has waited for it longest
// gets it.
func firstIsServed(t *testing.T, c *harness.Conn, conns []net.Conn) {
	t.Helper()
	for i := range 100 {
		key := fmt.Sprint("queue:", i)
		c.Do("RPUSH", key, "x")
		answer := make([]byte, len(harness.Encode(key, "x")))
		if _, err := io.ReadFull(conns[i], answer); err != nil || string(answer) != harness.Encode(key, "x") {
			t.Fatalf("connection %d: %q, %v", i, answer, err)
		}
	}
}

// allowFiles raises the limit of open descriptors of this process and of those it starts.
func allowFiles(t *testing.T, n uint64) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur >= n {
		return
	}
	lim.Cur = n
	lim.Max = max(lim.Max, n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatalf("%d open files are needed: %v; raise the hard limit (ulimit -Hn)", n, err)
	}
}

// TestManyClientsComeAndGo opens and closes connections without end from several sides, and counts
// descriptors after.
func TestManyClientsComeAndGo(t *testing.T) {
	const clients, rounds = 8, 200
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver, "io-threads 2")
		other := s.Dial(t)
		other.Do("PING")
		files := s.OpenFiles(t)
		done := make(chan error, clients)
		for range clients {
			go func() { done <- comeAndGo(s.Addr, rounds) }()
		}
		for range clients {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		harness.Eventually(t, harness.Patience, "all descriptors are given back", func() bool { return s.OpenFiles(t) <= files })
	})
}

func comeAndGo(addr string, rounds int) error {
	buf := make([]byte, 64)
	for i := range rounds {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		if err := c.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
			return err
		}
		if i%3 != 0 { // every third says nothing at all
			if _, err := c.Write([]byte(ping)); err != nil {
				return err
			}
		}
		if i%3 == 1 {
			if n, err := c.Read(buf); err != nil || string(buf[:n]) != "+PONG\r\n" {
				return fmt.Errorf("%q, %w", buf[:n], err)
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}
