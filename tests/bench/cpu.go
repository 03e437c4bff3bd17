//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// commandLoad is one command over 50 connections, sent by redis-benchmark unless it has a request
// of its own.
type commandLoad struct {
	name, what string
	pipeline   int
	ops        int
	keys       int     // range of the random numbers; 0: benchKeys
	limit      float64 // bar of larder/Redis
	standard   string  // one of redis-benchmark's own tests ...
	args       []string
	secure     bool                // over TLS
	own        *piped              // ... or what it cannot send, in batches of loadPipeline
	fill       request             // makes benchKeys keys beforehand; nil: start empty
	setup      func(*server) error // makes what else is needed beforehand; may be nil
	refill     func(*server) error // brings back before each trial, not measured, what trials take away; may be nil
}

// cpuConns is the number of connections that send a command.
const cpuConns = 50

// commandFigure measures processor time per operation. Both servers run through all pairs; a tenth
// of a trial is sent to warm up.
func (b *bench) commandFigure(l commandLoad) figure {
	return figure{
		name:     l.name,
		secure:   l.secure,
		measures: []measure{{what: fmt.Sprintf("CPU per %s, P=%d", l.what, l.pipeline), unit: "us", bars: []bar{ratio(l.limit)}}},
		prepare: func(s *server) error {
			if l.fill != nil {
				if err := s.fillKeys(benchKeys, l.fill); err != nil {
					return err
				}
			}
			for _, more := range []func(*server) error{l.setup, l.refill} {
				if more == nil {
					continue
				}
				if err := more(s); err != nil {
					return err
				}
			}
			return b.sendCommands(s, l, l.ops/10)
		},
		trial: func(s *server) ([]float64, error) {
			if l.refill != nil {
				if err := l.refill(s); err != nil {
					return nil, err
				}
			}
			cost, err := b.costOf(s, l)
			return []float64{cost}, err
		},
	}
}

// costOf sends a command as often as its load says: the server's microseconds per command.
func (b *bench) costOf(s *server, l commandLoad) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if err := b.sendCommands(s, l, l.ops); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return float64(after-before) / float64(time.Microsecond) / float64(l.ops), err
}

// sendCommands runs redis-benchmark, which ends with an error when a reply is one, or the load's
// own requests.
func (b *bench) sendCommands(s *server, l commandLoad, ops int) error {
	if l.own != nil {
		load, err := startPipedUpTo(s, int64(ops/cpuConns), *l.own)
		if err != nil {
			return err
		}
		return load.await()
	}
	keys := l.keys
	if keys == 0 {
		keys = benchKeys
	}
	args := []string{"-c", strconv.Itoa(cpuConns), "-d", "64", "--csv", "-P", strconv.Itoa(l.pipeline), "-n", strconv.Itoa(ops), "-r", strconv.Itoa(keys)}
	if l.standard != "" {
		args = append(args, "-t", strings.ToLower(l.standard))
	}
	if l.secure {
		args = append(args, "-p", s.securePort, "--tls", "--cacert", s.pair.cert)
	}
	_, err := s.run(nil, b.redisBenchmark, append(args, l.args...)...)
	return err
}
