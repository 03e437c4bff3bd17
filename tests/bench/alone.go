//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Requests that come alone, without pipelining: what is left of them is how often the server enters
// the kernel, and how long it takes to wake up.

func (b *bench) aloneFigures() []figure {
	trips := b.size(20_000, 5_000)
	return []figure{{
		name: "alone-GET", cores: 2,
		measures: []measure{
			{what: "one client, GET 64 B, P=1: round trip, median", unit: "us", bars: []bar{notAboveRedis}},
			{what: "the same: server CPU", unit: "us"},
		},
		prepare: func(s *server) error { return s.fillKeys(benchKeys, fillStrings) },
		trial:   func(s *server) ([]float64, error) { return roundTrips(s, trips) },
	}, {
		name:     "calls-GET",
		note:     "counted by perf: at its full speed a server finds fewer requests in one round than under strace",
		measures: []measure{{what: "system calls per GET 64 B, P=1, 50 clients", unit: "calls"}},
		prepare:  func(s *server) error { return s.fillKeys(benchKeys, fillStrings) },
		trial: func(s *server) ([]float64, error) {
			calls, err := b.callsOf(s, b.size(300_000, 30_000))
			return []float64{calls}, err
		},
	}}
}

// roundTrips asks n times for a random key, one request after the other: the median of the round
// trips, and the server's processor time for one, in microseconds. The client's system calls block,
// so that Go's poller has no part in it.
func roundTrips(s *server, n int) ([]float64, error) {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	f, err := nc.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd := int(f.Fd()) // which makes it block
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	took := make([]time.Duration, 0, n)
	request, reply := []byte(nil), make([]byte, 1<<10)
	var before time.Duration
	for i := range n + n/10 {
		if i == n/10 { // the first ones have warmed up
			if before, err = s.cpu(); err != nil {
				return nil, err
			}
			took = took[:0]
		}
		request = appendNamed(append(request[:0], "*2\r\n$3\r\nGET\r\n"...), "key:", i*7919%benchKeys)
		began := time.Now()
		if _, err := unix.Write(fd, request); err != nil {
			return nil, fmt.Errorf("sending: %w", err)
		}
		got, err := unix.Read(fd, reply)
		took = append(took, time.Since(began))
		if err != nil {
			return nil, fmt.Errorf("receiving: %w", err)
		}
		if got != len("$64\r\n")+64+len("\r\n") {
			return nil, fmt.Errorf("got %q", reply[:got])
		}
	}
	after, err := s.cpu()
	slices.Sort(took)
	return []float64{micros(int64(took[len(took)/2])), micros(int64(after-before)) / float64(n)}, err
}

// callsOf counts the system calls of all threads of the server while redis-benchmark sends n GETs.
func (b *bench) callsOf(s *server, n int) (float64, error) {
	perf, err := exec.LookPath("perf")
	if err != nil {
		return 0, errors.New("perf is needed and was not found; install it with: apt-get install -y linux-perf")
	}
	const event = "raw_syscalls:sys_enter"
	var out strings.Builder
	cmd := exec.CommandContext(b.ctx, perf, "stat", "-x", ",", "-e", event, "-p", strconv.Itoa(s.pid), "--",
		b.redisBenchmark, "-h", "127.0.0.1", "-p", s.port, "-c", strconv.Itoa(cpuConns), "-P", "1", "-d", "64", "-t", "get",
		"-n", strconv.Itoa(n), "-r", strconv.Itoa(benchKeys), "--csv")
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("perf: %w: %s", err, strings.TrimSpace(out.String()))
	}
	for line := range strings.Lines(out.String()) {
		if fields := strings.Split(line, ","); len(fields) > 2 && fields[2] == event {
			calls, err := strconv.ParseInt(fields[0], 10, 64)
			return float64(calls) / float64(n), err
		}
	}
	return 0, fmt.Errorf("perf did not count: %s", strings.TrimSpace(out.String()))
}
