package netloop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
)

// BenchmarkRoundTrip is one client's pipeline of n requests there and back, both ends on this
// machine.
func BenchmarkRoundTrip(b *testing.B) {
	for _, driver := range networks {
		for _, n := range []int{1, 16, 100} {
			b.Run(fmt.Sprintf("%s/P=%d", driver.name, n), func(b *testing.B) {
				s, addr := benchServer(b, driver)
				nc, err := net.Dial(addr.Network(), addr.String())
				if err != nil {
					b.Fatal(err)
				}
				request := bytes.Repeat([]byte("echo 0123456789012345678901234567890123456789\n"), n)
				reply := make([]byte, len(request)-5*n)
				b.ReportAllocs()
				for i := 0; i < b.N; i += n {
					if _, err := nc.Write(request); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(nc, reply); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				if err := nc.Close(); err != nil {
					b.Error(err)
				}
				if err := s.Close(); err != nil {
					b.Error(err)
				}
			})
		}
	}
}

func benchServer(b *testing.B, driver network) (*Server, net.Addr) {
	b.Helper()
	s, err := New(Options{
		Portable:   driver.portable,
		Limits:     func(Class) Limits { return Limits{} },
		NewSession: func(c Conn) (Session, []byte) { return &lineSession{conn: c, closed: make(chan CloseReason, 1)}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	where := "127.0.0.1:0"
	kind := "tcp"
	if driver.unix {
		kind, where = "unix", b.TempDir()+"/s"
	}
	ln, err := net.Listen(kind, where)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		if err := s.Serve(ln); err != nil {
			b.Error(err)
		}
	}()
	return s, ln.Addr()
}
