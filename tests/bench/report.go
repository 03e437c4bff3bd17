//go:build linux

package main

import (
	"debug/buildinfo"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	clientinfo "github.com/larderkv/larder/cmd/client"
)

// fact is a line about the machine or the programs.
type fact struct{ name, value string }

// report is everything a run found out.
type report struct {
	facts   []fact
	other   string // what larder is measured beside
	quick   bool
	pairs   int
	took    time.Duration
	results []result
	notes   []fact // figures by name, and what is to be known of them
}

// note adds what is to be known of a figure, if there is anything; what is said of the last one too
// is said once.
func (r *report) note(figure, text string) {
	last := len(r.notes) - 1
	switch {
	case text == "":
	case last >= 0 && r.notes[last].value == text:
		r.notes[last].name += ", " + figure
	default:
		r.notes = append(r.notes, fact{figure, text})
	}
}

// line is a row of the table, ready to be printed.
type line struct{ what, larder, redis, ratio, bar, verdict string }

// summary reduces the pairs: larder's and Redis' value (median, or the largest where that is what
// counts) and the median of the ratios of the pairs. A value nobody has is NaN.
func (r result) summary() (larder, redis, ratio float64) {
	var values [2][]float64
	var ratios []float64
	for _, p := range r.pairs {
		for s, v := range p {
			if !math.IsNaN(v) {
				values[s] = append(values[s], v)
			}
		}
		if q := p[larderSide] / p[redisSide]; !math.IsNaN(q) {
			ratios = append(ratios, q)
		}
	}
	reduce := median
	if r.worst {
		reduce = largest
	}
	return reduce(values[larderSide]), reduce(values[redisSide]), median(ratios)
}

// median returns the middle value, the mean of the two middle ones for an even number, NaN for
// none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}

func largest(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return slices.Max(v)
}

// holds says whether the bar is reached; a value that is missing reaches nothing.
func (b bar) holds(larder, ratio float64) bool {
	value, limit := ratio, b.times
	if b.atMost > 0 {
		value, limit = larder, b.atMost
	}
	if b.least > 0 {
		return value > b.least || value == b.least && !b.strict
	}
	return value < limit || value == limit && !b.strict
}

func (b bar) text(unit string) string {
	if b.atMost > 0 {
		return "at most " + number(b.atMost) + unitSuffix(unit)
	}
	if b.least > 0 {
		if b.strict {
			return "above " + number(b.least)
		}
		return "at least " + number(b.least)
	}
	if b.strict {
		return "below " + number(b.times)
	}
	return "at most " + number(b.times)
}

// unitSuffix leaves out the unit of a plain ratio.
func unitSuffix(unit string) string {
	if unit == "x" {
		return ""
	}
	return " " + unit
}

// line judges a result.
func (r result) line() line {
	l := line{what: r.what, larder: "-", redis: "-", ratio: "-", bar: "-", verdict: "-"}
	var bars []string
	for _, b := range r.bars {
		bars = append(bars, b.text(r.unit))
	}
	if len(bars) > 0 {
		l.bar = strings.Join(bars, ", ")
	}
	if r.err != nil {
		l.verdict = "not measured"
		return l
	}
	larder, redis, ratio := r.summary()
	l.larder, l.redis, l.ratio = quantity(larder, r.unit), quantity(redis, r.unit), number(ratio)
	if len(r.bars) > 0 {
		l.verdict = "reached"
		for _, b := range r.bars {
			if !b.holds(larder, ratio) {
				l.verdict = "NOT reached"
			}
		}
	}
	return l
}

func quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return "-"
	}
	return number(v) + unitSuffix(unit)
}

// number prints about four digits and no needless zeros.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case math.Abs(v) >= 1000:
		return fmt.Sprintf("%.0f", v)
	}
	decimals := 3
	for limit := 10.0; math.Abs(v) >= limit; limit *= 10 {
		decimals--
	}
	s := fmt.Sprintf("%.*f", decimals, v)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// failed counts the measures that could not be taken.
func (r *report) failed() (n int) {
	for _, res := range r.results {
		if res.err != nil {
			n++
		}
	}
	return n
}

// tally counts bars reached, and bars there are.
func (r *report) tally() (reached, all int) {
	for _, res := range r.results {
		if len(res.bars) == 0 {
			continue
		}
		all++
		if res.line().verdict == "reached" {
			reached++
		}
	}
	return reached, all
}

// text is the table for a terminal.
func (r *report) text() string {
	var out strings.Builder
	for _, f := range r.facts {
		fmt.Fprintf(&out, "%s: %s\n", f.name, f.value)
	}
	out.WriteByte('\n')
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "figure\tlarder\t%s\tratio\tbar\t\n", r.other)
	for _, res := range r.results {
		l := res.line()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.what, l.larder, l.redis, l.ratio, l.bar, l.verdict)
	}
	_ = w.Flush() // a strings.Builder takes everything
	reached, all := r.tally()
	for _, n := range r.notes {
		fmt.Fprintf(&out, "%s: %s\n", n.name, n.value)
	}
	fmt.Fprintf(&out, "\n%d of %d bars reached; medians of %s, of fewer where a trial takes long; %.0f s\n",
		reached, all, counted(r.pairs, "pair"), r.took.Seconds())
	if r.quick {
		out.WriteString("quick: sizes are far too small to judge by\n")
	}
	return out.String()
}

// counted is "1 pair", "5 pairs".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// markdown is RESULTS.md after a full run.
func (r *report) markdown() string {
	return "# larder beside Redis\n\nWritten by `make bench`; tests/bench/main.go says how it measures. " + r.tables("##")
}

// section is the part of RESULTS.md under this title after a run of some figures, chosen by a
// regular expression.
func (r *report) section(title, chosen string) string {
	beside := ""
	if r.other == baselineName {
		beside = "-baseline OLD "
	}
	intro := fmt.Sprintf("## %s\n\nWritten by `go run ./tests/bench %s-run '%s' -section '%s' -pairs %d`. ", title, beside, chosen, title, r.pairs)
	return intro + r.tables("###")
}

// tables is what a report says, its headings marked by mark. The paragraph of its beginning is left
// open for it.
func (r *report) tables(mark string) string {
	var out strings.Builder
	reached, all := r.tally()
	fmt.Fprintf(&out, "Medians of %s (of fewer where a trial takes long), interleaved in one run; ", counted(r.pairs, "pair"))
	out.WriteString("the ratio is the median of the ratios of the pairs. ")
	fmt.Fprintf(&out, "**%d of %d bars reached.**\n\n", reached, all)
	if r.quick {
		out.WriteString("This was a quick run: its sizes are far too small to judge by.\n\n")
	}
	out.WriteString("| | |\n|---|---|\n")
	for _, f := range r.facts {
		fmt.Fprintf(&out, "| %s | %s |\n", cell(f.name), cell(f.value))
	}
	fmt.Fprintf(&out, "\n| figure | larder | %s | ratio | bar | |\n|---|---:|---:|---:|---|---|\n", r.other)
	for _, res := range r.results {
		l := res.line()
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", cell(l.what), l.larder, l.redis, l.ratio, l.bar, l.verdict)
	}
	if len(r.notes) > 0 {
		out.WriteString("\n")
	}
	for _, n := range r.notes {
		fmt.Fprintf(&out, "- %s: %s\n", n.name, n.value)
	}
	fmt.Fprintf(&out, "\n%s Every trial\n\n| figure | unit | larder | %s |\n|---|---|---|---|\n", mark, r.other)
	for _, res := range r.results {
		if res.err != nil {
			fmt.Fprintf(&out, "| %s | %s | not measured: %s | |\n", cell(res.what), res.unit, cell(res.err.Error()))
			continue
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", cell(res.what), res.unit, series(res.pairs, larderSide), series(res.pairs, redisSide))
	}
	return out.String()
}

// withSection puts a section in the place of the one that begins with the same line, or behind
// everything. Text before its first line and from the next "## " on stays as it is.
func withSection(all, section string) string {
	title, _, _ := strings.Cut(section, "\n")
	before, rest, found := strings.Cut("\n"+all, "\n"+title+"\n")
	if !found {
		return strings.TrimLeft(strings.TrimRight(all, "\n")+"\n\n"+section, "\n")
	}
	if before != "" {
		before = strings.TrimPrefix(before, "\n") + "\n"
	}
	if at := strings.Index(rest, "\n## "); at >= 0 {
		section += rest[at:]
	}
	return before + section
}

func series(pairs [][2]float64, s side) string {
	var out []string
	for _, p := range pairs {
		out = append(out, number(p[s]))
	}
	return strings.Join(out, ", ")
}

// cell keeps a text within one cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", "; ", "\r", "").Replace(s)
}

// machineFacts tells what was measured on what; names of hosts and folders stay out of it.
func (b *bench) machineFacts() ([]fact, error) {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	memory, err := parseKB(string(meminfo), "MemTotal")
	if err != nil {
		return nil, err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, err
	}
	loadavg, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(b.ctx, b.redisServer, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", filepath.Base(b.redisServer), err)
	}
	driver, err := b.networkDriver()
	if err != nil {
		return nil, err
	}
	facts := []fact{
		{"processor", cpuModel(string(cpuinfo))},
		{"cores", fmt.Sprint(runtime.NumCPU())},
		{"memory", fmt.Sprintf("%.1f GiB", float64(memory)/(1<<30))},
		{"load before", loadBefore(string(loadavg))},
		{"kernel", "Linux " + strings.TrimSpace(string(kernel))},
		{"Go", strings.TrimPrefix(runtime.Version(), "go")},
		{"Redis", redisVersion(string(version))},
		{"larder", b.commit() + ", io-threads " + fmt.Sprint(b.ioThreads) + ", network driver " + driver},
		{"date", time.Now().UTC().Format(time.DateOnly)},
	}
	if b.baseline != "" {
		built, err := builtFrom(b.baseline)
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact{"baseline", built + ", io-threads " + fmt.Sprint(b.ioThreads)})
	}
	return facts, nil
}

// networkDriver is what larder has chosen to drive its connections with, on this kernel.
func (b *bench) networkDriver() (string, error) {
	s, err := b.start(larderSide, launch{})
	if err != nil {
		return "", err
	}
	defer s.stop()
	c, err := dial(s.addr)
	if err != nil {
		return "", err
	}
	defer c.close()
	info, err := c.do("INFO", "server")
	if err != nil {
		return "", err
	}
	return clientinfo.ParseInfo(info)["multiplexing_api"], nil
}

// busyLoad is a load average from which on somebody else's work is in the figures, the latencies
// most of all.
const busyLoad = 0.5

// loadBefore judges the load average of the last minute.
func loadBefore(loadavg string) string {
	minute, _, _ := strings.Cut(loadavg, " ")
	if v, err := strconv.ParseFloat(minute, 64); err != nil || v > busyLoad {
		return minute + " (the machine was not idle: do not trust the latencies)"
	}
	return minute
}

// cpuModel finds the processor's name; architectures differ in what they print.
func cpuModel(cpuinfo string) string {
	for _, key := range []string{"model name", "Model", "cpu"} {
		for l := range strings.Lines(cpuinfo) {
			if name, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == key {
				return strings.TrimSpace(v)
			}
		}
	}
	return runtime.GOARCH
}

// redisVersion reads "Redis server v=7.0.15 sha=...".
func redisVersion(s string) string {
	if _, rest, ok := strings.Cut(s, "v="); ok {
		s, _, _ = strings.Cut(rest, " ")
	}
	return strings.TrimSpace(s)
}

// builtFrom names the commit that Go has noted in a binary.
func builtFrom(binary string) (string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", err
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "commit " + s.Value[:min(len(s.Value), 7)], nil
		}
	}
	return "commit unknown", nil
}

// commit names the tree that larder was built from, as far as git knows.
func (b *bench) commit() string {
	head, err := exec.CommandContext(b.ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "commit unknown"
	}
	name := "commit " + strings.TrimSpace(string(head))
	changed, err := exec.CommandContext(b.ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	if err == nil && len(changed) > 0 {
		name += " with changes"
	}
	return name
}
