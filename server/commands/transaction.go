package commands

import "github.com/larderkv/larder/server/engine"

// The rows of transactions. What they do stands in engine/multi.go, since it is
// the kernel's queue and locks that they work on.

func transactionCommands() []engine.Spec {
	const (
		cat   = engine.CatTransaction
		flags = engine.NoScript | engine.Loading | engine.Stale
		fast  = flags | engine.Fast | engine.AllowBusy
	)
	return []engine.Spec{
		{Name: "multi", Handler: (*engine.Ctx).Multi, Arity: 1, Flags: fast | engine.Unqueued,
			Group: "transactions", Categories: cat, Since: "1.2.0",
			Summary:    "Begins a transaction: commands are queued from here on.",
			Complexity: "O(1)"},
		{Name: "exec", Handler: (*engine.Ctx).Exec, Arity: 1,
			Flags: flags | engine.SkipSlowlog | engine.Unqueued | engine.EndsMulti | engine.RunsQueue,
			Group: "transactions", Categories: cat, Since: "1.2.0",
			Summary:    "Runs the queued commands as one.",
			Complexity: "Depends on commands in the transaction"},
		{Name: "discard", Handler: (*engine.Ctx).Discard, Arity: 1, Flags: fast | engine.Unqueued | engine.EndsMulti,
			Group: "transactions", Categories: cat, Since: "2.0.0",
			Summary:    "Forgets the queued commands and the watched keys.",
			Complexity: "O(N), when N is the number of queued commands"},
		{Name: "watch", Handler: (*engine.Ctx).WatchKeys, Arity: -2, Flags: fast | engine.Unqueued,
			Keys:  []engine.KeySpec{engine.KeyRange(1, -1, 1, engine.RO)},
			Group: "transactions", Categories: cat, Since: "2.2.0", Syntax: "key [key ...]",
			Summary:    "Makes the next transaction fail if one of the keys changes before it.",
			Complexity: "O(1) for every key."},
		{Name: "unwatch", Handler: (*engine.Ctx).Unwatch, Arity: 1, Flags: fast,
			Group: "transactions", Categories: cat, Since: "2.2.0",
			Summary:    "Forgets the watched keys.",
			Complexity: "O(1)"},
	}
}
