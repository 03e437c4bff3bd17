package netloop

import (
	"net"
	"runtime"
	"testing"
)

// TestIdleConnections: what 2,000 connections cost that have been used and are idle. A Redis client
// takes some 10 KB.
func TestIdleConnections(t *testing.T) {
	const n = 2000
	for _, c := range []struct {
		network
		most int64 // bytes of Go memory per connection, the client's end included
	}{
		{network{name: "epoll"}, 2 << 10},
		{network{name: "io_uring", uring: true}, 2 << 10},
		{network{name: "portable", portable: true}, 8 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, c.network, Limits{})
			before := memory()
			conns := make([]net.Conn, n)
			for i := range conns {
				nc, err := net.Dial(s.net, s.addr)
				if err != nil {
					t.Fatal(err)
				}
				conns[i] = nc
				if _, err := nc.Write([]byte("echo hello\n")); err != nil {
					t.Fatal(err)
				}
				var got [6]byte
				if _, err := nc.Read(got[:]); err != nil {
					t.Fatal(err)
				}
			}
			each := (memory() - before) / n
			t.Logf("%d bytes per connection", each)
			if each > c.most {
				t.Errorf("%d bytes per connection, want at most %d", each, c.most)
			}
			for _, nc := range conns {
				if err := nc.Close(); err != nil {
					t.Error(err)
				}
			}
			s.eventually("the connections to go", func() bool { return s.Stats().Current == 0 })
			s.close()
		})
	}
}

// memory returns the bytes that the heap and the stacks take.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
