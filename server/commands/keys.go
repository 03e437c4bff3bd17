package commands

import "github.com/larderkv/larder/server/engine"

// The commands of keys, whatever their type: their rows, and the handlers that
// look at keys or delete them. Times to live are in keysexpire.go, renaming,
// copying and moving in keysmove.go, walks over the keyspace in keyscan.go, those
// that delete in keysremove.go.

func keyCommands() []engine.Spec {
	const (
		cat    = engine.CatKeyspace
		read   = engine.ReadOnly | engine.Fast
		write  = engine.Write | engine.Fast
		access = engine.RO | engine.Access
		update = engine.RW | engine.Update
	)
	one := func(flags engine.KeyFlags) []engine.KeySpec { return []engine.KeySpec{engine.Key(1, flags)} }
	all := func(flags engine.KeyFlags) []engine.KeySpec {
		return []engine.KeySpec{engine.KeyRange(1, -1, 1, flags)}
	}
	summed := []string{"request_policy:multi_shard", "response_policy:agg_sum"}
	conditions := []string{"7.0.0: The options `NX`, `XX`, `GT` and `LT`."}
	return []engine.Spec{
		{Name: "del", Handler: cmdDel, Arity: -2, Flags: engine.Write, Keys: all(engine.RM | engine.Delete),
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key [key ...]", Tips: summed,
			Summary:    "Deletes keys and counts those that were there.",
			Complexity: "O(N) where N is the number of keys; what big collections hold is freed in the background."},
		{Name: "unlink", Handler: cmdDel, Arity: -2, Flags: write, Keys: all(engine.RM | engine.Delete),
			Group: "generic", Categories: cat, Since: "4.0.0", Syntax: "key [key ...]", Tips: summed,
			Summary:    "Deletes keys as DEL does.",
			Complexity: "O(N) where N is the number of keys; what big collections hold is freed in the background."},
		{Name: "exists", Handler: cmdExists, Arity: -2, Flags: read, Keys: all(engine.RO),
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key [key ...]", Tips: summed,
			Summary:    "Counts the keys that exist; a key named twice counts twice.",
			Complexity: "O(N) where N is the number of keys.",
			History:    []string{"3.0.3: Several keys are accepted."}},
		{Name: "type", Handler: cmdType, Arity: 2, Flags: read, Keys: one(engine.RO),
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key",
			Summary:    "Returns the data type of a key's value.",
			Complexity: "O(1)"},
		{Name: "touch", Handler: cmdTouch, Arity: -2, Flags: read, Keys: all(engine.RO),
			Group: "generic", Categories: cat, Since: "3.2.1", Syntax: "key [key ...]", Tips: summed,
			Summary:    "Marks keys as used now and counts those that exist.",
			Complexity: "O(N) where N is the number of keys."},
		{Name: "expire", Handler: cmdExpire, Arity: -3, Flags: write, Keys: one(update),
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key seconds [NX | XX | GT | LT]", History: conditions,
			Summary:    "Sets a key's time to live in seconds.",
			Complexity: "O(1)"},
		{Name: "pexpire", Handler: cmdPexpire, Arity: -3, Flags: write, Keys: one(update),
			Group: "generic", Categories: cat, Since: "2.6.0", Syntax: "key milliseconds [NX | XX | GT | LT]", History: conditions,
			Summary:    "Sets a key's time to live in milliseconds.",
			Complexity: "O(1)"},
		{Name: "expireat", Handler: cmdExpireat, Arity: -3, Flags: write, Keys: one(update),
			Group: "generic", Categories: cat, Since: "1.2.0", Syntax: "key unix-time-seconds [NX | XX | GT | LT]", History: conditions,
			Summary:    "Sets the moment a key expires, in seconds since 1970.",
			Complexity: "O(1)"},
		{Name: "pexpireat", Handler: cmdPexpireat, Arity: -3, Flags: write, Keys: one(update),
			Group: "generic", Categories: cat, Since: "2.6.0", Syntax: "key unix-time-milliseconds [NX | XX | GT | LT]", History: conditions,
			Summary:    "Sets the moment a key expires, in milliseconds since 1970.",
			Complexity: "O(1)"},
		{Name: "ttl", Handler: cmdTtl, Arity: 2, Flags: read, Keys: one(access),
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key", Tips: []string{"nondeterministic_output"},
			Summary:    "Returns a key's time to live in seconds: -1 if it has none, -2 if there is no such key.",
			Complexity: "O(1)",
			History:    []string{"2.8.0: The answer -2."}},
		{Name: "pttl", Handler: cmdPttl, Arity: 2, Flags: read, Keys: one(access),
			Group: "generic", Categories: cat, Since: "2.6.0", Syntax: "key", Tips: []string{"nondeterministic_output"},
			Summary:    "Returns a key's time to live in milliseconds: -1 if it has none, -2 if there is no such key.",
			Complexity: "O(1)",
			History:    []string{"2.8.0: The answer -2."}},
		{Name: "expiretime", Handler: cmdExpiretime, Arity: 2, Flags: read, Keys: one(access),
			Group: "generic", Categories: cat, Since: "7.0.0", Syntax: "key",
			Summary:    "Returns the moment a key expires, in seconds since 1970.",
			Complexity: "O(1)"},
		{Name: "pexpiretime", Handler: cmdPexpiretime, Arity: 2, Flags: read, Keys: one(access),
			Group: "generic", Categories: cat, Since: "7.0.0", Syntax: "key",
			Summary:    "Returns the moment a key expires, in milliseconds since 1970.",
			Complexity: "O(1)"},
		{Name: "persist", Handler: cmdPersist, Arity: 2, Flags: write, Keys: one(update),
			Group: "generic", Categories: cat, Since: "2.2.0", Syntax: "key",
			Summary:    "Takes a key's time to live away.",
			Complexity: "O(1)"},
		{Name: "rename", Handler: cmdRename, Arity: 3, Flags: engine.Write,
			Keys:  []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Delete), engine.Key(2, engine.OW|engine.Update)},
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key newkey",
			Summary:    "Renames a key, replacing one of the new name.",
			Complexity: "O(1), but O(N) for a big collection of N members whose new name belongs to another shard."},
		{Name: "renamenx", Handler: cmdRenamenx, Arity: 3, Flags: write,
			Keys:  []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Delete), engine.Key(2, engine.OW|engine.Insert)},
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key newkey",
			Summary:    "Renames a key unless the new name exists.",
			Complexity: "O(1), but O(N) for a big collection of N members whose new name belongs to another shard.",
			History:    []string{"3.2.0: Renaming a key to itself is no error."}},
		{Name: "copy", Handler: cmdCopy, Arity: -3, Flags: engine.Write | engine.DenyOOM | engine.NamesDB,
			Keys:  []engine.KeySpec{engine.Key(1, access), engine.Key(2, engine.OW|engine.Update)},
			Group: "generic", Categories: cat, Since: "6.2.0", Syntax: "source destination [DB destination-db] [REPLACE]",
			Summary:    "Copies a key's value and time to live to another key.",
			Complexity: "O(N) where N is the size of the value."},
		{Name: "move", Handler: cmdMove, Arity: 3, Flags: write | engine.NamesDB, Keys: one(engine.RW | engine.Access | engine.Update),
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: "key db",
			Summary:    "Moves a key to another database unless it exists there.",
			Complexity: "O(1)"},
		{Name: "keys", Handler: cmdKeys, Arity: 2, Flags: engine.ReadOnly | engine.OwnLocks,
			Group: "generic", Categories: cat | engine.CatDangerous, Since: "1.0.0", Syntax: "pattern",
			Tips:       []string{"request_policy:all_shards", "nondeterministic_output_order"},
			Summary:    "Returns all keys that match a pattern.",
			Complexity: "O(N) where N is the number of keys in the database."},
		{Name: "scan", Handler: cmdScan, Arity: -2, Flags: engine.ReadOnly | engine.OwnLocks,
			Group: "generic", Categories: cat, Since: "2.8.0", Syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
			Tips:       []string{"nondeterministic_output", "request_policy:special"},
			Summary:    "Walks over the keys of the database, some at a time.",
			Complexity: "O(1) for a call with the default count, O(N) for a whole walk over N keys.",
			History:    []string{"6.0.0: The option `TYPE`."}},
		{Name: "rm", Handler: cmdRm, Arity: -2, Flags: engine.Write, Locks: rmLocks,
			Group: "generic", Categories: cat | engine.CatDangerous, Since: ownSince, Syntax: "cursor [MATCH pattern] [TYPE type] [COUNT count]",
			Tips:       []string{"nondeterministic_output", "request_policy:special"},
			Summary:    "Deletes keys of the database that match, walking over some keys at a time.",
			Complexity: "O(1) for a call with the default count, O(N) for a whole walk over N keys."},
		{Name: "randomkey", Handler: cmdRandomkey, Arity: 1, Flags: engine.ReadOnly | engine.AllShards,
			Group: "generic", Categories: cat, Since: "1.0.0",
			Tips:       []string{"request_policy:all_shards", "nondeterministic_output"},
			Summary:    "Returns a key drawn at random.",
			Complexity: "O(1)"},
	}
}

func cmdDel(c *engine.Ctx) error {
	n := int64(0)
	for _, k := range c.Keys {
		if c.Delete(k) {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func cmdExists(c *engine.Ctx) error {
	n := int64(0)
	for _, k := range c.Keys {
		if _, ok := c.Lookup(k); ok {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

// cmdTouch marks keys as used even for a client that has asked that its
// commands do not.
func cmdTouch(c *engine.Ctx) error {
	noTouch := c.NoTouch
	c.NoTouch = false
	n := int64(0)
	for _, k := range c.Keys {
		if _, ok := c.Read(k); ok {
			n++
		}
	}
	c.NoTouch = noTouch
	c.Out.Int(n)
	return nil
}

func cmdType(c *engine.Ctx) error {
	e, ok := c.Lookup(c.Keys[0])
	if !ok {
		c.Out.Status("none")
		return nil
	}
	c.Out.Status(e.Type().String())
	return nil
}
