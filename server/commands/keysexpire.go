package commands

import (
	"math"
	"slices"
	"strconv"

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

// match takes one of the conditions, and reports whether there was one.
func (o *expireIf) match(a *engine.Args) bool {
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
		return false
	}
	return true
}

func (o *expireIf) parse(a *engine.Args) {
	for !a.Done() {
		if !o.match(a) {
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
	if o != (expireIf{}) {
		e, ok := c.Write(c.Keys[0])
		if !ok || !o.allows(e.ExpireAt(), when) {
			c.Out.Int(0)
			return nil
		}
	}
	replyDone(c, expireAt(c, when, c.Args[3:]...))
	return nil
}

// expireAt gives the command's key its expiry time, or deletes the key if that has
// passed, and says so to the log, with the options that EXPIRE was given. It reports
// whether the key was there. A log that is replayed deletes nothing before it says
// so itself.
func expireAt(c *engine.Ctx, when int64, options ...[]byte) bool {
	if when <= c.Now && !c.Loading {
		return deleteKey(c)
	}
	k := c.Keys[0]
	if !c.SetExpire(k, when) {
		return false
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], when, 10)
	switch len(options) { // words of a known number stay on the stack
	case 0:
		c.Effect([]byte("PEXPIREAT"), k.Name, text)
	case 1:
		c.Effect([]byte("PEXPIREAT"), k.Name, text, options[0])
	default:
		c.Effect(slices.Concat([][]byte{[]byte("PEXPIREAT"), k.Name, slices.Clone(text)}, options)...)
	}
	return true
}

// deleteKey deletes the command's key for a command that is not DEL.
func deleteKey(c *engine.Ctx) bool {
	deleted := c.Delete(c.Keys[0])
	if deleted {
		c.Effect([]byte("DEL"), c.Keys[0].Name)
	}
	return deleted
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
