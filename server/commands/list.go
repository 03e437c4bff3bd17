package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// The commands of single lists, but for those that take elements off, which are in listpop.go.
// What a list is stands in store/list.go; here are requests, replies and errors, in the order in
// which Redis checks them.

func listCommands() []engine.Spec {
	const (
		cat  = engine.CatList
		push = engine.Write | engine.DenyOOM | engine.Fast
		edit = engine.Write | engine.DenyOOM
	)
	var (
		read   = []engine.KeySpec{engine.Key(1, engine.RO|engine.Access)}
		insert = []engine.KeySpec{engine.Key(1, engine.RW|engine.Insert)}
		update = []engine.KeySpec{engine.Key(1, engine.RW|engine.Update)}
		remove = []engine.KeySpec{engine.Key(1, engine.RW|engine.Delete)}
	)
	const each = "O(N) where N is the number of elements to add."
	return append([]engine.Spec{
		{Name: "lpush", Handler: cmdLpush, Arity: -3, Flags: push, Keys: insert,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key element [element ...]",
			Summary: "Adds elements at the front of a list, creating it if need be.", Complexity: each,
			History: []string{"2.4.0: Several elements are accepted."}},
		{Name: "rpush", Handler: cmdRpush, Arity: -3, Flags: push, Keys: insert,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key element [element ...]",
			Summary: "Adds elements at the end of a list, creating it if need be.", Complexity: each,
			History: []string{"2.4.0: Several elements are accepted."}},
		{Name: "lpushx", Handler: cmdLpushx, Arity: -3, Flags: push, Keys: insert,
			Group: "list", Categories: cat, Since: "2.2.0", Syntax: "key element [element ...]",
			Summary: "Adds elements at the front of a list that exists.", Complexity: each,
			History: []string{"4.0.0: Several elements are accepted."}},
		{Name: "rpushx", Handler: cmdRpushx, Arity: -3, Flags: push, Keys: insert,
			Group: "list", Categories: cat, Since: "2.2.0", Syntax: "key element [element ...]",
			Summary: "Adds elements at the end of a list that exists.", Complexity: each,
			History: []string{"4.0.0: Several elements are accepted."}},
		{Name: "llen", Handler: cmdLlen, Arity: 2, Flags: engine.ReadOnly | engine.Fast, Keys: []engine.KeySpec{engine.Key(1, engine.RO)},
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key",
			Summary: "Counts the elements of a list.", Complexity: "O(1)"},
		{Name: "lindex", Handler: cmdLindex, Arity: 3, Flags: engine.ReadOnly, Keys: read,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key index",
			Summary: "Returns the element at a position of a list.", Complexity: "O(log N) where N is the length of the list."},
		{Name: "lrange", Handler: cmdLrange, Arity: 4, Flags: engine.ReadOnly, Keys: read,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key start stop",
			Summary:    "Returns the elements of a list between two positions.",
			Complexity: "O(log N+M) where N is the length of the list and M is the number of elements returned."},
		{Name: "lpos", Handler: cmdLpos, Arity: -3, Flags: engine.ReadOnly, Keys: read,
			Group: "list", Categories: cat, Since: "6.0.6",
			Syntax:     "key element [RANK rank=integer] [COUNT num-matches=integer] [MAXLEN len]",
			Summary:    "Returns the positions of the elements of a list that have a value.",
			Complexity: "O(N) where N is the number of elements compared."},
		{Name: "lset", Handler: cmdLset, Arity: 4, Flags: edit, Keys: update,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key index element",
			Summary: "Replaces the element at a position of a list.", Complexity: "O(log N) where N is the length of the list."},
		{Name: "linsert", Handler: cmdLinsert, Arity: 5, Flags: edit, Keys: insert,
			Group: "list", Categories: cat, Since: "2.2.0", Syntax: "key <BEFORE | AFTER> pivot element",
			Summary:    "Adds an element before or after another one of a list.",
			Complexity: "O(N) where N is the number of elements before the pivot."},
		{Name: "lrem", Handler: cmdLrem, Arity: 4, Flags: engine.Write, Keys: remove,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key count element",
			Summary:    "Removes elements that have a value from a list; the last element takes the key with it.",
			Complexity: "O(N) where N is the length of the list."},
		{Name: "ltrim", Handler: cmdLtrim, Arity: 4, Flags: engine.Write, Keys: remove,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key start stop",
			Summary:    "Removes the elements of a list outside of two positions.",
			Complexity: "O(log N+M) where N is the length of the list and M is the number of elements removed."},
	}, listPopCommands()...)
}

func cmdLpush(c *engine.Ctx) error { return pushElements(c, store.Front) }
func cmdRpush(c *engine.Ctx) error { return pushElements(c, store.Back) }

func pushElements(c *engine.Ctx, end store.End) error {
	n, err := c.PushElements(c.Keys[0], end, c.Args[2:])
	if err != nil {
		return err
	}
	c.Out.Int(int64(n))
	return nil
}

func cmdLpushx(c *engine.Ctx) error { return pushIfExists(c, store.Front) }
func cmdRpushx(c *engine.Ctx) error { return pushIfExists(c, store.Back) }

func pushIfExists(c *engine.Ctx, end store.End) error {
	l, ok, err := c.WriteList(c.Keys[0])
	if err != nil {
		return err
	}
	n := 0
	if ok {
		n = l.Push(end, c.Args[2:])
	}
	c.Out.Int(int64(n))
	return nil
}

func cmdLlen(c *engine.Ctx) error {
	l, ok, err := c.ReadList(c.Keys[0])
	if err != nil {
		return err
	}
	n := 0
	if ok {
		n = l.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

// position turns an index, which counts from the end if negative, into a position in a list of n
// elements.
func position(index int64, n int) (i int, ok bool) {
	if index < 0 {
		index += int64(n)
	}
	return int(index), index >= 0 && index < int64(n)
}

// between turns two indexes, both included, into a position in a list of size elements and a number
// of elements, 0 if there are none between them.
func between(start, stop int64, size int) (from, n int) {
	if start < 0 {
		start = max(0, start+int64(size))
	}
	if stop < 0 {
		stop += int64(size)
	}
	if stop = min(stop, int64(size)-1); start > stop {
		return 0, 0
	}
	return int(start), int(stop - start + 1)
}

func cmdLindex(c *engine.Ctx) error {
	l, ok, err := c.ReadList(c.Keys[0])
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	a := c.Parse(2)
	index := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	if i, ok := position(index, l.Len()); ok {
		c.Out.Bulk(l.At(i))
	} else {
		c.Out.Null()
	}
	return nil
}

func cmdLrange(c *engine.Ctx) error {
	a := c.Parse(2)
	start, stop := a.Int64(), a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	l, ok, err := c.ReadList(c.Keys[0])
	if err != nil {
		return err
	}
	from, n := 0, 0
	if ok {
		from, n = between(start, stop, l.Len())
	}
	out := c.Out
	out.Array(n)
	if n > 0 {
		l.Range(from, n, func(element []byte) bool {
			out.Bulk(element)
			return true
		})
	}
	return nil
}

// signed reads a number whose sign says from which end to count.
func signed(a *engine.Args) int64 {
	n, err := randomCount(a.Next())
	if err != nil {
		a.Fail(err)
	}
	return n
}

// posOptions are those of LPOS.
type posOptions struct {
	end     store.End // where the search begins
	rank    int64     // the first match that counts, from 1
	count   int64     // most matches, 0 for all
	counted bool      // COUNT was given: the reply is an array
	most    int64     // elements to compare, 0 for all
}

func parsePosOptions(a *engine.Args) posOptions {
	o := posOptions{rank: 1, count: 1}
	for !a.Done() {
		switch {
		case a.MatchValue("RANK"):
			if o.rank = signed(a); o.rank == 0 {
				a.Fail(engine.ErrRankZero)
			}
		case a.MatchValue("COUNT"):
			o.count, o.counted = a.IntRange(0, math.MaxInt64, string(engine.ErrCountNegative)), true
		case a.MatchValue("MAXLEN"):
			o.most = a.IntRange(0, math.MaxInt64, string(engine.ErrMaxLenNegative))
		default:
			a.Syntax()
		}
	}
	if o.rank < 0 {
		o.end, o.rank = store.Back, -o.rank
	}
	return o
}

func cmdLpos(c *engine.Ctx) error {
	a := c.Parse(3)
	o := parsePosOptions(a)
	if err := a.Err(); err != nil {
		return err
	}
	l, ok, err := c.ReadList(c.Keys[0])
	if err != nil {
		return err
	}
	out, body := c.Out, c.Out.Len()
	met, found := int64(0), int64(0)
	if ok {
		l.Positions(c.Args[2], o.end, int(o.most), func(i int) bool {
			if met++; met >= o.rank {
				out.Int(int64(i))
				found++
			}
			return found == 0 || found != o.count
		})
	}
	switch head := out.Len(); {
	case o.counted:
		out.Array(int(found))
		out.MoveToFront(body, head)
	case found == 0:
		out.Null()
	}
	return nil
}

func cmdLset(c *engine.Ctx) error {
	l, ok, err := c.WriteList(c.Keys[0])
	switch {
	case err != nil:
		return err
	case !ok:
		return engine.ErrNoSuchKey
	}
	a := c.Parse(2)
	index := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	i, ok := position(index, l.Len())
	if !ok {
		return engine.ErrIndexRange
	}
	l.Set(i, c.Args[3])
	c.Out.OK()
	return nil
}

func cmdLinsert(c *engine.Ctx) error {
	a := c.Parse(2)
	after := a.Match("AFTER")
	if !after && !a.Match("BEFORE") {
		return engine.ErrSyntax
	}
	l, ok, err := c.WriteList(c.Keys[0])
	switch {
	case err != nil:
		return err
	case !ok:
		c.Out.Int(0)
	case l.Insert(c.Args[3], c.Args[4], after):
		c.Out.Int(int64(l.Len()))
	default:
		c.Out.Int(-1)
	}
	return nil
}

func cmdLrem(c *engine.Ctx) error {
	a := c.Parse(2)
	count := signed(a)
	if err := a.Err(); err != nil {
		return err
	}
	l, ok, err := c.WriteList(c.Keys[0])
	if err != nil {
		return err
	}
	end := store.Front
	if count < 0 {
		end, count = store.Back, -count
	}
	removed := 0
	if ok {
		removed = l.Remove(c.Args[3], end, int(count))
	}
	c.Out.Int(int64(removed))
	return nil
}

func cmdLtrim(c *engine.Ctx) error {
	a := c.Parse(2)
	start, stop := a.Int64(), a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	l, ok, err := c.WriteList(c.Keys[0])
	if err != nil {
		return err
	}
	if ok {
		l.Trim(between(start, stop, l.Len()))
	}
	c.Out.OK()
	return nil
}
