package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// The algebra of several sets: SINTER, SUNION, SDIFF, their forms that store the
// result, and those that count it. How it is computed stands in store/setalgebra.go
// and store/setcount.go.

func setAlgebraCommands() []engine.Spec {
	const (
		cat   = engine.CatSet
		store = engine.Write | engine.DenyOOM
	)
	unordered := []string{"nondeterministic_output_order"}
	counted := []engine.KeySpec{engine.NumKeys(1, engine.RO|engine.Access)}
	sources := engine.KeyRange(1, -1, 1, engine.RO|engine.Access)
	storing := func(destination engine.KeyFlags) []engine.KeySpec {
		return []engine.KeySpec{engine.Key(1, destination), engine.KeyRange(2, -1, 1, engine.RO|engine.Access)}
	}
	const (
		intersection = "O(N*M) where N is the size of the smallest set and M is the number of sets."
		sum          = "O(N) where N is the size of all sets together."
	)
	return []engine.Spec{
		{Name: "sinter", Handler: cmdSinter, Arity: -2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{sources},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key [key ...]", Tips: unordered,
			Summary: "Returns the members that all sets have.", Complexity: intersection},
		{Name: "sintercard", Handler: cmdSintercard, Arity: -3, Flags: engine.ReadOnly, Keys: counted,
			Group: "set", Categories: cat, Since: "7.0.0", Syntax: "numkeys key [key ...] [LIMIT limit]",
			Summary: "Counts the members that all sets have, up to a limit.", Complexity: intersection},
		{Name: "sinterstore", Handler: cmdSinterstore, Arity: -3, Flags: store, Keys: storing(engine.RW | engine.Update),
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "destination key [key ...]",
			Summary: "Stores the members that all sets have under a key.", Complexity: intersection},
		{Name: "sunion", Handler: cmdSunion, Arity: -2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{sources},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key [key ...]", Tips: unordered,
			Summary: "Returns the members that any of the sets has.", Complexity: sum},
		{Name: "sunionstore", Handler: cmdSunionstore, Arity: -3, Flags: store, Keys: storing(engine.OW | engine.Update),
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "destination key [key ...]",
			Summary: "Stores the members that any of the sets has under a key.", Complexity: sum},
		{Name: "sunioncard", Handler: cmdSunioncard, Arity: -3, Flags: engine.ReadOnly, Keys: counted,
			Group: "set", Categories: cat, Since: "8.10.0", Syntax: "numkeys key [key ...] [APPROX] [LIMIT limit]",
			Summary: "Counts the members that any of the sets has, up to a limit.", Complexity: sum},
		{Name: "sdiff", Handler: cmdSdiff, Arity: -2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{sources},
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "key [key ...]", Tips: unordered,
			Summary: "Returns the members of the first set that none of the others has.", Complexity: sum},
		{Name: "sdiffstore", Handler: cmdSdiffstore, Arity: -3, Flags: store, Keys: storing(engine.OW | engine.Update),
			Group: "set", Categories: cat, Since: "1.0.0", Syntax: "destination key [key ...]",
			Summary: "Stores the members of the first set that none of the others has under a key.", Complexity: sum},
		{Name: "sdiffcard", Handler: cmdSdiffcard, Arity: -3, Flags: engine.ReadOnly, Keys: counted,
			Group: "set", Categories: cat, Since: "8.10.0", Syntax: "numkeys key [key ...] [LIMIT limit]",
			Summary: "Counts the members of the first set that none of the others has, up to a limit.", Complexity: sum},
	}
}

// readSets finds the sets of several keys. All are checked, so that a key of
// another type is an error whatever the others hold. firstMissing reports that the
// first key does not exist, missing counts all that do not.
func readSets(c *engine.Ctx, keys []store.Key) (sets []store.Set, missing int, firstMissing bool, err error) {
	sets = make([]store.Set, 0, len(keys))
	for i, k := range keys {
		s, ok, err := c.ReadSet(k)
		switch {
		case err != nil:
			return nil, 0, false, err
		case ok:
			sets = append(sets, s)
		default:
			missing++
			firstMissing = firstMissing || i == 0
		}
	}
	return sets, missing, firstMissing, nil
}

func cmdSinter(c *engine.Ctx) error {
	sets, missing, _, err := readSets(c, c.Keys)
	if err != nil {
		return err
	}
	if missing > 0 {
		c.Out.Set(0)
		return nil
	}
	replyEach(c, func(fn func([]byte)) bool {
		store.Intersect(sets, func(member []byte) bool {
			fn(member)
			return true
		})
		return true
	})
	return nil
}

// parseCard reads the request of SINTERCARD and its relatives. word is one that may stand among the
// options, or empty. The limit is 0 if there is none.
func parseCard(c *engine.Ctx, word string) (limit int, err error) {
	a := c.Parse(1)
	n := a.IntRange(1, math.MaxInt64, string(engine.ErrNumKeysZero))
	if n > int64(a.Left()) {
		a.Fail(engine.ErrNumKeysMany)
	} else {
		a.Skip(int(n))
	}
	for !a.Done() {
		switch {
		case a.MatchValue("LIMIT"):
			limit = int(a.IntRange(0, math.MaxInt64, string(engine.ErrLimitNegative)))
		case word != "" && a.Match(word):
		default:
			a.Syntax()
		}
	}
	return limit, a.Err()
}

func cmdSintercard(c *engine.Ctx) error {
	limit, err := parseCard(c, "")
	if err != nil {
		return err
	}
	sets, missing, _, err := readSets(c, c.Keys)
	if err != nil {
		return err
	}
	count := 0
	if missing == 0 {
		store.Intersect(sets, func([]byte) bool {
			count++
			return count != limit
		})
	}
	c.Out.Int(int64(count))
	return nil
}

// cmdSunioncard counts exactly, also where APPROX would allow for less: Redis takes the estimate of a
// HyperLogLog then.
func cmdSunioncard(c *engine.Ctx) error {
	limit, err := parseCard(c, "APPROX")
	if err != nil {
		return err
	}
	sets, _, _, err := readSets(c, c.Keys)
	if err != nil {
		return err
	}
	c.Out.Int(int64(c.CountUnion(c.Keys[0], sets, limit)))
	return nil
}

func cmdSdiffcard(c *engine.Ctx) error {
	limit, err := parseCard(c, "")
	if err != nil {
		return err
	}
	sets, _, firstMissing, err := readSets(c, c.Keys)
	if err != nil {
		return err
	}
	count := 0
	if !firstMissing {
		count = c.CountDifference(c.Keys[0], &sets[0], sets[1:], limit)
	}
	c.Out.Int(int64(count))
	return nil
}

func cmdSinterstore(c *engine.Ctx) error {
	c.Expire(c.Keys[1:])
	sets, missing, _, err := readSets(c, c.Keys[1:])
	if err != nil {
		return err
	}
	result := c.NewSet(c.Keys[0])
	if missing == 0 {
		result.Intersect(sets)
	}
	c.Out.Int(int64(c.StoreSet(result, store.EventSInterStore)))
	return nil
}

// union builds the union of keys in the shard of the first of the command's
// keys, which is locked.
func union(c *engine.Ctx, keys []store.Key) (*store.NewSet, error) {
	sets, _, _, err := readSets(c, keys)
	if err != nil {
		return nil, err
	}
	result := c.NewSet(c.Keys[0])
	result.Union(sets)
	return result, nil
}

// difference is union's counterpart.
func difference(c *engine.Ctx, keys []store.Key) (*store.NewSet, error) {
	sets, _, firstMissing, err := readSets(c, keys)
	if err != nil {
		return nil, err
	}
	result := c.NewSet(c.Keys[0])
	if !firstMissing {
		result.Difference(&sets[0], sets[1:])
	}
	return result, nil
}

// combination is union or difference.
type combination func(c *engine.Ctx, keys []store.Key) (*store.NewSet, error)

// replyEach replies with the members that visit finds. It replies nothing if visit reports false.
func replyEach(c *engine.Ctx, visit func(fn func(member []byte)) bool) bool {
	out := c.Out
	body, n := out.Len(), 0
	ok := visit(func(member []byte) {
		out.Bulk(member)
		n++
	})
	if ok {
		head := out.Len()
		out.Set(n)
		out.MoveToFront(body, head)
	}
	return ok
}

// replyNew replies with a set that was built for it.
func replyNew(c *engine.Ctx, result *store.NewSet) {
	c.Out.Set(result.Len())
	result.Each(c.Out.Bulk)
	result.Discard()
}

func storeCombined(c *engine.Ctx, combine combination, ev store.Event) error {
	c.Expire(c.Keys[1:])
	result, err := combine(c, c.Keys[1:])
	if err != nil {
		return err
	}
	c.Out.Int(int64(c.StoreSet(result, ev)))
	return nil
}

func cmdSunion(c *engine.Ctx) error {
	sets, _, _, err := readSets(c, c.Keys)
	if err != nil {
		return err
	}
	if replyEach(c, func(fn func([]byte)) bool { return c.EachOfAny(sets, fn) }) {
		return nil
	}
	result := c.NewSet(c.Keys[0])
	result.Union(sets)
	replyNew(c, result)
	return nil
}

func cmdSdiff(c *engine.Ctx) error {
	sets, _, firstMissing, err := readSets(c, c.Keys)
	if err != nil {
		return err
	}
	if !firstMissing && replyEach(c, func(fn func([]byte)) bool { return c.EachOfFirst(&sets[0], sets[1:], fn) }) {
		return nil
	}
	result := c.NewSet(c.Keys[0])
	if !firstMissing {
		result.Difference(&sets[0], sets[1:])
	}
	replyNew(c, result)
	return nil
}

func cmdSunionstore(c *engine.Ctx) error { return storeCombined(c, union, store.EventSUnionStore) }
func cmdSdiffstore(c *engine.Ctx) error  { return storeCombined(c, difference, store.EventSDiffStore) }
