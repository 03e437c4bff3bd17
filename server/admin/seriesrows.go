package admin

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// metricRow is a metric with labels.
type metricRow struct {
	name, help string
	labels     []string
}

// seriesRow is metrics that are collected together; collect gets their descriptions in the same order.
type seriesRow struct {
	metrics []metricRow
	collect func(r *reading, descs []*prometheus.Desc, send func(prometheus.Metric))
}

func (a *Admin) seriesRows() []seriesRow {
	return []seriesRow{
		{[]metricRow{{"redis_instance_info", "What the server is.", []string{
			"redis_version", "larder_version", "redis_mode", "role", "os", "tcp_port", "run_id", "maxmemory_policy"}}}, collectInfo},
		{[]metricRow{
			{"redis_db_keys", "Keys of a database.", []string{"db"}},
			{"redis_db_keys_expiring", "Keys of a database with a time to live.", []string{"db"}},
			{"redis_db_avg_ttl_seconds", "Time that those have left in the mean.", []string{"db"}},
		}, collectDatabases},
		{[]metricRow{{"redis_errors_total", "Error replies by their code.", []string{"err"}}}, collectErrors},
		{[]metricRow{
			{"redis_commands_total", "Calls of a command.", []string{"cmd"}},
			{"redis_commands_duration_seconds_total", "Time of these calls.", []string{"cmd"}},
			{"redis_commands_rejected_calls_total", "Requests refused before the command ran.", []string{"cmd"}},
			{"redis_commands_failed_calls_total", "Calls that replied with an error.", []string{"cmd"}},
		}, collectCommands},
		{[]metricRow{{"larder_command_duration_seconds", "Time of calls by family of commands.", []string{"family"}}}, collectLatencies},
		{[]metricRow{
			{"larder_loop_connections", "Connections of an event loop.", []string{"loop"}},
			{"larder_loop_read_bytes_total", "Bytes that a loop has received.", []string{"loop"}},
			{"larder_loop_written_bytes_total", "Bytes that a loop has sent.", []string{"loop"}},
			{"larder_loop_reads_total", "System calls that brought a loop input.", []string{"loop"}},
			{"larder_loop_writes_total", "System calls that took a loop's output.", []string{"loop"}},
		}, a.collectLoops},
		{[]metricRow{
			{"larder_arena_class_slots", "Slots of a size, used or not.", []string{"size"}},
			{"larder_arena_class_slots_used", "Slots of a size that are in use.", []string{"size"}},
		}, collectArena},
		{[]metricRow{{"larder_gc_pause_seconds", "Time for which the collector has stopped the program; the sum is an estimate.", nil}}, collectPauses},
		{prefixMetrics(), collectPrefixes},
		{hotMetrics(), collectHot},
		{sizeMetrics(), collectSizes},
	}
}

func constGauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func constCounter(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func collectInfo(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	send(constGauge(d[0], 1, config.RedisVersion, config.Version, "standalone", "master", runtime.GOOS+" "+runtime.GOARCH,
		strconv.Itoa(r.k.Port()), r.k.RunID, r.v.MaxMemoryPolicy))
}

func collectDatabases(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	for db, st := range r.dbs {
		if st.Keys == 0 && db > 0 {
			continue
		}
		name := fmt.Sprintf("db%d", db)
		send(constGauge(d[0], float64(st.Keys), name))
		send(constGauge(d[1], float64(st.Expires), name))
		send(constGauge(d[2], float64(r.view.AverageTTL(db))/1000, name))
	}
}

func collectErrors(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	for code, n := range r.k.Errors.Codes() {
		text, _ := show([]byte(code), maxShown)
		send(constCounter(d[0], float64(n), text))
	}
}

func collectCommands(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	r.k.Table.Each(func(s *engine.Spec) {
		row := r.k.Stats.Row(s.Index())
		if row == (stats.Row{}) {
			return
		}
		send(constCounter(d[0], float64(row.Calls), s.FullName()))
		send(constCounter(d[1], row.Time.Seconds(), s.FullName()))
		send(constCounter(d[2], float64(row.Rejected), s.FullName()))
		send(constCounter(d[3], float64(row.Failed), s.FullName()))
	})
}

// family is the calls of a group of commands by how long they took.
type family struct {
	within [stats.LastStep + 1]uint64 // by the power of two of the bound, cumulative
	calls  uint64
	time   time.Duration
}

// add adds a command's calls. Steps leaves bounds out below which there is nothing new.
func (f *family) add(l *stats.Latencies, took time.Duration) {
	f.time += took
	f.calls += uint64(l.Calls)
	power, sum := stats.FirstStep, int64(0)
	l.Steps(func(bound time.Duration, calls int64) {
		for ; power <= stats.LastStep && stats.StepBound(power) < bound; power++ {
			f.within[power] += uint64(sum)
		}
		sum = calls
	})
	for ; power <= stats.LastStep; power++ {
		f.within[power] += uint64(sum)
	}
}

func collectLatencies(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	families := make(map[string]*family)
	r.k.Table.Each(func(s *engine.Spec) {
		row := r.k.Stats.Row(s.Index())
		if row.Calls == 0 {
			return
		}
		l := r.k.Stats.Latencies(s.Index())
		if l.Calls == 0 { // latency-tracking is off
			return
		}
		f := families[s.Group]
		if f == nil {
			f = &family{}
			families[s.Group] = f
		}
		f.add(&l, row.Time)
	})
	for name, f := range families {
		buckets := make(map[float64]uint64)
		for power := stats.FirstStep; power <= stats.LastStep; power++ {
			buckets[stats.StepBound(power).Seconds()] = f.within[power]
		}
		send(prometheus.MustNewConstHistogram(d[0], f.calls, f.time.Seconds(), buckets, name))
	}
}

func (a *Admin) collectLoops(_ *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	for i, l := range a.loops() {
		loop := strconv.Itoa(i)
		send(constGauge(d[0], float64(l.Connections), loop))
		send(constCounter(d[1], float64(l.BytesIn), loop))
		send(constCounter(d[2], float64(l.BytesOut), loop))
		send(constCounter(d[3], float64(l.Reads), loop))
		send(constCounter(d[4], float64(l.Writes), loop))
	}
}

func collectArena(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	for _, c := range r.view.Report().Classes {
		if c.Spans == 0 {
			continue
		}
		size := strconv.Itoa(c.Size)
		send(constGauge(d[0], float64(c.Slots), size))
		send(constGauge(d[1], float64(c.Live), size))
	}
}

// pauseBounds are the bounds that are told, of the runtime's many.
func pauseBounds() []time.Duration {
	return []time.Duration{
		10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond,
		500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond,
	}
}

func collectPauses(_ *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	p := stats.CollectorPauses()
	buckets, all := make(map[float64]uint64), uint64(0)
	for _, n := range p.Counts {
		all += n
	}
	for _, bound := range pauseBounds() {
		within := uint64(0)
		for i, n := range p.Counts {
			if p.Bounds[i] <= bound {
				within += n
			}
		}
		buckets[bound.Seconds()] = within
	}
	send(prometheus.MustNewConstHistogram(d[0], all, p.Sum.Seconds(), buckets))
}

func prefixMetrics() []metricRow {
	by := []string{"prefix"}
	return []metricRow{
		{"larder_prefix_hits_total", "Reads of keys of a prefix that found their key.", by},
		{"larder_prefix_misses_total", "Reads of keys of a prefix that did not, by why: never there, expired, evicted, deleted.", []string{"prefix", "reason"}},
		{"larder_prefix_sets_total", "Changes of values of a prefix.", by},
		{"larder_prefix_deletes_total", "Keys of a prefix that commands removed.", by},
		{"larder_prefix_expired_total", "Keys of a prefix that expired.", by},
		{"larder_prefix_evicted_total", "Keys of a prefix that were evicted.", by},
		{"larder_prefix_in_bytes_total", "Bytes of requests about keys of a prefix.", by},
		{"larder_prefix_out_bytes_total", "Bytes of replies about keys of a prefix.", by},
		{"larder_prefix_keys", "Keys of a prefix.", by},
		{"larder_prefix_bytes", "Memory of the keys of a prefix.", by},
		{"larder_prefix_expiring_keys", "Keys of a prefix with a time to live.", by},
		{"larder_prefix_ttl_seconds", "Time that those have left in the mean.", by},
	}
}

func collectPrefixes(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	all := r.view.Prefixes()
	named := make([]namedPrefix, len(all))
	for i := range all {
		named[i] = namedPrefix{prefixLabel(&all[i]), &all[i]}
	}
	// In the order of the reply, what is to be put in order there is so already.
	slices.SortFunc(named, func(a, b namedPrefix) int { return strings.Compare(a.label, b.label) })
	for _, n := range named {
		collectPrefix(n.PrefixStats, n.label, d, send)
	}
}

// namedPrefix is a prefix with its label.
type namedPrefix struct {
	label string
	*store.PrefixStats
}

// collectPrefix sends the series of one prefix, which share the label that they have in common: with a
// thousand prefixes, labels of their own would be most of the garbage that a scrape makes.
func collectPrefix(p *store.PrefixStats, name string, d []*prometheus.Desc, send func(prometheus.Metric)) {
	named := []*dto.LabelPair{{Name: proto.String("prefix"), Value: &name}}
	counts := func(d *prometheus.Desc, n int64, labels []*dto.LabelPair) {
		send(&labelled{desc: d, labels: labels, counter: &dto.Counter{Value: proto.Float64(float64(n))}})
	}
	is := func(d *prometheus.Desc, v float64) {
		send(&labelled{desc: d, labels: named, gauge: &dto.Gauge{Value: &v}})
	}
	counts(d[0], p.Hits, named)
	for _, why := range [...]struct {
		reason string
		n      int64
	}{{"deleted", p.Reasons.Deleted}, {"evicted", p.Reasons.Evicted}, {"expired", p.Reasons.Expired}, {"never", p.Reasons.Never}} {
		if why.n > 0 || why.reason == "never" { // there is always one
			counts(d[1], why.n, append(slices.Clip(named), &dto.LabelPair{Name: proto.String("reason"), Value: &why.reason}))
		}
	}
	for i, n := range [...]int64{p.Sets, p.Deletes, p.Expired, p.Evicted, p.In, p.Out} {
		counts(d[2+i], n, named)
	}
	for i, n := range [...]int64{p.Keys, p.Bytes, p.Dated} {
		is(d[8+i], float64(n))
	}
	if p.Dated > 0 {
		is(d[11], float64(p.TTL)/1000)
	}
}

// labelled is a metric with labels that it shares with others, in the order of their names.
type labelled struct {
	desc    *prometheus.Desc
	labels  []*dto.LabelPair
	counter *dto.Counter // or
	gauge   *dto.Gauge
}

// Desc implements prometheus.Metric.
func (m *labelled) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric.
func (m *labelled) Write(out *dto.Metric) error {
	out.Label, out.Counter, out.Gauge = m.labels, m.counter, m.gauge
	return nil
}

// prefixLabel is a prefix as the value of a label: escaped, and another one for each prefix. What is in
// parentheses is none.
func prefixLabel(p *store.PrefixStats) string {
	switch {
	case p.Other:
		return otherPrefixes
	case p.Name == "":
		return "(none)"
	}
	text, cut := show([]byte(p.Name), maxShown)
	if cut {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		text = fmt.Sprintf("%s\\... %016x", text, h.Sum64())
	}
	if strings.HasPrefix(text, "(") {
		text = `\x28` + text[1:]
	}
	return text
}
