package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
)

// Times to live. Setting one that has passed already deletes the key and
// counts as done.

func cmdExpire(c *engine.Ctx) error    { return expireKey(c, inSeconds) }
func cmdPexpire(c *engine.Ctx) error   { return expireKey(c, inMillis) }
func cmdExpireat(c *engine.Ctx) error  { return expireKey(c, atSeconds) }
func cmdPexpireat(c *engine.Ctx) error { return expireKey(c, atMillis) }

// expireIf are the conditions of EXPIRE on the time to live that is there.
type expireIf struct{ nx, xx, gt, lt bool }

func (o *expireIf) parse(a *engine.Args) {
	for !a.Done() {
		switch {
		case a.Match("NX"):
			o.nx = true
		case a.Match("XX"):
			o.xx = true
		case a.Match("GT"):
			o.gt = true
		case a.Match("LT"):
			o.lt = true
		default:
			a.Fail(engine.ErrExpireOption(a.Next()))
		}
	}
	if o.nx && (o.xx || o.gt || o.lt) {
		a.Fail(engine.ErrNXWithXX)
	}
	if o.gt && o.lt {
		a.Fail(engine.ErrGTWithLT)
	}
}

// allows decides by the present expiry time, 0 if there is none. To GT and LT
// none is later than any time.
func (o *expireIf) allows(present, wanted int64) bool {
	none := present == 0
	switch {
	case o.nx && !none,
		o.xx && none,
		o.gt && (none || wanted <= present),
		o.lt && !none && wanted >= present:
		return false
	}
	return true
}

// expireKey checks the options before the number, as Redis does.
func expireKey(c *engine.Ctx, unit expiryUnit) error {
	var o expireIf
	if len(c.Args) > 3 {
		a := c.Parse(3)
		o.parse(a)
		if err := a.Err(); err != nil {
			return err
		}
	}
	a := c.Parse(2)
	when := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	if unit.seconds() {
		if when > math.MaxInt64/1000 || when < math.MinInt64/1000 {
			return engine.ErrInvalidExpire(c.Spec)
		}
		when *= 1000
	}
	if !unit.absolute() {
		if when > math.MaxInt64-c.Now {
			return engine.ErrInvalidExpire(c.Spec)
		}
		when += c.Now
	}
	k := c.Keys[0]
	if o != (expireIf{}) {
		e, ok := c.Write(k)
		if !ok || !o.allows(e.ExpireAt(), when) {
			c.Out.Int(0)
			return nil
		}
	}
	var done bool
	if when <= c.Now {
		done = c.Delete(k)
	} else {
		done = c.SetExpire(k, when)
	}
	replyDone(c, done)
	return nil
}

// replyDone answers 1 or 0.
func replyDone(c *engine.Ctx, done bool) {
	if done {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
}

func cmdPersist(c *engine.Ctx) error {
	replyDone(c, c.Persist(c.Keys[0]))
	return nil
}

func cmdTtl(c *engine.Ctx) error         { return replyExpiry(c, inSeconds) }
func cmdPttl(c *engine.Ctx) error        { return replyExpiry(c, inMillis) }
func cmdExpiretime(c *engine.Ctx) error  { return replyExpiry(c, atSeconds) }
func cmdPexpiretime(c *engine.Ctx) error { return replyExpiry(c, atMillis) }

// replyExpiry answers with the time to live in the unit: -1 if there is none,
// -2 if there is no key. Seconds are rounded to the nearest.
func replyExpiry(c *engine.Ctx, unit expiryUnit) error {
	e, ok := c.Lookup(c.Keys[0])
	t := e.ExpireAt()
	switch {
	case !ok:
		t = -2
	case t == 0:
		t = -1
	default:
		if !unit.absolute() {
			t = max(t-c.Now, 0)
		}
		if unit.seconds() {
			t = int64((uint64(t) + 500) / 1000)
		}
	}
	c.Out.Int(t)
	return nil
}
