package commands

import (
	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// The commands of sorted sets: setting, looking up and removing members. Ranges are in
// zsetrange.go, removing from the ends in zsetpop.go, the algebra of several in zsetalgebra.go.
// What a sorted set is stands in store/zset.go.

func zsetCommands() []engine.Spec {
	const (
		cat    = engine.CatSortedSet
		group  = "sorted-set"
		write  = engine.Write | engine.DenyOOM | engine.Fast
		read   = engine.ReadOnly | engine.Fast
		access = engine.RO | engine.Access
		search = "O(log(N)) where N is the size of the sorted set."
	)
	random := []string{"nondeterministic_output"}
	rows := []engine.Spec{
		{Name: "zadd", Handler: cmdZadd, Arity: -4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Update)},
			Element: 3, Group: group, Categories: cat, Since: "1.2.0",
			Syntax:     "key [NX | XX] [GT | LT] [CH] [INCR] score=double member [score=double member ...]",
			Summary:    "Sets the scores of members of a sorted set, adding those that are not there.",
			Complexity: "O(log(N)) for each member, where N is the size of the sorted set.",
			History: []string{"2.4.0: Several members are accepted.", "3.0.2: The options `XX`, `NX`, `CH` and `INCR` came.",
				"6.2.0: The options `GT` and `LT` came."}},
		{Name: "zincrby", Handler: cmdZincrby, Arity: 4, Flags: write, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Update)},
			Element: 3, Group: group, Categories: cat, Since: "1.2.0", Syntax: "key increment=double member",
			Summary: "Adds to the score of a member; a missing member counts as 0.", Complexity: search},
		{Name: "zrem", Handler: cmdZrem, Arity: -3, Flags: engine.Write | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, engine.RW|engine.Delete)},
			Element: 2, Group: group, Categories: cat, Since: "1.2.0", Syntax: "key member [member ...]",
			Summary:    "Removes members from a sorted set; the last member takes the key with it.",
			Complexity: "O(M*log(N)) where N is the size of the sorted set and M the number of members to remove.",
			History:    []string{"2.4.0: Several members are accepted."}},
		{Name: "zcard", Handler: cmdZcard, Arity: 2, Flags: read, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Group: group, Categories: cat, Since: "1.2.0", Syntax: "key",
			Summary: "Counts the members of a sorted set.", Complexity: "O(1)"},
		{Name: "zscore", Handler: cmdZscore, Arity: 3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: group, Categories: cat, Since: "1.2.0", Syntax: "key member",
			Summary: "Returns the score of one member of a sorted set.", Complexity: "O(1)"},
		{Name: "zmscore", Handler: cmdZmscore, Arity: -3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: group, Categories: cat, Since: "6.2.0", Syntax: "key member [member ...]",
			Summary:    "Returns the scores of several members of a sorted set.",
			Complexity: "O(N) where N is the number of members asked for."},
		{Name: "zrank", Handler: cmdZrank, Arity: -3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: group, Categories: cat, Since: "2.0.0", Syntax: "key member [WITHSCORE]",
			Summary: "Returns how many members of a sorted set come before one of them.", Complexity: search,
			History: []string{"7.2.0: The option `WITHSCORE` came."}},
		{Name: "zrevrank", Handler: cmdZrevrank, Arity: -3, Flags: read, Keys: []engine.KeySpec{engine.Key(1, access)},
			Element: 2, Group: group, Categories: cat, Since: "2.0.0", Syntax: "key member [WITHSCORE]",
			Summary: "Returns how many members of a sorted set come after one of them.", Complexity: search,
			History: []string{"7.2.0: The option `WITHSCORE` came."}},
		{Name: "zrandmember", Handler: cmdZrandmember, Arity: -2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: group, Categories: cat, Since: "6.2.0", Syntax: "key [count [WITHSCORES]]", Tips: random,
			Summary:    "Returns members of a sorted set drawn at random.",
			Complexity: "O(N) where N is the number of members returned."},
		{Name: "zscan", Handler: cmdZscan, Arity: -3, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, access)},
			Group: group, Categories: cat, Since: "2.8.0", Syntax: "key cursor [MATCH pattern] [COUNT count]", Tips: random,
			Summary:    "Walks over the members and scores of a sorted set step by step.",
			Complexity: "O(1) for each step, O(N) for the whole walk."},
	}
	rows = append(rows, zsetRangeCommands()...)
	rows = append(rows, zsetPopCommands()...)
	return append(rows, zsetAlgebraCommands()...)
}

func cmdZadd(c *engine.Ctx) error    { return setScores(c, 0) }
func cmdZincrby(c *engine.Ctx) error { return setScores(c, store.Increment) }

// zaddOptions is what stands before the scores. Redis reads ZINCRBY with the same code, so that
// ZINCRBY key NX member is a syntax error there and here.
func zaddOptions(a *engine.Args, rule store.ScoreRule) (_ store.ScoreRule, countChanged bool) {
	for {
		switch {
		case a.Match("NX"):
			rule |= store.OnlyNew
		case a.Match("XX"):
			rule |= store.OnlyKnown
		case a.Match("GT"):
			rule |= store.OnlyGreater
		case a.Match("LT"):
			rule |= store.OnlyLess
		case a.Match("CH"):
			countChanged = true
		case a.Match("INCR"):
			rule |= store.Increment
		default:
			return rule, countChanged
		}
	}
}

// checkRule is what options may not stand together, in Redis' order.
func checkRule(rule store.ScoreRule, pairs int) error {
	has := func(r store.ScoreRule) bool { return rule&r == r }
	switch {
	case has(store.OnlyNew | store.OnlyKnown):
		return engine.ErrXXWithNX
	case has(store.OnlyGreater | store.OnlyNew), has(store.OnlyLess | store.OnlyNew),
		has(store.OnlyGreater | store.OnlyLess):
		return engine.ErrGTLTWithNX
	case has(store.Increment) && pairs > 1:
		return engine.ErrIncrPair
	}
	return nil
}

// setScores is ZADD and ZINCRBY. All scores are read before anything is changed.
func setScores(c *engine.Ctx, rule store.ScoreRule) error {
	a := c.Parse(2)
	rule, countChanged := zaddOptions(a, rule)
	pairs := a.Rest()
	if len(pairs) == 0 || len(pairs)%2 != 0 {
		return engine.ErrSyntax
	}
	if err := checkRule(rule, len(pairs)/2); err != nil {
		return err
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := lex.ParseFloat(pairs[i]); !ok {
			return engine.ErrNotFloat
		}
	}
	// To read the scores a second time costs less than a list of them.
	n, err := c.SetScores(c.Keys[0], len(pairs)/2, func(i int) store.Scored {
		score, _ := lex.ParseFloat(pairs[2*i])
		return store.Scored{Member: pairs[2*i+1], Score: score}
	}, rule)
	switch {
	case err != nil:
		return err
	case n.Last == store.ScoreNaN:
		return engine.ErrScoreNaN
	case rule&store.Increment != 0 && n.Last == store.ScoreRefused:
		c.Out.Null()
	case rule&store.Increment != 0:
		c.Out.Double(n.Score)
	case countChanged:
		c.Out.Int(int64(n.Added + n.Updated))
	default:
		c.Out.Int(int64(n.Added))
	}
	return nil
}

func cmdZrem(c *engine.Ctx) error {
	z, ok, err := c.WriteZset(c.Keys[0])
	if err != nil {
		return err
	}
	removed := 0
	if ok {
		removed = z.Remove(c.Args[2:])
	}
	c.Out.Int(int64(removed))
	return nil
}

func cmdZcard(c *engine.Ctx) error {
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	n := 0
	if ok {
		n = z.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func cmdZscore(c *engine.Ctx) error {
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	replyScore(c.Out, &z, ok, c.Args[2])
	return nil
}

func cmdZmscore(c *engine.Ctx) error {
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	members := c.Args[2:]
	c.Out.Array(len(members))
	for _, m := range members {
		replyScore(c.Out, &z, ok, m)
	}
	return nil
}

// replyScore writes a member's score, or the null if there is none.
func replyScore(out *protocol.Writer, z *store.Zset, exists bool, member []byte) {
	if exists {
		if score, ok := z.Score(member); ok {
			out.Double(score)
			return
		}
	}
	out.Null()
}

func cmdZrank(c *engine.Ctx) error    { return replyRank(c, false) }
func cmdZrevrank(c *engine.Ctx) error { return replyRank(c, true) }

func replyRank(c *engine.Ctx, fromEnd bool) error {
	withScore := false
	if len(c.Args) > 4 {
		return engine.ErrArity(c.Spec)
	} else if len(c.Args) == 4 {
		if withScore = c.Parse(3).Match("WITHSCORE"); !withScore {
			return engine.ErrSyntax
		}
	}
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	rank, score := 0, 0.0
	if ok {
		rank, score, ok = z.Rank(c.Args[2])
	}
	if ok && fromEnd {
		rank = z.Len() - 1 - rank
	}
	switch {
	case !ok && withScore:
		c.Out.NullArray()
	case !ok:
		c.Out.Null()
	case withScore:
		c.Out.Array(2)
		c.Out.Int(int64(rank))
		c.Out.Double(score)
	default:
		c.Out.Int(int64(rank))
	}
	return nil
}

func cmdZrandmember(c *engine.Ctx) error {
	if len(c.Args) > 2 {
		return randomScored(c)
	}
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	z.Repeat(1, func(member []byte, _ float64) bool {
		c.Out.Bulk(member)
		return true
	})
	return nil
}

// randomScored is ZRANDMEMBER with a count.
func randomScored(c *engine.Ctx) error {
	count, withScores, err := randomOptions(c, "WITHSCORES")
	if err != nil {
		return err
	}
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Array(0)
		return nil
	}
	n, err := randomReplySize(c, count, z.Len())
	if err != nil {
		return err
	}
	out := c.Out
	scoredArray(out, n, withScores)
	drawn := beginDraws(c, count, n)
	emit := func(member []byte, score float64) bool {
		replyScored(out, member, score, withScores)
		return drawn.goOn()
	}
	if count > 0 {
		z.Sample(n, emit)
	} else {
		z.Repeat(n, emit)
	}
	return drawn.err
}

// scoredArray begins an array of n members: with their scores it has twice the elements in RESP2,
// and pairs in RESP3.
func scoredArray(out *protocol.Writer, n int, withScores bool) {
	if withScores && !out.RESP3() {
		n *= 2
	}
	out.Array(n)
}

// replyScored writes one member of such an array.
func replyScored(out *protocol.Writer, member []byte, score float64, withScores bool) {
	if withScores && out.RESP3() {
		out.Array(2)
	}
	out.Bulk(member)
	if withScores {
		out.Double(score)
	}
}

func cmdZscan(c *engine.Ctx) error {
	s, err := parseCursor(c, 2)
	if err != nil {
		return err
	}
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		s.replyNone(c)
		return nil
	}
	if err := s.parseOptions(c, false); err != nil {
		return err
	}
	s.begin(c)
	// Redis prints the scores of a large sorted set as long doubles here, with 17 digits.
	printed := protocol.FormatDouble
	if !z.Packed() {
		printed = lex.AppendFloat
	}
	var digits [lex.FloatSize]byte
	next := z.Scan(s.cursor, s.count, func(member []byte, score float64) {
		if s.match(member) {
			s.emit(member)
			s.emit(printed(digits[:0], score))
		}
	})
	s.end(next)
	return nil
}
