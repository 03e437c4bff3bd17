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
// happens when the runtime holds some slack more than twice of what the last trim
// left, and at most every trimPeriod.
type trimmer struct {
	left int64 // bytes that the runtime held after the last trim
	next time.Time
}

const trimPeriod = 5 * time.Second

// trimSlack is how many bytes of garbage may be kept under a memory limit, 0 for none:
// garbage does not count towards the limit, but it is resident.
func trimSlack(limit int64) int64 {
	const most, least, share = 64 << 20, 4 << 20, 32
	if limit == 0 {
		return most
	}
	return min(max(limit/share, least), most)
}

// trim does what is due and tells whether it was.
func (t *trimmer) trim(now time.Time, slack int64) bool {
	if now.Before(t.next) || stats.GoResident() <= 2*t.left+slack {
		return false
	}
	debug.FreeOSMemory()
	t.left = stats.GoResident()
	t.next = now.Add(trimPeriod)
	return true
}
