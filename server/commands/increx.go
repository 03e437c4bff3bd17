package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// INCREX of Redis 8.8: a counter with bounds and a time to live in one step, which is what limiters
// made of INCR and EXPIRE lack. The reply is the number that is there afterwards, and what was added.
//
// A sum outside of the bounds is not stored: nothing changes, the time to live neither, and what was
// added is 0. With SATURATE the bound that it has passed is stored instead. A sum that no integer can
// hold is beyond any bound, and an error where there is none and no SATURATE. Floating point numbers
// are those of INCRBYFLOAT. The log gets the number, and the time at which it expires.

// increxOptions are the options of INCREX. Numbers are read when it is known of which kind they are.
type increxOptions struct {
	setOptions
	float, byInt, saturate, ifNone bool
	by, lower, upper               []byte
}

func (o *increxOptions) parse(a *engine.Args) {
	for !a.Done() {
		switch {
		case o.parseExpiry(a, o.persist):
		case o.unit == noExpiry && a.Match("PERSIST"):
			o.persist = true
		case !o.byInt && a.MatchValue("BYFLOAT"):
			o.float, o.by = true, a.Next()
		case !o.float && a.MatchValue("BYINT"):
			o.byInt, o.by = true, a.Next()
		case a.MatchValue("LBOUND"):
			o.lower = a.Next()
		case a.MatchValue("UBOUND"):
			o.upper = a.Next()
		case a.Match("SATURATE"):
			o.saturate = true
		case a.Match("ENX"):
			o.ifNone = true
		default:
			a.Syntax()
		}
	}
	if o.ifNone && o.unit == noExpiry {
		a.Syntax()
	}
}

func cmdIncrex(c *engine.Ctx) error {
	var o increxOptions
	a := c.Parse(2)
	o.parse(a)
	if err := a.Err(); err != nil {
		return err
	}
	expire := int64(store.KeepTTL)
	if o.persist {
		expire = 0
	} else if o.unit != noExpiry {
		at, err := deadline(c, o.expiry, o.unit)
		if err != nil {
			return err
		}
		expire = at
	}
	if o.float {
		return o.addFloat(c, expire)
	}
	return o.addInteger(c, expire)
}

// store gives the key its new number, if it is to have one.
func (o *increxOptions) store(c *engine.Ctx, e *store.Entry, text []byte, expire int64, ev store.Event) {
	k := c.Keys[0]
	if o.ifNone && e.ExpireAt() != 0 {
		expire = store.KeepTTL
	}
	c.UpdateString(e, k, text, expire, ev)
	switch expire {
	case 0:
		c.Effect([]byte("SET"), k.Name, text)
	case store.KeepTTL:
		c.Effect([]byte("SET"), k.Name, text, []byte("KEEPTTL"))
	default:
		setEffect(c, k, text, expire)
	}
}

// bounds of integers.
type bounds struct {
	lower, upper       int64
	hasLower, hasUpper bool
}

func (o *increxOptions) integers() (by int64, b bounds, err error) {
	by, b = 1, bounds{math.MinInt64, math.MaxInt64, o.lower != nil, o.upper != nil}
	for _, n := range [...]struct {
		text []byte
		to   *int64
	}{{o.by, &by}, {o.lower, &b.lower}, {o.upper, &b.upper}} {
		if n.text == nil {
			continue
		}
		var ok bool
		if *n.to, ok = lex.ParseInt(n.text); !ok {
			return 0, b, engine.ErrNotInteger
		}
	}
	if b.lower > b.upper {
		return 0, b, engine.ErrBoundsOrder
	}
	return by, b, nil
}

func (o *increxOptions) addInteger(c *engine.Ctx, expire int64) error {
	by, b, err := o.integers()
	if err != nil {
		return err
	}
	e, err := writeString(c)
	if err != nil {
		return err
	}
	old, ok := int64(0), true
	if e.Found() {
		if old, ok = lex.ParseInt(e.Bytes()); !ok {
			return engine.ErrNotInteger
		}
	}
	sum, within, err := b.add(old, by, o.saturate)
	if err != nil {
		return err
	}
	if within || o.saturate {
		var digits [20]byte
		o.store(c, &e, strconv.AppendInt(digits[:0], sum, 10), expire, store.EventIncrBy)
	}
	c.Out.Array(2)
	c.Out.Int(sum)
	c.Out.Int(sum - old)
	return nil
}

// add returns the sum if it is within the bounds. If not, it returns the bound that the sum has passed
// to saturate, or else the old number.
func (b *bounds) add(n, by int64, saturate bool) (sum int64, within bool, err error) {
	up, down := by > 0 && n > math.MaxInt64-by, by < 0 && n < math.MinInt64-by
	sum = n + by
	var bound int64
	switch {
	case up || !down && sum > b.upper:
		bound = b.upper
	case down || sum < b.lower:
		bound = b.lower
	default:
		return sum, true, nil
	}
	switch {
	case !saturate && (up && !b.hasUpper || down && !b.hasLower),
		saturate && (bound-n < 0) != (bound < n): // no integer can say what was added
		return 0, false, engine.ErrOverflow
	case saturate:
		return bound, false, nil
	}
	return n, false, nil
}

func (o *increxOptions) addFloat(c *engine.Ctx, expire int64) error {
	by, ok := lex.ParseExtended(o.by)
	lower, okLower := parseBound(o.lower, lex.Infinity(true))
	upper, okUpper := parseBound(o.upper, lex.Infinity(false))
	switch {
	case !ok || !okLower || !okUpper:
		return engine.ErrNotFloat
	case upper.Less(lower):
		return engine.ErrBoundsOrder
	}
	e, err := writeString(c)
	if err != nil {
		return err
	}
	var old lex.Extended
	if e.Found() {
		if old, ok = lex.ParseExtended(e.Bytes()); !ok {
			return engine.ErrNotFloat
		}
	}
	sum, ok := old.Add(by)
	if !ok {
		return engine.ErrNaNOrInfinity
	}
	bound, within := clamp(sum, lower, upper)
	switch {
	case !within && !o.saturate:
		sum, by = old, lex.Extended{}
	case !within:
		if by, ok = bound.Add(old.Neg()); !ok {
			return engine.ErrNaNOrInfinity
		}
		sum = bound
	}
	if within || o.saturate {
		var digits [64]byte // longer numbers move to the heap
		o.store(c, &e, sum.Append(digits[:0]), expire, store.EventIncrByFloat)
	}
	c.Out.Array(2)
	replyExtended(c, sum)
	replyExtended(c, by)
	return nil
}

// parseBound reads a bound, or takes another one if it is not given.
func parseBound(text []byte, otherwise lex.Extended) (lex.Extended, bool) {
	if text == nil {
		return otherwise, true
	}
	return lex.ParseExtended(text)
}

// clamp returns the bound that a number has passed, or the number, which is within them then.
func clamp(x, lower, upper lex.Extended) (lex.Extended, bool) {
	switch {
	case upper.Less(x):
		return upper, false
	case x.Less(lower):
		return lower, false
	}
	return x, true
}

// replyExtended answers with the digits that INCRBYFLOAT shows, or in RESP3 with a double.
func replyExtended(c *engine.Ctx, x lex.Extended) {
	if c.Out.RESP3() {
		c.Out.Double(x.Float64())
		return
	}
	var digits [64]byte
	c.Out.Bulk(x.Append(digits[:0]))
}
