// Commands inside a script.
//
// A row that runs a script (RunsScript) says EnterScript, then CallInner for each command of the
// script, and LeaveScript. Between the two it runs in a frame of its own (call.go): what a command
// inside has locked, it has for the script, its effects are collected for the script, and its reply
// goes to scratch memory, in the version of the protocol that the script has asked for.
//
// # Refusals
//
// A command inside is not admitted as a client's own is (admit.go): its client has been. What is
// left stands in the order of Redis' scriptCall, because a command that fails several of them shows
// the script which comes first:
//
//	1 the command exists        5 a script that only reads does not write
//	2 its arity fits            6 the disk works, at the first write
//	3 scripts may run it        7 there is memory, at the first write
//	4 the user may run it
//
// A read-only replica has its place at 6.
//
// # Memory
//
// Room is made for the request of a script as for any, before it takes a lock. While it runs nothing
// can be evicted for it. So, as in Redis, a script that there was no room for is told so by its first
// command that needs memory, and one that has written goes on, since half of it would be worse. But
// what Redis lets grow without end ends here: when what counts is 1/scriptSlack above the cap, or the
// allocator has no more, further commands that need memory are refused.
//
// # What a script says about itself
//
// The first line of a script may have flags ("#!lua flags=no-writes"). They are part of what admission
// looks at (Spec.FlagsOf), so a script that says that it only reads runs where reads run.

package engine

import (
	"slices"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/store/invariants"
)

// scriptSlack: a script that has begun to write may pass maxmemory by 1/scriptSlack of it.
const scriptSlack = 8

// ScriptFlags are what a script or a function says of itself.
type ScriptFlags uint8

const (
	// NoWrites: it writes nothing, and is refused what would.
	NoWrites ScriptFlags = 1 << iota
	// AllowOOM: it may write while memory is short.
	AllowOOM
	// AllowStale: it may run on a replica that has lost its master.
	AllowStale
	// NoCluster: it refuses to run in a cluster.
	NoCluster
	// AllowCrossSlotKeys: it may use keys of several slots in a cluster.
	AllowCrossSlotKeys
	// NoShebang: the script says nothing, so that the rules of Redis before 7.0 hold for it: it is not
	// refused before it runs, but its commands are. No flag of its own has this name.
	NoShebang
)

// scriptFlagNames is in the order of the bits above.
var scriptFlagNames = [...]string{"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"}

// ScriptFlag finds a flag by its name, which is case-sensitive.
func ScriptFlag(name string) (f ScriptFlags, ok bool) {
	i := slices.Index(scriptFlagNames[:], name)
	if i < 0 {
		return 0, false
	}
	return 1 << i, true
}

// Names lists the flags as scripts write them.
func (f ScriptFlags) Names() (names []string) {
	for i, name := range scriptFlagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Of is the flags of the request that runs such a script, whose row has row.
func (f ScriptFlags) Of(row Flags) Flags {
	if f&NoShebang != 0 {
		return row
	}
	flags := row &^ (Stale | DenyOOM | Write | MayReplicate | PausesAsWrite)
	if f&NoWrites == 0 {
		flags |= Write
	}
	if f&(NoWrites|AllowOOM) == 0 {
		flags |= DenyOOM
	}
	if f&AllowStale != 0 {
		flags |= Stale
	}
	return flags
}

// ScriptStats is what INFO says of scripts.
type ScriptStats struct {
	Scripts      int   // of EVAL that are kept
	ScriptMemory int64 // bytes of them
	Memory       int64 // bytes of interpreters
	Evicted      int64 // scripts that were not kept, in all

	Libraries      int   // of functions
	Functions      int   // in them
	LibraryMemory  int64 // bytes of them
	FunctionMemory int64 // bytes of their interpreters
}

// inner is what commands inside a script have in common.
type inner struct {
	frame    frame // around the script
	spec     *Spec // of the request that runs it
	args     [][]byte
	db       int
	resp3    bool
	readOnly bool
	allowOOM bool
	silent   bool // what it does is not logged: redis.set_repl
	wrote    bool // it was admitted to write
	replies  chain.Buffer
	client   *chain.Buffer // where the client's replies go
	most     int64         // bytes that the reply to a read may take
	long     bool          // replies has grown
}

// EnterScript begins a script: a function of some name, or one with some SHA. most is how many bytes
// the reply to one of its commands may take, but for what commands that write take out. An error is
// the reply: the script does not run then.
func (c *Ctx) EnterScript(name string, function bool, flags ScriptFlags, most int64) error {
	n := &c.inner
	own := c.Spec.Flags
	n.readOnly = own&ReadOnly != 0 || flags&NoWrites != 0
	n.allowOOM = flags&AllowOOM != 0
	switch {
	case flags&(NoShebang|NoWrites) == 0 && own&ReadOnly != 0:
		return errReadOnlyRow
	case flags&(NoShebang|NoWrites|AllowOOM) == 0 && c.short:
		return errScriptOOM
	}
	if !c.frame.locked && !n.readOnly {
		// Its shards are locked by now, so whether writes are barred does not change any more.
		if err := c.Kernel.barred(Write); err != nil {
			return err
		}
	}
	n.frame, n.spec, n.args, n.db, n.resp3 = c.frame, c.Spec, c.Args, c.DB, c.Out.RESP3()
	n.silent, n.wrote, n.most = false, false, most
	c.meter.calls, c.meter.script = 0, true // it counts when it is over
	c.BeginScript(name, function)
	c.logging = c.Kernel.journal.On()
	c.frame = frame{locked: true, kept: true, script: true}
	n.client = c.Out.Buffer
	c.Out.Reset(&n.replies, false)
	c.looked, c.wire = nil, nil
	return nil
}

// LeaveScript ends it. What is written to c.Out from now on goes to the client.
func (c *Ctx) LeaveScript() {
	n := &c.inner
	c.frame, c.Spec, c.Args, c.meter.last = n.frame, n.spec, n.args, n.spec
	c.Out.Reset(n.client, n.resp3)
	c.dropReply()
	n.client, n.args = nil, nil
	if c.DB != n.db {
		c.Select(n.db)
	}
	c.logging = c.Kernel.journal.On()
	if !c.frame.kept {
		c.flushEffects()
	}
}

// dropReply gives back the memory of a reply that was long.
func (c *Ctx) dropReply() {
	n := &c.inner
	if !n.long {
		n.replies.Truncate(0)
		return
	}
	n.replies, n.long = chain.Buffer{}, false
	n.replies.AllowGrowth(c.mayAnswer)
}

// SetScriptRESP is the version of the protocol of the replies to the script's commands.
func (c *Ctx) SetScriptRESP(version int) { c.Out.SetRESP3(version == 3) }

// SetScriptSilent has what the script does from now on left out of the log, or not.
func (c *Ctx) SetScriptSilent(silent bool) {
	c.inner.silent = silent
	c.logging = !silent && c.Kernel.journal.On()
}

// CallInner runs a command of the script. The reply, in RESP, is the script's until the next call. An
// error ends the script, and cannot be caught by it.
func (c *Ctx) CallInner(args [][]byte) (reply []byte, err error) {
	n := &c.inner
	c.dropReply()
	c.Args = args
	spec, refusal := c.admitInner()
	if refusal != "" {
		if spec != nil {
			c.Kernel.Stats.Rejected(int(c.Session.slot), spec.index)
		}
		c.writeError(refusal)
		return n.replies.Bytes(), nil
	}
	if err := c.runInner(spec); err != nil {
		return nil, err
	}
	return n.replies.Bytes(), nil
}

// admitInner finds the row of the command in c.Args and decides whether it may run.
func (c *Ctx) admitInner() (*Spec, Error) {
	n := &c.inner
	spec := c.Kernel.Table.Resolve(c.Args)
	switch {
	case spec == nil:
		return nil, errInnerUnknown
	case !spec.Fits(len(c.Args)):
		return spec, errInnerArity
	case spec.Flags&NoScript != 0:
		return spec, errInnerForbidden
	}
	if e := c.forbiddenInner(spec); e != "" {
		return spec, e
	}
	switch {
	case spec.Flags&(Write|DenyOOM|MayReplicate|PausesAsWrite) == 0:
		return spec, ""
	case n.readOnly && spec.Flags&(Write|MayReplicate|PausesAsWrite) != 0:
		return spec, errInnerReadOnly
	}
	if spec.Flags&Write != 0 && !n.wrote {
		if state := c.Kernel.state(); state&(persistence.SaveFailing|persistence.LogFailing) != 0 {
			if e := c.Session.refusedByDisk(spec.Flags, state); e != "" {
				return spec, e
			}
		}
	}
	if spec.Flags&DenyOOM != 0 && c.outOfMemory() {
		return spec, ErrOOM
	}
	n.wrote = n.wrote || spec.Flags&Write != 0
	return spec, ""
}

// outOfMemory reports whether a command of the script that needs memory is to be refused.
func (c *Ctx) outOfMemory() bool {
	k, n := c.Kernel, &c.inner
	if k.Store.Exhausted() {
		return true
	}
	limit := k.Config.Values().MaxMemory
	switch {
	case limit == 0 || n.allowOOM && !n.wrote:
		return false
	case !n.wrote:
		return c.short
	}
	most := limit + limit/scriptSlack
	return k.atMost(limit) > most && k.counted(limit) > most
}

// runInner runs an admitted command.
func (c *Ctx) runInner(spec *Spec) error {
	c.count(spec)
	c.Spec = spec
	if spec.lockKind == lockNone || spec.lockKind == lockAll {
		c.CountChanges()
		c.countLookups()
	}
	err := c.invoke(spec)
	switch {
	case err == nil && !c.Out.Counting():
		if invariants.Enabled {
			c.checkReply(spec, 0)
		}
		c.measure(spec)
		return nil
	case err == nil:
		err = ErrScriptReply
	case err == ErrScriptKilled || err == errStopped: // they come as they are
		return err
	}
	c.fail(spec, 0, err)
	c.measure(spec)
	return nil
}

// mayAnswer reports whether the reply to a command of the script may take n bytes. What a command that
// writes has taken out of the store it gets in any case, since it is gone there.
func (c *Ctx) mayAnswer(n int) bool {
	c.inner.long = c.inner.long || n > outputBound
	return int64(n) <= c.inner.most || c.Spec.Flags&ReadOnly == 0
}

// chargeScript has the time from now on count as the script's own, and not as that of the command that
// it has run last: one that runs for less than a few milliseconds is not worth a look at the clock.
func (c *Ctx) chargeScript() {
	if row := c.inner.spec; c.inner.client != nil && c.meter.row != row {
		c.Session.countRun(c, c.Kernel.elapsed())
		c.meter.row = row
	}
}

// ShowScript shows monitors the request that runs a script before the script's commands. Its row says
// SkipMonitor.
func (c *Ctx) ShowScript() {
	if c.monitored {
		c.tellMonitors(c.Spec)
	}
}

// CountError counts an error reply that is a part of another reply.
func (c *Ctx) CountError(e Error) { c.Kernel.Errors.Add(e.code()) }

// CountFailures counts in commandstats that the script's command has failed, where its handler has
// written error replies itself.
func (c *Ctx) CountFailures(n int) { c.Kernel.Stats.Failed(int(c.Session.slot), c.Spec.index, n) }
