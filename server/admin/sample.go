package admin

import (
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// Sample is the state of the server at a moment, with what happened in the time before it: a second,
// or a minute. Rates are per second.
type Sample struct {
	Time          int64    `json:"t"` // unix ms
	Ops           float64  `json:"ops"`
	Hits          float64  `json:"hits"`
	Misses        float64  `json:"misses"`
	HitRate       *float64 `json:"hit_rate"`    // of the reads of that time; null: there were none
	UsedMemory    int64    `json:"used_memory"` // bytes
	Counted       int64    `json:"counted"`     // bytes that count towards maxmemory, fewer than UsedMemory as a rule
	MaxMemory     int64    `json:"maxmemory"`   // bytes, 0 no cap
	RSS           int64    `json:"rss"`         // bytes
	Keys          int64    `json:"keys"`
	Expires       int64    `json:"expires"`
	Clients       int64    `json:"clients"`
	Blocked       int64    `json:"blocked"`
	Evicted       float64  `json:"evicted"`
	Expired       float64  `json:"expired"`
	BytesIn       float64  `json:"in_bytes"`
	BytesOut      float64  `json:"out_bytes"`
	P50           *float64 `json:"p50"` // µs; null: no call was timed
	P99           *float64 `json:"p99"`
	P999          *float64 `json:"p999"`
	Fragmentation float64  `json:"fragmentation"` // RSS / UsedMemory
	Loading       bool     `json:"loading"`
}

// counters is a reading of what only grows, but for CONFIG RESETSTAT.
type counters struct {
	at                 time.Time
	ops, hits, misses  int64
	evicted, expired   int64
	received, returned int64 // bytes
	took               stats.Durations
}

// read takes the present values.
func (c *counters) read(k *engine.Kernel, now time.Time) {
	t := k.Totals()
	c.at, c.ops = now, k.Stats.Total()
	c.hits, c.misses = k.Stats.Keyspace()
	c.evicted, c.expired = t[engine.CountEvicted], t[engine.CountExpired]
	c.received, c.returned = t[engine.CountBytesIn], t[engine.CountBytesOut]
	k.Stats.Durations(&c.took)
}

// since puts into s what has happened between an earlier reading and this one.
func (c *counters) since(earlier *counters, s *Sample) {
	seconds := max(c.at.Sub(earlier.at).Seconds(), 1e-3)
	rate := func(now, then int64) float64 { return float64(grown(now, then)) / seconds }
	s.Ops, s.Hits, s.Misses = rate(c.ops, earlier.ops), rate(c.hits, earlier.hits), rate(c.misses, earlier.misses)
	s.Evicted, s.Expired = rate(c.evicted, earlier.evicted), rate(c.expired, earlier.expired)
	s.BytesIn, s.BytesOut = rate(c.received, earlier.received), rate(c.returned, earlier.returned)
	s.HitRate = ratio(grown(c.hits, earlier.hits), grown(c.misses, earlier.misses))
	s.P50, s.P99, s.P999 = nil, nil, nil
	if l := c.took.Since(&earlier.took); l.Calls > 0 {
		s.P50, s.P99, s.P999 = micros(l.Percentile(50)), micros(l.Percentile(99)), micros(l.Percentile(99.9))
	}
}

// grown is by how much a counter has grown, which counts anew from 0 if it has been reset meanwhile.
func grown(now, then int64) int64 {
	if now < then {
		return now
	}
	return now - then
}

// ratio is the hit rate of some reads, nil if there were none.
func ratio(hits, misses int64) *float64 {
	if hits+misses == 0 {
		return nil
	}
	f := float64(hits) / float64(hits+misses)
	return &f
}

func micros(d time.Duration) *float64 {
	f := float64(d) / float64(time.Microsecond)
	return &f
}

// state puts into s what is so at this moment.
func (s *Sample) state(k *engine.Kernel, now time.Time) {
	v, p := k.Config.Values(), stats.ReadProcess()
	s.Time = now.UnixMilli()
	s.UsedMemory, s.Counted, s.MaxMemory, s.RSS = k.UsedMemory(), k.Counted(), v.MaxMemory, p.RSS
	s.Clients, s.Blocked = int64(k.Clients.Len()), k.Clients.Blocked()
	s.Fragmentation = float64(s.RSS) / float64(max(1, s.UsedMemory))
	s.Loading = k.Persist.State()&persistence.Loading != 0
	view := store.View{Store: k.Store}
	for _, db := range view.DBSurveys() {
		s.Keys += int64(db.Keys)
		s.Expires += int64(db.Expires)
	}
}

// sample takes samples until the server is closed. A second takes some tens of microseconds, and a lock
// of each shard for the time of a few additions.
func (a *Admin) sample() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	a.history.begin(a.kernel, a.kernel.Now())
	for n := 1; ; n++ {
		select {
		case <-a.ctx.Done():
			return
		case <-tick.C:
		}
		a.live.publish(a.history.take(a.kernel, a.kernel.Now()))
		if n%stepSeconds == 0 {
			a.stepPrefixes()
		}
	}
}
