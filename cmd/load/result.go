package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Schema is the version of a Result's JSON. Fields may be added within a version; what is there keeps
// its name, unit and meaning.
const Schema = 1

// Result is what was measured. Latencies are in microseconds; of an open loop they are counted from
// the moment at which a request was due, of a closed one from when its batch was sent. They are of
// requests that were answered, and not by an error.
type Result struct {
	Schema      int               `json:"schema"`
	Server      Server            `json:"server"`
	Load        LoadFacts         `json:"load"`
	Began       time.Time         `json:"began"`
	Seconds     float64           `json:"seconds"`
	Interrupted bool              `json:"interrupted"`
	Unanswered  int64             `json:"unanswered"` // replies that were missing at the end
	Open        *OpenResult       `json:"open"`       // null: a closed loop
	Total       OperationResult   `json:"total"`
	Operations  []OperationResult `json:"operations"`
	Failures    []Failure         `json:"failures"`
	Samples     []Sample          `json:"samples"`
}

// LoadFacts are the load's parameters.
type LoadFacts struct {
	Loop         string  `json:"loop"` // closed, open
	Clients      int     `json:"clients"`
	Pipeline     int     `json:"pipeline"` // 0: open loop
	Keys         int     `json:"keys"`
	Choice       string  `json:"choice"`
	Size         string  `json:"size"`
	TTLSecondsLo float64 `json:"ttl_seconds_min"` // 0: none
	TTLSecondsHi float64 `json:"ttl_seconds_max"`
	Filled       bool    `json:"filled"`
	OnlyHits     bool    `json:"only_hits"`
	SetMissed    bool    `json:"set_missed"`
	Warmup       float64 `json:"warmup_seconds"`
	Seed         uint64  `json:"seed"`
}

// OpenResult says how far an open loop kept to its rate.
type OpenResult struct {
	RatePerSecond float64 `json:"rate_per_second"`
	Sent          int64   `json:"sent"`
	Late          int64   `json:"late"`          // of these, sent later than so long after they were due:
	LateAfterUS   float64 `json:"late_after_us"` //
	Unsent        int64   `json:"unsent"`        // were due, and never sent
}

// OperationResult is of one operation, or of all.
type OperationResult struct {
	Name     string   `json:"name"`
	Command  string   `json:"command"` // "" of all
	Weight   int      `json:"weight"`  // 0: not of the mix
	Requests int64    `json:"requests"`
	PerSec   float64  `json:"per_second"`
	Hits     int64    `json:"hits"`
	Misses   int64    `json:"misses"`
	HitRate  *float64 `json:"hit_rate"` // null: nothing was read
	Errors   int64    `json:"errors"`
	Latency  Latency  `json:"latency_us"`
}

// Latency is zero without replies.
type Latency struct {
	Min   float64      `json:"min"`
	Mean  float64      `json:"mean"`
	P50   float64      `json:"p50"`
	P90   float64      `json:"p90"`
	P95   float64      `json:"p95"`
	P99   float64      `json:"p99"`
	P999  float64      `json:"p99_9"`
	P9999 float64      `json:"p99_99"`
	Max   float64      `json:"max"`
	Curve [][2]float64 `json:"curve"` // percentiles, each with its latency
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{Curve: [][2]float64{}}
	}
	at := func(q float64) float64 { return micros(h.ValueAtQuantile(q)) }
	l := Latency{Min: micros(h.Min()), Mean: h.Mean() / 1e3, P50: at(50),
		P90: at(90), P95: at(95), P99: at(99), P999: at(99.9), P9999: at(99.99),
		Max: micros(h.Max())}
	// From one nine to the next in ten steps, as long as at least one request is beyond.
	for nines := 0.0; ; nines += 0.1 {
		beyond := math.Pow(10, -nines)
		q := 100 * (1 - beyond)
		l.Curve = append(l.Curve, [2]float64{q, at(q)})
		if beyond*float64(h.TotalCount()) < 1 {
			return l
		}
	}
}

// summarize fills in what was measured in the time that it took.
func (r *run) summarize(took time.Duration) {
	out := &r.result
	out.Schema, out.Began, out.Seconds = Schema, r.began, took.Seconds()
	out.Load = LoadFacts{Loop: "closed", Clients: r.Clients, Pipeline: r.Pipeline,
		Keys: r.Keys, Choice: r.Choice.text, Size: r.Size.text,
		TTLSecondsLo: r.TTL.Least.Seconds(), TTLSecondsHi: r.TTL.Most.Seconds(),
		Filled: r.Fill || r.OnlyHits, OnlyHits: r.OnlyHits,
		SetMissed: r.SetMissed, Warmup: r.Warmup.Seconds(), Seed: r.Seed}
	if r.Rate > 0 {
		out.Load.Loop, out.Load.Pipeline = "open", 0
	}
	kinds, failures := r.recorders.sum()
	total := tally{latency: newHistogram()}
	for i, t := range kinds {
		o := t.result(took)
		o.Name, o.Command = r.mix.kinds[i].name, commandOf(r.mix.kinds[i], r.Prefix)
		if i < len(r.Operations) {
			o.Weight = r.Operations[i].Weight
		}
		out.Operations = append(out.Operations, o)
		total.latency.Merge(t.latency)
		total.requests += t.requests
		total.hits += t.hits
		total.misses += t.misses
		total.errors += t.errors
	}
	out.Total = total.result(took)
	out.Total.Name = "all"
	out.Failures = []Failure{}
	for _, f := range failures {
		out.Failures = append(out.Failures, *f)
	}
	slices.SortFunc(out.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
}

func (t tally) result(took time.Duration) OperationResult {
	o := OperationResult{Requests: t.requests, Hits: t.hits,
		Misses: t.misses, Errors: t.errors, Latency: latencyOf(t.latency)}
	if took > 0 {
		o.PerSec = float64(t.requests) / took.Seconds()
	}
	if reads := t.hits + t.misses; reads > 0 {
		rate := float64(t.hits) / float64(reads)
		o.HitRate = &rate
	}
	return o
}

// WriteJSON writes the result as one JSON object.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text is the result for people.
func (r *Result) Text() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.title())
	fmt.Fprintln(&b, r.subtitle())
	fmt.Fprintf(&b, "%.1f s, %s requests, %s", r.Seconds, grouped(r.Total.Requests), errorsText(r.Total.Errors))
	if r.Interrupted {
		b.WriteString(" (interrupted)")
	}
	b.WriteString("\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\trequests\tper second\thits\tmean\tp50\tp90\tp99\tp99.9\tmax\t")
	rows := r.Operations
	if len(rows) > 1 {
		rows = append(slices.Clone(rows), r.Total)
	}
	for _, o := range rows {
		hits := "-"
		if o.HitRate != nil {
			hits = fmt.Sprintf("%.1f %%", 100**o.HitRate)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s", o.Name, grouped(o.Requests), grouped(int64(math.Round(o.PerSec))), hits)
		l := o.Latency
		for _, us := range []float64{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
			if l.Max == 0 {
				fmt.Fprint(w, "\t-")
				continue
			}
			fmt.Fprint(w, "\t"+duration(us))
		}
		fmt.Fprintln(w, "\t")
	}
	_ = w.Flush() // into memory
	for _, line := range r.remarks() {
		b.WriteString("\n" + line)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// title says what was measured.
func (r *Result) title() string {
	name := strings.TrimSpace(cmp.Or(r.Server.Name, "server") + " " + r.Server.Version)
	if r.Open != nil {
		return fmt.Sprintf("%s at %s: open loop, %s requests per second over %s",
			name, r.Server.Addr, strconv.FormatFloat(r.Open.RatePerSecond, 'f', -1, 64),
			counted(int64(r.Load.Clients), "connection"))
	}
	return fmt.Sprintf("%s at %s: closed loop, %s, each with %s under way",
		name, r.Server.Addr, counted(int64(r.Load.Clients), "client"), counted(int64(r.Load.Pipeline), "request"))
}

func (r *Result) subtitle() string {
	text := fmt.Sprintf("%s, %s; values of %s bytes", counted(int64(r.Load.Keys), "key"), r.Load.Choice, r.Load.Size)
	if hi := r.Load.TTLSecondsHi; hi > 0 {
		text += fmt.Sprintf("; SET with a time to live of %v", time.Duration(r.Load.TTLSecondsLo*float64(time.Second)))
		if r.Load.TTLSecondsLo < hi {
			text += fmt.Sprintf(" to %v", time.Duration(hi*float64(time.Second)))
		}
	}
	return text
}

// remarks are what a reader of the figures should know.
func (r *Result) remarks() (lines []string) {
	if o := r.Open; o != nil {
		lines = append(lines,
			fmt.Sprintf("%s of %s requests were sent more than %s late; latencies are counted from when they were due",
				grouped(o.Late), grouped(o.Sent), duration(o.LateAfterUS)))
		if o.Unsent > 0 {
			lines = append(lines,
				fmt.Sprintf("%s requests were due and could not be sent: the server does not keep up with the rate,\n"+
					"and the latencies say how far it fell behind, not how it answers", grouped(o.Unsent)))
		}
	}
	if r.Unanswered > 0 {
		lines = append(lines, grouped(r.Unanswered)+" requests were not answered")
	}
	for _, f := range r.Failures {
		lines = append(lines, fmt.Sprintf("%s × %s: %s", grouped(f.Count), f.Code, f.Example))
	}
	return lines
}

// Verdict is an error if the figures are not of a server that answered everything it was asked.
func (r *Result) Verdict() error {
	switch {
	case r.Total.Errors > 0:
		return fmt.Errorf("%s of %s requests were answered by errors",
			grouped(r.Total.Errors), grouped(r.Total.Requests))
	case r.Unanswered > 0:
		return fmt.Errorf("%s requests were not answered", grouped(r.Unanswered))
	}
	return nil
}

func errorsText(n int64) string {
	if n == 0 {
		return "no errors"
	}
	return counted(n, "error")
}

// counted is "1 key", "2,000 keys".
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// grouped writes digits in groups of three.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// duration writes microseconds with three digits and a unit.
func duration(us float64) string {
	unit := "µs"
	switch {
	case us >= 999_500:
		us, unit = us/1e6, "s"
	case us >= 999.5:
		us, unit = us/1e3, "ms"
	}
	digits := 0
	switch {
	case us < 9.995:
		digits = 2
	case us < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(us, 'f', digits, 64) + " " + unit
}

// Text is a line for somebody who watches.
func (s Sample) Text() string {
	text := fmt.Sprintf("%5.0f s  %s requests per second", s.At, grouped(int64(math.Round(s.PerSec))))
	if s.Max > 0 {
		text += fmt.Sprintf("  p50 %s  p99 %s  max %s", duration(s.P50), duration(s.P99), duration(s.Max))
	}
	if s.Errors > 0 {
		text += "  " + counted(s.Errors, "error")
	}
	return text
}
