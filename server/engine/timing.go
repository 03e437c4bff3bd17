// Timing: how long commands take, without a look at the clock for each.
//
// With a hundred pipelined GETs a reading of the clock per command would cost a tenth of the command.
// So the clock is read at the start of a batch, when the command changes, and at the end; the time
// between two readings belongs to the run of equal commands between them. That is right for sums
// (commandstats), and for histograms it gives each command of the run its share. But a slow one among
// equal ones would go unnoticed.
//
// The time of day is read at the start of a batch only. What comes behind is counted from there by the
// clock that is not set (Kernel.elapsed), which costs half as much.
//
// # Finding the slow one
//
// While clients pipeline, a goroutine moves a counter every tickPeriod (ticks). Behind every command
// its loop loads that counter, a cache line that hardly ever changes, and compares it with what it
// was at the last reading of the clock: only if it has moved is the clock read, so a loop reads it
// some hundred times a second more than it would. A command that takes two periods or more has seen
// the counter move, whatever ran before and after it, and its arguments are still at hand.
//
// What was measured then may contain the commands of the run before it, which took less than a
// period together since they saw no tick. So a command of a pipeline may seem up to tickPeriod slower
// than it was, and never faster; typically it is off by microseconds, since runs are short where
// commands take more than lightCommand each: there the clock is read behind every one. A command that
// came alone is measured to the microsecond, as the first of its batch.
//
// # When the clock is read behind every command
//
//   - While the counter stands still. Nobody moves it for clients that do not pipeline, so that an idle
//     server sleeps: their batches begin and end with a reading anyway. The first batch with several
//     commands starts it, and after idlePeriods without another it stops.
//   - When the run before took more than lightCommand per command.
//   - When slowlog-log-slower-than or latency-monitor-threshold ask for less than leastTicked. That
//     costs some 40 ns per pipelined command, and is what asking for every command has always cost.
//   - For scripts, whose own time contains that of their commands.
//
// Then a loop remembers a count that the counter never has (everyCommand): one comparison behind a
// command decides.
//
// Rejected: the processor's time stamp counter, which is cheap (7 ns) but not everywhere, nor the same
// on all processors; the kernel's coarse clock, which moves by 1 to 10 ms as the kernel was built, and
// cannot be reached from Go without a system call; a goroutine that watches loops from outside, which
// finds that a loop is stuck, but not in which command of its pipeline if that is over by then.
//
// If a machine is so busy that the goroutine does not run for as long as a slow command, one in the
// middle of a pipeline of equal ones is missed.

package engine

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/stats"
)

const (
	// lightCommand: of commands that take longer, each is measured. A reading takes a hundredth of it.
	lightCommand = 4 * time.Microsecond
	// tickPeriod is how often the counter moves, and idlePeriods how often in vain.
	tickPeriod  = 2 * time.Millisecond
	idlePeriods = 50
	// leastTicked is the shortest duration that is found by ticks.
	leastTicked = 3 * tickPeriod
)

// meter attributes a batch's time to the commands it runs: the time since the last reading belongs to
// the row that ran since then. Times are Kernel.elapsed.
type meter struct {
	began  time.Duration // of the batch
	since  time.Duration // the last reading
	wall   int64         // unix ns when elapsed was 0, by what the batch has seen at its start
	row    *Spec         // the row since then, nil at the start
	calls  int64         // of it
	tick   uint64        // the counter at the last reading, or everyCommand
	reads  int           // readings behind commands
	last   *Spec         // the last command, refused and queued ones included
	script bool          // a script has been entered: its call counts when it is over
}

// everyCommand is what the counter never is, so that the clock is read behind every command.
const everyCommand = math.MaxUint64

// beginMeter reads the clock for the batch that begins.
func (s *Session) beginMeter(c *Ctx) {
	k, m := s.kernel, &c.meter
	now := k.clock()
	m.since = now.Sub(k.Started)
	m.began, m.wall = m.since, now.UnixNano()-int64(m.since)
	m.row, m.calls, m.reads, m.last, m.script = nil, 0, 0, nil, false
	m.pace(k, s.light)
	c.Now = now.UnixMilli()
}

// pace decides whether the clock is read behind the next command in any case.
func (m *meter) pace(k *Kernel, light bool) {
	m.tick = k.ticks.now.Load()
	if m.tick == 0 || !light || k.watch.precise.Load() {
		m.tick = everyCommand
	}
}

// endMeter counts what has not been counted yet.
func (s *Session) endMeter(c *Ctx) {
	m, k := &c.meter, s.kernel
	if m.calls > 0 {
		s.countRun(c, k.elapsed())
	}
	if m.reads > 1 && k.ticks.now.Load() == 0 {
		k.ticks.start(k)
	}
	if turn := m.since - m.began; int64(turn) >= k.watch.stall.Load() && !c.handed {
		k.Latency.Add("loop-stall", turn)
	}
}

// count counts a call of the command, whose time begins now.
func (c *Ctx) count(spec *Spec) {
	if spec != c.meter.row {
		c.changeRow(spec)
	}
	c.meter.calls++
}

// changeRow ends the run of equal commands, since another one follows.
func (c *Ctx) changeRow(spec *Spec) {
	m := &c.meter
	if m.calls > 0 || m.row != nil && m.row.Flags&RunsScript != 0 {
		c.Session.countRun(c, c.Kernel.elapsed())
	}
	m.row = spec
}

// measure is called behind a command that was counted.
func (c *Ctx) measure(spec *Spec) {
	if c.Kernel.ticks.now.Load() != c.meter.tick {
		c.read(spec)
	}
}

// read reads the clock behind a command.
func (c *Ctx) read(spec *Spec) {
	m := &c.meter
	own := m.row == spec && m.calls > 0
	now := c.Kernel.elapsed()
	took := now - m.since
	c.Session.countRun(c, now)
	m.reads++
	if own && int64(took) >= c.Kernel.watch.least.Load() {
		c.slow(spec, took)
	}
}

// measureScript is measure behind a command that runs a script, whose commands count by themselves.
// Its own time is all since it began, theirs included.
func (c *Ctx) measureScript(spec *Spec, began time.Duration) {
	m := &c.meter
	if !m.script && m.calls <= 0 { // it has to come again
		return
	}
	now := c.Kernel.elapsed()
	if m.row == spec {
		m.calls = 0
	}
	c.Session.countRun(c, now)
	m.row, m.script = nil, false
	m.reads++
	took := now - began
	c.Kernel.Stats.Add(int(c.Session.slot), spec.index, 1, took)
	if int64(took) >= c.Kernel.watch.least.Load() {
		c.slow(spec, took)
	}
}

// countRun counts the run of equal commands up to now and begins the next.
func (s *Session) countRun(c *Ctx, now time.Duration) {
	m, k := &c.meter, s.kernel
	if m.calls > 0 {
		took := now - m.since
		k.Stats.Add(int(s.slot), m.row.index, m.calls, took)
		if m.calls > 1 {
			k.ticks.use()
		}
		s.light = took <= time.Duration(m.calls)*lightCommand
	}
	m.pace(k, s.light)
	m.since, m.calls = now, 0
	if !c.frame.locked { // what happens under one set of locks happens at one moment
		c.Now = (m.wall + int64(now)) / int64(time.Millisecond)
	}
}

// ticks is the counter that moves while clients pipeline.
type ticks struct {
	_    [64]byte      // keep what changes often off this cache line
	now  atomic.Uint64 // 0: it stands still
	used atomic.Bool   // somebody has pipelined in this period
	_    [64]byte

	running atomic.Bool
	able    bool // time passes by itself: not in tests that have a clock of their own
}

// use keeps the counter moving.
func (t *ticks) use() {
	if !t.used.Load() {
		t.used.Store(true)
	}
}

// start has the counter move until nobody uses it.
func (t *ticks) start(k *Kernel) {
	if !t.able || t.running.Load() || !t.running.CompareAndSwap(false, true) {
		return
	}
	if !k.Go(t.run) {
		t.running.Store(false)
	}
}

func (t *ticks) run(ctx context.Context) {
	ticker := time.NewTicker(tickPeriod)
	defer ticker.Stop()
	defer t.running.Store(false)
	defer t.now.Store(0)
	for unused := 0; unused < idlePeriods; unused++ {
		t.now.Add(1)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if t.used.Swap(false) {
			unused = 0
		}
	}
}

// watch is what the parameters say of slow commands, for those who ask often.
type watch struct {
	least   atomic.Int64 // ns from which a command is worth a look
	stall   atomic.Int64 // ns from which a turn is
	precise atomic.Bool  // that is too short for ticks
}

// watchParams are the parameters that watch follows.
func watchParams() []string {
	return []string{"slowlog-log-slower-than", "latency-monitor-threshold", "latency-tracking"}
}

// follow brings w in line with the parameters.
func (w *watch) follow(k *Kernel, v *config.Values) {
	least, stall := int64(math.MaxInt64), int64(math.MaxInt64)
	if us := v.SlowlogSlowerThan; us >= 0 {
		least = min(us, math.MaxInt64/int64(time.Microsecond)) * int64(time.Microsecond)
	}
	if ms := v.LatencyThreshold; ms > 0 {
		stall = min(ms, math.MaxInt64/int64(time.Millisecond)) * int64(time.Millisecond)
	}
	least = min(least, stall)
	w.least.Store(least)
	w.stall.Store(stall)
	w.precise.Store(least < int64(leastTicked))
	k.Latency.SetThreshold(v.LatencyThreshold)
	k.Stats.Tracking.Store(v.LatencyTracking)
}

// slow notes the command in c.Args, which has taken long.
func (c *Ctx) slow(spec *Spec, took time.Duration) {
	event := "command"
	if spec.Flags&Fast != 0 {
		event = "fast-command"
	}
	c.Kernel.Latency.Add(event, took)
	v := c.Kernel.Config.Values()
	us := v.SlowlogSlowerThan
	if us < 0 || took.Microseconds() < us || spec.Flags&SkipSlowlog != 0 || v.SlowlogMaxLen == 0 {
		return
	}
	e := stats.SlowCommand{Time: c.Kernel.clock(), Took: took}
	e.Addr, e.Name = c.Session.conn.RemoteAddr(), c.Session.Name()
	if c.frame.script { // in Redis the commands of scripts have a client of their own, without address
		e.Addr, e.Name = "?:0", ""
	}
	var secret func(int) bool
	if spec.Secret != nil {
		secret = func(i int) bool { return spec.Secret(c.Args, i) }
	}
	e.Args = stats.ShortenArgs(c.Args, secret)
	c.Kernel.Slow.Add(e, v.SlowlogMaxLen)
}
