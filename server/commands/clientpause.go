package commands

import (
	"math"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// CLIENT PAUSE, UNPAUSE and UNBLOCK: having clients wait, and not any longer.

// cmdClientPause looks at the mode first, as Redis does. engine/pause.go has the rest.
func cmdClientPause(c *engine.Ctx) error {
	all := true
	switch a := c.Parse(3); {
	case a.Left() > 1:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	case a.Match("WRITE"):
		all = false
	case !a.Done() && !a.Match("ALL"):
		return engine.ErrPauseMode
	}
	ms, ok := lex.ParseInt(c.Args[2])
	switch {
	case !ok:
		return engine.ErrTimeoutInt
	case ms < 0:
		return engine.ErrTimeoutNegative
	case ms > math.MaxInt64-c.Now:
		return engine.ErrTimeoutRange
	}
	c.Kernel.Pause(time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond)))*time.Millisecond, all)
	c.Out.OK()
	return nil
}

func cmdClientUnpause(c *engine.Ctx) error {
	c.Kernel.Unpause()
	c.Out.OK()
	return nil
}

// cmdClientUnblock ends another client's wait, as if its time were up or with an error.
func cmdClientUnblock(c *engine.Ctx) error {
	withError := false
	switch a := c.Parse(3); {
	case a.Left() > 1:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	case a.Match("ERROR"):
		withError = true
	case !a.Done() && !a.Match("TIMEOUT"):
		return engine.ErrUnblockReason
	}
	a := c.Parse(2)
	id := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	s := c.Kernel.Clients.ByID(uint64(id))
	c.Out.Int(int64(count(s != nil && s.Unblock(withError, c.MayWait()))))
	return nil
}
