//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/larderkv/larder/cmd/load"
)

// What a second event loop costs where one would do, how connections are spread among loops, and how
// long loops wait for each other's locks. More cores than the machine has cannot be measured: that loops
// do not hold each other up follows from what they share, "Cache lines" in netloop's comment, and from
// these figures. Redis has no part in them: a trial changes larder's io-threads while it runs.

const (
	moreLoops    = 2
	moreLoopsBar = 1.10
	spreadLoops  = 4
	spreadConns  = 400
	unevenKeys   = 0.99 // Zipf's exponent

	adminPassword = "bench"
	evenWithin    = 30 * time.Second
)

func (b *bench) threadFigures() []figure {
	var out []figure
	for _, row := range []struct{ pipeline, ops int }{{1, b.size(200_000, 10_000)}, {16, b.size(1_500_000, 50_000)}} {
		for _, cmd := range []string{"GET", "SET"} {
			l := commandLoad{what: cmd + " 64 B", pipeline: row.pipeline, ops: row.ops, standard: cmd}
			out = append(out, figure{
				name: fmt.Sprintf("threads-%s-p%d", cmd, row.pipeline), cores: 2,
				measures: []measure{{
					what: fmt.Sprintf("CPU per %s, P=%d, io-threads %d / 1", l.what, row.pipeline, moreLoops), unit: "x",
					bars: []bar{atMost(moreLoopsBar)},
				}},
				prepare: b.prepareThreads, trial: b.onLarder(1, func(s *server) ([]float64, error) { return b.costOfLoops(s, l) }),
			})
		}
	}
	return append(out, b.spreadFigure(), b.waitFigure(1), b.waitFigure(16))
}

// onLarder is a trial of larder alone, which gives so many values.
func (b *bench) onLarder(values int, trial func(*server) ([]float64, error)) func(*server) ([]float64, error) {
	return func(s *server) ([]float64, error) {
		if s.side == larderSide {
			return trial(s)
		}
		none := make([]float64, values)
		for i := range none {
			none[i] = notMeasured
		}
		return none, nil
	}
}

func (b *bench) prepareThreads(s *server) error {
	if s.side != larderSide {
		return nil
	}
	return s.fillKeys(benchKeys, fillStrings)
}

// setThreads changes io-threads.
func setThreads(s *server, n int) error {
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	return c.ask("CONFIG", "SET", "io-threads", strconv.Itoa(n))
}

// costOfLoops is the processor time per command with more loops by that with one: both twice, so that
// neither always comes first.
func (b *bench) costOfLoops(s *server, l commandLoad) ([]float64, error) {
	var cost [moreLoops + 1]float64
	for _, n := range []int{1, moreLoops, moreLoops, 1} {
		if err := setThreads(s, n); err != nil {
			return nil, err
		}
		warm := l
		warm.ops /= 20
		if _, err := b.costOf(s, warm); err != nil {
			return nil, err
		}
		took, err := b.costOf(s, l)
		if err != nil {
			return nil, err
		}
		cost[n] += took
	}
	return []float64{cost[moreLoops] / cost[1]}, nil
}

// adminFlags are those of an admin server, and its address.
func adminFlags() (flags []string, addr string) {
	port, err := freePort()
	if err != nil {
		return nil, "" // the trial says so
	}
	return []string{"--admin-port", port, "--admin-password", adminPassword}, net.JoinHostPort("127.0.0.1", port)
}

// metrics reads the values of a metric, by its labels.
func metrics(addr, name string) (map[string]float64, error) {
	q, err := http.NewRequest(http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	q.SetBasicAuth("admin", adminPassword)
	client := http.Client{Timeout: replyWithin}
	r, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	found := map[string]float64{}
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		labels, value, two := strings.Cut(rest, " ")
		if !ok || !two || labels != "" && labels[0] != '{' {
			continue
		}
		if found[labels], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no metric %s", name)
	}
	return found, nil
}

// spreadFigure has clients leave unevenly: of those that have connected one after the other three of
// four go, all of the same loops.
func (b *bench) spreadFigure() figure {
	flags, addr := adminFlags()
	f := figure{name: "threads-spread", larderFlags: flags, fresh: true, most: 3}
	f.measures = []measure{
		{what: fmt.Sprintf("connections of the fullest of %d loops / a loop's share, as clients come", spreadLoops), unit: "x", bars: []bar{atMost(1.05)}},
		{what: "the same when those of three loops have left, within seconds", unit: "x", bars: []bar{atMost(1.25)}},
		{what: "how long that takes", unit: "s"},
	}
	f.trial = b.onLarder(len(f.measures), func(s *server) ([]float64, error) { return spreadOf(s, addr) })
	return f
}

func spreadOf(s *server, addr string) ([]float64, error) {
	if err := setThreads(s, spreadLoops); err != nil {
		return nil, err
	}
	var all [spreadConns]*client
	for i := range all {
		c, err := dial(s.addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		if all[i] = c; c.ask("PING") != nil {
			return nil, errors.New("PING is not answered")
		}
	}
	before, _, err := fullest(addr)
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		if i%spreadLoops != 0 {
			c.close()
		}
	}
	for began := time.Now(); ; time.Sleep(pollEvery) {
		after, conns, err := fullest(addr)
		took := time.Since(began)
		if err != nil || conns <= spreadConns/spreadLoops && after <= 1.25 || took > evenWithin {
			return []float64{before, after, took.Seconds()}, err
		}
	}
}

// fullest is how many connections the fullest loop has, by a loop's share, and how many all have.
func fullest(addr string) (ratio, all float64, err error) {
	loops, err := metrics(addr, "larder_loop_connections")
	most := 0.0
	for _, n := range loops {
		most, all = max(most, n), all+n
	}
	return most * float64(len(loops)) / max(1, all), all, err
}

// waitFigure is how long requests wait for locks while two loops serve keys that are asked for unevenly.
func (b *bench) waitFigure(depth int) figure {
	flags, addr := adminFlags()
	ops := b.size(300_000*min(4, depth), 10_000)
	f := figure{name: fmt.Sprintf("threads-locks-p%d", depth), larderFlags: flags, cores: 2, prepare: b.prepareThreads}
	f.measures = []measure{
		{what: fmt.Sprintf("waits for locks per SET, %d loops, Zipf %v, P=%d", moreLoops, unevenKeys, depth), unit: "ns"},
		{what: "the same by the processor time per SET", unit: "%", bars: []bar{atMost(2)}},
	}
	f.trial = b.onLarder(len(f.measures), func(s *server) ([]float64, error) {
		if err := setThreads(s, moreLoops); err != nil {
			return nil, err
		}
		before, err := metrics(addr, lockWait)
		if err != nil {
			return nil, err
		}
		took, err := s.cpuOf(func() error {
			load, err := startPipedUpTo(s, int64(ops/cpuConns), zipfSets(depth))
			if err != nil {
				return err
			}
			return load.await()
		})
		if err != nil {
			return nil, err
		}
		after, err := metrics(addr, lockWait)
		waited := (after[""] - before[""]) * float64(time.Second)
		return []float64{waited / float64(ops), 100 * waited / float64(took)}, err
	})
	return f
}

const lockWait = "larder_lock_wait_seconds_total"

// zipfSets are SETs of keys of which few are asked for often.
func zipfSets(depth int) piped {
	return piped{conns: cpuConns, depth: depth, reply: len("+OK\r\n"), mark: '+', next: func(b []byte, rnd *rand.Rand) []byte {
		return fillStrings(b, load.NewZipf(rnd, benchKeys, unevenKeys).Next())
	}}
}
