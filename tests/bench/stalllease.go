//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sys/unix"
)

// How long others wait while ten thousand who wait for one value are served. This process, which reads the
// replies, has no time to look at a clock meanwhile: so the one who asks is a process of its own.

const (
	leasePage    = "page"
	longestLease = 600_000 // milliseconds
	idleFor      = time.Second
)

// ping is one question of another process: when it was asked, and how long the reply took.
type ping struct {
	at   time.Time
	took time.Duration
}

// pingAlone is this program as a process that asks a server again and again, until its standard input
// ends. Then it prints a line for each: unix nanoseconds, and nanoseconds until the reply.
func pingAlone(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	stopped := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stopped)
	}()
	out := bufio.NewWriter(os.Stdout)
	for all := []ping(nil); ; {
		select {
		case <-stopped:
			for _, p := range all {
				fmt.Fprintln(out, p.at.UnixNano(), int64(p.took))
			}
			return out.Flush()
		default:
		}
		began := time.Now()
		if _, err := c.do("PING"); err != nil {
			return err
		}
		all = append(all, ping{began, time.Since(began)})
		pause := unix.NsecToTimespec(int64(pingEvery)) // the runtime's sleep is a millisecond at least
		_ = unix.Nanosleep(&pause, nil)
	}
}

// pingProcess is such a process.
type pingProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out bytes.Buffer
}

func startPingProcess(s *server) (*pingProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &pingProcess{cmd: exec.CommandContext(s.ctx, self, "-ping", s.addr)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// stop ends the process and returns what it has measured.
func (p *pingProcess) stop() (all []ping, err error) {
	if err := p.in.Close(); err != nil {
		return nil, err
	}
	if err := p.cmd.Wait(); err != nil {
		return nil, fmt.Errorf("the process that pings: %w", err)
	}
	for line := range bytes.Lines(p.out.Bytes()) {
		var at, took int64
		if _, err := fmt.Sscan(string(line), &at, &took); err != nil {
			return nil, err
		}
		all = append(all, ping{time.Unix(0, at), time.Duration(took)})
	}
	return all, nil
}

// span is a time in which something was under way.
type span struct{ from, to time.Time }

// during returns median, p99 and maximum, in milliseconds, of the pings that were under way in one of the
// spans.
func during(all []ping, spans ...span) (quantiles [3]float64, err error) {
	var took []float64
	for _, p := range all {
		for _, s := range spans {
			if p.at.Before(s.to) && p.at.Add(p.took).After(s.from) {
				took = append(took, p.took.Seconds()*1000)
				break
			}
		}
	}
	if len(took) == 0 {
		return quantiles, fmt.Errorf("no ping in %d spans", len(spans))
	}
	slices.Sort(took)
	return [3]float64{took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}, nil
}

// leaseStallFigure has n clients wait for one value again and again, and fills it.
func (b *bench) leaseStallFigure(n, rounds int) figure {
	f := figure{
		name: "stall-lease", files: uint64(n + 1000), flags: []string{"--maxclients", strconv.Itoa(n + 1000)},
		note: fmt.Sprintf("values of 64 B, %d fills in a trial; a process of its own pings every %v. Idle: the same connections are open and nothing happens",
			rounds, pingEvery),
		measures: []measure{
			{what: fmt.Sprintf("%d clients wait for one value: from its fill until all have it", n), unit: "ms"},
			{what: "PING of another client meanwhile: median", unit: "ms"},
			{what: "the same: p99", unit: "ms"},
			{what: "the same: longest", unit: "ms", bars: []bar{atMost(2)}},
			{what: "PING while the server is idle: median", unit: "ms"},
			{what: "the same: p99", unit: "ms"},
			{what: "the same: longest", unit: "ms"},
		},
	}
	f.trial = func(s *server) ([]float64, error) {
		a := &audience{}
		defer a.leave()
		for range n {
			c, err := dial(s.addr)
			if err != nil {
				return nil, err
			}
			a.conns = append(a.conns, c)
			go a.listen(c)
		}
		p, err := startPingProcess(s)
		if err != nil {
			return nil, err
		}
		time.Sleep(idleFor) // it starts, and the connections are looked after
		idle := span{from: time.Now()}
		time.Sleep(idleFor)
		idle.to = time.Now()
		var served []span
		if s.side == larderSide {
			if served, err = s.serveCrowd(a, rounds); err != nil {
				return nil, err
			}
		}
		all, err := p.stop()
		if err != nil {
			return nil, err
		}
		quiet, err := during(all, idle)
		if err != nil || s.side == redisSide {
			return []float64{notMeasured, notMeasured, notMeasured, notMeasured, quiet[0], quiet[1], quiet[2]}, err
		}
		busy, err := during(all, served...)
		took := make([]float64, len(served))
		for i, s := range served {
			took[i] = s.to.Sub(s.from).Seconds() * 1000
		}
		slices.Sort(took)
		return []float64{took[len(took)/2], busy[0], busy[1], busy[2], quiet[0], quiet[1], quiet[2]}, err
	}
	return f
}

// serveCrowd has the clients wait for a value and fills it, and returns when each crowd was being served.
func (s *server) serveCrowd(a *audience, rounds int) (served []span, err error) {
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.addr, Protocol: 2, ReadTimeout: replyWithin})
	defer c.Close()
	lease := []any{"CACHE.GET", leasePage, "LEASE", longestLease}
	for range rounds {
		if err := c.Del(ctx, leasePage).Err(); err != nil {
			return nil, err
		}
		found, err := c.Do(ctx, lease...).Slice()
		if err != nil {
			return nil, err
		}
		for _, waiter := range a.conns {
			request := appendRequest(nil, "CACHE.GET", leasePage, "LEASE", strconv.Itoa(longestLease), "WAIT", strconv.Itoa(longestLease))
			if _, err := waiter.conn.Write(request); err != nil {
				return nil, err
			}
		}
		if err := s.awaitBlocked(int64(len(a.conns))); err != nil {
			return nil, err
		}
		time.Sleep(quietBefore)
		a.bytes.Store(0)
		now := span{from: time.Now()}
		if err := c.Do(ctx, "CACHE.SET", leasePage, value[:64], "PX", freshFor, "FRESH", freshFor, "LEASE", found[3]).Err(); err != nil {
			return nil, err
		}
		if err := a.await(int64(len(a.conns) * leaseHit)); err != nil {
			return nil, err
		}
		now.to = time.Now()
		served = append(served, now)
		time.Sleep(quietBefore)
	}
	return served, nil
}

// awaitBlocked waits until so many clients wait for something.
func (s *server) awaitBlocked(n int64) error {
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	for began := time.Now(); ; time.Sleep(pollEvery) {
		info, err := c.do("INFO", "clients")
		if err != nil {
			return err
		}
		blocked, err := parseInfo(info, "blocked_clients")
		if err != nil || blocked == n {
			return err
		}
		if time.Since(began) > loadWithin {
			return fmt.Errorf("%d clients wait, want %d", blocked, n)
		}
	}
}
