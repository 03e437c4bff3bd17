package admin

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larderkv/larder/store"
)

// Metrics of hot keys, big keys and sizes. No key's name is a label: names are without number, may be
// secret, and hot ones change from one scrape to the next, so that Prometheus would keep a series for
// each that was ever hot. The metrics tell that there is something to look at, and HOTKEYS GET or the
// dashboard which keys it is.

// hotRanks is how many of the hottest keys have metrics.
const hotRanks = 5

func hotMetrics() []metricRow {
	by := []string{"rank"}
	return []metricRow{
		{"larder_hot_key_accesses_per_second", "Accesses to the keys accessed most, 1 the first, estimated over the last ten seconds.", by},
		{"larder_hot_key_access_ratio", "Part that these have in the accesses to all keys.", by},
	}
}

func collectHot(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	found := r.view.HotKeys()
	for i := range min(hotRanks, len(found.Keys)) {
		k := &found.Keys[i]
		rank := strconv.Itoa(i + 1)
		send(constGauge(d[0], found.Rate(k.Accesses), rank))
		send(constGauge(d[1], found.Share(k), rank))
	}
}

// Bounds of sizes, as powers of two: buckets of store.SizeCounts that are smaller go into the first.
const (
	firstBytes, lastBytes       = 3, 30 // 7 bytes to 1 GB
	firstElements, lastElements = 1, 24 // 1 element to 16 million
)

func sizeMetrics() []metricRow {
	by := []string{"type"}
	return []metricRow{
		{"larder_string_bytes", "Bytes of strings as they are now: a histogram that may fall, for histogram_quantile without rate.", nil},
		{"larder_collection_elements", "Elements of lists, sets, hashes and sorted sets, likewise.", by},
		{"larder_key_sizes_age_seconds", "How old these two are.", nil},
		{"larder_biggest_key_bytes", "Memory of the largest key of a type.", by},
		{"larder_biggest_key_elements", "Elements of it; bytes of a string.", by},
	}
}

func collectSizes(r *reading, d []*prometheus.Desc, send func(prometheus.Metric)) {
	z := r.view.Sizes()
	if z.Counted == 0 { // switched off, or not yet counted
		return
	}
	sums := sumSizes(z)
	for typ := range sums {
		if store.Type(typ) == store.TypeString {
			send(sizeHistogram(d[0], &sums[typ], z.Sums[typ], firstBytes, lastBytes))
		} else {
			send(sizeHistogram(d[1], &sums[typ], z.Sums[typ], firstElements, lastElements, store.Type(typ).String()))
		}
	}
	send(constGauge(d[2], float64(max(0, r.view.Now-z.Counted))/1000))
	for typ, keys := range r.view.Big(z) {
		if len(keys) > 0 {
			send(constGauge(d[3], float64(keys[0].Bytes), store.Type(typ).String()))
			send(constGauge(d[4], float64(keys[0].Size), store.Type(typ).String()))
		}
	}
}

// sizeHistogram makes a histogram with bounds of one less than powers of two, which is what the buckets
// of the store end with.
func sizeHistogram(d *prometheus.Desc, counts *store.SizeCounts,
	sum int64, first, last int, labels ...string) prometheus.Metric {
	buckets, all := make(map[float64]uint64, last-first+1), uint64(0)
	for i, n := range counts {
		all += uint64(n)
		if i >= first && i <= last {
			buckets[float64(store.LeastSize(i+1)-1)] = all
		}
	}
	return prometheus.MustNewConstHistogram(d, all, float64(sum), buckets, labels...)
}
