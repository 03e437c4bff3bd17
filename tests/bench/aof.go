//go:build linux

package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/redcon"
)

// The append-only log: what it costs to write and how fast it is replayed. No log is rewritten
// meanwhile.

const (
	logName       = "appendonly.aof"
	logFolderName = "appendonlydir"
	logKeys       = 1_000_000 // of each type in the log that is replayed
	logSeed       = 40_000
)

// logFlags switch the log on.
func logFlags(fsync string) []string {
	return []string{"--appendonly", "yes", "--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0"}
}

// logCostFigure compares the processor time of n SETs with appendfsync everysec and of n without a
// log, on two servers of the same side, in the order without, with, with, without: the ratio, and
// microseconds per SET with the log.
func (b *bench) logCostFigure(name string, n int) figure {
	l := commandLoad{pipeline: 16, standard: "SET", ops: n}
	return figure{
		name: name,
		prepare: func(s *server) (err error) {
			if s.twin, err = b.start(s.side, launch{flags: logFlags("everysec")}); err != nil {
				return err
			}
			return errors.Join(b.sendCommands(s, l, n/10), b.sendCommands(s.twin, l, n/10))
		},
		trial: func(s *server) ([]float64, error) {
			var spent [2]time.Duration // without and with
			for _, with := range []int{0, 1, 1, 0} {
				target := s
				if with == 1 {
					target = s.twin
				}
				before, err := target.cpu()
				if err != nil {
					return nil, err
				}
				if err := b.sendCommands(target, l, n); err != nil {
					return nil, err
				}
				after, err := target.cpu()
				if err != nil {
					return nil, err
				}
				spent[with] += after - before
			}
			perSet := float64(spent[1]) / float64(time.Microsecond) / float64(2*n)
			return []float64{float64(spent[1]) / float64(spent[0]), perSet}, s.twin.checkLog(2 * n)
		},
	}
}

// checkLog makes sure that the server has written down at least so many commands.
func (s *server) checkLog(commands int) error {
	const least = 40 // bytes of a SET
	files, err := filepath.Glob(filepath.Join(s.dir, logFolderName, "*.incr.aof"))
	if err != nil {
		return err
	}
	var size int64
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		size += info.Size()
	}
	if size < int64(commands)*least {
		return fmt.Errorf("the log has %d bytes in %d files, too few for %d commands", size, len(files), commands)
	}
	return nil
}

// logRateFigure sends n SETs over 50 connections with appendfsync always, without pipelining: SETs
// per second, processor microseconds per SET.
func (b *bench) logRateFigure(name string, n int) figure {
	return figure{
		name: name, flags: logFlags("always"),
		prepare: func(s *server) error {
			_, err := b.setRate(s, n/10)
			return err
		},
		trial: func(s *server) ([]float64, error) {
			before, err := s.cpu()
			if err != nil {
				return nil, err
			}
			rate, err := b.setRate(s, n)
			if err != nil {
				return nil, err
			}
			after, err := s.cpu()
			if err != nil {
				return nil, err
			}
			perSet := float64(after-before) / float64(time.Microsecond) / float64(n)
			return []float64{rate, perSet}, s.checkLog(n)
		},
	}
}

// setRate asks redis-benchmark how many SETs per second it was served.
func (b *bench) setRate(s *server, n int) (float64, error) {
	out, err := s.run(nil, b.redisBenchmark, "-c", "50", "-d", "64", "--csv", "-n", strconv.Itoa(n), "-r", strconv.Itoa(benchKeys), "-t", "set")
	if err != nil {
		return 0, err
	}
	return parseRate(out)
}

// parseRate reads the rate from redis-benchmark --csv: a line of titles, a line of values.
func parseRate(out string) (float64, error) {
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("redis-benchmark: %w", err)
	}
	if len(rows) == 2 {
		for i, title := range rows[0] {
			if title == "rps" {
				return strconv.ParseFloat(rows[1][i], 64)
			}
		}
	}
	return 0, fmt.Errorf("redis-benchmark printed no rate: %q", out)
}

// logFolder is a folder of Redis' own making with a log of known content.
type logFolder struct {
	dir  string
	keys int64 // that a server has after replaying it
}

// replayFigure starts servers on copies of a folder whose base file is empty and whose incremental
// file has n commands: seconds until the first PONG, processor seconds.
func (b *bench) replayFigure(name string, n int) figure {
	return figure{
		name: name, most: 3, memory: spaceNeeded,
		prepare: func(*server) (err error) {
			if b.log == nil {
				b.log, err = b.makeLog(n)
			}
			return err
		},
		trial: func(s *server) ([]float64, error) {
			dir, err := os.MkdirTemp(b.dir, "data-")
			if err != nil {
				return nil, err
			}
			if err := os.CopyFS(dir, os.DirFS(b.log.dir)); err != nil {
				return nil, err
			}
			ready, cpu, err := b.timeStart(s.side, launch{dir: dir, within: loadWithin, flags: logFlags("everysec")}, b.log.keys)
			return []float64{ready.Seconds(), cpu.Seconds()}, err
		},
	}
}

// makeLog lets redis-server create the folder with its manifest and an empty base file, and writes
// the commands behind what it has written itself.
func (b *bench) makeLog(n int) (_ *logFolder, err error) {
	dir, err := os.MkdirTemp(b.dir, "log-")
	if err != nil {
		return nil, err
	}
	s, err := b.start(redisSide, launch{dir: dir, flags: logFlags("everysec")})
	if err != nil {
		return nil, err
	}
	// The server would take its folder with it.
	s.dir = ""
	s.stop()
	name := filepath.Join(dir, logFolderName, logName+".1.incr.aof")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	keys, err := writeCommands(f, n)
	return &logFolder{dir: dir, keys: keys}, err
}

// writeCommands writes n commands as a log has them, and counts the keys that they leave. Of ten,
// six are SET of 64 bytes, and one each INCR, HSET, SADD and DEL of a string, all of random keys.
func writeCommands(out io.Writer, n int) (keys int64, err error) {
	rnd := rand.New(rand.NewPCG(logSeed, logSeed))
	w := bufio.NewWriterSize(out, 1<<20)
	present := map[string][]bool{}
	note := func(kind string, i int, there bool) {
		if present[kind] == nil {
			present[kind] = make([]bool, logKeys)
		}
		present[kind][i] = there
	}
	buf := []byte("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
	for k := range n {
		i := rnd.IntN(logKeys)
		switch k % 10 {
		default:
			buf = fillNoise(buf, i)
			note("key", i, true)
		case 1:
			buf = appendNamed(append(buf, "*2\r\n$4\r\nINCR\r\n"...), "counter:", i)
			note("counter", i, true)
		case 3:
			buf = appendNamed(append(buf, "*4\r\n$4\r\nHSET\r\n"...), "hash:", i)
			buf = redcon.AppendBulkString(buf, "field:"+strconv.Itoa(k%7))
			buf = redcon.AppendBulk(buf, noiseAt(k, 16))
			note("hash", i, true)
		case 5:
			buf = appendNamed(append(buf, "*3\r\n$4\r\nSADD\r\n"...), "set:", i)
			buf = redcon.AppendBulkString(buf, "member:"+strconv.Itoa(k))
			note("set", i, true)
		case 7:
			buf = appendNamed(append(buf, "*2\r\n$3\r\nDEL\r\n"...), "key:", i)
			note("key", i, false)
		}
		if _, err := w.Write(buf); err != nil {
			return 0, err
		}
		buf = buf[:0]
	}
	for _, kind := range present {
		for _, there := range kind {
			if there {
				keys++
			}
		}
	}
	return keys, w.Flush()
}
