//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// bench is one run of the program.
type bench struct {
	ctx       context.Context
	quick     bool
	pairs     int
	ioThreads int
	dir       string // temporary; removed at the end

	larder, redisServer, redisBenchmark, redisCLI string // paths
	baseline                                      string // an older larder, measured in Redis' place; empty: Redis

	streams map[int]string // files for redis-cli --pipe, by number of keys
	pair    *pair          // the certificate of all TLS ports, once made
	log     *logFolder     // what the replay of a log is measured with, once made
}

// side says which of the two servers is meant; it indexes the values of a pair.
type side int

const (
	larderSide side = iota
	redisSide
)

// baselineName stands in Redis' place when an older larder does.
const baselineName = "baseline"

// name is what a report calls the server of that side.
func (b *bench) name(which side) string {
	if which == redisSide && b.baseline != "" {
		return baselineName
	}
	return [...]string{"larder", "Redis"}[which]
}

// notMeasured stands for a value that one of the servers does not have.
var notMeasured = math.NaN()

// result is what became of one measure: the values of its pairs, or why there are none.
type result struct {
	measure
	figure string
	pairs  [][2]float64
	err    error
}

func (b *bench) size(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

func (b *bench) duration(full, quick time.Duration) time.Duration {
	if b.quick {
		return quick
	}
	return full
}

// measure runs all trials of one figure.
func (b *bench) measure(f figure) []result {
	results := make([]result, len(f.measures))
	for i, m := range f.measures {
		results[i] = result{measure: m, figure: f.name}
	}
	pairs, err := b.trials(f)
	for i := range results {
		if err != nil {
			results[i].err = err
			continue
		}
		for _, p := range pairs {
			results[i].pairs = append(results[i].pairs, [2]float64{p[larderSide][i], p[redisSide][i]})
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "         not measured: %v\n", err)
	}
	return results
}

// pairsOf is how often a figure is measured: as often as asked, unless a trial of it takes long.
func (b *bench) pairsOf(f figure) int {
	if f.most > 0 {
		return min(f.most, b.pairs)
	}
	return b.pairs
}

// trials interleaves the two servers: the one that came first in a pair comes second in the next,
// so that neither always finds the machine as the other left it.
func (b *bench) trials(f figure) ([][2][]float64, error) {
	if err := checkRoom(f); err != nil {
		return nil, err
	}
	var standing [2]*server
	if !f.fresh {
		for _, which := range []side{larderSide, redisSide} {
			s, err := b.prepared(f, which)
			if err != nil {
				return nil, err
			}
			defer s.stop()
			standing[which] = s
		}
	}
	pairs := make([][2][]float64, b.pairsOf(f))
	for i := range pairs {
		for turn := range 2 {
			which := side((i + turn) % 2)
			values, err := b.trial(f, which, standing[which])
			if err != nil {
				return nil, err
			}
			pairs[i][which] = values
		}
	}
	return pairs, nil
}

// trial runs one trial on s, or on a server of its own when s is nil.
func (b *bench) trial(f figure, which side, s *server) ([]float64, error) {
	if s == nil {
		var err error
		if s, err = b.prepared(f, which); err != nil {
			return nil, err
		}
		defer s.stop()
	}
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	values, err := f.trial(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.describe(), err)
	}
	if len(values) != len(f.measures) {
		return nil, fmt.Errorf("BUG: %s gave %d values for %d measures", f.name, len(values), len(f.measures))
	}
	return values, nil
}

func (b *bench) prepared(f figure, which side) (*server, error) {
	s, err := b.start(which,
		launch{flags: f.flags, secure: f.secure, larderEnv: f.larderEnv, larderFlags: f.larderFlags})
	if err != nil || f.prepare == nil {
		return s, err
	}
	if err := f.prepare(s); err != nil {
		err = fmt.Errorf("preparing %s: %w", s.describe(), err)
		s.stop()
		return nil, err
	}
	return s, nil
}

// checkRoom says what the machine lacks for a figure. The limit of open files is raised for the
// servers too, which inherit it.
func checkRoom(f figure) error {
	if n := runtime.NumCPU(); n < f.cores {
		return fmt.Errorf("needs %d cores, the machine has %d", f.cores, n)
	}
	if f.memory > 0 {
		free, err := availableMemory()
		if err != nil {
			return err
		}
		if free < f.memory {
			return fmt.Errorf("needs %d MiB of free memory, the machine has %d", f.memory>>20, free>>20)
		}
	}
	if f.files > 0 {
		var lim unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			return fmt.Errorf("reading the limit of open files: %w", err)
		}
		if lim.Max < f.files {
			return fmt.Errorf("needs %d open files, the limit (ulimit -Hn) is %d", f.files, lim.Max)
		}
		lim.Cur = lim.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			return fmt.Errorf("raising the limit of open files: %w", err)
		}
	}
	return nil
}
