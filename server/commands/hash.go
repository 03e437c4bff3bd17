package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// The commands of hashes. What a hash is stands in store/hash.go; here are its
// requests, replies and errors, in the order in which Redis checks them.

func hashCommands() []engine.Spec {
	const (
		cat    = engine.CatHash
		write  = engine.Write | engine.DenyOOM | engine.Fast
		read   = engine.ReadOnly | engine.Fast
		access = engine.RO | engine.Access
	)
	unordered := []string{"nondeterministic_output_order"}
	random := []string{"nondeterministic_output"}
	return []engine.Spec{
		{Name: "hset", Handler: cmdHset, Arity: -4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Update)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field value [field value ...]",
			Summary:    "Sets fields of a hash, creating it if need be.",
			Complexity: "O(N) where N is the number of fields set.",
			History:    []string{"4.0.0: Several field and value pairs are accepted."}},
		{Name: "hmset", Handler: cmdHmset, Arity: -4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Update)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field value [field value ...]",
			Summary:         "Sets fields of a hash and answers OK.",
			Complexity:      "O(N) where N is the number of fields set.",
			DeprecatedSince: "4.0.0", ReplacedBy: "`HSET` with multiple field-value pairs"},
		{Name: "hsetnx", Handler: cmdHsetnx, Arity: 4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Insert)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field value",
			Summary:    "Sets a field of a hash unless the field is there already.",
			Complexity: "O(1)"},
		{Name: "hget", Handler: cmdHget, Arity: 3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field",
			Summary:    "Returns the value of one field of a hash.",
			Complexity: "O(1)"},
		{Name: "hmget", Handler: cmdHmget, Arity: -3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field [field ...]",
			Summary:    "Returns the values of several fields of a hash.",
			Complexity: "O(N) where N is the number of fields asked for."},
		{Name: "hgetall", Handler: cmdHgetall, Arity: 2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key", Tips: unordered,
			Summary:    "Returns all fields and values of a hash.",
			Complexity: "O(N) where N is the size of the hash."},
		{Name: "hdel", Handler: cmdHdel, Arity: -3, Flags: engine.Write | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Delete)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field [field ...]",
			Summary:    "Removes fields from a hash; the last field takes the key with it.",
			Complexity: "O(N) where N is the number of fields to remove.",
			History:    []string{"2.4.0: Several fields are accepted."}},
		{Name: "hlen", Handler: cmdHlen, Arity: 2, Flags: read, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key",
			Summary:    "Counts the fields of a hash.",
			Complexity: "O(1)"},
		{Name: "hstrlen", Handler: cmdHstrlen, Arity: 3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Element: 2, Group: "hash", Categories: cat, Since: "3.2.0", Syntax: "key field",
			Summary:    "Returns the length in bytes of a field's value.",
			Complexity: "O(1)"},
		{Name: "hexists", Handler: cmdHexists, Arity: 3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field",
			Summary:    "Tells whether a hash has a field.",
			Complexity: "O(1)"},
		{Name: "hkeys", Handler: cmdHkeys, Arity: 2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key", Tips: unordered,
			Summary:    "Returns all fields of a hash.",
			Complexity: "O(N) where N is the size of the hash."},
		{Name: "hvals", Handler: cmdHvals, Arity: 2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key", Tips: unordered,
			Summary:    "Returns all values of a hash.",
			Complexity: "O(N) where N is the size of the hash."},
		{Name: "hincrby", Handler: cmdHincrby, Arity: 4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Update)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.0.0", Syntax: "key field increment",
			Summary:    "Adds an integer to a field; a missing field counts as 0.",
			Complexity: "O(1)"},
		{Name: "hincrbyfloat", Handler: cmdHincrbyfloat, Arity: 4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Update)},
			Element: 2, Group: "hash", Categories: cat, Since: "2.6.0", Syntax: "key field increment=double",
			Summary:    "Adds a floating point number to a field; a missing field counts as 0.",
			Complexity: "O(1)"},
		{Name: "hrandfield", Handler: cmdHrandfield, Arity: -2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "hash", Categories: cat, Since: "6.2.0", Syntax: "key [count [WITHVALUES]]", Tips: random,
			Summary:    "Returns fields of a hash drawn at random.",
			Complexity: "O(N) where N is the number of fields returned."},
		{Name: "hscan", Handler: cmdHscan, Arity: -3, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "hash", Categories: cat, Since: "2.8.0", Syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]", Tips: random,
			Summary:    "Walks over the fields and values of a hash step by step.",
			Complexity: "O(1) for each step, O(N) for the whole walk."},
	}
}

// setFields is HSET and HMSET without their reply.
func setFields(c *engine.Ctx) (created int, err error) {
	if len(c.Args)%2 != 0 {
		return 0, engine.ErrArity(c.Spec)
	}
	return c.SetFields(c.Keys[0], c.Args[2:])
}

func cmdHset(c *engine.Ctx) error {
	created, err := setFields(c)
	if err != nil {
		return err
	}
	c.Out.Int(int64(created))
	return nil
}

func cmdHmset(c *engine.Ctx) error {
	if _, err := setFields(c); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func cmdHsetnx(c *engine.Ctx) error {
	h, ok, err := c.WriteHash(c.Keys[0])
	if err != nil {
		return err
	}
	if ok {
		if _, found := h.Get(c.Args[2]); found {
			c.Out.Int(0)
			return nil
		}
	}
	dead := ok && h.Dead(c.Args[2])
	if err := setField(c, &h, ok, c.Args[3], store.EventHSet); err != nil {
		return err
	}
	if dead {
		c.Effect([]byte("HSET"), c.Args[1], c.Args[2], c.Args[3])
	}
	c.Out.Int(1)
	return nil
}

// setField stores one value under Args[2], in h if the hash exists and in a new
// hash if it does not. ev is the command's event.
func setField(c *engine.Ctx, h *store.Hash, exists bool, value []byte, ev store.Event) error {
	if exists {
		h.Set(c.Args[2], value, ev)
		return nil
	}
	return c.SetField(c.Keys[0], c.Args[2], value, ev)
}

func cmdHget(c *engine.Ctx) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if ok {
		if value, found := h.Get(c.Args[2]); found {
			c.Out.Bulk(value)
			return nil
		}
	}
	c.Out.Null()
	return nil
}

func cmdHmget(c *engine.Ctx) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	fields := c.Args[2:]
	c.Out.Array(len(fields))
	for _, field := range fields {
		value, found := []byte(nil), false
		if ok {
			value, found = h.Get(field)
		}
		if found {
			c.Out.Bulk(value)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

func cmdHgetall(c *engine.Ctx) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Map(0)
		return nil
	}
	c.Out.Map(h.LiveLen())
	out := c.Out
	h.Each(func(field, value []byte) {
		out.Bulk(field)
		out.Bulk(value)
	})
	return nil
}

func cmdHkeys(c *engine.Ctx) error {
	out := c.Out
	return replyEachField(c, func(field, _ []byte) { out.Bulk(field) })
}

func cmdHvals(c *engine.Ctx) error {
	out := c.Out
	return replyEachField(c, func(_, value []byte) { out.Bulk(value) })
}

// replyEachField answers with an array of what fn writes of each field.
func replyEachField(c *engine.Ctx, fn func(field, value []byte)) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Array(0)
		return nil
	}
	c.Out.Array(h.LiveLen())
	h.Each(fn)
	return nil
}

func cmdHdel(c *engine.Ctx) error {
	h, ok, err := c.WriteHash(c.Keys[0])
	if err != nil {
		return err
	}
	removed := 0
	if ok {
		removed = h.Delete(c.Args[2:])
	}
	c.Out.Int(int64(removed))
	return nil
}

func cmdHlen(c *engine.Ctx) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	n := 0
	if ok {
		n = h.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func cmdHstrlen(c *engine.Ctx) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	n := 0
	if ok {
		value, _ := h.Get(c.Args[2])
		n = len(value)
	}
	c.Out.Int(int64(n))
	return nil
}

func cmdHexists(c *engine.Ctx) error {
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if ok {
		_, ok = h.Get(c.Args[2])
	}
	c.Out.Int(flag(ok))
	return nil
}

// flag is the integer with which RESP2 and RESP3 alike answer yes or no.
func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func cmdHincrby(c *engine.Ctx) error {
	by, isInt := lex.ParseInt(c.Args[3])
	if !isInt {
		return engine.ErrNotInteger
	}
	h, ok, err := c.WriteHash(c.Keys[0])
	if err != nil {
		return err
	}
	var n int64
	if ok {
		if value, found := h.Get(c.Args[2]); found {
			if n, isInt = lex.ParseInt(value); !isInt {
				return engine.ErrHashNotInteger
			}
		}
	}
	if by < 0 && n < math.MinInt64-by || by > 0 && n > math.MaxInt64-by {
		return engine.ErrOverflow
	}
	n += by
	var digits [20]byte
	text, dead := strconv.AppendInt(digits[:0], n, 10), ok && h.Dead(c.Args[2])
	if err := setField(c, &h, ok, text, store.EventHIncrBy); err != nil {
		return err
	}
	if dead {
		c.Effect([]byte("HSET"), c.Args[1], c.Args[2], text)
	}
	c.Out.Int(n)
	return nil
}

func cmdHincrbyfloat(c *engine.Ctx) error {
	by, isFloat := lex.ParseExtended(c.Args[3])
	if !isFloat {
		return engine.ErrNotFloat
	}
	if _, finite := (lex.Extended{}).Add(by); !finite {
		return engine.ErrIncrInfinity
	}
	h, ok, err := c.WriteHash(c.Keys[0])
	if err != nil {
		return err
	}
	var n lex.Extended
	if ok {
		if value, found := h.Get(c.Args[2]); found {
			if n, isFloat = lex.ParseExtended(value); !isFloat {
				return engine.ErrHashNotFloat
			}
		}
	}
	sum, finite := n.Add(by)
	if !finite {
		return engine.ErrNaNOrInfinity
	}
	var buf [64]byte
	text := sum.Append(buf[:0])
	keeps := false
	if ok {
		at, there := h.Expiry(c.Args[2])
		keeps = there && at != 0
	}
	if err := setField(c, &h, ok, text, store.EventHIncrByFloat); err != nil {
		return err
	}
	if keeps { // as Redis 8 logs it
		c.Effect([]byte("HSETEX"), c.Args[1], []byte("KEEPTTL"), []byte("FIELDS"), []byte("1"), c.Args[2], text)
	} else {
		c.Effect([]byte("HSET"), c.Args[1], c.Args[2], text)
	}
	c.Out.Bulk(text)
	return nil
}

func cmdHrandfield(c *engine.Ctx) error {
	if len(c.Args) > 2 {
		return randomFields(c)
	}
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	field, _ := h.Random()
	replyValue(c, field, field != nil)
	return nil
}

// randomFields is HRANDFIELD with a count.
func randomFields(c *engine.Ctx) error {
	count, withValues, err := randomOptions(c, "WITHVALUES")
	if err != nil {
		return err
	}
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Array(0)
		return nil
	}
	size := h.LiveLen()
	if size == 0 {
		count = 0
	}
	n, err := randomReplySize(c, count, size)
	if err != nil {
		return err
	}
	out := c.Out
	nested := withValues && out.RESP3()
	if withValues && !nested {
		out.Array(2 * n)
	} else {
		out.Array(n)
	}
	drawn := beginDraws(c, count, n)
	emit := func(field, value []byte) bool {
		if nested {
			out.Array(2)
		}
		out.Bulk(field)
		if withValues {
			out.Bulk(value)
		}
		return drawn.goOn()
	}
	if count > 0 {
		h.Sample(n, emit)
	} else {
		h.Repeat(n, emit)
	}
	return drawn.err
}

func cmdHscan(c *engine.Ctx) error {
	s, err := parseCursor(c, 2)
	if err != nil {
		return err
	}
	h, ok, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		s.replyNone(c)
		return nil
	}
	if err := s.parseOptions(c, true); err != nil {
		return err
	}
	s.begin(c)
	next := h.Scan(s.cursor, s.count, func(field, value []byte) {
		if !s.match(field) {
			return
		}
		s.emit(field)
		if !s.noValues {
			s.emit(value)
		}
	})
	s.end(next)
	return nil
}
