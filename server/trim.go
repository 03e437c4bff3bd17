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
//
// What a trim leaves may be garbage a moment later: the buffers of a request that
// was running, and what pools keep for one collection more. So where it has left
// more than the slack it is done once more, and again as long as that helps; then
// after twice the time, and so on, up to longestPause.
type trimmer struct {
	left  int64         // bytes that the runtime held after the last trim
	next  time.Time     // none before
	again time.Time     // one is due then if much was left
	pause time.Duration // between the last trim and again
}

const (
	trimPeriod   = 5 * time.Second
	longestPause = 2 * time.Minute // the runtime collects as often by itself
)

// trimSlack is how many bytes of garbage may be kept under a memory limit, 0 for none:
// garbage does not count towards the limit, but it is resident.
func trimSlack(limit int64) int64 {
	const most, least, share = 64 << 20, 4 << 20, 32
	if limit == 0 {
		return most
	}
	return min(max(limit/share, least), most)
}

// cappedGCPercent is how much garbage the runtime may let pile up under a memory
// limit, in percent of what is alive and not less than as much of 4 MiB. Garbage is
// memory in use, so used_memory tells of it: with the usual 100 that was up to 4.9 MB
// above a limit of 100 MB, with 50 it was 3.0. Storms of short messages that nobody reads
// took the resident set to 129 to 136 MB with 50, and take it to 109 to 126 with 25. What
// is alive is some megabytes, and commands allocate next to nothing, so it costs little.
const cappedGCPercent = 25

// collector makes the runtime collect sooner while there is a memory limit.
type collector struct {
	usual  int // GOGC as the process was started with, below 0: it does not collect
	capped bool
}

// follow takes note of whether there is a limit.
func (c *collector) follow(limited bool) {
	if limited == c.capped || c.usual <= cappedGCPercent {
		return
	}
	c.capped = limited
	if limited {
		debug.SetGCPercent(cappedGCPercent)
	} else {
		debug.SetGCPercent(c.usual)
	}
}

// trim does what is due and reports whether it was.
func (t *trimmer) trim(now time.Time, slack int64) bool {
	grown := stats.GoResident() > 2*t.left+slack
	if now.Before(t.next) || !grown && (t.left <= slack || now.Before(t.again)) {
		return false
	}
	debug.FreeOSMemory()
	left := stats.GoResident()
	if grown || left < t.left/4*3 {
		t.pause = trimPeriod
	} else {
		t.pause = min(2*t.pause, longestPause)
	}
	t.left, t.next, t.again = left, now.Add(trimPeriod), now.Add(t.pause)
	return true
}
