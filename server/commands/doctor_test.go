package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/eviction"
)

const (
	testMB = 1 << 20
	testGB = 1 << 30
)

// healthy is a cache of a gigabyte that is full.
func healthy() *patient {
	return &patient{
		memoryUse: &memoryUse{
			used: 950 * testMB, active: 980 * testMB, resident: testGB, rss: testGB + 10*testMB,
			golang: 20 * testMB, clients: 5 * testMB, arrays: 60 * testMB, index: 61 * testMB,
			startup: 5 * testMB, peak: 960 * testMB, keys: 10_000_000, expires: 5_000_000,
		},
		limit: testGB, counted: testGB, policy: eviction.Policy{Rule: eviction.LRU}, machine: 16 * testGB,
		evictions: 1000, sessions: 100,
	}
}

// TestDoctorFindsOneThing changes one thing at a time; the advice is about it and nothing else.
func TestDoctorFindsOneThing(t *testing.T) {
	for _, test := range []struct {
		title  string // "" for none
		change func(p *patient)
	}{
		{"", func(*patient) {}},
		{"", func(p *patient) { p.limit, p.policy = 0, eviction.Policy{} }},
		{"", func(p *patient) { p.machine = 0 }}, // unknown
		{"", func(p *patient) { p.limit, p.machine = 0, 0 }},
		{"Cap below the empty server", func(p *patient) { p.limit, p.startup, p.policy = 4*testMB, 5*testMB, eviction.Policy{} }},
		{"No cap", func(p *patient) {
			p.limit, p.rss, p.resident, p.active, p.used, p.peak = 0, 13*testGB, 13*testGB, 13*testGB, 13*testGB, 13*testGB
		}},
		{"Cap too high", func(p *patient) { p.limit, p.counted = 15*testGB, testGB }},
		{"Cap without eviction", func(p *patient) { p.policy = eviction.Policy{} }},
		{"", func(p *patient) { p.policy, p.counted = eviction.Policy{}, testGB/2 }},
		{"Few keys may be evicted", func(p *patient) { p.policy.Volatile, p.expires = true, 0 }},
		{"Few keys may be evicted", func(p *patient) { p.policy.Volatile, p.expires = true, p.keys/20 }},
		{"", func(p *patient) { p.policy.Volatile = true }},
		{"", func(p *patient) { p.policy.Volatile, p.expires, p.counted = true, 0, testGB/2 }},
		{"Keys hardly stay", func(p *patient) { p.evictions, p.keys = 10_000, 300_000 }},
		{"", func(p *patient) { p.evictions, p.keys = 50, 100 }},
		{"Above the cap", func(p *patient) { p.over = 3 * time.Second }},
		{"Peak", func(p *patient) { p.peak = 2 * testGB }},
		{"Fragmentation", func(p *patient) { p.active, p.resident, p.rss = 1200*testMB, 1200*testMB, 1200*testMB }},
		{"Free memory", func(p *patient) { p.resident, p.rss = 1200*testMB, 1200*testMB }},
		{"Process", func(p *patient) { p.rss = 1300 * testMB }},
		{"", func(p *patient) { p.rss, p.muzzy = 1300*testMB, 270*testMB }},
		{"Clients", func(p *patient) { p.clients, p.golang = 100*testMB, 120*testMB }},
		{"Clients", func(p *patient) { p.clients, p.golang, p.sessions = 300*testMB, 320*testMB, 9000 }},
		{"", func(p *patient) { p.clients, p.golang, p.sessions = 100*testMB, 120*testMB, 9000 }},
		{"Log", func(p *patient) { p.log, p.golang = 50*testMB, 70*testMB }},
		{"Snapshot", func(p *patient) { p.debt = 200 * testMB }},
	} {
		p := healthy()
		test.change(p)
		got := diagnose(p)
		if test.title == "" {
			if got != "Nothing stands out in the memory of this server." {
				t.Errorf("nothing is wrong, but: %s", got)
			}
			continue
		}
		if !strings.Contains(got, " * "+test.title+": ") || strings.Count(got, " * ") != 1 {
			t.Errorf("want %q alone, got %s", test.title, got)
		}
		if strings.Contains(got, "%!") {
			t.Errorf("a broken format: %s", got)
		}
	}
}

// TestDoctorFindsSeveralThings has them all said.
func TestDoctorFindsSeveralThings(t *testing.T) {
	p := healthy()
	p.policy, p.peak, p.log, p.bounded, p.defrag = eviction.Policy{}, 3*testGB, 100*testMB, true, true
	p.clients, p.active, p.resident, p.rss = 500*testMB, 2*testGB, 2*testGB, 2*testGB
	got := diagnose(p)
	for _, part := range []string{"Cap without eviction", "Peak", "Fragmentation", "Clients", "Log", "maxmemory-clients may be set lower", "active-defrag-threshold-lower"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing: %s", part, got)
		}
	}
}

// TestDoctorOfLittle: small amounts, whose ratios are absurd, are no cause for advice.
func TestDoctorOfLittle(t *testing.T) {
	p := &patient{memoryUse: &memoryUse{
		used: 7 * testMB, active: 9 * testMB, resident: 12 * testMB, rss: 30 * testMB, golang: 6 * testMB, clients: testMB,
		startup: 5 * testMB, peak: 16 * testMB, keys: 10, debt: testMB,
	}, sessions: 1, machine: testGB, evictions: 10, policy: eviction.Policy{Rule: eviction.TTL, Volatile: true}}
	if got := diagnose(p); !strings.Contains(got, "nothing to judge yet") {
		t.Errorf("got %s", got)
	}
	p.limit = 4 * testMB // this much can be told
	if got := diagnose(p); !strings.Contains(got, "Cap below the empty server") {
		t.Errorf("got %s", got)
	}
}

func TestMemoryOfNothing(t *testing.T) {
	m := &memoryUse{startup: 5 * testMB}
	for name, got := range map[string]float64{
		"data set": m.datasetPercent(), "peak": m.peakPercent(), "bytes per key": float64(m.bytesPerKey()),
		"fragmentation": m.fragmentation().ratio(), "total": m.total().ratio(),
	} {
		if got != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
