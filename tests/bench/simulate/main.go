// Simulate replays traces through cache policies and says what share of the requests, and of their
// bytes, each of them answers at equal bytes.
//
//	go run ./tests/bench/simulate [flags] [trace files]
//
// The traces are generated, or read from files: libCacheSim's csv, and the text formats of the ARC
// and LIRS papers. The policies are exact ones from the literature, Belady's optimum, models of
// Redis' LRU and LFU, and larder's own: package eviction, driven as the store drives it.
//
//	policy.go    the table of policies          workload.go  the table of generated traces
//	lru.go arc.go fifo.go tinylfu.go gdsf.go belady.go    exact policies
//	redis.go     models of redis-server         store.go     larder's store around eviction.Meter
//	trace.go readers.go list.go dict.go         what they share
//	simulate.go  the runs                       report.go plot.go  tables and plots
//
// # What is compared
//
// A client reads, and writes what was missing. Every read counts, also the first one of an object.
// A cache may hold a share of the bytes of all objects in the trace; each entry costs its key, its
// value, and the same overhead (-overhead) whatever the policy: the comparison is one of choices,
// not of how many entries fit into a gigabyte, in which larder has another advantage that is not
// shown here. Ghost entries and sketches are free.
//
// Redis' clock has seconds and its counter decays by minutes, so that time matters: -rate says how
// many requests a second there are. The caches here have some hundredths of the entries of a real
// one, whose entries therefore stay a hundred times as long at the same rate; so 1000 requests per
// second here stand for 100,000 there, and the higher rates show what becomes of a clock that is
// too coarse.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run() error {
	workloadMatch := flag.String("workload", "", "simulate only the workloads whose name matches this `regexp`")
	policyMatch := flag.String("policy", "", "simulate only the policies whose name matches this `regexp`")
	sizes := flag.String("size", "1,5,10,25", "sizes of the cache in `percent` of the bytes of all objects")
	requests := flag.Int("requests", 1_000_000, "requests of a generated trace; at most so many are read from a file if given")
	seed := flag.Uint64("seed", 1, "of everything random")
	rates := flag.String("rate", "1000,10000,100000", "requests per second, the first one for the tables of workloads; 0 for the times in the trace")
	overhead := flag.Uint("overhead", 32, "bytes that an entry takes beyond its key and value")
	samples := flag.Int("samples", 5, "maxmemory-samples of larder's policies")
	workers := flag.Int("workers", runtime.NumCPU(), "simulations at the same time")
	out := flag.String("out", "", "`folder` for SIMULATION.md and its plots")
	list := flag.Bool("list", false, "print the names of workloads and policies and stop")
	flag.Parse()

	s := &settings{requests: *requests, seed: *seed, overhead: uint32(*overhead), workers: *workers, samples: *samples}
	var err error
	if s.sizes, err = numbers(*sizes, 1e-6, 100); err != nil {
		return fmt.Errorf("-size: %w", err)
	}
	for i := range s.sizes {
		s.sizes[i] /= 100
	}
	if s.rates, err = numbers(*rates, 0, 1e9); err != nil {
		return fmt.Errorf("-rate: %w", err)
	}
	if *requests < 1 || *workers < 1 || *samples < 1 || *overhead > 1<<20 {
		return fmt.Errorf("-requests, -workers and -samples must be at least 1, -overhead at most %d", 1<<20)
	}
	if s.policies, err = matching(policies(), *policyMatch, func(p policy) string { return p.name }); err != nil {
		return fmt.Errorf("-policy: %w", err)
	}
	chosen, err := matching(workloads(), *workloadMatch, func(w workload) string { return w.name })
	if err != nil {
		return fmt.Errorf("-workload: %w", err)
	}
	if *list {
		for _, w := range chosen {
			fmt.Printf("workload %-16s %s\n", w.name, w.about)
		}
		for _, p := range s.policies {
			fmt.Printf("policy   %-16s %s\n", p.name, p.about)
		}
		return nil
	}
	var sources []func() (*trace, error)
	if flag.NArg() == 0 {
		for _, w := range chosen {
			sources = append(sources, func() (*trace, error) { return w.generate(*requests, *seed), nil })
		}
	}
	limit := 0
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "requests" {
			limit = *requests
		}
	})
	for _, path := range flag.Args() {
		sources = append(sources, func() (*trace, error) { return readTrace(path, limit) })
	}
	return s.runAll(sources, *out)
}

// runAll simulates one trace after the other, prints their tables as they come, and writes the
// report unless out is empty.
func (s *settings) runAll(sources []func() (*trace, error), out string) error {
	began := time.Now()
	rep := report{settings: s}
	for i, source := range sources {
		t, err := source()
		if err != nil {
			return err
		}
		result, err := s.run(t)
		if err != nil {
			return err
		}
		rep.tables = append(rep.tables, result)
		fmt.Printf("%s\n", rep.text(result))
		fmt.Fprintf(os.Stderr, "%6.1fs  %d/%d %s\n", time.Since(began).Seconds(), i+1, len(sources), t.name)
	}
	fmt.Print(rep.summary())
	if out == "" {
		return nil
	}
	return rep.write(out)
}

// numbers reads a list of numbers within a range.
func numbers(s string, least, most float64) ([]float64, error) {
	var all []float64
	for field := range strings.SplitSeq(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil || !(v >= least && v <= most) {
			return nil, fmt.Errorf("%q is not a number from %s to %s", field, decimal(least), decimal(most))
		}
		all = append(all, v)
	}
	return all, nil
}

// matching returns the rows whose name matches.
func matching[T any](rows []T, expr string, name func(T) string) ([]T, error) {
	match, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	var chosen []T
	for _, r := range rows {
		if match.MatchString(name(r)) {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%q matches no name; -list prints them", expr)
	}
	return chosen, nil
}

// decimal prints a number without needless zeros.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
