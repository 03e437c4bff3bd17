//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// BGSAVE: its time, processor time and memory, what clients notice of it, and starting from its
// file.
//
// A save lasts from the command until its file has its name. The file is looked for and not the
// server asked: asking would be work for it, and Redis notices the end of its child only when its
// timer comes round, up to 100 ms later. All values are bytes that do not compress unless it says
// otherwise, so that trying to compress them is in the figures and the size of the files is the
// same for both. The files are in the page cache when a server starts from them.

const (
	dumpFile  = "dump.rdb"
	dataKey   = keySize + 64         // bytes of a small key with its value
	saveEvery = 2 * time.Millisecond // looking for the file
	askEvery  = 500 * time.Millisecond
	saveWarm  = 200 * time.Millisecond // of load before the command
	kilobyte  = 1024                   // of the big values
)

// fillNoise makes a key of 16 bytes with a value of 64 bytes that do not compress.
func fillNoise(b []byte, i int) []byte { return appendValue(b, i, noiseAt(i, 64), nil) }

// fillHalfNoise makes a key of 16 bytes with a value of 1 KB, the second half of which compresses
// well.
func fillHalfNoise(b []byte, i int) []byte {
	return appendValue(b, i, noiseAt(i, kilobyte/2), value[:kilobyte/2])
}

// bgsave runs one BGSAVE. The server's processor time, its child's included, is what it used until
// it said that no save is under way.
func (s *server) bgsave(c *client) (took, cpu time.Duration, err error) {
	if err := os.Remove(s.dump()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if _, err := c.do("BGSAVE"); err != nil {
		return 0, 0, err
	}
	if took, err = s.awaitDump(c, began); err != nil {
		return 0, 0, err
	}
	if err := s.awaitIdle(c); err != nil {
		return 0, 0, err
	}
	after, err := s.cpu()
	return took, after - before, err
}

func (s *server) dump() string { return filepath.Join(s.dir, dumpFile) }

// awaitDump waits for the file of a save that began a moment ago. The server is asked now and then
// whether it still works on it.
func (s *server) awaitDump(c *client, began time.Time) (time.Duration, error) {
	for asked := began; time.Since(began) < loadWithin; time.Sleep(saveEvery) {
		_, err := os.Stat(s.dump())
		if err == nil {
			return time.Since(began), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if time.Since(asked) < askEvery {
			continue
		}
		asked = time.Now()
		if saving, err := c.saving(); err != nil {
			return 0, err
		} else if saving {
			continue
		}
		// It may have ended between the look for the file and the question.
		if _, err := os.Stat(s.dump()); err != nil {
			return 0, fmt.Errorf("BGSAVE ended without a file; the server said: %s", s.said.tail())
		}
	}
	return 0, fmt.Errorf("BGSAVE has not ended after %v", loadWithin)
}

// awaitIdle waits until the server says that it saves nothing.
func (s *server) awaitIdle(c *client) error {
	for began := time.Now(); time.Since(began) < stopWithin; time.Sleep(pollEvery) {
		if saving, err := c.saving(); err != nil || !saving {
			return err
		}
	}
	return fmt.Errorf("the file is there, and %v later the server still says that it saves", stopWithin)
}

// saving reports whether a BGSAVE is under way.
func (c *client) saving() (bool, error) {
	info, err := c.do("INFO", "persistence")
	if err != nil {
		return false, err
	}
	n, err := parseInfo(info, "rdb_bgsave_in_progress")
	return n != 0, err
}

// saveFigure saves n small keys with and without compression: seconds and processor seconds of
// each.
func (b *bench) saveFigure(name string, n int) figure {
	return figure{
		name: name, most: 3, memory: int64(n) * 600,
		prepare: func(s *server) error { return s.fillKeys(n, fillNoise) },
		trial: asking(func(s *server, c *client) ([]float64, error) {
			var out []float64
			for _, compress := range []string{"yes", "no"} {
				if _, err := c.do("CONFIG", "SET", "rdbcompression", compress); err != nil {
					return nil, err
				}
				took, cpu, err := s.bgsave(c)
				if err != nil {
					return nil, err
				}
				if err := s.checkDump(n * dataKey); err != nil {
					return nil, err
				}
				out = append(out, took.Seconds(), cpu.Seconds())
			}
			return out, nil
		}),
	}
}

// checkDump makes sure that the file can hold that many bytes of data.
func (s *server) checkDump(least int) error {
	info, err := os.Stat(s.dump())
	if err == nil && info.Size() < int64(least) {
		err = fmt.Errorf("the file has %d bytes, too few for %d of data", info.Size(), least)
	}
	return err
}

// startFigure starts servers from a file of n small keys: the seconds until the first PONG and
// processor seconds from the server's own file, the seconds from Redis' file.
func (b *bench) startFigure(name string, n int) figure {
	var written [2]string
	return figure{
		name: name, most: 3, memory: int64(n) * 600,
		prepare: func(s *server) error {
			written[s.side] = s.dump()
			return s.saveAndEmpty(n)
		},
		trial: func(s *server) ([]float64, error) {
			own, cpu, err := b.startFrom(s.side, written[s.side], n)
			if err != nil || s.side == redisSide {
				return []float64{own.Seconds(), cpu.Seconds(), own.Seconds()}, err
			}
			foreign, _, err := b.startFrom(s.side, written[redisSide], n)
			return []float64{own.Seconds(), cpu.Seconds(), foreign.Seconds()}, err
		},
	}
}

// saveAndEmpty leaves a file of n small keys, and a server that takes no room.
func (s *server) saveAndEmpty(n int) error {
	if err := s.fillKeys(n, fillNoise); err != nil {
		return err
	}
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	if _, _, err := s.bgsave(c); err != nil {
		return err
	}
	_, err = c.do("FLUSHALL")
	return err
}

// startFrom starts a server in a folder with that file, of n keys, and ends it again.
func (b *bench) startFrom(which side, file string, n int) (ready, cpu time.Duration, err error) {
	dir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return 0, 0, err
	}
	// Servers replace this file and do not write into it, so a link is as good as a copy.
	if err := os.Link(file, filepath.Join(dir, dumpFile)); err != nil {
		return 0, 0, err
	}
	return b.timeStart(which, launch{dir: dir, within: loadWithin}, int64(n))
}

// timeStart measures a start after which the server must have that many keys.
func (b *bench) timeStart(which side, l launch, keys int64) (ready, cpu time.Duration, err error) {
	s, err := b.start(which, l)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	if cpu, err = s.cpu(); err != nil {
		return 0, 0, err
	}
	c, err := dial(s.addr)
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	got, err := c.integer("DBSIZE")
	if err == nil && got != keys {
		err = fmt.Errorf("DBSIZE is %d after the start, it should be %d; the server said: %s", got, keys, s.said.tail())
	}
	return s.ready, cpu, err
}

// saveStallFigure offers a load from shortly before BGSAVE until its end: p99.9 and longest latency
// in microseconds, seconds of the save.
func (b *bench) saveStallFigure(name string, l openLoop) figure {
	return figure{
		name: name, most: 3, memory: l.memory(), cores: 2,
		prepare: func(s *server) error { return s.fillKeys(l.keys, l.fill) },
		trial: func(s *server) ([]float64, error) {
			hist, took, err := l.duringSave(s)
			if err != nil {
				return nil, err
			}
			return []float64{micros(hist.ValueAtQuantile(99.9)), micros(hist.Max()), took.Seconds()}, nil
		},
	}
}

// duringSave offers the load, saves, and stops the load.
func (l openLoop) duringSave(s *server) (*hdrhistogram.Histogram, time.Duration, error) {
	var hist *hdrhistogram.Histogram
	took, err := whileSaving(s, func(over func(time.Duration) bool) (err error) {
		hist, err = l.run(s, over)
		return err
	})
	return hist, took, err
}

// whileSaving begins a BGSAVE shortly after load, which goes on until over says that the save is
// done.
func whileSaving(s *server, load func(over func(time.Duration) bool) error) (time.Duration, error) {
	c, err := dial(s.addr)
	if err != nil {
		return 0, err
	}
	defer c.close()
	var over atomic.Bool
	var took time.Duration
	saved := make(chan error, 1)
	go func() {
		defer over.Store(true)
		time.Sleep(saveWarm)
		var err error
		took, _, err = s.bgsave(c)
		saved <- err
	}()
	err = load(func(time.Duration) bool { return over.Load() })
	if err != nil {
		c.close() // ends what still waits for the save
	}
	err = errors.Join(<-saved, err)
	return took, err
}
