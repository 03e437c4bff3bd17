//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// commandLoad is one command sent by redis-benchmark over 50 connections.
type commandLoad struct {
	name, what string
	pipeline   int
	ops        int
	keys       int     // range of the random numbers; 0: benchKeys
	limit      float64 // bar of larder/Redis
	standard   string  // one of redis-benchmark's own tests ...
	args       []string
	fill       request // makes benchKeys keys beforehand; nil: start empty
}

// commandFigure measures processor time per operation. Both servers run through all pairs; a tenth of a trial is sent to warm up.
func (b *bench) commandFigure(l commandLoad) figure {
	return figure{
		name:     l.name,
		measures: []measure{{what: fmt.Sprintf("CPU per %s, P=%d", l.what, l.pipeline), unit: "us", bars: []bar{ratio(l.limit)}}},
		prepare: func(s *server) error {
			if l.fill != nil {
				if err := s.fillKeys(benchKeys, l.fill); err != nil {
					return err
				}
			}
			return b.sendCommands(s, l, l.ops/10)
		},
		trial: func(s *server) ([]float64, error) {
			before, err := s.cpu()
			if err != nil {
				return nil, err
			}
			if err := b.sendCommands(s, l, l.ops); err != nil {
				return nil, err
			}
			after, err := s.cpu()
			if err != nil {
				return nil, err
			}
			return []float64{float64(after-before) / float64(time.Microsecond) / float64(l.ops)}, nil
		},
	}
}

// sendCommands runs redis-benchmark, which ends with an error when a reply is one.
func (b *bench) sendCommands(s *server, l commandLoad, ops int) error {
	keys := l.keys
	if keys == 0 {
		keys = benchKeys
	}
	args := []string{"-c", "50", "-d", "64", "--csv", "-P", strconv.Itoa(l.pipeline), "-n", strconv.Itoa(ops), "-r", strconv.Itoa(keys)}
	if l.standard != "" {
		args = append(args, "-t", strings.ToLower(l.standard))
	}
	_, err := s.run(nil, b.redisBenchmark, append(args, l.args...)...)
	return err
}
