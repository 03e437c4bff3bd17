//go:build linux

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Latency at a fixed rate. A generator that waits for a reply before it sends the next request asks
// least when the server is slowest and so hides just what is looked for. Here request k is due at
// k/rate whatever happened to the ones before it, and its latency is counted from that moment, so a
// stall of the server (or of the generator, which is the same for both servers) shows in all
// requests it held up.
//
// The generator is one thread that never sleeps: it looks at the clock, sends what is due, and
// polls the connections. Timers of the runtime and the scheduler would add more to the tail than
// the servers do. It takes one core; the server has another one. Its system calls, which never
// wait, go past the runtime, whose monitor thread would look after it every 20 us, for 3 % of the
// server's core.

type openLoop struct {
	keys       int
	gets, sets int     // per second; 0: none
	record     kinds   // whose latencies are of interest
	fill       request // makes a key, and is what the SETs send
}

// kinds of requests.
type kinds uint8

const (
	gets kinds = 1 << iota
	sets
)

const (
	getConns    = 16
	setConns    = 4
	latencyUnit = time.Nanosecond
	longestSeen = 20 * time.Second // of a latency; what is longer counts as this
	drainWithin = 10 * time.Second // for replies still missing at the end
	maxWaiting  = 1 << 15          // requests in flight per connection; more means that the server does not keep up
	openSeed    = 20_000           // of the random keys: the same ones for both servers
)

// openLoopFigure drives both loaded servers in turn for the time of length: median, p99.9 and
// longest GET in microseconds, longest stop of larder's collector since its start in milliseconds.
func (b *bench) openLoopFigure(name string, l openLoop, length time.Duration) figure {
	return figure{
		name: name, memory: l.memory(), cores: 2, larderEnv: []string{"GODEBUG=gctrace=1"},
		prepare: func(s *server) error { return s.fillKeys(l.keys, l.fill) },
		trial: func(s *server) ([]float64, error) {
			hist, err := l.run(s, func(now time.Duration) bool { return now >= length })
			if err != nil {
				return nil, err
			}
			pause := notMeasured
			if longest, _ := s.said.collector(); s.side == larderSide {
				pause = float64(longest) / float64(time.Millisecond)
			}
			return []float64{micros(hist.ValueAtQuantile(50)), micros(hist.ValueAtQuantile(99.9)), micros(hist.Max()), pause}, nil
		},
	}
}

// memory is room for the keys in both servers.
func (l openLoop) memory() int64 { return int64(l.keys) * 500 }

// micros converts from the histogram's unit.
func micros(v int64) float64 { return float64(v) * float64(latencyUnit) / float64(time.Microsecond) }

// run offers the load until over says so of the time since its start, and returns the latencies of
// the kinds to record.
func (l openLoop) run(s *server, over func(now time.Duration) bool) (*hdrhistogram.Histogram, error) {
	rnd := rand.New(rand.NewPCG(openSeed, openSeed))
	return offer(s, over,
		openFlow{l.gets, getConns, l.record&gets != 0, flowOfGets(l.keys, rnd)},
		openFlow{l.sets, setConns, l.record&sets != 0, flow{reply: len("+OK\r\n"), mark: '+', request: func(b []byte) []byte {
			return l.fill(b, rnd.IntN(l.keys))
		}}})
}

// flowOfGets asks for random ones of the keys that fillStrings or fillNoise has made.
func flowOfGets(keys int, rnd *rand.Rand) flow {
	return flow{reply: len("$64\r\n") + 64 + len("\r\n"), mark: '$', request: func(b []byte) []byte {
		return appendNamed(append(b, "*2\r\n$3\r\nGET\r\n"...), "key:", rnd.IntN(keys))
	}}
}

// openFlow is a flow with its rate per second and the number of its connections; without a rate
// there is none. The latencies of those to record are taken together.
type openFlow struct {
	rate, conns int
	record      bool
	flow        flow
}

// offer keeps the flows going until over says so of the time since their start, and returns the
// latencies to record.
func offer(s *server, over func(now time.Duration) bool, rows ...openFlow) (*hdrhistogram.Histogram, error) {
	addr, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		return nil, err
	}
	hist := hdrhistogram.New(1, int64(longestSeen/latencyUnit), 3)
	var flows []*flow
	var g generator
	defer g.close()
	for _, row := range rows {
		if row.rate == 0 {
			continue
		}
		f := &row.flow
		f.period = time.Second / time.Duration(row.rate)
		if row.record {
			f.hist = hist
		}
		flows = append(flows, f)
		for range row.conns {
			if err := g.open(addr, f); err != nil {
				return nil, err
			}
		}
	}
	// The collector of this program would stop the generator.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return hist, g.run(flows, over)
}

// flow is a stream of requests of one kind, due one period apart, dealt out to its connections in
// turn. All its replies have one size.
type flow struct {
	period  time.Duration
	next    time.Duration // when the next request is due, from the start
	reply   int           // bytes of a reply
	mark    byte          // its first byte
	request func([]byte) []byte
	hist    *hdrhistogram.Histogram // nil: not of interest
	conns   []*openConn
	turn    int
}

// openConn is a non-blocking connection with requests in flight.
type openConn struct {
	fd         int
	flow       *flow
	out        []byte                    // not yet accepted by the system
	due        [maxWaiting]time.Duration // ring: when the requests in flight were due
	head, tail uint
	partial    int // bytes of an incomplete reply
}

// generator is the thread's state.
type generator struct {
	conns []*openConn
	polls []unix.PollFd // of conns, by index
	buf   [64 << 10]byte
}

func (g *generator) open(addr netip.AddrPort, f *flow) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c := &openConn{fd: fd, flow: f}
	g.conns = append(g.conns, c)
	g.polls = append(g.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	f.conns = append(f.conns, c)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	return unix.SetNonblock(fd, true)
}

// close drops the connections.
func (g *generator) close() {
	for _, c := range g.conns {
		_ = unix.Close(c.fd)
	}
}

// run keeps all flows going until over says so, then waits for the last replies.
func (g *generator) run(flows []*flow, over func(now time.Duration) bool) error {
	start := time.Now()
	end := time.Duration(math.MaxInt64 - drainWithin) // not yet known
	for {
		now := time.Since(start)
		if now < end && over(now) {
			end = now
		}
		if now >= end && g.waiting() == 0 {
			return nil
		}
		if now >= end+drainWithin {
			return fmt.Errorf("%d replies missing %v after the end", g.waiting(), drainWithin)
		}
		for _, f := range flows {
			for f.next <= now && f.next < end {
				if err := f.send(); err != nil {
					return err
				}
			}
		}
		if err := g.receive(start); err != nil {
			return err
		}
	}
}

func (g *generator) waiting() (n uint) {
	for _, c := range g.conns {
		n += c.tail - c.head
	}
	return n
}

// send puts the next request on its way, each in a write of its own.
func (f *flow) send() error {
	c := f.conns[f.turn]
	f.turn = (f.turn + 1) % len(f.conns)
	if c.tail-c.head == maxWaiting {
		return fmt.Errorf("%d requests unanswered on one connection: the server does not keep up with the rate", maxWaiting)
	}
	c.due[c.tail%maxWaiting] = f.next
	c.tail++
	f.next += f.period
	c.out = f.request(c.out)
	return c.flush()
}

func (c *openConn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&c.out[0])), uintptr(len(c.out)))
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("write: %w", errno)
	}
	c.out = append(c.out[:0], c.out[n:]...)
	return nil
}

// receive takes the replies that are there and tries again to send what the system refused.
func (g *generator) receive(start time.Time) error {
	ready, _, errno := unix.RawSyscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&g.polls[0])), uintptr(len(g.polls)), 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("poll: %w", errno)
	}
	for i, c := range g.conns {
		if len(c.out) > 0 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if errno != 0 || ready == 0 || g.polls[i].Revents == 0 {
			continue
		}
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&g.buf[0])), uintptr(len(g.buf)))
		if errno == unix.EAGAIN || errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return fmt.Errorf("read: %w", errno)
		}
		if n == 0 {
			return fmt.Errorf("the server closed a connection")
		}
		if err := c.took(g.buf[:n], time.Since(start)); err != nil {
			return err
		}
	}
	return nil
}

// took accounts for bytes of replies that were read at the time now. A reply of another kind than
// expected is an error.
func (c *openConn) took(b []byte, now time.Duration) error {
	for len(b) > 0 {
		if c.partial == 0 && b[0] != c.flow.mark {
			return fmt.Errorf("reply begins with %q, expected %q", b[:min(len(b), 40)], c.flow.mark)
		}
		if c.head == c.tail {
			return fmt.Errorf("reply without a request: %q", b[:min(len(b), 40)])
		}
		n := min(c.flow.reply-c.partial, len(b))
		b = b[n:]
		if c.partial += n; c.partial < c.flow.reply {
			return nil
		}
		c.partial = 0
		late := now - c.due[c.head%maxWaiting]
		c.head++
		if c.flow.hist == nil {
			continue
		}
		if err := c.flow.hist.RecordValue(int64(min(late, longestSeen) / latencyUnit)); err != nil {
			return err
		}
	}
	return nil
}
