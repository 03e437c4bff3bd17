package server

import (
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

func TestTrimSlack(t *testing.T) {
	for limit, want := range map[int64]int64{0: 64 << 20, 1: 4 << 20, 320 << 20: 10 << 20, 1 << 40: 64 << 20} {
		if got := trimSlack(limit); got != want {
			t.Errorf("limit %d: %d, want %d", limit, got, want)
		}
	}
}
