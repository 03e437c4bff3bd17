package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// OBJECT: how a value is kept. None of its subcommands counts as a use of it.

func objectCommands() []engine.Spec {
	const (
		cat  = engine.CatKeyspace
		help = engine.Loading | engine.Stale
	)
	keys := func() []engine.KeySpec { return []engine.KeySpec{engine.Key(2, engine.RO)} }
	varies := []string{"nondeterministic_output"}
	return []engine.Spec{{
		Name: "object", Arity: -2, Group: "generic", Since: "2.2.3",
		Summary:    "A container for commands about how values are kept.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "encoding", Handler: cmdObjectEncoding, Arity: 3, Flags: engine.ReadOnly, Keys: keys(), Group: "generic", Categories: cat,
				Since: "2.2.3", Tips: varies, Syntax: "key", Summary: "Names the encoding of a value.", Complexity: "O(1)"},
			{Name: "freq", Handler: cmdObjectFreq, Arity: 3, Flags: engine.ReadOnly, Keys: keys(), Group: "generic", Categories: cat,
				Since: "4.0.0", Tips: varies, Syntax: "key", Summary: "Returns the logarithmic counter of a key's uses.", Complexity: "O(1)"},
			{Name: "idletime", Handler: cmdObjectIdletime, Arity: 3, Flags: engine.ReadOnly, Keys: keys(), Group: "generic", Categories: cat,
				Since: "2.2.3", Tips: varies, Syntax: "key", Summary: "Returns the seconds since the last use of a key.", Complexity: "O(1)"},
			{Name: "refcount", Handler: cmdObjectRefcount, Arity: 3, Flags: engine.ReadOnly, Keys: keys(), Group: "generic", Categories: cat,
				Since: "2.2.3", Tips: varies, Syntax: "key", Summary: "Returns how often a value is referred to.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdObjectHelp, Arity: 2, Flags: help, Group: "generic", Categories: cat,
				Since: "6.2.0", Summary: "Describes the subcommands of OBJECT.", Complexity: "O(1)"},
		},
	}}
}

// withEntry runs reply for the entry of the command's key, or answers null.
func withEntry(c *engine.Ctx, reply func(e *store.Entry) error) error {
	e, ok := c.Inspect(c.Keys[0])
	if !ok {
		c.Out.Null()
		return nil
	}
	return reply(&e)
}

func cmdObjectEncoding(c *engine.Ctx) error {
	return withEntry(c, func(e *store.Entry) error {
		c.Out.BulkString(e.Encoding())
		return nil
	})
}

func cmdObjectFreq(c *engine.Ctx) error {
	return withEntry(c, func(e *store.Entry) error {
		if !c.Kernel.Config.Values().LFU() {
			return engine.ErrNotLFU
		}
		c.Out.Int(e.Frequency(&c.View))
		return nil
	})
}

func cmdObjectIdletime(c *engine.Ctx) error {
	return withEntry(c, func(e *store.Entry) error {
		if c.Kernel.Config.Values().LFU() {
			return engine.ErrNotLRU
		}
		c.Out.Int(e.IdleSeconds(&c.View))
		return nil
	})
}

func cmdObjectRefcount(c *engine.Ctx) error {
	return withEntry(c, func(e *store.Entry) error {
		c.Out.Int(refcount(e))
		return nil
	})
}

// refcount is 1, or what Redis answers for the small integers it keeps one object
// of for all keys. larder shares nothing; clients' tests look.
func refcount(e *store.Entry) int64 {
	const sharedBelow, sharedCount = 10000, math.MaxInt32
	if e.Type() == store.TypeString && e.Encoding() == "int" {
		if n, ok := lex.ParseInt(e.Bytes()); ok && n >= 0 && n < sharedBelow {
			return sharedCount
		}
	}
	return 1
}

func cmdObjectHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"ENCODING <key>",
		"    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>",
		"    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>",
		"    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>",
		"    Return the number of references of the value associated with the specified",
		"    <key>.")
}
