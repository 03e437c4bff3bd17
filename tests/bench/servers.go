//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// startWithin and stopWithin bound how long a server may take to answer its first PING and to end
// after SIGTERM.
const (
	startWithin = 10 * time.Second
	stopWithin  = 10 * time.Second
)

// launch says how to start a server. Without flags that say otherwise it saves nothing.
type launch struct {
	flags       []string
	larderEnv   []string      // for larder's environment
	larderFlags []string      // for larder alone
	dir         string        // its data folder, which it takes over; empty: a new one
	secure      bool          // with a TLS port, too
	within      time.Duration // until its first PONG; 0: startWithin
}

// server is a running larder or Redis on a port and in a folder of its own.
type server struct {
	side side
	name string
	addr string
	port string
	dir  string // removed when it stops
	pid  int
	// Of the TLS port, if there is one:
	securePort string
	pair       *pair
	ready      time.Duration // from its start to its first PONG
	twin       *server       // a second one of the same side, which a figure may need; stops with this one
	cmd        *exec.Cmd
	ctx        context.Context
	quit       context.CancelFunc // kills it
	ended      chan error
	said       *serverOutput
	still      time.Duration // of unchanged RSS before it is believed
}

// start runs a server and returns when it answers. The port is one that was free a moment ago:
// another process could take it in between, and then the start fails with the server's own words.
func (b *bench) start(which side, l launch) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if l.dir == "" {
		if l.dir, err = os.MkdirTemp(b.dir, "data-"); err != nil {
			return nil, err
		}
	}
	if l.within == 0 {
		l.within = startWithin
	}
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", l.dir}, l.flags...)
	securePort, certificate, err := b.securePort(l)
	if err != nil {
		return nil, err
	}
	if certificate != nil {
		args = append(args, certificate.flags(securePort)...)
	}
	path, isLarder := b.program(which)
	if isLarder {
		args = append([]string{"serve"}, args...)
		args = append(append(args, "--io-threads", strconv.Itoa(b.ioThreads)), l.larderFlags...)
	}
	ctx, quit := context.WithCancel(b.ctx)
	s := &server{side: which, name: b.name(which), addr: net.JoinHostPort("127.0.0.1", port), port: port, dir: l.dir, ctx: ctx, quit: quit,
		cmd: exec.CommandContext(ctx, path, args...), ended: make(chan error, 1), said: &serverOutput{},
		still: b.duration(2*time.Second, 400*time.Millisecond), securePort: securePort, pair: certificate}
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	if isLarder {
		s.cmd.Env = append(os.Environ(), l.larderEnv...)
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		quit()
		return nil, fmt.Errorf("starting %s: %w", s.name, err)
	}
	s.pid = s.cmd.Process.Pid
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.awaitPing(began.Add(l.within)); err != nil {
		s.stop()
		return nil, err
	}
	s.ready = time.Since(began)
	return s, nil
}

// program is what to run for that side, and whether it is a larder.
func (b *bench) program(which side) (path string, isLarder bool) {
	switch {
	case which == larderSide:
		return b.larder, true
	case b.baseline != "":
		return b.baseline, true
	}
	return b.redisServer, false
}

// securePort is the TLS port that a server is to have, and the certificate for it; nil: none.
func (b *bench) securePort(l launch) (string, *pair, error) {
	if !l.secure {
		return "", nil, nil
	}
	if b.pair == nil {
		p, err := newPair(b.dir)
		if err != nil {
			return "", nil, err
		}
		b.pair = p
	}
	port, err := freePort()
	return port, b.pair, err
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, errors.Join(err, ln.Close())
}

// awaitPing asks until the server answers, and not that it is still loading, ends, or is out of
// time.
func (s *server) awaitPing(deadline time.Time) error {
	began := time.Now()
	for {
		err := s.once("PING")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer after %v: %w\n%s", s.name, time.Since(began).Round(time.Second), err, s.said.tail())
		}
		select {
		case ended := <-s.ended:
			s.ended <- ended
			return fmt.Errorf("%s ended at its start: %v\n%s", s.name, ended, s.said.tail())
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends the server and waits for its end. There is nothing in it that would be worth saving.
func (s *server) stop() {
	// An error means that it has ended already, which the wait below sees.
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.ended:
	case <-time.After(stopWithin):
		s.quit()
		<-s.ended
	}
	s.quit()
	if s.twin != nil {
		s.twin.stop()
	}
	_ = os.RemoveAll(s.dir) // what cannot be removed now goes with the program's own folder
}

// describe names the server in an error, with what it said last when it is gone.
func (s *server) describe() string {
	select {
	case err := <-s.ended:
		s.ended <- err
		return fmt.Sprintf("%s (ended: %v; it said: %s)", s.name, err, s.said.tail())
	default:
		return s.name
	}
}

// once opens a connection for a single command.
func (s *server) once(args ...string) error {
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.do(args...)
	return err
}

// run executes a Redis tool against the server and returns what it printed.
func (s *server) run(stdin *os.File, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.ctx, path, append([]string{"-h", "127.0.0.1", "-p", s.port}, args...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd.Args[0], err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// serverOutput keeps the end of what a server printed and, of all of it, the collector's longest
// stop.
type serverOutput struct {
	mu      sync.Mutex
	line    []byte
	last    []string // at most outputTail lines
	longest time.Duration
	cycles  int
}

const (
	outputTail = 12
	outputLine = 4096 // longer lines are cut
)

func (o *serverOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range p {
		if c != '\n' {
			if len(o.line) < outputLine {
				o.line = append(o.line, c)
			}
			continue
		}
		line := string(o.line)
		o.line = o.line[:0]
		if stop, ok := parseGCTrace(line); ok {
			o.longest = max(o.longest, stop)
			o.cycles++
			continue
		}
		if o.last = append(o.last, line); len(o.last) > outputTail {
			o.last = o.last[1:]
		}
	}
	return len(p), nil
}

func (o *serverOutput) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(append(o.last[:len(o.last):len(o.last)], string(o.line)), "\n")
}

// collector returns the longest stop of the Go collector so far, and how many cycles there were.
func (o *serverOutput) collector() (longest time.Duration, cycles int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.longest, o.cycles
}

// parseGCTrace reads a line of GODEBUG=gctrace=1, such as "gc 7 @12.3s 0%: 0.021+1.2+0.004 ms
// clock, ...": the world stands still in the first and the third phase.
func parseGCTrace(line string) (stop time.Duration, ok bool) {
	if !strings.HasPrefix(line, "gc ") || !strings.Contains(line, " @") {
		return 0, false
	}
	clock, _, found := strings.Cut(line, " ms clock")
	if !found {
		return 0, false
	}
	phases := strings.Split(clock[strings.LastIndexByte(clock, ' ')+1:], "+")
	if len(phases) != 3 {
		return 0, false
	}
	for _, phase := range []string{phases[0], phases[2]} {
		ms, err := strconv.ParseFloat(phase, 64)
		if err != nil {
			return 0, false
		}
		stop = max(stop, time.Duration(ms*float64(time.Millisecond)))
	}
	return stop, true
}
