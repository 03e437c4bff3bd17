// Scripts that take long.
//
// A script may run for seconds: in Redis nobody else is served then, and after busy-reply-threshold
// everybody is told so. Here it keeps what it needs and nothing else:
//
//	its loop       is handed over to another goroutine (Conn.HandOver): its other clients go on
//	its shards     and a function's slot (store/lockset.go)
//	               are occupied rather than locked (store/occupied.go): who needs them waits, is
//	               refused after busy-reply-threshold, and holds nothing meanwhile
//
// What was a command of some microseconds becomes a long one after longAfter, in the middle of its
// work: the interpreter calls Tick every now and then. From then on it is in the kernel's register,
// where SCRIPT KILL finds it. A script that does not take as long pays for a look at the clock per
// Tick, and all other commands for a look at the shard that they have locked.
//
// # Who waits
//
// Whoever finds a shard occupied when it comes to its locks has done nothing yet. Its request is
// kept, as in a pause (pause.go): the client blocks, and the request runs from the start when the
// script is over. It waits until busy-reply-threshold has passed since the script began, and is
// refused then with BUSY, as in Redis; who comes later is refused at once. Several scripts may run
// for long side by side, if their shards differ: each has its own queue.
//
//	rows with keys, EXEC      if one of their shards is occupied
//	rows for all shards       and those that walk over them (OwnLocks), if any is: FLUSHALL, SCAN
//	rows marked Survey        do not: INFO shows of an occupied shard what was there before
//	all others                do not: PING, CLIENT LIST, CONFIG GET; Redis refuses most of them
//	clients that are blocked  stay so, also when the script has what they wait for: they have it
//	                          when it ends
//	other scripts             like any row with keys; those that may touch undeclared ones
//	                          (straying.go) also for one another
//
// A walk that has begun when a shard becomes occupied waits for it, with its loop handed over.
//
// # Killing
//
// A script that has written is never aborted: half of it would stay. So the first write and the kill
// compete for one word, and whoever comes first wins: a script that is killed writes nothing any
// more, and one that has begun to write is not killed. SCRIPT KILL kills all scripts that it may and
// that take long, FUNCTION KILL all functions, since nobody could say which one is meant.
//
// SHUTDOWN NOSAVE is what ends a script that has written: the process ends with it. The script is
// stopped at its next Tick, and what it has done is not in the log. A server that ends in good order,
// by SIGTERM, waits for scripts as Redis does.
//
// A client that leaves, or is killed, while its script runs changes nothing for the script.

package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/netloop"
)

// longAfter is how long a script may keep its loop. Handing over costs some tens of microseconds, and
// one wait of this length is what any command of a big value may cause.
const longAfter = 5 * time.Millisecond

// stallPause is how long a walk that waits for an occupied shard sleeps between two looks.
const stallPause = time.Millisecond

// scriptCall is what the kernel knows of a script that runs, whether it takes long or not.
type scriptCall struct {
	name     string   // of the function, or the SHA
	args     [][]byte // the request that runs it
	function bool
	running  bool      // there is one
	began    time.Time // nearly: the first Tick
	wrote    bool
	told     bool // the log has been told that it is slow
	stopped  bool // the server ends; the script is to be as if it had not been
}

// BeginScript says that the command runs a script from now on: a function of some name, or one with
// some SHA. A transaction may run several, one after the other.
func (c *Ctx) BeginScript(name string, function bool) {
	c.script = scriptCall{name: name, function: function, args: c.Args, running: true, stopped: c.script.stopped}
	if r := c.long; r != nil {
		c.script.began = time.Now()
		c.Kernel.busy.next(r, c.script)
	}
}

// Tick is to be called by a script that runs, at least every millisecond. It lets others do what they
// have to, and returns why the script must end, which the script must not keep from happening.
// Outside a script it does nothing.
func (c *Ctx) Tick() error {
	k, r := c.Kernel, c.long
	if !c.script.running {
		return nil
	}
	if k.busy.stopping.Load() {
		c.script.stopped = true
		c.Session.next = netloop.CloseNow
		return errStopped
	}
	now := time.Now()
	if c.script.began.IsZero() {
		c.script.began = now // most scripts do not get here, and need no look at the clock
	}
	took := now.Sub(c.script.began)
	if r == nil {
		if took < longAfter {
			return nil
		}
		r = c.goLong()
	}
	c.chargeScript()
	if r.state.Load() == runKilled {
		return ErrScriptKilled
	}
	if !c.script.told && took >= k.busyThreshold() {
		c.script.told = true
		k.Log.Warn("slow script: it can be killed by SCRIPT KILL unless it has written", "script", c.script.name,
			"running", took.Round(time.Millisecond))
	}
	yield() // the goroutine has no thread of its own any more, and loops may want the processor
	return nil
}

// busyThreshold is from when on a script's shards are refused. 0 in the configuration means never, as
// in Redis: existing files have lua-time-limit 0 for scripts that others are to wait for.
func (k *Kernel) busyThreshold() time.Duration {
	limit := k.Config.Values().BusyReplyThreshold
	if limit == 0 {
		return never
	}
	return time.Duration(min(limit, int64(never/time.Millisecond))) * time.Millisecond
}

// The states of a Run. Each is entered from the first alone.
const (
	runReading uint32 = iota
	runWriting        // it has written
	runKilled         // and must not write any more
)

// Run is a script that takes long, or a transaction with one.
type Run struct {
	state  atomic.Uint32
	over   atomic.Bool
	lineup lineup // who waits for its end

	scriptCall // under busy.mu, but for the goroutine that runs it
}

// busy is the kernel's register of scripts that take long.
type busy struct {
	stopping atomic.Bool // every script is to end

	mu   sync.Mutex    // protects what follows; no lock is taken under it
	runs []*Run        // in the order in which they became long
	idle chan struct{} // closed when there is none; nil: nobody waits for that
}

// goLong has the running script give up what it does not need.
func (c *Ctx) goLong() *Run {
	c.script.args = copyArgs(c.script.args, nil)
	r := &Run{scriptCall: c.script}
	r.lineup.shut = func() bool { return !r.over.Load() }
	if c.script.wrote {
		r.state.Store(runWriting)
	}
	c.long = r
	c.handOver()
	b := &c.Kernel.busy
	b.mu.Lock()
	b.runs = append(b.runs, r)
	b.mu.Unlock()
	c.locks.Occupy(c.Store, r)
	return r
}

// handOver lets the other clients of the loop go on. What the client has sent behind the running
// request comes in another turn, on the loop. They see what the client is at.
func (c *Ctx) handOver() {
	c.handed = true
	c.Session.publish(c.meter.last, c.Now)
	c.Session.conn.HandOver()
	if c.Session.next == netloop.Wait {
		c.Session.next = netloop.Yield
	}
}

// LeaveLoop lets the other clients of the loop go on, for a command that has computing to do before
// it locks anything: compiling a long source takes as long as a script may.
func (c *Ctx) LeaveLoop() {
	if c.Session != nil && !c.Loading {
		c.handOver()
	}
}

// endLong is called when a script that took long is over, and has left its shards.
func (c *Ctx) endLong() {
	r, b := c.long, &c.Kernel.busy
	c.long = nil
	b.mu.Lock()
	b.runs = slices.DeleteFunc(b.runs, func(x *Run) bool { return x == r })
	if len(b.runs) == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
	b.mu.Unlock()
	r.over.Store(true)
	r.lineup.open()
}

// next is for another script of the same transaction: it has written nothing yet.
func (b *busy) next(r *Run, s scriptCall) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.scriptCall = s
	r.args = copyArgs(s.args, nil)
	r.state.Store(runReading)
}

// oldest is the script that has been running for longest, nil if none takes long.
func (b *busy) oldest() (r *Run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.runs {
		if r == nil || x.began.Before(r.began) {
			r = x
		}
	}
	return r
}

// mayWrite reports whether the running script may write, which it is about to do.
func (c *Ctx) mayWrite() bool {
	if c.script.wrote = true; c.long == nil {
		return true
	}
	return c.long.state.CompareAndSwap(runReading, runWriting) || c.long.state.Load() == runWriting
}

// occupied says that the request has to wait for whoever occupies a shard that it needs.
func (c *Ctx) occupied(by any) error {
	c.behind = by.(*Run)
	return errOccupied
}

// BehindScripts has the request wait, as it were, for a shard if any is occupied: the handler returns
// the error, having done nothing. nil: no script takes long.
func (c *Ctx) BehindScripts() error {
	if r := c.Kernel.busy.oldest(); r != nil && r != c.long {
		return c.occupied(r)
	}
	return nil
}

// LockAll locks every shard, for a handler that holds none. While one is occupied it waits, without
// its loop: the row should be one that does not come so far then (OwnLocks).
func (c *Ctx) LockAll() {
	for !c.Store.TryLockAll() {
		c.stall()
	}
}

// stall is a step of waiting for an occupied shard, for a handler that is in the middle of its work.
func (c *Ctx) stall() {
	c.LeaveLoop()
	time.Sleep(stallPause)
}

// busyReply is the reply to a request that would have to wait for r, and how long it is to wait before
// that.
func (k *Kernel) busyReply(r *Run) (e Error, wait time.Duration) {
	k.busy.mu.Lock()
	function, began := r.function, r.began
	k.busy.mu.Unlock()
	e = errBusyScript
	if function {
		e = errBusyFunction
	}
	return e, k.busyThreshold() - time.Since(began)
}

// postponeBehind keeps the request in c until the script is over that it has to wait for, or refuses
// it if that takes too long already.
func (s *Session) postponeBehind(c *Ctx, spec *Spec) {
	r := c.behind
	c.behind = nil
	if w := s.wait.Load(); w != nil { // it has waited for a key, and goes on
		w.again, w.until = true, &r.lineup
		return
	}
	refusal, left := s.kernel.busyReply(r)
	if left <= 0 {
		s.reject(c, spec, refusal)
		return
	}
	w := &wait{session: s, reason: ForScript, spec: spec, call: s.keep(c, spec), behind: r}
	s.wait.Store(w)
	s.next = netloop.Block
	s.kernel.Clients.blocked.Add(1)
	s.kernel.timeouts.add(w, left)
	r.lineup.join(w)
}

// lacksOccupied reports whether a request for which there is no room may get some at the end of a long
// script, since the keys that this occupies cannot be evicted before. The request then waits for that.
func (s *Session) lacksOccupied(c *Ctx) bool {
	return s.kernel.Store.Occupied() && !s.Queuing() && s.kernel.Config.Values().Policy().Rule != eviction.NoEviction &&
		c.BehindScripts() != nil
}

// refuseBusy answers the request of a client that has waited for a script for too long.
func (s *Session) refuseBusy(w *wait, out *chain.Buffer) netloop.Action {
	s.next = netloop.Wait
	c := s.begin(out)
	start := c.Out.Len()
	c.Args, c.looked, c.wire = w.call.args, nil, nil
	refusal, _ := s.kernel.busyReply(w.behind)
	s.reject(c, w.spec, refusal)
	s.endWait(c)
	if s.reply != replyOn {
		s.suppress(c, start)
	}
	if s.caching {
		s.endCaching(c, w.spec)
	}
	s.finish(c)
	return s.next
}

// KillScripts ends the scripts that take long, or the functions, but for those that have written.
func (k *Kernel) KillScripts(functions bool) error {
	b := &k.busy
	b.mu.Lock()
	defer b.mu.Unlock()
	var killed, wrote, others bool
	for _, r := range b.runs {
		switch {
		case r.function != functions:
			others = true
		case r.state.CompareAndSwap(runReading, runKilled), r.state.Load() == runKilled:
			killed = true
		}
		wrote = wrote || r.state.Load() == runWriting
	}
	switch {
	case killed:
		return nil
	case wrote:
		return errUnkillable
	case others && functions:
		return errBusyScript
	case others:
		return errBusyFunction
	}
	return errNothingToKill
}

// StopScripts has every script end, those that have written too and those to come: the server ends,
// and what they have done is in no file.
func (k *Kernel) StopScripts() { k.busy.stopping.Store(true) }

// ScriptsOver returns a channel that is closed when no script takes long.
func (k *Kernel) ScriptsOver() <-chan struct{} {
	b := &k.busy
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	if len(b.runs) == 0 {
		close(b.idle)
		b.idle = nil
	}
	return idle
}

// RunningScript is a script that takes long, as FUNCTION STATS shows it.
type RunningScript struct {
	Name     string
	Function bool
	Command  [][]byte
	Duration time.Duration
}

// RunningScripts lists the scripts that take long, in the order in which they became so.
func (k *Kernel) RunningScripts() (list []RunningScript) {
	b := &k.busy
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.runs {
		list = append(list, RunningScript{r.name, r.function, r.args, time.Since(r.began)})
	}
	return list
}
