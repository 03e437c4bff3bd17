package commands

import (
	"math"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// CACHE.PURGE: deletion by pattern in the background (engine/purge.go). START returns at once, and
// STATUS tells how far it is. The name has a dot, as CACHE.STATS.
//
// START changes nothing by itself, so it is no write; but what pauses writes keeps it waiting, and a
// script that may not write may not start one.

func cachePurgeCommands() []engine.Spec {
	const (
		danger = engine.CatKeyspace | engine.CatDangerous
		start  = engine.PausesAsWrite
	)
	return []engine.Spec{{
		Name: "cache.purge", Arity: -2, Group: "generic", Categories: danger, Since: ownSince,
		Summary:    "A container for commands that delete keys in the background.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "start", Handler: cmdPurgeStart, Arity: -4, Flags: start,
				Group: "generic", Categories: danger | engine.CatWrite, Since: ownSince,
				Syntax:     "<MATCH pattern | PREFIX prefix> [TYPE type] [RATE keys-per-second=integer]",
				Summary:    "Begins to delete the keys of the database that match, in the background, and returns the number of the purge.",
				Complexity: "O(1); in the background O(N) where N is the number of keys in the database."},
			{Name: "status", Handler: cmdPurgeStatus, Arity: -2,
				Group: "generic", Categories: danger, Since: ownSince, Syntax: "[id=integer]",
				Tips:    []string{"nondeterministic_output"},
				Summary: "Tells how far the purges that run are, and how the last ones have ended.", Complexity: "O(1)"},
			{Name: "stop", Handler: cmdPurgeStop, Arity: -2, Flags: start,
				Group: "generic", Categories: danger | engine.CatWrite, Since: ownSince,
				Syntax: "[id=integer]", Summary: "Ends a purge, or all of them, and counts what it has ended.",
				Complexity: "O(1)"},
			{Name: "help", Handler: cmdPurgeHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
				Group: "generic", Categories: engine.CatKeyspace, Since: ownSince,
				Summary: "Describes the subcommands of CACHE.PURGE.", Complexity: "O(1)"},
		},
	}}
}

func cmdPurgeStart(c *engine.Ctx) error {
	var rule engine.PurgeRule
	a := c.Parse(2)
	named := false
	for !a.Done() {
		switch {
		case !named && a.MatchValue("MATCH"):
			named, rule.Pattern = true, purgePattern(a)
		case !named && a.MatchValue("PREFIX"):
			named, rule.Prefix, rule.Pattern = true, true, purgePattern(a)
		case a.MatchValue("TYPE"):
			name := a.Next()
			if rule.Type, rule.Typed = store.TypeNamed(string(name)); !rule.Typed {
				a.Fail(engine.ErrTypeName(name))
			}
		case a.MatchValue("RATE"):
			rule.Rate = a.IntRange(1, math.MaxInt32, string(engine.ErrPurgeRate))
		default:
			a.Syntax()
		}
	}
	if !named { // what is for all keys says so
		a.Syntax()
	}
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	id, err := c.StartPurge(rule)
	if err != nil {
		return err
	}
	c.Out.Int(id)
	return nil
}

func purgePattern(a *engine.Args) string {
	text := a.Next()
	if len(text) > engine.LongestPurge {
		a.Fail(engine.ErrPurgePattern)
		return ""
	}
	return string(text)
}

// purgeID reads the number of a purge, 0 if none is given.
func purgeID(c *engine.Ctx) (id int64, err error) {
	a := c.Parse(2)
	if !a.Done() {
		id = a.IntRange(1, math.MaxInt64, string(engine.ErrPurgeID))
	}
	if a.Left() > 0 {
		a.Syntax()
	}
	return id, usage(c, a.Err())
}

func cmdPurgeStop(c *engine.Ctx) error {
	id, err := purgeID(c)
	if err != nil {
		return err
	}
	c.Out.Int(int64(c.Kernel.StopPurges(id)))
	return nil
}

func cmdPurgeStatus(c *engine.Ctx) error {
	id, err := purgeID(c)
	if err != nil {
		return err
	}
	list := c.Kernel.Purges()
	if id != 0 {
		kept := list[:0]
		for _, p := range list {
			if p.ID == id {
				kept = append(kept, p)
			}
		}
		list = kept
	}
	c.Out.Array(len(list))
	for i := range list {
		replyPurge(c, &list[i])
	}
	return nil
}

func replyPurge(c *engine.Ctx, p *engine.PurgeStatus) {
	w := c.Out
	number := func(name string, n int64) {
		w.BulkString(name)
		w.Int(n)
	}
	text := func(name, value string, given bool) {
		if w.BulkString(name); given {
			w.BulkString(value)
		} else {
			w.Null()
		}
	}
	w.Map(12)
	number("id", p.ID)
	text("state", p.State.String(), true)
	number("db", int64(p.DB))
	text("match", p.Rule.Pattern, !p.Rule.Prefix)
	text("prefix", p.Rule.Pattern, p.Rule.Prefix)
	text("type", p.Rule.Type.String(), p.Rule.Typed)
	number("rate", p.Rule.Rate)
	text("user", p.User, true)
	number("visited", p.Visited)
	number("deleted", p.Deleted)
	w.BulkString("progress")
	w.Double(p.Progress)
	number("milliseconds", int64(p.Took/time.Millisecond))
}

func cmdPurgeHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"START MATCH <pattern>|PREFIX <prefix> [TYPE <type>] [RATE <keys>]",
		"    Delete the keys of the database that match, in the background, no more than",
		"    RATE of them per second. Return the number of the purge.",
		"STATUS [<id>]",
		"    Return those that run, and the last that have ended. Each is a map:",
		"    id, state (running, done, stopped; refused, if its user may not any more), db,",
		"    match, prefix, type, rate, user, visited, deleted, progress (0 to 1),",
		"    milliseconds.",
		"STOP [<id>]",
		"    End one, or all. Return how many were ended.",
	)
}
