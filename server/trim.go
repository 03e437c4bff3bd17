package server

import (
	"runtime/debug"
	"time"

	"github.com/larderkv/larder/server/stats"
)

// A trimmer gives the Go heap's garbage back to the system. The data are not in
// that heap, so it is small, and the runtime, which lets it double before it
// collects, has no reason to hurry: a value of 512 MB leaves query and output
// buffers of a gigabyte and a half behind, which an idle server would otherwise
// keep for minutes.
//
// A trim is a collection and a few madvise calls, in the caller's goroutine. It
// happens when the runtime holds trimSlack more than twice of what the last trim
// left, and at most every trimPeriod.
type trimmer struct {
	left int64 // bytes that the runtime held after the last trim
	next time.Time
}

const (
	trimSlack  = 64 << 20 // bytes
	trimPeriod = 5 * time.Second
)

// trim does what is due and tells whether it was.
func (t *trimmer) trim(now time.Time) bool {
	if now.Before(t.next) || stats.GoResident() <= 2*t.left+trimSlack {
		return false
	}
	debug.FreeOSMemory()
	t.left = stats.GoResident()
	t.next = now.Add(trimPeriod)
	return true
}
