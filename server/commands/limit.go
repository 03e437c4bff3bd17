package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/limit"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Rate limits. Package limit decides; here are the keys. What a limiter knows is a string with a time
// to live, after which it is as if nothing had passed: so it is saved, copied, deleted and evicted
// like any other, and a file or a log with it loads in any Redis. The log gets the string: SET with
// PXAT, since a call that is run again later would decide otherwise. A call that is refused changes
// nothing and leaves nothing in the log.
//
// Two calls for one key run one after the other, under the lock of its shard, with the time at which
// each of them is run; so they are exact whatever clients do.
//
// CL.THROTTLE is redis-cell's command, with its stored value, so that keys can come from there. Redis
// has no sliding window; CL.WINDOW stands beside, with the same reply, but in milliseconds as its
// window is, since whoever is told to come back in 20 ms should not be told a second.

func limitCommands() []engine.Spec {
	const (
		flags   = engine.Write | engine.DenyOOM | engine.Fast
		counter = engine.RW | engine.Access | engine.Update
	)
	keys := []engine.KeySpec{engine.Key(1, counter)}
	return []engine.Spec{
		{Name: "cl.throttle", Handler: cmdThrottle, Arity: -5, Flags: flags, Keys: keys,
			Group: "string", Categories: engine.CatString, Since: ownSince,
			Syntax:     "key max-burst=integer count period=integer [quantity=integer]",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Lets a burst pass and then a count per period of seconds, by the generic cell rate algorithm.",
			Complexity: "O(1)"},
		{Name: "cl.window", Handler: cmdWindow, Arity: -4, Flags: flags, Keys: keys,
			Group: "string", Categories: engine.CatString, Since: ownSince,
			Syntax:     "key limit milliseconds [quantity=integer]",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Lets at most a limit pass within any window of time that slides along.",
			Complexity: "O(1)"},
		{Name: "increx", Handler: cmdIncrex, Arity: -2, Flags: flags, Keys: keys,
			Group: "string", Categories: engine.CatString, Since: "8.8.0",
			Syntax: "key [BYFLOAT increment=double | BYINT increment] [LBOUND lower-bound=double] [UBOUND upper-bound=double] [SATURATE] " +
				"[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]",
			Summary:    "Adds to a number within bounds, and sets or removes the key's time to live.",
			Complexity: "O(1)"},
	}
}

// cmdThrottle: CL.THROTTLE key max_burst count period [quantity].
func cmdThrottle(c *engine.Ctx) error {
	a := c.Parse(2)
	burst, count := positive(a, 0, engine.ErrMaxBurst), positive(a, 1, engine.ErrRateCount)
	period, quantity := positive(a, 1, engine.ErrPeriod), parseQuantity(a)
	if err := a.Err(); err != nil {
		return err
	}
	now := c.Now * 1_000_000 // in ns
	rate, fault := limit.NewRate(burst, count, period, now)
	switch fault {
	case limit.TooFast:
		return engine.ErrRateZero
	case limit.TooLarge:
		return engine.ErrRateRange
	}
	e, err := writeString(c)
	if err != nil {
		return err
	}
	var tat int64
	if e.Found() {
		var ok bool
		if tat, ok = lex.ParseInt(e.Bytes()); !ok {
			return engine.ErrNotRate
		}
	}
	next, v := rate.Throttle(tat, now, quantity)
	if !v.Limited && quantity > 0 {
		var digits [20]byte
		keepLimiter(c, &e, strconv.AppendInt(digits[:0], next, 10), limit.Millis(next))
	}
	v.RetryAfter, v.ResetAfter = limit.Seconds(v.RetryAfter), limit.Seconds(v.ResetAfter)
	replyVerdict(c, v)
	return nil
}

// cmdWindow: CL.WINDOW key limit milliseconds [quantity].
func cmdWindow(c *engine.Ctx) error {
	a := c.Parse(2)
	most, window := positive(a, 1, engine.ErrWindowLimit), a.IntRange(1, limit.MaxWindow, string(engine.ErrWindowTime))
	quantity := parseQuantity(a)
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	e, err := writeString(c)
	if err != nil {
		return err
	}
	var w limit.Window
	if e.Found() && !w.Parse(e.Bytes()) {
		return engine.ErrNotWindow
	}
	v := w.Take(most, window, c.Now, quantity)
	if !v.Limited && quantity > 0 {
		var room [limit.MaxState]byte
		keepLimiter(c, &e, w.Append(room[:0]), w.Last()+window)
	}
	replyVerdict(c, v)
	return nil
}

// positive reads an integer of at least least; err says which one it is.
func positive(a *engine.Args, least int64, err engine.Error) int64 {
	return a.IntRange(least, math.MaxInt64, string(err))
}

// parseQuantity reads how many want to pass, by default 1; 0 only looks.
func parseQuantity(a *engine.Args) int64 {
	if a.Left() == 0 {
		return 1
	}
	n := positive(a, 0, engine.ErrQuantity)
	if !a.Done() {
		a.Syntax()
	}
	return n
}

// writeString finds the string of the command's key, which the command is about to change, or nothing.
func writeString(c *engine.Ctx) (store.Entry, error) {
	e, found := c.Write(c.Keys[0])
	if found && e.Type() != store.TypeString {
		return e, engine.ErrWrongType
	}
	return e, nil
}

// keepLimiter stores what the limiter of the command's key knows, until a time in unix milliseconds. e
// is what Write has found of it.
func keepLimiter(c *engine.Ctx, e *store.Entry, state []byte, until int64) {
	c.UpdateString(e, c.Keys[0], state, until, store.EventSet)
	setEffect(c, c.Keys[0], state, until)
}

func replyVerdict(c *engine.Ctx, v limit.Verdict) {
	c.Out.Array(5)
	replyDone(c, v.Limited)
	c.Out.Int(v.Limit)
	c.Out.Int(v.Remaining)
	c.Out.Int(v.RetryAfter)
	c.Out.Int(v.ResetAfter)
}
