package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/server/yield"
	"github.com/larderkv/larder/store"
)

// Metrics. There are no counters of our own: the collector reads at each scrape what the server
// counts anyway, so that a server that nobody scrapes pays nothing. What redis_exporter has too bears
// its name, so that a dashboard for Redis shows it; but not where the name ends in a unit that
// Prometheus' own rules refuse (redis_rdb_last_bgsave_duration_sec), which is larder_ here, as all is
// that only larder has.
//
// A scrape of a thousand prefixes is some twenty milliseconds of work, and a loop that wakes up
// meanwhile may find no processor free, of Go's or of the machine's: the former would be taken away
// after ten milliseconds, the latter after four. So the work leaves its own again and again: after some
// metrics, and some text.

// maxScrapes is how many scrapes are served at the same time.
const maxScrapes = 4

// serveMetrics is the handler of /metrics.
func (a *Admin) serveMetrics() http.HandlerFunc {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(a))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.HTTPErrorOnError, MaxRequestsInFlight: maxScrapes,
		DisableCompression: true, // it would take several times as long as all else
	})
	return func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(&yieldingWriter{ResponseWriter: w}, r) }
}

// yieldingWriter gives the processor to others after each piece that is written.
type yieldingWriter struct {
	http.ResponseWriter
	written int
}

func (w *yieldingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if w.written += n; w.written >= yieldBytes {
		w.written = 0
		yield.Moment()
	}
	return n, err
}

// yieldEvery is after how many metrics the processor is given away, and yieldBytes after how much text:
// both take some 200 µs.
const (
	yieldEvery = 128
	yieldBytes = 16 << 10
)

// reading is what a scrape reads once, and several metrics are made of.
type reading struct {
	k            *engine.Kernel
	v            *config.Values
	totals       engine.Totals
	store        store.Stats
	moved        store.CompactionStats
	dbs          []store.DBStats
	disk         persistence.Status
	process      stats.Process
	scripts      engine.ScriptStats
	hits, misses int64
	used, peak   int64 // used_memory and used_memory_peak of INFO
	view         store.View
}

func read(k *engine.Kernel) *reading {
	r := &reading{
		k: k, v: k.Config.Values(), totals: k.Totals(), disk: k.Persist.Status(),
		process: stats.ReadProcess(), scripts: k.Scripts(),
		view: store.View{Store: k.Store, Now: k.Now().UnixMilli()},
	}
	r.store, r.moved, r.dbs = r.view.Stats(), r.view.Compaction(), r.view.DBSurveys()
	r.hits, r.misses = k.Stats.Keyspace()
	r.used = k.UsedMemory()
	r.peak = max(r.used, k.PeakMemory())
	return r
}

// collector makes the metrics. It describes all of them, so that a mistake in a name fails at once.
type collector struct {
	admin  *Admin
	simple []simpleMetric
	series []series
}

// simpleMetric is a metric of one series.
type simpleMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(r *reading) float64
}

// series is metrics with labels that belong together.
type series struct {
	descs   []*prometheus.Desc
	collect func(r *reading, descs []*prometheus.Desc, send func(prometheus.Metric))
}

func newCollector(a *Admin) *collector {
	c := &collector{admin: a}
	for _, row := range simpleRows() {
		c.simple = append(c.simple, simpleMetric{prometheus.NewDesc(row.name, row.help, nil, nil), row.kind, row.value})
	}
	for _, s := range a.seriesRows() {
		made := series{collect: s.collect}
		for _, d := range s.metrics {
			made.descs = append(made.descs, prometheus.NewDesc(d.name, d.help, d.labels, nil))
		}
		c.series = append(c.series, made)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for i := range c.simple {
		ch <- c.simple[i].desc
	}
	for i := range c.series {
		for _, d := range c.series[i].descs {
			ch <- d
		}
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	r := read(c.admin.kernel)
	sent := 0
	send := func(m prometheus.Metric) {
		ch <- m
		if sent++; sent%yieldEvery == 0 {
			yield.Moment()
		}
	}
	for i := range c.simple {
		m := &c.simple[i]
		send(prometheus.MustNewConstMetric(m.desc, m.kind, m.value(r)))
	}
	for i := range c.series {
		c.series[i].collect(r, c.series[i].descs, send)
	}
}
