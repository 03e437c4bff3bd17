//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// The way of an element from one client to another that waits for it: from the write of LPUSH on
// one connection until BLPOP's reply is read on the other.
//
// The one that waits sends PING and BLPOP in one write. When PONG is there the server has seen
// both, so the push never comes first. As for the latencies at a fixed rate, one thread does it all
// and never sleeps: waking a thread takes as long as what is measured.

const handoverKey = "queue"

// spinConn is a connection whose replies are waited for without sleeping.
type spinConn struct {
	fd  int
	buf [4096]byte
}

// handoverFigure hands n elements over: median, p99 and longest in microseconds.
func (b *bench) handoverFigure() figure {
	n := b.size(50_000, 2_000)
	f := figure{name: "blpop", cores: 2, trial: func(s *server) ([]float64, error) {
		hist, err := handOver(s, n)
		if err != nil {
			return nil, err
		}
		return []float64{micros(hist.ValueAtQuantile(50)), micros(hist.ValueAtQuantile(99)), micros(hist.Max())}, nil
	}}
	f.measures = []measure{
		{what: "BLPOP, from the push of one client to the reply of another: median", unit: "us", bars: []bar{notAboveRedis}},
		{what: "the same: p99", unit: "us", bars: []bar{notAboveRedis}},
		{what: "the same: longest", unit: "us"},
	}
	return f
}

func handOver(s *server, n int) (*hdrhistogram.Histogram, error) {
	addr, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		return nil, err
	}
	worker, err := dialSpinning(addr)
	if err != nil {
		return nil, err
	}
	defer worker.close()
	producer, err := dialSpinning(addr)
	if err != nil {
		return nil, err
	}
	defer producer.close()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	hist := hdrhistogram.New(1, int64(longestSeen/latencyUnit), 3)
	wait := append(appendRequest(nil, "PING"), appendRequest(nil, "BLPOP", handoverKey, "0")...)
	push := appendRequest(nil, "LPUSH", handoverKey, "an element")
	popped := string(appendRequest(nil, handoverKey, "an element")) // an array of bulk strings, as a request is
	for range n {
		if err := worker.ask(wait, "+PONG\r\n"); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := producer.write(push); err != nil {
			return nil, err
		}
		if err := worker.expect(popped); err != nil {
			return nil, err
		}
		took := time.Since(began)
		if err := producer.expect(":1\r\n"); err != nil {
			return nil, err
		}
		if err := hist.RecordValue(int64(min(took, longestSeen) / latencyUnit)); err != nil {
			return nil, err
		}
	}
	return hist, nil
}

func dialSpinning(addr netip.AddrPort) (*spinConn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &spinConn{fd: fd}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connecting to %v: %w", addr, err)
	}
	return c, nil
}

func (c *spinConn) close() { _ = unix.Close(c.fd) } // nothing is under way

// ask sends a request and waits for that reply.
func (c *spinConn) ask(request []byte, reply string) error {
	if err := c.write(request); err != nil {
		return err
	}
	return c.expect(reply)
}

// write sends a request, which is small enough for any socket that waits for its reply.
func (c *spinConn) write(request []byte) error {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&request[0])), uintptr(len(request)))
	if errno != 0 || int(n) != len(request) {
		return fmt.Errorf("write of %d bytes: %d, %w", len(request), int(n), errno)
	}
	return nil
}

// expect reads until that reply is there.
func (c *spinConn) expect(reply string) error {
	got := c.buf[:0]
	for began := time.Now(); len(got) < len(reply); {
		rest := c.buf[len(got):]
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)))
		switch {
		case errno == unix.EAGAIN || errno == unix.EINTR:
			if time.Since(began) > replyWithin {
				return fmt.Errorf("after %v the reply is %q, expected %q", replyWithin, got, reply)
			}
		case errno != 0:
			return fmt.Errorf("read: %w", errno)
		case n == 0:
			return fmt.Errorf("the server closed a connection")
		default:
			got = c.buf[:len(got)+int(n)]
		}
	}
	if string(got) != reply {
		return fmt.Errorf("the reply is %q, expected %q", got, reply)
	}
	return nil
}
