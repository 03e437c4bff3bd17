package commands

import (
	"math"
	"slices"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// The commands of single sets, and SMOVE. The algebra of several sets is in
// setalgebra.go; what a set is stands in store/set.go.

func setCommands() []engine.Spec {
	const (
		cat    = engine.CatSet
		read   = engine.ReadOnly | engine.Fast
		access = engine.RO | engine.Access
	)
	random := []string{"nondeterministic_output"}
	return append([]engine.Spec{
		{Name: "sadd", Handler: cmdSadd, Arity: -3, Flags: engine.Write | engine.DenyOOM | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Insert)},
			Element: 2, Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key member [member ...]",
			Summary:    "Adds members to a set, creating it if need be.",
			Complexity: "O(N) where N is the number of members to add.",
			History:    []string{"2.4.0: Several members are accepted."}},
		{Name: "srem", Handler: cmdSrem, Arity: -3, Flags: engine.Write | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Delete)},
			Element: 2, Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key member [member ...]",
			Summary:    "Removes members from a set; the last member takes the key with it.",
			Complexity: "O(N) where N is the number of members to remove.",
			History:    []string{"2.4.0: Several members are accepted."}},
		{Name: "smembers", Handler: cmdSmembers, Arity: 2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key", Tips: []string{"nondeterministic_output_order"},
			Summary:    "Returns all members of a set.",
			Complexity: "O(N) where N is the size of the set."},
		{Name: "sismember", Handler: cmdSismember, Arity: 3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Element: 2, Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key member",
			Summary:    "Tells whether a set has a member.",
			Complexity: "O(1)"},
		{Name: "smismember", Handler: cmdSmismember, Arity: -3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: "set", Categories: cat, Since: "6.2.0", Syntax: "key member [member ...]",
			Summary:    "Tells for each of several members whether a set has it.",
			Complexity: "O(N) where N is the number of members asked for."},
		{Name: "scard", Handler: cmdScard, Arity: 2, Flags: read, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key",
			Summary:    "Counts the members of a set.",
			Complexity: "O(1)"},
		{Name: "spop", Handler: cmdSpop, Arity: -2, Flags: engine.Write | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Delete)},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key [count]", Tips: random,
			Summary:    "Removes members drawn at random and returns them.",
			Complexity: "O(N) where N is the number of members drawn.",
			History:    []string{"3.2.0: The count can be given."}},
		{Name: "srandmember", Handler: cmdSrandmember, Arity: -2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key [count]", Tips: random,
			Summary:    "Returns members drawn at random.",
			Complexity: "O(N) where N is the number of members returned.",
			History:    []string{"2.6.0: The count can be given."}},
		{Name: "smove", Handler: cmdSmove, Arity: 4, Flags: engine.Write | engine.Fast,
			Keys:  []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Delete), engine.Key(2, engine.RW|engine.Insert)},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "source destination member",
			Summary:    "Moves a member from one set to another.",
			Complexity: "O(1)"},
		{Name: "sscan", Handler: cmdSscan, Arity: -3, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: "set", Categories: cat, Since: "2.8.0", Syntax: "key cursor [MATCH pattern] [COUNT count]", Tips: random,
			Summary:    "Walks over the members of a set step by step.",
			Complexity: "O(1) for each step, O(N) for the whole walk."},
	}, setAlgebraCommands()...)
}

func cmdSadd(c *engine.Ctx) error {
	added, revived, err := addMembers(c, c.Keys[0], c.Args[2:])
	if err != nil {
		return err
	}
	if revived {
		c.Effect(c.Args...)
	}
	c.Out.Int(int64(added))
	return nil
}

func cmdSrem(c *engine.Ctx) error {
	s, ok, err := c.WriteSet(c.Keys[0])
	if err != nil {
		return err
	}
	removed := 0
	if ok {
		removed = s.Remove(c.Args[2:])
	}
	c.Out.Int(int64(removed))
	return nil
}

func cmdSmembers(c *engine.Ctx) error {
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Set(0)
		return nil
	}
	c.Out.Set(s.LiveLen())
	out := c.Out
	s.Each(func(member []byte) bool {
		out.Bulk(member)
		return true
	})
	return nil
}

func cmdSismember(c *engine.Ctx) error {
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	c.Out.Int(flag(ok && s.Has(c.Args[2])))
	return nil
}

func cmdSmismember(c *engine.Ctx) error {
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	members := c.Args[2:]
	c.Out.Array(len(members))
	for _, m := range members {
		c.Out.Int(flag(ok && s.Has(m)))
	}
	return nil
}

func cmdScard(c *engine.Ctx) error {
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	n := 0
	if ok {
		n = s.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func cmdSpop(c *engine.Ctx) error {
	if len(c.Args) > 2 {
		return popMembers(c)
	}
	s, ok, err := c.WriteSet(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	popped := false
	s.Pop(1, func(member []byte) {
		c.Out.Bulk(member)
		c.Effect([]byte("SREM"), c.Args[1], member)
		popped = true
	})
	if !popped { // all have expired
		c.Out.Null()
	}
	return nil
}

// popMembers is SPOP with a count.
func popMembers(c *engine.Ctx) error {
	a := c.Parse(2)
	if a.Left() > 1 {
		return engine.ErrSyntax
	}
	count := a.IntRange(0, math.MaxInt64, string(engine.ErrPositive))
	if err := a.Err(); err != nil {
		return err
	}
	s, ok, err := c.WriteSet(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok || count == 0 {
		c.Out.Set(0)
		return nil
	}
	n := int(min(count, int64(s.LiveLen())))
	c.Out.Set(n)
	switch {
	case n == 0: // all have expired
	case n == s.Len():
		c.Hits++ // Redis reads the whole set as SUNION would
		c.Effect([]byte("DEL"), c.Args[1])
		s.Pop(n, c.Out.Bulk)
	case c.Logged():
		var popped memberList
		s.Pop(n, func(member []byte) {
			c.Out.Bulk(member)
			popped.add(member)
		})
		popped.effect(c)
	default:
		s.Pop(n, c.Out.Bulk)
	}
	return nil
}

// memberList is members that a set no longer has, one behind the other.
type memberList struct {
	bytes []byte
	ends  []int
}

func (l *memberList) add(member []byte) {
	l.bytes = append(l.bytes, member...)
	l.ends = append(l.ends, len(l.bytes))
}

// removedAtOnce is the most members that one logged SREM has, as in Redis.
const removedAtOnce = 1024

// effect says that the members have been removed from the command's set.
func (l *memberList) effect(c *engine.Ctx) {
	from := 0
	for ends := range slices.Chunk(l.ends, removedAtOnce) {
		words := append(make([][]byte, 0, 2+len(ends)), []byte("SREM"), c.Args[1])
		for _, end := range ends {
			words = append(words, l.bytes[from:end])
			from = end
		}
		c.Effect(words...)
	}
}

func cmdSrandmember(c *engine.Ctx) error {
	if len(c.Args) > 2 {
		return randomMembers(c)
	}
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	var drawn []byte
	s.Repeat(1, func(member []byte) bool {
		drawn = member
		return true
	})
	replyValue(c, drawn, drawn != nil) // not if all have expired
	return nil
}

// randomMembers is SRANDMEMBER with a count.
func randomMembers(c *engine.Ctx) error {
	if len(c.Args) > 3 {
		return engine.ErrSyntax
	}
	count, err := randomCount(c.Args[2])
	if err != nil {
		return err
	}
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Array(0)
		return nil
	}
	size := s.LiveLen()
	if size == 0 {
		count = 0
	}
	n, err := randomReplySize(c, count, size)
	if err != nil {
		return err
	}
	out := c.Out
	out.Array(n)
	drawn := beginDraws(c, count, n)
	emit := func(member []byte) bool {
		out.Bulk(member)
		return drawn.goOn()
	}
	if count > 0 {
		s.Sample(n, emit)
	} else {
		s.Repeat(n, emit)
	}
	return drawn.err
}

func cmdSmove(c *engine.Ctx) error {
	// The destination first: looking for it may remove an expired key, and the
	// handle of the source must not be older than that.
	_, _, wrongType := c.WriteSet(c.Keys[1])
	source, ok, err := c.WriteSet(c.Keys[0])
	switch {
	case err != nil:
		return err
	case !ok:
		c.Out.Int(0)
		return nil
	case wrongType != nil:
		return wrongType
	}
	member := c.Args[3:4]
	if string(c.Args[1]) == string(c.Args[2]) {
		c.Out.Int(flag(source.Has(member[0])))
		return nil
	}
	at, ok := source.Expiry(member[0])
	if !ok {
		c.Out.Int(0)
		return nil
	}
	source.Remove(member)
	added, revived, err := addMembers(c, c.Keys[1], member)
	if err != nil {
		return err
	}
	if revived {
		c.Effect(c.Args...)
	}
	if added > 0 && at != 0 {
		c.DateElements(c.Keys[1], store.TypeSet, member, 1, []int64{at})
	}
	c.Out.Int(1)
	return nil
}

func cmdSscan(c *engine.Ctx) error {
	scan, err := parseCursor(c, 2)
	if err != nil {
		return err
	}
	s, ok, err := c.ReadSet(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		scan.replyNone(c)
		return nil
	}
	if err := scan.parseOptions(c, false); err != nil {
		return err
	}
	scan.begin(c)
	next := s.Scan(scan.cursor, scan.count, func(member []byte) {
		if scan.match(member) {
			scan.emit(member)
		}
	})
	scan.end(next)
	return nil
}
