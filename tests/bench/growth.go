//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Memory that a BGSAVE takes while every key is being overwritten.
//
// What counts is the memory that the system is short of: pages that parent and child share after a
// fork are there once. So it is the server's RSS and of its children what is theirs alone,
// Private_* of smaps_rollup: that is where the parent's old pages are after it has written to them.
// The load goes on for a while before the save, and the highest value of a second of it is what the
// save's own peak is compared with. So neither what the load needs counts, nor what an allocator
// loses by overwriting.

const (
	rssEvery    = 5 * time.Millisecond
	childEvery  = 200 * time.Millisecond // the kernel walks through gigabytes of pages to answer
	settleShare = 3                      // 1/3 as many SETs as there are keys before anything is measured
)

// saveGrowthFigure saves n keys of 1 KB under full SET load: what memory grew by in per cent of
// what the server said it held before, seconds of the save, SETs per second meanwhile.
func (b *bench) saveGrowthFigure(name string, n int, before time.Duration) figure {
	return figure{
		name: name, fresh: true, most: 2, memory: 3 * int64(n) * kilobyte,
		prepare: func(s *server) error { return s.fillKeys(n, fillHalfNoise) },
		trial: asking(func(s *server, c *client) ([]float64, error) {
			load, err := startPiped(s, pipedSets(n, fillHalfNoise))
			if err != nil {
				return nil, err
			}
			out, err := s.growth(c, load, int64(n/settleShare), before)
			return out, errors.Join(err, load.stop())
		}),
	}
}

// growth measures under a load that has begun, once settle requests of it are answered.
func (s *server) growth(c *client, load *pipedLoad, settle int64, before time.Duration) ([]float64, error) {
	for began := time.Now(); load.total() < settle; time.Sleep(pollEvery) {
		if load.failed.Load() || time.Since(began) > loadWithin {
			return nil, fmt.Errorf("only %d SETs were answered in %v", load.total(), time.Since(began))
		}
	}
	data, err := c.usedMemory()
	if err != nil {
		return nil, err
	}
	quiet := s.watchMemory()
	time.Sleep(before)
	base, err := quiet.stop()
	if err != nil {
		return nil, err
	}
	saving := s.watchMemory()
	from := load.total()
	took, _, err := s.bgsave(c)
	sets := load.total() - from
	peak, watched := saving.stop()
	if err := errors.Join(err, watched); err != nil {
		return nil, err
	}
	return []float64{growthPercent(base, peak, data), took.Seconds(), float64(sets) / took.Seconds()}, nil
}

func growthPercent(base, peak, data int64) float64 { return 100 * float64(peak-base) / float64(data) }

// memoryWatch looks again and again at how much memory a server holds.
type memoryWatch struct {
	quit  chan struct{}
	done  chan error
	grown func() int64 // what is not counted, in bytes; nil: everything is
	peak  int64        // owned by the goroutine until done
}

func (s *server) watchMemory() *memoryWatch { return s.watchMemoryBeyond(nil) }

// watchMemoryBeyond does not count by how much the data itself has grown, as grown says at each
// look.
func (s *server) watchMemoryBeyond(grown func() int64) *memoryWatch {
	w := &memoryWatch{quit: make(chan struct{}), done: make(chan error, 1), grown: grown}
	go func() {
		tick := time.NewTicker(rssEvery)
		defer tick.Stop()
		var children int64
		var asked time.Time
		for {
			if time.Since(asked) >= childEvery {
				var err error
				if children, err = s.childMemory(); err != nil {
					w.done <- err
					return
				}
				asked = time.Now()
			}
			rss, err := s.rss()
			if err != nil {
				w.done <- err
				return
			}
			if w.grown != nil {
				rss -= w.grown()
			}
			w.peak = max(w.peak, rss+children)
			select {
			case <-w.quit:
				w.done <- nil
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

// stop returns the most that was seen, in bytes.
func (w *memoryWatch) stop() (int64, error) {
	close(w.quit)
	err := <-w.done
	return w.peak, err
}

// childMemory is what the server's children hold for themselves alone, in bytes.
func (s *server) childMemory() (sum int64, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.pid))
	if err != nil {
		return 0, err
	}
	for _, file := range threads {
		list, err := os.ReadFile(file)
		if goneProcess(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		for pid := range strings.FieldsSeq(string(list)) {
			n, err := privateMemory(pid)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// goneProcess reports whether a file of /proc is missing because its process or thread has ended.
func goneProcess(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// privateMemory is what a process holds for itself alone, in bytes; 0 once it has ended.
func privateMemory(pid string) (int64, error) {
	rollup, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if goneProcess(err) || err == nil && len(rollup) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return parsePrivate(string(rollup))
}

// parsePrivate adds what smaps_rollup calls private.
func parsePrivate(rollup string) (int64, error) {
	clean, err := parseKB(rollup, "Private_Clean")
	if err != nil {
		return 0, err
	}
	dirty, err := parseKB(rollup, "Private_Dirty")
	return clean + dirty, err
}
