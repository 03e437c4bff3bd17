package commands

import (
	"strings"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// The commands of strings: their rows, and the handlers that read a value or
// change a part of it. SET and its family are in stringset.go, conditions on
// values in stringif.go, counters in counter.go, LCS in lcs.go.
//
// GET, SET and INCR are what a cache does all day. Their handlers parse, make
// one pass over the store and write the reply from the store's own bytes;
// they allocate nothing and copy a value exactly once, into the output.

func stringCommands() []engine.Spec {
	const (
		cat   = engine.CatString
		read  = engine.ReadOnly | engine.Fast
		write = engine.Write | engine.DenyOOM

		access  = engine.RO | engine.Access
		set     = engine.OW | engine.Update
		counter = engine.RW | engine.Access | engine.Update
	)
	one := func(flags engine.KeyFlags) []engine.KeySpec { return []engine.KeySpec{engine.Key(1, flags)} }
	return []engine.Spec{
		{Name: "get", Handler: cmdGet, Arity: 2, Flags: read, Keys: one(access),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key",
			Summary:    "Returns the value of a string.",
			Complexity: "O(1)"},
		{Name: "set", Handler: cmdSet, Arity: -3, Flags: write,
			Keys:  []engine.KeySpec{engine.Key(1, counter|engine.VariableFlags).Noted("RW and ACCESS due to the optional `GET` argument").Depending(setKeyFlags)},
			Group: "string", Categories: cat, Since: "1.0.0",
			Syntax:     "key value [NX | XX | IFEQ match-value | IFNE match-value | IFDEQ match-digest | IFDNE match-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
			Summary:    "Sets a key to a string, whatever it held before. The key's time to live goes unless it is set or kept.",
			Complexity: "O(1)",
			History: []string{
				"2.6.12: The options `EX`, `PX`, `NX` and `XX`.",
				"6.0.0: The option `KEEPTTL`.",
				"6.2.0: The options `GET`, `EXAT` and `PXAT`.",
				"7.0.0: `NX` and `GET` may be combined.",
				"8.4.0: The options `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`.",
			}},
		{Name: "getdel", Handler: cmdGetdel, Arity: 2, Flags: engine.Write | engine.Fast, Keys: one(engine.RW | engine.Access | engine.Delete),
			Group: "string", Categories: cat, Since: "6.2.0", Syntax: "key",
			Summary:    "Returns the value of a string and deletes the key.",
			Complexity: "O(1)"},
		{Name: "getex", Handler: cmdGetex, Arity: -2, Flags: engine.Write | engine.Fast,
			Keys:  []engine.KeySpec{engine.Key(1, counter).Noted("RW and UPDATE because it changes the TTL")},
			Group: "string", Categories: cat, Since: "6.2.0",
			Syntax:     "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
			Summary:    "Returns the value of a string and sets or removes the key's time to live.",
			Complexity: "O(1)"},
		{Name: "getset", Handler: cmdGetset, Arity: 3, Flags: write | engine.Fast, Keys: one(counter),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key value",
			Summary:         "Sets a string and returns the value it had.",
			Complexity:      "O(1)",
			DeprecatedSince: "6.2.0", ReplacedBy: "`SET` with the `!GET` argument"},
		{Name: "getrange", Handler: cmdGetrange, Arity: 4, Flags: engine.ReadOnly, Keys: one(access),
			Group: "string", Categories: cat, Since: "2.4.0", Syntax: "key start end",
			Summary:    "Returns a part of a string.",
			Complexity: "O(N) where N is the length of the part."},
		{Name: "substr", Handler: cmdGetrange, Arity: 4, Flags: engine.ReadOnly, Keys: one(access),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key start end",
			Summary:         "Returns a part of a string.",
			Complexity:      "O(N) where N is the length of the part.",
			DeprecatedSince: "2.0.0", ReplacedBy: "`GETRANGE`"},
		{Name: "setrange", Handler: cmdSetrange, Grows: setrangeGrows, Arity: 4, Flags: write, Keys: one(engine.RW | engine.Update),
			Group: "string", Categories: cat, Since: "2.2.0", Syntax: "key offset value",
			Summary:    "Overwrites a part of a string, growing it with zero bytes if need be.",
			Complexity: "O(N) where N is the length of the value and of the zero bytes before it."},
		{Name: "append", Handler: cmdAppend, Arity: 3, Flags: write | engine.Fast, Keys: one(engine.RW | engine.Insert),
			Group: "string", Categories: cat, Since: "2.0.0", Syntax: "key value",
			Summary:    "Appends to a string, creating it if need be.",
			Complexity: "O(N) where N is the length of the value; a string that has to move costs its own length now and then."},
		{Name: "strlen", Handler: cmdStrlen, Arity: 2, Flags: read, Keys: one(engine.RO),
			Group: "string", Categories: cat, Since: "2.2.0", Syntax: "key",
			Summary:    "Returns the length of a string in bytes.",
			Complexity: "O(1)"},
		{Name: "mget", Handler: cmdMget, Arity: -2, Flags: read, Keys: []engine.KeySpec{engine.KeyRange(1, -1, 1, access)},
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key [key ...]", Tips: []string{"request_policy:multi_shard"},
			Summary:    "Returns the values of several strings at one moment.",
			Complexity: "O(N) where N is the number of keys."},
		{Name: "mset", Handler: cmdMset, Arity: -3, Flags: write, Keys: []engine.KeySpec{engine.KeyRange(1, -1, 2, set)},
			Group: "string", Categories: cat, Since: "1.0.1", Syntax: "key value [key value ...]",
			Tips:       []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
			Summary:    "Sets several strings at one moment.",
			Complexity: "O(N) where N is the number of keys."},
		{Name: "msetnx", Handler: cmdMsetnx, Arity: -3, Flags: write, Keys: []engine.KeySpec{engine.KeyRange(1, -1, 2, engine.OW|engine.Insert)},
			Group: "string", Categories: cat, Since: "1.0.1", Syntax: "key value [key value ...]",
			Tips:       []string{"request_policy:multi_shard", "response_policy:agg_min"},
			Summary:    "Sets several strings at one moment, unless one of the keys exists.",
			Complexity: "O(N) where N is the number of keys."},
		{Name: "msetex", Handler: cmdMsetex, Arity: -4, Flags: write,
			Keys:  []engine.KeySpec{{Flags: set, Pos: 1, Step: 2, ByCount: true, FirstAt: 1}},
			Group: "string", Categories: cat, Since: "8.4.0",
			Syntax:     "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
			Tips:       []string{"request_policy:multi_shard", "response_policy:agg_min"},
			Summary:    "Sets several strings and their times to live at one moment, all or none of them.",
			Complexity: "O(N) where N is the number of keys."},
		{Name: "setnx", Handler: cmdSetnx, Arity: 3, Flags: write | engine.Fast, Keys: one(engine.OW | engine.Insert),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key value",
			Summary:    "Sets a string unless the key exists.",
			Complexity: "O(1)"},
		{Name: "setex", Handler: cmdSetex, Arity: 4, Flags: write, Keys: one(set),
			Group: "string", Categories: cat, Since: "2.0.0", Syntax: "key seconds value",
			Summary:    "Sets a string with a time to live in seconds.",
			Complexity: "O(1)"},
		{Name: "psetex", Handler: cmdPsetex, Arity: 4, Flags: write, Keys: one(set),
			Group: "string", Categories: cat, Since: "2.6.0", Syntax: "key milliseconds value",
			Summary:    "Sets a string with a time to live in milliseconds.",
			Complexity: "O(1)"},
		{Name: "incr", Handler: cmdIncr, Arity: 2, Flags: write | engine.Fast, Keys: one(counter),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key",
			Summary:    "Adds one to an integer; a missing key counts as 0.",
			Complexity: "O(1)"},
		{Name: "incrby", Handler: cmdIncrby, Arity: 3, Flags: write | engine.Fast, Keys: one(counter),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key increment",
			Summary:    "Adds to an integer; a missing key counts as 0.",
			Complexity: "O(1)"},
		{Name: "incrbyfloat", Handler: cmdIncrbyfloat, Arity: 3, Flags: write | engine.Fast, Keys: one(counter),
			Group: "string", Categories: cat, Since: "2.6.0", Syntax: "key increment=double",
			Summary:    "Adds to a floating point number; a missing key counts as 0.",
			Complexity: "O(1)"},
		{Name: "decr", Handler: cmdDecr, Arity: 2, Flags: write | engine.Fast, Keys: one(counter),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key",
			Summary:    "Takes one from an integer; a missing key counts as 0.",
			Complexity: "O(1)"},
		{Name: "decrby", Handler: cmdDecrby, Arity: 3, Flags: write | engine.Fast, Keys: one(counter),
			Group: "string", Categories: cat, Since: "1.0.0", Syntax: "key decrement",
			Summary:    "Takes from an integer; a missing key counts as 0.",
			Complexity: "O(1)"},
		{Name: "delex", Handler: cmdDelex, Arity: -2, Flags: engine.Write | engine.Fast,
			Keys: []engine.KeySpec{engine.Key(1, engine.RM|engine.Access|engine.Delete|engine.VariableFlags).
				Noted("ACCESS due to the optional condition").Depending(delexKeyFlags)},
			Group: "string", Categories: cat, Since: "8.4.0",
			Syntax:     "key [IFEQ match-value | IFNE match-value | IFDEQ match-digest | IFDNE match-digest]",
			Summary:    "Deletes a key, if its value is or is not a given one.",
			Complexity: "O(1), but O(N) for a condition by digest, where N is the length of the value."},
		{Name: "delifeq", Handler: cmdDelifeq, Arity: 3, Flags: engine.Write | engine.Fast, Keys: one(engine.RM | engine.Access | engine.Delete),
			Group: "string", Categories: cat, Since: "9.0.0", Syntax: "key value",
			Summary:    "Deletes a string if it has a given value.",
			Complexity: "O(1)"},
		{Name: "digest", Handler: cmdDigest, Arity: 2, Flags: read, Keys: one(access),
			Group: "string", Categories: cat, Since: "8.4.0", Syntax: "key",
			Summary:    "Returns the digest of a string, by which conditions can be made.",
			Complexity: "O(N) where N is the length of the value."},
		{Name: "cache.getttl", Handler: cmdCacheGetttl, Arity: 2, Flags: read, Keys: one(access),
			Group: "string", Categories: cat, Since: ownSince, Syntax: "key", Tips: []string{"nondeterministic_output"},
			Summary:    "Returns the value of a string and its time to live in milliseconds.",
			Complexity: "O(1)"},
		{Name: "lcs", Handler: cmdLcs, Arity: -3, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.KeyRange(1, 2, 1, access)},
			Group: "string", Categories: cat, Since: "7.0.0", Syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
			Summary:    "Finds the longest common subsequence of two strings.",
			Complexity: "O(N*M/64) where N and M are the lengths of the strings."},
	}
}

// setKeyFlags is what one SET does to its key: it reads it only for GET, and to compare its value,
// which tells something of it.
func setKeyFlags(args [][]byte) engine.KeyFlags {
	for _, a := range args[3:] {
		if len(a) > len("IFDEQ") { // a value to compare with
			continue
		}
		switch strings.ToUpper(string(a)) {
		case "GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE":
			return engine.RW | engine.Access | engine.Update
		}
	}
	return engine.OW | engine.Update
}

func cmdGet(c *engine.Ctx) error {
	v, ok, err := c.GetString(c.Keys[0])
	if err != nil {
		return err
	}
	replyValue(c, v, ok)
	return nil
}

// cmdCacheGetttl answers with an array of the value and of the milliseconds that it has to live, -1 if
// it lives on, or with null. Who keeps a copy of a value needs to know how long it may keep it, and a
// GET with a PTTL behind it may tell of two values. The command is larder's own.
func cmdCacheGetttl(c *engine.Ctx) error {
	e, ok := c.Read(c.Keys[0])
	switch {
	case !ok:
		c.Out.NullArray()
		return nil
	case e.Type() != store.TypeString:
		return store.ErrWrongType
	}
	c.Out.Array(2)
	c.Out.Bulk(e.Bytes())
	if at := e.ExpireAt(); at == 0 {
		c.Out.Int(-1)
	} else {
		c.Out.Int(max(at-c.Now, 0))
	}
	return nil
}

// replyValue answers with a value or with null.
func replyValue(c *engine.Ctx, v []byte, ok bool) {
	if ok {
		c.Out.Bulk(v)
	} else {
		c.Out.Null()
	}
}

func cmdGetrange(c *engine.Ctx) error {
	a := c.Parse(2)
	start, end := a.Int64(), a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	v, _, err := c.GetString(c.Keys[0])
	if err != nil {
		return err
	}
	lo, hi := lex.Span(start, end, len(v))
	c.Out.Bulk(v[lo:hi])
	return nil
}

func cmdStrlen(c *engine.Ctx) error {
	v, _, err := c.GetString(c.Keys[0])
	if err != nil {
		return err
	}
	c.Out.Int(int64(len(v)))
	return nil
}

func cmdMget(c *engine.Ctx) error {
	c.Out.Array(len(c.Keys))
	for _, k := range c.Keys {
		v, ok, err := c.GetString(k)
		replyValue(c, v, ok && err == nil) // another type reads as missing
		c.KeyReplied()
	}
	return nil
}
