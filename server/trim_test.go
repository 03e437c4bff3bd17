package server

import (
	"testing"
	"time"

	"github.com/larderkv/larder/server/stats"
)

func TestTrimGivesGarbageBack(t *testing.T) {
	var tr trimmer
	now := time.Now()
	tr.trim(now)
	now = now.Add(trimPeriod)
	garbage := make([]byte, 256<<20)
	for i := 0; i < len(garbage); i += 4096 {
		garbage[i] = 1
	}
	before := stats.GoResident()
	garbage = nil
	if !tr.trim(now) {
		t.Fatalf("nothing was due with %d bytes held", before)
	}
	if after := stats.GoResident(); after > before-int64(200<<20) {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	if tr.trim(now) {
		t.Error("again at once")
	}
}
