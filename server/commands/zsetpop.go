package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// Removing from the ends of sorted sets: ZPOPMIN, ZPOPMAX, ZMPOP. Those that wait for members are
// in blocking.go.

func zsetPopCommands() []engine.Spec {
	const (
		cat   = engine.CatSortedSet
		group = "sorted-set"
		pop   = engine.RW | engine.Access | engine.Delete
		cost  = "O(log(N)*M) where N is the size of the sorted set and M the number of members removed."
	)
	return []engine.Spec{
		{Name: "zpopmin", Handler: cmdZpopmin, Arity: -2, Flags: engine.Write | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, pop)},
			Group: group, Categories: cat, Since: "5.0.0", Syntax: "key [count]",
			Summary: "Removes the members with the lowest scores and returns them.", Complexity: cost},
		{Name: "zpopmax", Handler: cmdZpopmax, Arity: -2, Flags: engine.Write | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, pop)},
			Group: group, Categories: cat, Since: "5.0.0", Syntax: "key [count]",
			Summary: "Removes the members with the highest scores and returns them.", Complexity: cost},
		{Name: "zmpop", Handler: cmdZmpop, Arity: -4, Flags: engine.Write, Keys: []engine.KeySpec{engine.NumKeys(1, pop)},
			Group: group, Categories: cat, Since: "7.0.0", Syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
			Summary:    "Removes members from the first of several sorted sets that exists and returns them.",
			Complexity: "O(K) + O(M*log(N)) where K is the number of keys, N the size of the sorted set and M the number of members removed."},
	}
}

func cmdZpopmin(c *engine.Ctx) error { return popScored(c, false) }
func cmdZpopmax(c *engine.Ctx) error { return popScored(c, true) }

func popScored(c *engine.Ctx, highest bool) error {
	count, counted := int64(1), len(c.Args) > 2
	if counted {
		a := c.Parse(2)
		if a.Left() > 1 {
			return engine.ErrSyntax
		}
		count = a.IntRange(0, math.MaxInt64, string(engine.ErrPositive))
		if err := a.Err(); err != nil {
			return err
		}
	}
	z, ok, err := c.WriteZset(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok || count == 0 {
		c.Out.Array(0)
		return nil
	}
	n := int(min(count, int64(z.Len())))
	nested := counted && c.Out.RESP3()
	if nested {
		c.Out.Array(n)
	} else {
		c.Out.Array(2 * n)
	}
	replyPopped(c.Out, &z, n, highest, nested)
	return nil
}

// replyPopped removes the n lowest or highest members and writes members and scores, as pairs if
// nested. The caller has written the head of the array.
func replyPopped(out *protocol.Writer, z *store.Zset, n int, highest, nested bool) {
	z.Pop(n, highest, func(member []byte, score float64) {
		if nested {
			out.Array(2)
		}
		out.Bulk(member)
		out.Double(score)
	})
}

func cmdZmpop(c *engine.Ctx) error {
	highest, count, err := zmpopOptions(c, 1)
	if err != nil {
		return err
	}
	popped, err := popFirstScored(c, c.Keys, highest, count)
	if err == nil && !popped {
		c.Out.NullArray()
	}
	return err
}

// zmpopOptions reads what ZMPOP has from its number of keys on, at args[at].
func zmpopOptions(c *engine.Ctx, at int) (highest bool, count int64, err error) {
	a := c.Parse(at)
	a.Skip(int(min(a.IntRange(1, math.MaxInt64, string(engine.ErrNumKeysZero)), math.MaxInt32)))
	if highest = a.Match("MAX"); !highest && !a.Match("MIN") {
		a.Syntax()
	}
	for !a.Done() {
		if count == 0 && a.MatchValue("COUNT") {
			count = a.IntRange(1, math.MaxInt64, string(engine.ErrPopCountZero))
		} else {
			a.Syntax()
		}
	}
	return highest, max(count, 1), a.Err()
}

// popFirstScored removes up to count members from the first of the keys that exists and writes its
// name and the pairs. It reports whether there was one. What the log gets is ZPOPMIN or ZPOPMAX, as
// from Redis.
func popFirstScored(c *engine.Ctx, keys []store.Key, highest bool, count int64) (popped bool, err error) {
	for _, k := range keys {
		z, ok, err := c.WriteZset(k)
		if err != nil && !skips(c, err) {
			return false, err
		}
		if !ok {
			continue
		}
		n := int(min(count, int64(z.Len())))
		c.Out.Array(2)
		c.Out.Bulk(k.Name)
		c.Out.Array(n)
		replyPopped(c.Out, &z, n, highest, true)
		popEffect(c, k, highest, n)
		return true, nil
	}
	return false, nil
}

func popEffect(c *engine.Ctx, k store.Key, highest bool, n int) {
	name := "ZPOPMIN"
	if highest {
		name = "ZPOPMAX"
	}
	var digits [20]byte
	c.Effect([]byte(name), k.Name, strconv.AppendInt(digits[:0], int64(n), 10))
}
