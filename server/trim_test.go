package server

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/larderkv/larder/server/stats"
)

func TestTrimGivesGarbageBack(t *testing.T) {
	var tr trimmer
	now := time.Now()
	tr.trim(now, trimSlack(0))
	now = now.Add(trimPeriod)
	garbage := make([]byte, 256<<20)
	for i := 0; i < len(garbage); i += 4096 {
		garbage[i] = 1
	}
	before := stats.GoResident()
	garbage = nil
	if !tr.trim(now, trimSlack(0)) {
		t.Fatalf("nothing was due with %d bytes held", before)
	}
	if after := stats.GoResident(); after > before-int64(200<<20) {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	if tr.trim(now, trimSlack(0)) {
		t.Error("again at once")
	}
}

// What a trim finds in use and is garbage afterwards goes with the next one, and a heap that is in
// use is looked at ever more seldom.
func TestTrimAgain(t *testing.T) {
	var tr trimmer
	const slack = 4 << 20
	now := time.Now()
	inUse := make([]byte, 128<<20)
	for i := 0; i < len(inUse); i += 4096 {
		inUse[i] = 1
	}
	if !tr.trim(now, slack) || tr.left < int64(len(inUse)) {
		t.Fatalf("%d bytes are left with %d in use", tr.left, len(inUse))
	}
	var trims []time.Duration
	for past := time.Duration(0); past < 10*time.Minute; past += time.Second {
		if tr.trim(now.Add(past), slack) {
			trims = append(trims, past)
		}
	}
	if len(trims) < 4 || len(trims) > 20 || trims[0] != trimPeriod {
		t.Errorf("with all in use, trims after %v", trims)
	}
	runtime.KeepAlive(inUse)
	inUse = nil
	now = now.Add(10*time.Minute + longestPause)
	if !tr.trim(now, slack) || tr.left > 100<<20 {
		t.Errorf("%d bytes are left with nothing in use", tr.left)
	}
}

func TestTrimSlack(t *testing.T) {
	for limit, want := range map[int64]int64{0: 64 << 20, 1: 4 << 20, 320 << 20: 10 << 20, 1 << 40: 64 << 20} {
		if got := trimSlack(limit); got != want {
			t.Errorf("limit %d: %d, want %d", limit, got, want)
		}
	}
}

// TestCollector: under a limit less garbage piles up, and without one it is as it was started.
func TestCollector(t *testing.T) {
	before := stats.GCPercent()
	defer debug.SetGCPercent(before)
	for _, c := range []struct{ usual, capped int }{{100, cappedGCPercent}, {400, cappedGCPercent}, {20, 20}, {-1, -1}} {
		debug.SetGCPercent(c.usual)
		gc := collector{usual: stats.GCPercent()}
		for _, limited := range []bool{false, true, true, false, false, true} {
			gc.follow(limited)
			want := c.usual
			if limited {
				want = c.capped
			}
			if got := stats.GCPercent(); got != want {
				t.Errorf("GOGC %d, limited %v: %d, want %d", c.usual, limited, got, want)
			}
		}
	}
}
