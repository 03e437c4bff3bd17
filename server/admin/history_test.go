package admin

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

func TestRing(t *testing.T) {
	r := newRing[int](3)
	if _, ok := r.back(0); ok || len(r.all()) != 0 {
		t.Error("an empty ring has something")
	}
	for i := range 5 {
		r.add(i)
		want := []int{max(0, i-2), max(0, i-1), i}
		if want = slices.Compact(want); !slices.Equal(r.all(), want) {
			t.Errorf("after %d: %v, want %v", i, r.all(), want)
		}
		for n := range 5 {
			if x, ok := r.back(n); !ok || x != max(i-n, want[0]) {
				t.Errorf("after %d, %d back is %d", i, n, x)
			}
		}
	}
}

// A reset of the counters between two readings takes nothing below 0.
func TestCountersAfterReset(t *testing.T) {
	var before, after counters
	before.ops, before.hits, before.misses = 100, 50, 50
	after.ops, after.hits, after.misses, after.at = 10, 3, 1, before.at.Add(1e9)
	before.took[0][5], after.took[0][5] = 100, 10
	var s Sample
	after.since(&before, &s)
	if s.Ops != 10 || *s.HitRate != 0.75 || s.P50 == nil {
		t.Errorf("%+v", s)
	}
	after.since(&after, &s)
	if s.Ops != 0 || s.HitRate != nil || s.P50 != nil {
		t.Errorf("nothing has happened: %+v", s)
	}
}

// grow makes a track take one step in which so much was looked up.
func (ts *tracks) grow(p *store.PrefixStats, hits int64, why store.MissReasons) {
	p.Hits += hits
	p.Misses += why.Never + why.Expired + why.Evicted + why.Deleted
	p.Reasons.Never += why.Never
	p.Reasons.Expired += why.Expired
	p.Reasons.Evicted += why.Evicted
	p.Reasons.Deleted += why.Deleted
	ts.step(totalOf(p), []store.PrefixStats{*p})
}

// A window forgets what is older, and a reset of the store's counts harms nothing.
func TestWindows(t *testing.T) {
	ts := newTracks()
	p := store.PrefixStats{Name: "a"}
	rates := func() [3]float64 {
		s := ts.prefixOf(&p)
		return [3]float64{*s.Rate1m, *s.Rate5m, *s.Rate1h}
	}
	for range stepsPerMin {
		ts.grow(&p, 0, store.MissReasons{Never: 10})
	}
	if got := rates(); got != [3]float64{} {
		t.Errorf("misses alone: %v", got)
	}
	for range stepsPerMin {
		ts.grow(&p, 10, store.MissReasons{})
	}
	if got := rates(); got != [3]float64{1, 0.5, 0.5} {
		t.Errorf("a minute of misses, and one of hits: %v", got)
	}
	for range 5 * stepsPerMin {
		ts.grow(&p, 10, store.MissReasons{})
	}
	if got := rates(); got[1] != 1 || got[2] != 6.0/7 {
		t.Errorf("and five minutes of hits: %v", got)
	}
	if s := ts.prefixOf(&p).Spark; len(s) != keptMinutes || s[0] != nil || *s[53] != 0 || *s[59] != 1 {
		t.Errorf("%v", s)
	}
	p = store.PrefixStats{Name: "a"}
	ts.grow(&p, 1, store.MissReasons{Never: 1})
	if got := rates(); got[0] < 0.9 || got[0] > 1 {
		t.Errorf("after a reset: %v", got)
	}
	for range 100 * stepsPerMin {
		ts.grow(&p, 0, store.MissReasons{Never: 1})
	}
	if got := rates(); got != [3]float64{} {
		t.Errorf("after an hour of misses: %v", got)
	}
	ts.step(total{}, nil)
	if len(ts.byPrefix) != 0 {
		t.Error("a prefix that is tracked no longer is kept")
	}
}

// Verdicts name what was behind most of the misses.
func TestVerdicts(t *testing.T) {
	for _, x := range []struct {
		hits           int64
		why            store.MissReasons
		status, reason string
	}{
		{0, store.MissReasons{}, healthIdle, ""},
		{9, store.MissReasons{Never: 90}, healthIdle, ""},
		{70, store.MissReasons{Never: 30}, healthOK, ""},
		{10, store.MissReasons{Never: 90}, healthWarn, "never_filled"},
		{10, store.MissReasons{Never: 30, Expired: 60}, healthWarn, "ttl_too_short"},
		{10, store.MissReasons{Expired: 30, Evicted: 60}, healthWarn, "cache_too_small"},
		{10, store.MissReasons{Expired: 30, Deleted: 60}, healthWarn, "invalidated_too_often"},
	} {
		ts := newTracks()
		p := store.PrefixStats{Name: "a"}
		ts.grow(&p, x.hits, x.why)
		v := ts.whole.judge(totalOf(&p), 0.7)
		if v.Status != x.status || v.Reason != x.reason || strings.Contains(v.Message, "%!") {
			t.Errorf("%d hits, %+v: %+v", x.hits, x.why, v)
		}
	}
	ts := newTracks()
	now := total{hits: 1, misses: 999}
	ts.whole.step(now)
	if v := ts.whole.judge(now, 0.7); v.Status != healthWarn || v.Reason != "unknown" {
		t.Errorf("without reasons: %+v", v)
	}
}

// A family's histogram is the sum of its commands'.
func TestFamilies(t *testing.T) {
	c := stats.NewCommands(2)
	c.Tracking.Store(true)
	c.Add(0, 0, 10, 20e3) // each 2 µs
	c.Add(0, 1, 1, 3_000) // 3 µs
	c.Add(0, 1, 1, 5e9)   // counts as a second
	c.Add(0, 1, 1, 100)   // 0.1 µs
	var f family
	for i := range 2 {
		l := c.Latencies(i)
		f.add(&l, c.Row(i).Time)
	}
	for power, want := range map[int]uint64{10: 1, 11: 11, 12: 12, 29: 12, 30: 13} {
		if f.within[power] != want {
			t.Errorf("within %v: %d calls, want %d", stats.StepBound(power), f.within[power], want)
		}
	}
	if f.calls != 13 {
		t.Errorf("%d calls", f.calls)
	}
}
