package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Counters: strings that are numbers. Adding keeps the key's time to live. The log
// gets sums of floating point numbers, which others may round differently.

func cmdIncr(c *engine.Ctx) error { return addInteger(c, 1) }
func cmdDecr(c *engine.Ctx) error { return addInteger(c, -1) }

func cmdIncrby(c *engine.Ctx) error {
	n, ok := lex.ParseInt(c.Args[2])
	if !ok {
		return engine.ErrNotInteger
	}
	return addInteger(c, n)
}

func cmdDecrby(c *engine.Ctx) error {
	n, ok := lex.ParseInt(c.Args[2])
	if !ok {
		return engine.ErrNotInteger
	}
	if n == math.MinInt64 { // has no negative
		return engine.ErrDecrOverflow
	}
	return addInteger(c, -n)
}

func addInteger(c *engine.Ctx, delta int64) error {
	n, err := c.IncrBy(c.Keys[0], delta)
	if err != nil {
		return err
	}
	c.Out.Int(n)
	return nil
}

func cmdIncrbyfloat(c *engine.Ctx) error {
	k := c.Keys[0]
	var sum lex.Extended
	if e, found := c.Write(k); found {
		if e.Type() != store.TypeString {
			return engine.ErrWrongType
		}
		var ok bool
		if sum, ok = lex.ParseExtended(e.Bytes()); !ok {
			return engine.ErrNotFloat
		}
	}
	delta, ok := lex.ParseExtended(c.Args[2])
	if !ok {
		return engine.ErrNotFloat
	}
	if sum, ok = sum.Add(delta); !ok {
		return engine.ErrNaNOrInfinity
	}
	var digits [64]byte // longer numbers move to the heap
	text := sum.Append(digits[:0])
	if err := c.SetText(k, text); err != nil {
		return err
	}
	c.Effect([]byte("SET"), k.Name, text, []byte("KEEPTTL"))
	c.Out.Bulk(text)
	return nil
}
