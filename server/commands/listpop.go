package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// The commands that take elements off lists. Their parts are cut so that commands which wait for
// elements can end in them: moveElement and multiPop.run reply if there was an element, and else
// leave it to the caller what to do.

func listPopCommands() []engine.Spec {
	const (
		cat  = engine.CatList
		fast = engine.Write | engine.Fast
		move = engine.Write | engine.DenyOOM
		take = engine.RW | engine.Access | engine.Delete
	)
	one := []engine.KeySpec{engine.Key(1, take)}
	two := []engine.KeySpec{engine.Key(1, take), engine.Key(2, engine.RW|engine.Insert)}
	const each = "O(N) where N is the number of elements returned."
	return []engine.Spec{
		{Name: "lpop", Handler: cmdLpop, Arity: -2, Flags: fast, Keys: one,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key [count]",
			Summary: "Removes elements from the front of a list and returns them.", Complexity: each,
			History: []string{"6.2.0: The count can be given."}},
		{Name: "rpop", Handler: cmdRpop, Arity: -2, Flags: fast, Keys: one,
			Group: "list", Categories: cat, Since: "1.0.0", Syntax: "key [count]",
			Summary: "Removes elements from the end of a list and returns them.", Complexity: each,
			History: []string{"6.2.0: The count can be given."}},
		{Name: "lmove", Handler: cmdLmove, Arity: 5, Flags: move, Keys: two,
			Group: "list", Categories: cat, Since: "6.2.0", Syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
			Summary: "Moves an element from an end of a list to an end of another, or the same, and returns it.", Complexity: "O(1)"},
		{Name: "lmovem", Handler: cmdLmovem, Arity: -5, Flags: move, Keys: two,
			Group: "list", Categories: cat, Since: "8.10.0", Syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT | EXACTLY> count <OBO | BULK>]",
			Summary:    "Moves elements from an end of a list to an end of another, or the same, and returns them.",
			Complexity: "O(N) where N is the number of elements moved."},
		{Name: "rpoplpush", Handler: cmdRpoplpush, Arity: 3, Flags: move, Keys: two,
			Group: "list", Categories: cat, Since: "1.2.0", Syntax: "source destination",
			Summary: "Moves the last element of a list to the front of another, or the same, and returns it.", Complexity: "O(1)",
			DeprecatedSince: "6.2.0", ReplacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments"},
		{Name: "lmpop", Handler: cmdLmpop, Arity: -4, Flags: engine.Write, Keys: []engine.KeySpec{engine.NumKeys(1, take)},
			Group: "list", Categories: cat, Since: "7.0.0", Syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
			Summary:    "Removes elements from an end of the first list that exists and returns them.",
			Complexity: "O(N+M) where N is the number of keys and M is the number of elements returned."},
	}
}

func cmdLpop(c *engine.Ctx) error { return popElements(c, store.Front) }
func cmdRpop(c *engine.Ctx) error { return popElements(c, store.Back) }

func popElements(c *engine.Ctx, end store.End) error {
	if len(c.Args) > 2 {
		return popCount(c, end)
	}
	ok, err := c.PopElement(c.Keys[0], end, c.Out.Bulk)
	if err == nil && !ok {
		c.Out.Null()
	}
	return err
}

// popCount is LPOP or RPOP with a count.
func popCount(c *engine.Ctx, end store.End) error {
	if len(c.Args) > 3 {
		return engine.ErrArity(c.Spec)
	}
	a := c.Parse(2)
	count := a.IntRange(0, math.MaxInt64, string(engine.ErrPositive))
	if err := a.Err(); err != nil {
		return err
	}
	l, ok, err := c.WriteList(c.Keys[0])
	switch {
	case err != nil:
		return err
	case !ok:
		c.Out.NullArray()
	case count == 0:
		c.Out.Array(0)
	default:
		popArray(c, &l, end, count)
	}
	return nil
}

// popArray removes up to count elements, at least one, and replies with an array of them. It
// returns their number.
func popArray(c *engine.Ctx, l *store.List, end store.End, count int64) (n int) {
	n = int(min(count, int64(l.Len())))
	c.Out.Array(n)
	l.Pop(end, n, c.Out.Bulk)
	return n
}

// popWord is the command that removes from an end.
func popWord(end store.End) []byte {
	if end == store.Front {
		return []byte("LPOP")
	}
	return []byte("RPOP")
}

// firstList finds the first of the keys that exists, which must be a list.
func firstList(c *engine.Ctx, keys []store.Key) (l store.List, k store.Key, ok bool, err error) {
	for _, k = range keys {
		l, ok, err = c.WriteList(k)
		if skips(c, err) {
			err = nil
		} else if ok || err != nil {
			break
		}
	}
	return l, k, ok, err
}

// moveElement moves an element from the first of the command's keys to the second, and replies
// with it. It reports whether there was one; if not, there is no reply.
func moveElement(c *engine.Ctx, from, to store.End) (done bool, err error) {
	return c.MoveElement(c.Keys[0], from, c.Keys[1], to, c.Out.Bulk)
}

func cmdLmove(c *engine.Ctx) error {
	a := c.Parse(3)
	from, to := parseEnd(a), parseEnd(a)
	if err := a.Err(); err != nil {
		return err
	}
	return moveOrNull(c, from, to)
}

func cmdRpoplpush(c *engine.Ctx) error { return moveOrNull(c, store.Back, store.Front) }

func moveOrNull(c *engine.Ctx, from, to store.End) error {
	done, err := moveElement(c, from, to)
	if err == nil && !done {
		c.Out.Null()
	}
	return err
}

// parseEnd reads LEFT or RIGHT.
func parseEnd(a *engine.Args) store.End {
	switch {
	case a.Match("LEFT"):
		return store.Front
	case a.Match("RIGHT"):
		return store.Back
	}
	a.Syntax()
	return store.Front
}

// multiPop is what LMPOP and BLMPOP ask for.
type multiPop struct {
	end   store.End
	count int64 // at least 1
}

// parseMultiPop reads the number of keys and what follows it.
func parseMultiPop(a *engine.Args) (m multiPop) {
	n := a.IntRange(1, math.MaxInt64, string(engine.ErrNumKeysZero))
	if n >= int64(a.Left()) {
		a.Syntax()
		return m
	}
	a.Skip(int(n))
	m.end = parseEnd(a)
	for !a.Done() {
		if m.count == 0 && a.MatchValue("COUNT") {
			m.count = a.IntRange(1, math.MaxInt64, string(engine.ErrPopCountZero))
		} else {
			a.Syntax()
		}
	}
	m.count = max(m.count, 1)
	return m
}

// run removes elements from the first of the command's keys that exists, and replies with the key
// and an array of them. It reports whether there were any; if not, there is no reply.
func (m *multiPop) run(c *engine.Ctx) (done bool, err error) {
	l, k, ok, err := firstList(c, c.Keys)
	if !ok || err != nil {
		return false, err
	}
	c.Out.Array(2)
	c.Out.Bulk(k.Name)
	n := popArray(c, &l, m.end, m.count)
	if c.Logged() {
		c.Effect(popWord(m.end), k.Name, strconv.AppendInt(nil, int64(n), 10))
	}
	return true, nil
}

func cmdLmpop(c *engine.Ctx) error {
	a := c.Parse(1)
	m := parseMultiPop(a)
	if err := a.Err(); err != nil {
		return err
	}
	done, err := m.run(c)
	if err == nil && !done {
		c.Out.NullArray()
	}
	return err
}
