package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
)

// SLOWLOG: the commands that took longest. How they are found stands in engine/timing.go.

func slowlogCommands() []engine.Spec {
	const admin = engine.Admin | engine.Loading | engine.Stale
	return []engine.Spec{{
		Name: "slowlog", Arity: -2, Group: "server", Since: "2.2.12",
		Summary:    "A container for commands about slow commands.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "get", Handler: cmdSlowlogGet, Arity: -2, Flags: admin, Group: "server", Since: "2.2.12",
				Tips:   []string{"request_policy:all_nodes", "nondeterministic_output"},
				Syntax: "[count]", Summary: "Returns the last slow commands.",
				Complexity: "O(N) where N is the number of entries returned",
				History:    []string{"4.0.0: Entries have the client's address and name."}},
			{Name: "len", Handler: cmdSlowlogLen, Arity: 2, Flags: admin, Group: "server", Since: "2.2.12",
				Tips:    []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
				Summary: "Counts the entries of the slow log.", Complexity: "O(1)"},
			{Name: "reset", Handler: cmdSlowlogReset, Arity: 2, Flags: admin, Group: "server", Since: "2.2.12",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Summary: "Empties the slow log.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdSlowlogHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
				Group: "server", Since: "6.2.0",
				Summary: "Describes the subcommands of SLOWLOG.", Complexity: "O(1)"},
		},
	}}
}

// slowlogDefault is how many entries SLOWLOG GET returns without a count.
const slowlogDefault = 10

func cmdSlowlogGet(c *engine.Ctx) error {
	if len(c.Args) > 3 {
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	}
	count := int64(slowlogDefault)
	if a := c.Parse(2); !a.Done() {
		if count = a.IntRange(-1, math.MaxInt64, string(engine.ErrSlowlogCount)); a.Err() != nil {
			return a.Err()
		}
	}
	if count == -1 {
		count = math.MaxInt64
	}
	entries := c.Kernel.Slow.Last(int(min(count, math.MaxInt)))
	c.Out.Array(len(entries))
	for _, e := range entries {
		c.Out.Array(6)
		c.Out.Int(e.ID)
		c.Out.Int(e.Time.Unix())
		c.Out.Int(e.Took.Microseconds())
		replyTexts(c, e.Args)
		c.Out.BulkString(e.Addr)
		c.Out.BulkString(e.Name)
	}
	return nil
}

func cmdSlowlogLen(c *engine.Ctx) error {
	c.Out.Int(int64(c.Kernel.Slow.Len()))
	return nil
}

func cmdSlowlogReset(c *engine.Ctx) error {
	c.Kernel.Slow.Reset()
	c.Out.OK()
	return nil
}

func cmdSlowlogHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"GET [<count>]",
		"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
		"    Entries are made of:",
		"    id, timestamp, time in microseconds, arguments array, client IP and port,",
		"    client name",
		"LEN",
		"    Return the length of the slowlog.",
		"RESET",
		"    Reset the slowlog.")
}
