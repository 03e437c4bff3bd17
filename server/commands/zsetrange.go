package commands

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Ranges of sorted sets. ZRANGE has options for all that the older commands do by their names, so
// one parser serves all of them; what is fixed by a name is not read as an option. Every range
// becomes a range of ranks, which is then written, counted, stored or removed.

func zsetRangeCommands() []engine.Spec {
	const (
		cat   = engine.CatSortedSet
		group = "sorted-set"
		walk  = "O(log(N)+M) where N is the size of the sorted set and M the number of members returned."
		purge = "O(log(N)+M) where N is the size of the sorted set and M the number of members removed."
		count = "O(log(N)) where N is the size of the sorted set."
	)
	read := []engine.KeySpec{engine.Key(1, engine.RO|engine.Access)}
	remove := []engine.KeySpec{engine.Key(1, engine.RW|engine.Delete)}
	storing := []engine.KeySpec{engine.Key(1, engine.OW|engine.Update), engine.Key(2, engine.RO|engine.Access)}
	return []engine.Spec{
		{Name: "zrange", Handler: cmdZrange, Arity: -4, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "1.2.0",
			Syntax:  "key start=string stop=string [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
			Summary: "Returns a range of members of a sorted set.", Complexity: walk,
			History: []string{"6.2.0: The options `REV`, `BYSCORE`, `BYLEX` and `LIMIT` came."}},
		{Name: "zrangestore", Handler: cmdZrangestore, Arity: -5, Flags: engine.Write | engine.DenyOOM, Keys: storing,
			Group: group, Categories: cat, Since: "6.2.0",
			Syntax:     "dst=key src=key min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
			Summary:    "Stores a range of members of a sorted set under another key.",
			Complexity: "O(log(N)+M) where N is the size of the sorted set and M the number of members stored."},
		{Name: "zrevrange", Handler: cmdZrevrange, Arity: -4, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "1.2.0", Syntax: "key start stop [WITHSCORES]",
			Summary: "Returns a range of members by rank, the highest score first.", Complexity: walk,
			DeprecatedSince: "6.2.0", ReplacedBy: "`ZRANGE` with the `REV` argument"},
		{Name: "zrangebyscore", Handler: cmdZrangebyscore, Arity: -4, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "1.0.5", Syntax: "key min=double max=double [WITHSCORES] [LIMIT offset count]",
			Summary: "Returns the members whose scores are in a range.", Complexity: walk,
			DeprecatedSince: "6.2.0", ReplacedBy: "`ZRANGE` with the `BYSCORE` argument",
			History: []string{"2.0.0: The option `WITHSCORES` came."}},
		{Name: "zrevrangebyscore", Handler: cmdZrevrangebyscore, Arity: -4, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "2.2.0", Syntax: "key max=double min=double [WITHSCORES] [LIMIT offset count]",
			Summary: "Returns the members whose scores are in a range, the highest score first.", Complexity: walk,
			DeprecatedSince: "6.2.0", ReplacedBy: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
			History: []string{"2.1.6: The ends of the range may be exclusive."}},
		{Name: "zrangebylex", Handler: cmdZrangebylex, Arity: -4, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "2.8.9", Syntax: "key min max [LIMIT offset count]",
			Summary: "Returns the members whose names are in a range, of a sorted set where all scores are equal.", Complexity: walk,
			DeprecatedSince: "6.2.0", ReplacedBy: "`ZRANGE` with the `BYLEX` argument"},
		{Name: "zrevrangebylex", Handler: cmdZrevrangebylex, Arity: -4, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "2.8.9", Syntax: "key max min [LIMIT offset count]",
			Summary: "Returns the members whose names are in a range, the last name first.", Complexity: walk,
			DeprecatedSince: "6.2.0", ReplacedBy: "`ZRANGE` with the `REV` and `BYLEX` arguments"},
		{Name: "zcount", Handler: cmdZcount, Arity: 4, Flags: engine.ReadOnly | engine.Fast, Keys: read,
			Group: group, Categories: cat, Since: "2.0.0", Syntax: "key min=double max=double",
			Summary: "Counts the members whose scores are in a range.", Complexity: count},
		{Name: "zlexcount", Handler: cmdZlexcount, Arity: 4, Flags: engine.ReadOnly | engine.Fast, Keys: read,
			Group: group, Categories: cat, Since: "2.8.9", Syntax: "key min max",
			Summary: "Counts the members whose names are in a range.", Complexity: count},
		{Name: "zremrangebyrank", Handler: cmdZremrangebyrank, Arity: 4, Flags: engine.Write, Keys: remove,
			Group: group, Categories: cat, Since: "2.0.0", Syntax: "key start stop",
			Summary: "Removes the members in a range of ranks.", Complexity: purge},
		{Name: "zremrangebyscore", Handler: cmdZremrangebyscore, Arity: 4, Flags: engine.Write, Keys: remove,
			Group: group, Categories: cat, Since: "1.2.0", Syntax: "key min=double max=double",
			Summary: "Removes the members whose scores are in a range.", Complexity: purge},
		{Name: "zremrangebylex", Handler: cmdZremrangebylex, Arity: 4, Flags: engine.Write, Keys: remove,
			Group: group, Categories: cat, Since: "2.8.9", Syntax: "key min max",
			Summary: "Removes the members whose names are in a range.", Complexity: purge},
	}
}

// rangeKind is what the ends of a range are.
type rangeKind uint8

const (
	byRank rangeKind = iota
	byScore
	byName
)

// zrange is a range as a request names it.
type zrange struct {
	kind          rangeKind
	reverse       bool
	withScores    bool
	offset, limit int64 // limit < 0: none

	start, stop int64 // by rank
	scores      store.ScoreRange
	names       store.LexRange
}

// zrangeShape says what the command's name fixes.
type zrangeShape struct {
	kind    rangeKind
	reverse bool
	auto    bool // kind and direction are options
	store   bool // there is no WITHSCORES
}

// parseRange reads a range from args[at], args[at+1] and the options behind them, in the order in
// which Redis finds errors.
func parseRange(c *engine.Ctx, at int, shape zrangeShape) (r zrange, err error) {
	r.kind, r.reverse, r.limit = shape.kind, shape.reverse, -1
	a := c.Parse(at + 2)
	fixed := !shape.auto
	for !a.Done() {
		switch {
		case !shape.store && a.Match("WITHSCORES"):
			r.withScores = true
		case a.Left() > 2 && a.Match("LIMIT"):
			r.offset, r.limit = a.Int64(), a.Int64()
		case shape.auto && !r.reverse && a.Match("REV"):
			r.reverse = true
		case !fixed && a.Match("BYLEX"):
			r.kind, fixed = byName, true
		case !fixed && a.Match("BYSCORE"):
			r.kind, fixed = byScore, true
		default:
			a.Syntax()
		}
	}
	switch {
	case a.Err() != nil:
		return r, a.Err()
	case r.limit != -1 && r.kind == byRank:
		return r, engine.ErrLimitByRank
	case r.withScores && r.kind == byName:
		return r, engine.ErrScoresByLex
	}
	return r, r.parseEnds(c.Args[at], c.Args[at+1])
}

// parseEnds reads the two ends. A reversed range by score or name begins with the upper one.
func (r *zrange) parseEnds(first, second []byte) error {
	if r.reverse && r.kind != byRank {
		first, second = second, first
	}
	var ok bool
	switch r.kind {
	case byRank:
		if r.start, ok = lex.ParseInt(first); ok {
			r.stop, ok = lex.ParseInt(second)
		}
		if !ok {
			return engine.ErrNotInteger
		}
	case byScore:
		if r.scores, ok = parseScoreRange(first, second); !ok {
			return engine.ErrScoreRange
		}
	case byName:
		if r.names, ok = parseLexRange(first, second); !ok {
			return engine.ErrLexRange
		}
	}
	return nil
}

// parseScoreRange reads the two ends of a range of scores; "(" in front makes one exclusive.
func parseScoreRange(lower, upper []byte) (r store.ScoreRange, ok bool) {
	if r.Min, r.MinExcl, ok = parseScoreBound(lower); !ok {
		return r, false
	}
	r.Max, r.MaxExcl, ok = parseScoreBound(upper)
	return r, ok
}

func parseScoreBound(b []byte) (score float64, excl, ok bool) {
	if excl = len(b) > 0 && b[0] == '('; excl {
		b = b[1:]
	}
	score, ok = lex.ParseBound(b)
	return score, excl, ok
}

// parseLexRange reads the two ends of a range of names: "[name", "(name", "-" or "+".
func parseLexRange(lower, upper []byte) (r store.LexRange, ok bool) {
	if r.Min, ok = parseLexBound(lower); !ok {
		return r, false
	}
	r.Max, ok = parseLexBound(upper)
	return r, ok
}

func parseLexBound(b []byte) (bound store.LexBound, ok bool) {
	if len(b) == 0 {
		return bound, false
	}
	switch end := len(b) == 1 || b[1] == 0; b[0] { // Redis takes a NUL for the end of the text
	case '-':
		bound.Inf = -1
		return bound, end
	case '+':
		bound.Inf = 1
		return bound, end
	case '[', '(':
		bound.Name, bound.Excl = b[1:], b[0] == '('
		return bound, true
	}
	return bound, false
}

// ranks finds the range in a sorted set: from <= rank < to.
func (r *zrange) ranks(z *store.Zset) (from, to int) {
	switch r.kind {
	case byRank:
		n := z.Len()
		from, to = lex.Ranks(r.start, r.stop, n)
		if r.reverse {
			from, to = n-to, n-from
		}
		return from, to
	case byScore:
		from, to = z.ByScore(r.scores)
	case byName:
		from, to = z.ByName(&r.names, r.reverse)
	}
	n := int64(to - from)
	if r.offset < 0 || r.offset >= n {
		return from, from
	}
	left := n - r.offset
	if r.limit >= 0 {
		left = min(left, r.limit)
	}
	if r.reverse {
		to -= int(r.offset)
		return to - int(left), to
	}
	from += int(r.offset)
	return from, from + int(left)
}

// each visits the members of a range of ranks in the range's direction.
func (r *zrange) each(z *store.Zset, from, to int, fn func(member []byte, score float64)) {
	if r.reverse {
		z.Each(to-1, to-from, true, fn)
	} else {
		z.Each(from, to-from, false, fn)
	}
}

func replyRange(c *engine.Ctx, shape zrangeShape) error {
	r, err := parseRange(c, 2, shape)
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
	from, to := r.ranks(&z)
	out, withScores := c.Out, r.withScores
	scoredArray(out, to-from, withScores)
	r.each(&z, from, to, func(member []byte, score float64) { replyScored(out, member, score, withScores) })
	return nil
}

func cmdZrange(c *engine.Ctx) error        { return replyRange(c, zrangeShape{auto: true}) }
func cmdZrevrange(c *engine.Ctx) error     { return replyRange(c, zrangeShape{reverse: true}) }
func cmdZrangebyscore(c *engine.Ctx) error { return replyRange(c, zrangeShape{kind: byScore}) }
func cmdZrangebylex(c *engine.Ctx) error   { return replyRange(c, zrangeShape{kind: byName}) }

func cmdZrevrangebyscore(c *engine.Ctx) error {
	return replyRange(c, zrangeShape{kind: byScore, reverse: true})
}

func cmdZrevrangebylex(c *engine.Ctx) error {
	return replyRange(c, zrangeShape{kind: byName, reverse: true})
}

func cmdZrangestore(c *engine.Ctx) error {
	r, err := parseRange(c, 3, zrangeShape{auto: true, store: true})
	if err != nil {
		return err
	}
	c.Expire(c.Keys[1:])
	z, ok, err := c.ReadZset(c.Keys[1])
	if err != nil {
		return err
	}
	result := c.NewZset(c.Keys[0])
	if ok {
		from, to := r.ranks(&z)
		result.Reserve(to - from)
		r.each(&z, from, to, result.Add)
	}
	c.Out.Int(int64(c.StoreZset(result, store.EventZRangeStore)))
	return nil
}

func cmdZcount(c *engine.Ctx) error    { return countRange(c, byScore) }
func cmdZlexcount(c *engine.Ctx) error { return countRange(c, byName) }

func countRange(c *engine.Ctx, kind rangeKind) error {
	r := zrange{kind: kind, limit: -1}
	if err := r.parseEnds(c.Args[2], c.Args[3]); err != nil {
		return err
	}
	z, ok, err := c.ReadZset(c.Keys[0])
	if err != nil {
		return err
	}
	from, to := 0, 0
	if ok {
		from, to = r.ranks(&z)
	}
	c.Out.Int(int64(to - from))
	return nil
}

func cmdZremrangebyrank(c *engine.Ctx) error  { return removeRange(c, byRank, store.EventZRemByRank) }
func cmdZremrangebyscore(c *engine.Ctx) error { return removeRange(c, byScore, store.EventZRemByScore) }
func cmdZremrangebylex(c *engine.Ctx) error   { return removeRange(c, byName, store.EventZRemByLex) }

func removeRange(c *engine.Ctx, kind rangeKind, ev store.Event) error {
	r := zrange{kind: kind, limit: -1}
	if err := r.parseEnds(c.Args[2], c.Args[3]); err != nil {
		return err
	}
	z, ok, err := c.WriteZset(c.Keys[0])
	if err != nil {
		return err
	}
	removed := 0
	if ok {
		from, to := r.ranks(&z)
		if removed = to - from; removed > 0 {
			z.RemoveRange(from, to, ev)
		}
	}
	c.Out.Int(int64(removed))
	return nil
}
