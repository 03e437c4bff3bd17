//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/larderkv/larder/cmd/load"
)

// spaceNeeded is room for three million keys in either server, twice.
const spaceNeeded = 2 << 30

// keySize is what appendNamed makes of "key:".
const keySize = 16

// pipeFigure loads n keys by redis-cli --pipe from a file in the page cache: seconds, processor
// seconds, RSS/n, RSS above empty/n.
func (b *bench) pipeFigure(name string, n int) figure {
	return figure{name: name, fresh: true, memory: spaceNeeded, trial: func(s *server) ([]float64, error) {
		path, err := b.stream(n)
		if err != nil {
			return nil, err
		}
		empty, err := s.rss()
		if err != nil {
			return nil, err
		}
		cpuBefore, err := s.cpu()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := b.pipe(s, path, n); err != nil {
			return nil, err
		}
		took := time.Since(began)
		cpuAfter, err := s.cpu()
		if err != nil {
			return nil, err
		}
		full, err := s.settledRSS()
		if err != nil {
			return nil, err
		}
		return []float64{took.Seconds(), (cpuAfter - cpuBefore).Seconds(), perKey(full, n), perKey(full-empty, n)}, nil
	}}
}

// pipe feeds a file to redis-cli --pipe and checks its count of replies.
func (b *bench) pipe(s *server, path string, n int) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := s.run(in, b.redisCLI, "--pipe")
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("errors: 0, replies: %d", n); !strings.Contains(out, want) {
		return fmt.Errorf("redis-cli --pipe said %q, expected %q", strings.TrimSpace(out), want)
	}
	return nil
}

// sizeFigure fills a fresh server with n keys; its measures are RSS/n, to which the bars apply, and
// the same above the empty server's.
func (b *bench) sizeFigure(name, what string, n int, next request, bars ...bar) figure {
	return b.filledFigure(name, what, n, func(s *server) error { return s.fillKeys(n, next) }, bars...)
}

// elementsFigure is sizeFigure for one value of n elements.
func (b *bench) elementsFigure(name, what string, kind bigValue, n int, bars ...bar) figure {
	return b.filledFigure(name, what, n, kind.fillTo(n), bars...)
}

// filledFigure divides by n what fill lets a fresh server take.
func (b *bench) filledFigure(name, what string, n int, fill func(*server) error, bars ...bar) figure {
	return figure{
		name: name, fresh: true, memory: spaceNeeded,
		measures: []measure{{what: what, unit: "B", bars: bars}, {what: "the same above the empty server's", unit: "B"}},
		trial: func(s *server) ([]float64, error) {
			empty, err := s.rss()
			if err != nil {
				return nil, err
			}
			if err := fill(s); err != nil {
				return nil, err
			}
			full, err := s.settledRSS()
			if err != nil {
				return nil, err
			}
			return []float64{perKey(full, n), perKey(full-empty, n)}, nil
		},
	}
}

func perKey(bytes int64, n int) float64 { return float64(bytes) / float64(n) }

// growFigure overwrites n keys with values of one size after the other and gives RSS / (bytes of
// keys and values) after each. Keys are visited in a scattered order, so that what is freed lies
// between what is still in use.
func (b *bench) growFigure(name string, n int, sizes ...int) figure {
	return figure{name: name, fresh: true, memory: spaceNeeded, trial: func(s *server) ([]float64, error) {
		var out []float64
		for _, size := range sizes {
			err := s.fillKeys(n, func(b []byte, i int) []byte { return appendSet(b, load.Scatter(i, n), size) })
			if err != nil {
				return nil, err
			}
			rss, err := s.settledRSS()
			if err != nil {
				return nil, err
			}
			out = append(out, float64(rss)/float64(n*(keySize+size)))
		}
		return out, nil
	}}
}
