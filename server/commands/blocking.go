package commands

import (
	"errors"
	"math"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// The commands that wait for elements. Each does what its relative does that does not wait, and if
// there is nothing it waits for its keys (engine/waitkeys.go): the handler then runs again, from
// its beginning, until it finds something. In a transaction, where nobody waits, finding nothing is
// the answer.
//
// What goes to the log is what was done: LPOP of the key that had something, LMOVE, ZPOPMIN.

func blockingCommands() []engine.Spec {
	const (
		list  = engine.CatList
		zset  = engine.CatSortedSet
		flags = engine.Write | engine.Blocking
		move  = flags | engine.DenyOOM
		take  = engine.RW | engine.Access | engine.Delete
	)
	several := []engine.KeySpec{engine.KeyRange(1, -2, 1, take)}
	two := []engine.KeySpec{engine.Key(1, take), engine.Key(2, engine.RW|engine.Insert)}
	fraction := []string{"6.0.0: `timeout` may have a fraction."}
	return []engine.Spec{
		{Name: "blpop", Handler: cmdBlpop, Arity: -3, Flags: flags, Keys: several,
			Group: "list", Categories: list, Since: "2.0.0", Syntax: "key [key ...] timeout=double",
			Summary:    "Removes the first element of the first list that exists and returns it, or waits for one.",
			Complexity: "O(N) where N is the number of keys.", History: fraction},
		{Name: "brpop", Handler: cmdBrpop, Arity: -3, Flags: flags, Keys: several,
			Group: "list", Categories: list, Since: "2.0.0", Syntax: "key [key ...] timeout=double",
			Summary:    "Removes the last element of the first list that exists and returns it, or waits for one.",
			Complexity: "O(N) where N is the number of keys.", History: fraction},
		{Name: "blmove", Handler: cmdBlmove, Arity: 6, Flags: move, Keys: two,
			Group: "list", Categories: list, Since: "6.2.0", Syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout=double",
			Summary: "Moves an element from a list to another and returns it, or waits for one.", Complexity: "O(1)"},
		{Name: "blmovem", Handler: cmdBlmovem, Arity: -6, Flags: move, Keys: two,
			Group: "list", Categories: list, Since: "8.10.0",
			Syntax:     "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout=double [<COUNT | EXACTLY> count <OBO | BULK>]",
			Summary:    "Moves elements from a list to another and returns them, or waits for some.",
			Complexity: "O(N) where N is the number of elements moved."},
		{Name: "brpoplpush", Handler: cmdBrpoplpush, Arity: 4, Flags: move, Keys: two,
			Group: "list", Categories: list, Since: "2.2.0", Syntax: "source destination timeout=double",
			Summary:    "Moves the last element of a list to the front of another and returns it, or waits for one.",
			Complexity: "O(1)", History: fraction,
			DeprecatedSince: "6.2.0", ReplacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments"},
		{Name: "blmpop", Handler: cmdBlmpop, Arity: -5, Flags: engine.Write | engine.Blocking, Keys: []engine.KeySpec{engine.NumKeys(2, take)},
			Group: "list", Categories: list, Since: "7.0.0", Syntax: "timeout=double numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
			Summary:    "Removes elements of the first list that exists and returns them, or waits for some.",
			Complexity: "O(N+M) where N is the number of keys and M is the number of elements returned."},
		{Name: "bzpopmin", Handler: cmdBzpopmin, Arity: -3, Flags: flags | engine.Fast, Keys: several,
			Group: "sorted-set", Categories: zset, Since: "5.0.0", Syntax: "key [key ...] timeout=double",
			Summary:    "Removes the member with the lowest score of the first sorted set that exists and returns it, or waits for one.",
			Complexity: "O(log(N)) where N is the size of the sorted set.", History: fraction},
		{Name: "bzpopmax", Handler: cmdBzpopmax, Arity: -3, Flags: flags | engine.Fast, Keys: several,
			Group: "sorted-set", Categories: zset, Since: "5.0.0", Syntax: "key [key ...] timeout=double",
			Summary:    "Removes the member with the highest score of the first sorted set that exists and returns it, or waits for one.",
			Complexity: "O(log(N)) where N is the size of the sorted set.", History: fraction},
		{Name: "bzmpop", Handler: cmdBzmpop, Arity: -5, Flags: engine.Write | engine.Blocking, Keys: []engine.KeySpec{engine.NumKeys(2, take)},
			Group: "sorted-set", Categories: zset, Since: "7.0.0", Syntax: "timeout=double numkeys key [key ...] <MIN | MAX> [COUNT count]",
			Summary:    "Removes members of the first sorted set that exists and returns them, or waits for some.",
			Complexity: "O(K) + O(M*log(N)) where K is the number of keys, N the size of the sorted set and M the number of members removed."},
	}
}

// parseTimeout reads a time limit in seconds, by Redis' rounding: a part of a millisecond counts as
// a whole one. 0 is none.
func parseTimeout(c *engine.Ctx, arg []byte) (time.Duration, error) {
	seconds, ok := lex.ParseFloat(arg)
	if !ok {
		_, ok := lex.ParseExtended(arg) // Redis' number is a long double
		switch {
		case !ok:
			return 0, engine.ErrTimeout
		case arg[0] == '-':
			seconds = math.Inf(-1)
		default:
			seconds = math.Inf(1)
		}
	}
	ms := math.Ceil(seconds * 1000)
	const most = math.MaxInt64 / int64(time.Millisecond)
	switch {
	case ms < 0:
		return 0, engine.ErrTimeoutNegative
	case ms > math.MaxInt64-float64(c.Now):
		return 0, engine.ErrTimeoutRange
	case ms > float64(most):
		return math.MaxInt64, nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// nothing is what the time limit brings, whatever the command.
func nothing(c *engine.Ctx) error {
	c.Out.NullArray()
	return nil
}

func cmdBlpop(c *engine.Ctx) error { return popOrWait(c, store.Front) }
func cmdBrpop(c *engine.Ctx) error { return popOrWait(c, store.Back) }

func popOrWait(c *engine.Ctx, end store.End) error {
	timeout, err := parseTimeout(c, c.Args[len(c.Args)-1])
	if err != nil {
		return err
	}
	l, k, ok, err := firstList(c, c.Keys)
	switch {
	case err != nil:
		return err
	case !ok:
		return c.WaitForKeys(c.Keys, store.TypeList, timeout, nothing)
	}
	c.Out.Array(2)
	c.Out.Bulk(k.Name)
	l.Pop(end, 1, c.Out.Bulk)
	c.Effect(popWord(end), k.Name)
	return nil
}

func cmdBlmove(c *engine.Ctx) error {
	a := c.Parse(3)
	from, to := parseEnd(a), parseEnd(a)
	if err := a.Err(); err != nil {
		return err
	}
	return moveOrWait(c, from, to, []byte("LMOVE"))
}

func cmdBrpoplpush(c *engine.Ctx) error {
	return moveOrWait(c, store.Back, store.Front, []byte("RPOPLPUSH"))
}

// moveOrWait moves an element. word is the command to the same effect, with the same arguments but
// for the time limit at the end.
func moveOrWait(c *engine.Ctx, from, to store.End, word []byte) error {
	last := len(c.Args) - 1
	timeout, err := parseTimeout(c, c.Args[last])
	if err != nil {
		return err
	}
	done := false
	if e, ok := c.Peek(c.Keys[0]); !c.Waited() || ok && e.Type() == store.TypeList {
		done, err = moveElement(c, from, to)
	}
	switch {
	case err != nil:
		return err
	case !done && !c.MayWait():
		c.Out.Null()
	case !done:
		return c.WaitForKeys(c.Keys[:1], store.TypeList, timeout, nothing)
	default:
		var args [5][]byte
		n := copy(args[:], c.Args[:last])
		args[0] = word
		c.Effect(args[:n]...)
	}
	return nil
}

func cmdBlmpop(c *engine.Ctx) error {
	a := c.Parse(2)
	m := parseMultiPop(a)
	if err := a.Err(); err != nil {
		return err
	}
	timeout, err := parseTimeout(c, c.Args[1])
	if err != nil {
		return err
	}
	if done, err := m.run(c); done || err != nil {
		return err
	}
	return c.WaitForKeys(c.Keys, store.TypeList, timeout, nothing)
}

func cmdBzpopmin(c *engine.Ctx) error { return scoredOrWait(c, false) }
func cmdBzpopmax(c *engine.Ctx) error { return scoredOrWait(c, true) }

func scoredOrWait(c *engine.Ctx, highest bool) error {
	timeout, err := parseTimeout(c, c.Args[len(c.Args)-1])
	if err != nil {
		return err
	}
	for _, k := range c.Keys {
		z, ok, err := c.WriteZset(k)
		switch {
		case err != nil && !skips(c, err):
			return err
		case !ok:
			continue
		}
		c.Out.Array(3)
		c.Out.Bulk(k.Name)
		replyPopped(c.Out, &z, 1, highest, false)
		word := "ZPOPMIN"
		if highest {
			word = "ZPOPMAX"
		}
		c.Effect([]byte(word), k.Name)
		return nil
	}
	return c.WaitForKeys(c.Keys, store.TypeZset, timeout, nothing)
}

func cmdBzmpop(c *engine.Ctx) error {
	highest, count, err := zmpopOptions(c, 2)
	if err != nil {
		return err
	}
	timeout, err := parseTimeout(c, c.Args[1])
	if err != nil {
		return err
	}
	if popped, err := popFirstScored(c, c.Keys, highest, count); popped || err != nil {
		return err
	}
	return c.WaitForKeys(c.Keys, store.TypeZset, timeout, nothing)
}

// skips reports whether a command passes over a key because of this error: one that has waited does
// not mind that a key got a value of another type meanwhile.
func skips(c *engine.Ctx, err error) bool { return errors.Is(err, store.ErrWrongType) && c.Waited() }
