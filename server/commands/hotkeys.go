package commands

import "github.com/larderkv/larder/server/engine"

// HOTKEYS: the keys that are accessed most (store/hot.go). As in Valkey there is nothing to start: the
// search goes on all the time, unless the parameter hotkeys is no.

func hotkeysCommands() []engine.Spec {
	const admin = engine.Admin | engine.NoScript | engine.Loading | engine.Stale
	all := []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}
	return []engine.Spec{{
		Name: "hotkeys", Arity: -2, Group: "server", Since: "8.6.0",
		Summary:    "A container for commands about the keys that are accessed most.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "get", Handler: cmdHotkeysGet, Arity: 2, Flags: admin | engine.OwnLocks | engine.Survey,
				Group: "server", Since: "8.6.0", Tips: all,
				Summary:    "Returns the keys that are accessed most, with their estimated accesses and how far these may be off.",
				Complexity: "O(N*log(N)) where N is the number of shards"},
			{Name: "reset", Handler: cmdHotkeysReset, Arity: 2, Flags: admin | engine.OwnLocks,
				Group: "server", Since: "8.6.0",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Summary: "Forgets which keys were accessed.", Complexity: "O(N) where N is the number of shards"},
			{Name: "help", Handler: cmdHotkeysHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
				Group: "server", Since: "8.6.0",
				Summary: "Describes the subcommands of HOTKEYS.", Complexity: "O(1)"},
		},
	}}
}

// cmdHotkeysGet answers with an array of maps, the form in which clients for Redis 8.6 read a reply to
// HOTKEYS GET. The fields are larder's own.
func cmdHotkeysGet(c *engine.Ctx) error {
	list := c.HotKeys()
	c.Out.Array(len(list.Keys))
	for i := range list.Keys {
		k := &list.Keys[i]
		c.Out.Map(6)
		c.Out.BulkString("key")
		c.Out.BulkString(k.Name)
		c.Out.BulkString("db")
		c.Out.Int(int64(k.DB))
		c.Out.BulkString("accesses")
		c.Out.Int(int64(k.Accesses))
		c.Out.BulkString("error")
		c.Out.Int(int64(k.Error))
		c.Out.BulkString("rate")
		c.Out.Double(list.Rate(k.Accesses))
		c.Out.BulkString("share")
		c.Out.Double(list.Share(k))
	}
	return nil
}

func cmdHotkeysReset(c *engine.Ctx) error {
	c.ResetHotKeys()
	c.Out.OK()
	return nil
}

func cmdHotkeysHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"GET",
		"    Return the keys that are accessed most, most first. Each is a map:",
		"    key, db, accesses (in the last ten seconds, estimated), error (of accesses,",
		"    either way), rate (per second), share (of the accesses to all keys, 0 to 1).",
		"RESET",
		"    Forget which keys were accessed.",
	)
}
