package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// The algebra of several sorted sets: ZUNION, ZINTER, ZDIFF, their forms that store the result, and
// ZINTERCARD. How it is computed stands in store/zsetalgebra.go.

func zsetAlgebraCommands() []engine.Spec {
	const (
		cat          = engine.CatSortedSet
		group        = "sorted-set"
		write        = engine.Write | engine.DenyOOM
		weighted     = "numkeys key [key ...] [WEIGHTS weight=integer [weight=integer ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]"
		union        = "O(N)+O(M*log(M)) where N is the size of all inputs together and M that of the result."
		intersection = "O(N*K)+O(M*log(M)) where N is the size of the smallest input, K the number of inputs and M the size of the result."
		difference   = "O(N*K)+O(M*log(M)) where N is the size of the first input, K the number of inputs and M the size of the result."
	)
	counts := []string{"8.8.0: The aggregate `COUNT`."}
	read := []engine.KeySpec{engine.NumKeys(1, engine.RO|engine.Access)}
	storing := []engine.KeySpec{engine.Key(1, engine.OW|engine.Update), engine.NumKeys(2, engine.RO|engine.Access)}
	return []engine.Spec{
		{Name: "zunion", Handler: cmdZunion, Arity: -3, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "6.2.0", Syntax: weighted + " [WITHSCORES]", History: counts,
			Summary: "Returns the members that any of the sorted sets has.", Complexity: union},
		{Name: "zunionstore", Handler: cmdZunionstore, Arity: -4, Flags: write, Keys: storing,
			Group: group, Categories: cat, Since: "2.0.0", Syntax: "destination " + weighted, History: counts,
			Summary: "Stores the members that any of the sorted sets has under a key.", Complexity: union},
		{Name: "zinter", Handler: cmdZinter, Arity: -3, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "6.2.0", Syntax: weighted + " [WITHSCORES]", History: counts,
			Summary: "Returns the members that all sorted sets have.", Complexity: intersection},
		{Name: "zinterstore", Handler: cmdZinterstore, Arity: -4, Flags: write, Keys: storing,
			Group: group, Categories: cat, Since: "2.0.0", Syntax: "destination " + weighted, History: counts,
			Summary: "Stores the members that all sorted sets have under a key.", Complexity: intersection},
		{Name: "zintercard", Handler: cmdZintercard, Arity: -3, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "7.0.0", Syntax: "numkeys key [key ...] [LIMIT limit]",
			Summary:    "Counts the members that all sorted sets have, up to a limit.",
			Complexity: "O(N*K) where N is the size of the smallest input and K the number of inputs."},
		{Name: "zdiff", Handler: cmdZdiff, Arity: -3, Flags: engine.ReadOnly, Keys: read,
			Group: group, Categories: cat, Since: "6.2.0", Syntax: "numkeys key [key ...] [WITHSCORES]",
			Summary: "Returns the members of the first sorted set that none of the others has.", Complexity: difference},
		{Name: "zdiffstore", Handler: cmdZdiffstore, Arity: -4, Flags: write, Keys: storing,
			Group: group, Categories: cat, Since: "6.2.0", Syntax: "destination numkeys key [key ...]",
			Summary: "Stores the members of the first sorted set that none of the others has under a key.", Complexity: difference},
	}
}

// algebra is what to do with the inputs.
type algebra uint8

const (
	zunion algebra = iota
	zinter
	zdiff
)

// inputs is a request of this family, read and looked up.
type inputs struct {
	sources      []store.ScoredSource // those that exist, in order
	at           []int                // the position among the keys of each
	missing      int                  // keys that do not exist
	firstMissing bool

	aggregate  store.Aggregate
	withScores bool
	limit      int64
}

// inputOptions says which options a command has.
type inputOptions struct {
	weights    bool // WEIGHTS and AGGREGATE
	withScores bool
	limit      bool
}

// readInputs reads the request from its number of keys on, at args[at]. Redis looks at the keys
// before it reads the options, so that a key of another type is told first.
func readInputs(c *engine.Ctx, at int, options inputOptions) (in inputs, err error) {
	a := c.Parse(at)
	n := a.Int64()
	if a.Err() == nil && n < 1 {
		a.Fail(engine.ErrKeyNeeded(c.Spec))
	}
	a.Skip(int(min(n, math.MaxInt32)))
	if err := a.Err(); err != nil {
		return in, err
	}
	keys := c.Keys[len(c.Keys)-int(n):]
	if at > 1 {
		c.Expire(keys) // what is stored is made of them
	}
	for i, k := range keys {
		src, ok, err := c.ReadScored(k)
		switch {
		case err != nil:
			return in, err
		case ok:
			in.sources, in.at = append(in.sources, src), append(in.at, i)
		default:
			in.missing++
			in.firstMissing = in.firstMissing || i == 0
		}
	}
	for !a.Done() {
		switch {
		case options.weights && a.Left() > int(n) && a.Match("WEIGHTS"):
			in.readWeights(a, int(n))
		case options.weights && a.MatchValue("AGGREGATE"):
			in.readAggregate(a)
		case options.withScores && a.Match("WITHSCORES"):
			in.withScores = true
		case options.limit && a.MatchValue("LIMIT"):
			in.limit = a.IntRange(0, math.MaxInt64, string(engine.ErrLimitNegative))
		default:
			a.Syntax()
		}
	}
	return in, a.Err()
}

// readWeights reads a weight for each key, whether it exists or not.
func (in *inputs) readWeights(a *engine.Args, n int) {
	next := 0
	for i := range n {
		weight, ok := lex.ParseFloat(a.Next())
		if !ok {
			a.Fail(engine.ErrWeightFloat)
			return
		}
		if next < len(in.at) && in.at[next] == i {
			in.sources[next].Weight = weight
			next++
		}
	}
}

func (in *inputs) readAggregate(a *engine.Args) {
	switch {
	case a.Match("SUM"):
		in.aggregate = store.AggregateSum
	case a.Match("MIN"):
		in.aggregate = store.AggregateMin
	case a.Match("MAX"):
		in.aggregate = store.AggregateMax
	case a.Match("COUNT"):
		in.aggregate = store.AggregateCount
	default:
		a.Syntax()
	}
}

// combine computes the result in the shard of the first of the command's keys, which is locked.
func (in *inputs) combine(c *engine.Ctx, how algebra) *store.NewZset {
	result := c.NewZset(c.Keys[0])
	switch {
	case how == zunion:
		result.Union(in.sources, in.aggregate)
	case how == zinter && in.missing == 0:
		result.Intersect(in.sources, in.aggregate)
	case how == zdiff && !in.firstMissing:
		result.Difference(&in.sources[0], in.sources[1:])
	}
	return result
}

func replyAlgebra(c *engine.Ctx, how algebra) error {
	in, err := readInputs(c, 1, inputOptions{weights: how != zdiff, withScores: true})
	if err != nil {
		return err
	}
	result := in.combine(c, how)
	out, withScores := c.Out, in.withScores
	scoredArray(out, result.Len(), withScores)
	result.Each(func(member []byte, score float64) { replyScored(out, member, score, withScores) })
	result.Discard()
	return nil
}

func storeAlgebra(c *engine.Ctx, how algebra, ev store.Event) error {
	in, err := readInputs(c, 2, inputOptions{weights: how != zdiff})
	if err != nil {
		return err
	}
	result := in.combine(c, how)
	if in.aggregate == store.AggregateCount && c.Logged() {
		countEffect(c, result)
	}
	c.Out.Int(int64(c.StoreZset(result, ev)))
	return nil
}

// countEffect says what is going to be stored in commands that every version of Redis has: to those
// before 8.8 AGGREGATE COUNT is a syntax error, which a log that is replayed passes over.
func countEffect(c *engine.Ctx, result *store.NewZset) {
	const atOnce = 1000 // members in one ZADD
	k := c.Keys[0]
	c.Expire(c.Keys[:1])
	if _, exists := c.Peek(k); exists {
		c.Effect([]byte("DEL"), k.Name)
	}
	words := [][]byte{[]byte("ZADD"), k.Name}
	result.Each(func(member []byte, score float64) {
		words = append(words, lex.AppendFloat(nil, score), member)
		if len(words) >= 2+2*atOnce {
			c.Effect(words...)
			words = words[:2]
		}
	})
	if len(words) > 2 {
		c.Effect(words...)
	}
}

func cmdZunion(c *engine.Ctx) error      { return replyAlgebra(c, zunion) }
func cmdZinter(c *engine.Ctx) error      { return replyAlgebra(c, zinter) }
func cmdZdiff(c *engine.Ctx) error       { return replyAlgebra(c, zdiff) }
func cmdZunionstore(c *engine.Ctx) error { return storeAlgebra(c, zunion, store.EventZUnionStore) }
func cmdZinterstore(c *engine.Ctx) error { return storeAlgebra(c, zinter, store.EventZInterStore) }
func cmdZdiffstore(c *engine.Ctx) error  { return storeAlgebra(c, zdiff, store.EventZDiffStore) }

func cmdZintercard(c *engine.Ctx) error {
	in, err := readInputs(c, 1, inputOptions{limit: true})
	if err != nil {
		return err
	}
	count := int64(0)
	if in.missing == 0 {
		store.IntersectScored(in.sources, in.aggregate, func([]byte, float64) bool {
			count++
			return count != in.limit
		})
	}
	c.Out.Int(count)
	return nil
}
