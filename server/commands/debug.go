package commands

import (
	"fmt"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// DEBUG, what tests of clients use of it. It is no container in Redis' table,
// so its subcommands are its own affair; the row takes every shard because a key
// may stand among its arguments.

func debugCommands() []engine.Spec {
	return []engine.Spec{{
		Name: "debug", Handler: cmdDebug, Arity: -2,
		Flags: engine.Admin | engine.NoScript | engine.Loading | engine.Stale | engine.Protected | engine.AllShards,
		Group: "server", Since: "1.0.0",
		Summary:    "A container for debugging commands.",
		Complexity: "Depends on subcommand.",
	}}
}

func cmdDebug(c *engine.Ctx) error {
	a := c.Parse(1)
	switch n := len(c.Args); {
	case n == 3 && a.Match("SLEEP"):
		return debugSleep(c, a.Next())
	case n == 3 && a.Match("OBJECT"):
		return debugObject(c, a.Next())
	case n == 3 && a.Match("SET-ACTIVE-EXPIRE"):
		// As with C's atoi, what is no number is 0.
		n, _ := lex.ParseInt(a.Next())
		c.Store.SetActiveExpire(n != 0)
		c.Out.OK()
		return nil
	case n == 2 && a.Match("HELP"):
		return replyHelp(c,
			"OBJECT <key>",
			"    Show low level info about `key` and associated value.",
			"SET-ACTIVE-EXPIRE <0|1>",
			"    Setting it to 0 disables expiring keys in background when they are not",
			"    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
			"    default.",
			"SLEEP <seconds>",
			"    Let this client wait for <seconds>. Decimals allowed. Nobody else is stopped.")
	}
	return engine.ErrSubcommandSyntax(c.Spec, c.Args[1])
}

// debugSleep makes this client wait; it is the way to have a slow command in a
// test. Redis would stop for everybody.
func debugSleep(c *engine.Ctx, seconds []byte) error {
	s, _ := lex.ParseFloat(seconds) // as with C's strtod, what is no number is 0
	return c.Wait(sleepFor(s), func(c *engine.Ctx) error {
		c.Out.OK()
		return nil
	})
}

func debugObject(c *engine.Ctx, name []byte) error {
	e, ok := c.Peek(c.Store.Key(name))
	if !ok {
		return engine.ErrNoSuchKey
	}
	idle := e.IdleSeconds(&c.View)
	c.Out.Status(fmt.Sprintf("Value at:0x%x refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d",
		c.Store.ShardOf(name), e.Encoding(), e.Memory(), (c.Now/1000-idle)&lruMask, idle))
	return nil
}
