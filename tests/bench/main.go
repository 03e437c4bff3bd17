//go:build linux

// Bench measures larder beside redis-server and says which of the project's figures are reached.
//
// Absolute numbers of a shared machine are worth little: the same binary differs by 20 % between
// two afternoons. So every figure is a ratio of two servers measured in turn within one run
// (larder, Redis, Redis, larder, larder, Redis ...), and what is compared with the bar is the
// median of the ratios of the pairs. Time is the server's own processor time, utime + stime of all
// its threads from /proc/PID/stat, the child that Redis forks included, and not operations per
// second: on a machine where client and server share the cores, operations per second mostly
// measure the client. Memory is VmRSS, what the system charges for the process, and not what the
// server says of itself.
//
//	figures.go   the table: what is measured, on how much, against which bar
//	runner.go    starts the servers a figure needs and interleaves its trials
//	alone.go                                        the trials of requests that come alone
//	cpu.go memory.go latency.go idle.go stall.go    the trials, by kind
//	replies.go                                      the trials of long replies
//	expirylag.go                                    the trial of keys that expire one after the other
//	hits.go capped.go lower.go                      the trials of servers at their maxmemory
//	values.go                                       the figures of lists and sorted sets
//	long.go                                         the figures of commands that walk over a million
//	handover.go                                     the trial of blocking commands
//	pubsub.go                                       the figures of messages
//	notify.go                                       the figures of keyspace notifications
//	scripts.go                                      the figures of scripts
//	limits.go                                       the figures of rate limits
//	leases.go stalllease.go stampede.go             the figures of leases
//	tags.go stalltag.go prefixes.go                 the figures of tags and of statistics by prefix
//	tracking.go                                     the figures of client-side caching
//	threads.go                                      the figures of several event loops
//	secure.go users.go                              the figures of TLS and of users without all rights
//	snapshot.go growth.go busysave.go aof.go        the trials of what is on disk
//	piped.go                                        a load as fast as it is answered, by package load
//	servers.go proc.go load.go client.go            processes, /proc, filling a server, asking it
//	report.go    medians, verdicts, the table and RESULTS.md
//
// With -baseline an older larder takes Redis' place, and the same figures say what has become
// slower since.
//
// It needs Linux and the Redis package (server, benchmark and cli), and talks to 127.0.0.1 alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// redisInstall is the line that gets what the program needs from outside.
const redisInstall = "apt-get install -y redis-server redis-tools"

// wholeRun bounds a run that hangs; a full one takes about an hour.
const wholeRun = 2 * time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, wholeRun)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		cancel()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	larderPath := flag.String("larder", "", "larder `binary` to measure (default: build ./cmd/larder)")
	redisPath := flag.String("redis", "redis-server", "redis-server `binary` to measure against")
	baseline := flag.String("baseline", "", "an older larder `binary` to measure in Redis' place: its ratio for GET, SET, HGETALL and MGET, or for those that -run names")
	pairs := flag.Int("pairs", 5, "trials of each server per figure")
	only := flag.String("run", "", "measure only the figures whose name matches this `regexp`")
	quick := flag.Bool("quick", false, "one pair of small sizes: shows that everything works, not how fast it is")
	out := flag.String("out", "", "`file` for the report (default: tests/bench/RESULTS.md when everything was measured in full)")
	section := flag.String("section", "", "write the report as the section of this `title` into the file; the rest of it stays")
	ioThreads := flag.Int("io-threads", 1, "larder's io-threads")
	list := flag.Bool("list", false, "print the names of the figures and stop")
	ping := flag.String("ping", "", "only ping the server at an `address` until standard input ends, for the figures that need it")
	flag.Parse()
	if *ping != "" {
		return pingAlone(*ping)
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if *pairs < 1 {
		return fmt.Errorf("-pairs %d: must be at least 1", *pairs)
	}
	if *baseline != "" && *only == "" {
		*only = baselineFigures
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	b := &bench{ctx: ctx, quick: *quick, pairs: *pairs, ioThreads: *ioThreads}
	if *quick {
		b.pairs = 1
	}
	if *baseline != "" {
		if b.baseline, err = findLarder(*baseline); err != nil {
			return fmt.Errorf("-baseline: %w", err)
		}
	}
	chosen := b.choose(match)
	if len(chosen) == 0 {
		return fmt.Errorf("-run %q matches no figure; -list prints their names", *only)
	}
	if *list {
		for _, f := range chosen {
			fmt.Println(f.name)
		}
		return nil
	}
	if b.dir, err = os.MkdirTemp("", "larder-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.findPrograms(*larderPath, *redisPath); err != nil {
		return err
	}
	path := *out
	if path == "" && !*quick && (*only == "" || *section != "") {
		path = filepath.Join("tests", "bench", "RESULTS.md")
	}
	rep, err := b.measureAll(chosen)
	if err != nil {
		return err
	}
	fmt.Print(rep.text())
	if err := rep.write(path, *section, *only); err != nil {
		return err
	}
	if n := rep.failed(); n > 0 {
		return fmt.Errorf("%d of %d figures could not be measured", n, len(rep.results))
	}
	return nil
}

// choose returns the figures whose name matches.
func (b *bench) choose(match *regexp.Regexp) (chosen []figure) {
	for _, f := range b.figures() {
		if match.MatchString(f.name) {
			chosen = append(chosen, b.beside(f))
		}
	}
	return chosen
}

// measureAll runs the figures in order. One that cannot be measured is a line of the report; the
// rest is measured all the same.
func (b *bench) measureAll(chosen []figure) (*report, error) {
	began := time.Now()
	facts, err := b.machineFacts()
	if err != nil {
		return nil, err
	}
	rep := &report{facts: facts, quick: b.quick, pairs: b.pairs, other: b.name(redisSide)}
	for i, f := range chosen {
		fmt.Fprintf(os.Stderr, "%6.1fs  %d/%d %s\n", time.Since(began).Seconds(), i+1, len(chosen), f.name)
		rep.results = append(rep.results, b.measure(f)...)
		rep.note(f.name, f.note)
		if b.ctx.Err() != nil {
			return nil, fmt.Errorf("stopped: %w", context.Cause(b.ctx))
		}
	}
	rep.took = time.Since(began)
	return rep, nil
}

// write puts the report into the file at path, as a section of what is there if it has a title; an
// empty path writes nothing.
func (r *report) write(path, title, chosen string) error {
	if path == "" {
		return nil
	}
	text := r.markdown()
	if title != "" {
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		text = withSection(string(old), r.section(title, chosen))
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func findLarder(path string) (string, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(found)
}

// findPrograms fills in the paths of the four programs, building larder when larderPath is empty.
func (b *bench) findPrograms(larderPath, redisPath string) error {
	for _, p := range []struct {
		path *string
		name string
	}{{&b.redisServer, redisPath}, {&b.redisBenchmark, "redis-benchmark"}, {&b.redisCLI, "redis-cli"}} {
		found, err := exec.LookPath(p.name)
		if err != nil {
			return fmt.Errorf("%s is needed and was not found; install it with: %s", p.name, redisInstall)
		}
		*p.path = found
	}
	if larderPath != "" {
		var err error
		if b.larder, err = findLarder(larderPath); err != nil {
			return fmt.Errorf("-larder: %w", err)
		}
		return nil
	}
	b.larder = filepath.Join(b.dir, "larder")
	build := exec.CommandContext(b.ctx, "go", "build", "-o", b.larder, "github.com/larderkv/larder/cmd/larder")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("building larder: %w", err), errors.New(strings.TrimSpace(string(out))))
	}
	return nil
}
