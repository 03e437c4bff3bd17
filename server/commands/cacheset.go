package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// CACHE.SET and CACHE.MSET: a value with all that a cache knows of it, at once: how long it is fresh
// and how long it lives, what it depends on (tags), and a version by which a later writer sees whether
// it is still the same. Their readers are in cacheget.go.
//
// The log gets the SET that Redis would have had, and behind it, on a line that only larder reads,
// what Redis has no place for (CACHE.ATTACH).

// cacheSet is the options of CACHE.SET and CACHE.MSET.
type cacheSet struct {
	life  setOptions // EX and its like, NX, XX
	fresh int64      // milliseconds; 0: as long as it lives
	tags  [][]byte

	versioned, leased bool   // VERSION, LEASE
	number            uint64 // the version or token
}

// parse reads the options. conditions says that NX and its like are among them.
func (o *cacheSet) parse(a *engine.Args, conditions bool) {
	for !a.Done() {
		switch {
		case o.life.parseExpiry(a, false):
		case o.fresh == 0 && a.MatchValue("FRESH"):
			o.fresh = a.IntRange(1, math.MaxInt64, string(engine.ErrFreshTime))
		case a.MatchValue("TAGS"):
			o.parseTags(a)
		case conditions && o.parseCondition(a):
		default:
			a.Syntax()
		}
	}
}

func (o *cacheSet) parseTags(a *engine.Args) {
	for range a.IntRange(0, store.MaxTags, string(engine.ErrTagCount)) {
		addTags(&o.tags, [][]byte{a.Next()})
	}
	if len(o.tags) > store.MaxTags {
		a.Fail(engine.ErrManyTags)
	}
}

// parseCondition reads a condition, of which there may be one.
func (o *cacheSet) parseCondition(a *engine.Args) bool {
	switch {
	case o.life.nx || o.life.xx || o.versioned || o.leased:
		return false
	case a.Match("NX"):
		o.life.nx = true
	case a.Match("XX"):
		o.life.xx = true
	case a.MatchValue("VERSION"):
		o.versioned, o.number = true, uint64(a.IntRange(0, math.MaxInt64, string(engine.ErrVersion)))
	case a.MatchValue("LEASE"):
		o.leased, o.number = true, uint64(a.IntRange(0, math.MaxInt64, string(engine.ErrLeaseToken)))
	default:
		return false
	}
	return true
}

// times are until when the value lives and is fresh, as the store has them.
func (o *cacheSet) times(c *engine.Ctx) (expire, fresh int64, err error) {
	if expire, err = o.life.expireAt(c); err != nil || o.fresh == 0 {
		return expire, 0, err
	}
	if o.fresh > math.MaxInt64-c.Now {
		return 0, 0, engine.ErrFresh
	}
	if fresh = c.Now + o.fresh; expire != 0 && fresh > expire {
		return 0, 0, engine.ErrFresh
	}
	return expire, fresh, nil
}

// cmdCacheSet answers with the value's version, or with null if its condition does not hold.
func cmdCacheSet(c *engine.Ctx) error {
	var o cacheSet
	a := c.Parse(3)
	o.parse(a, true)
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	expire, fresh, err := o.times(c)
	if err == nil {
		err = mayTag(c, o.tags)
	}
	if err != nil {
		return err
	}
	k := c.Keys[0]
	x := store.Extras{Fresh: fresh, Tags: o.tags}
	if o.leased {
		var good bool
		if x.Cost, good = c.Fill(k, o.number, o.tags); !good {
			c.Out.Null()
			return nil
		}
	}
	e, found := c.Write(k)
	if !o.holds(c, &e, found) {
		c.Out.Null()
		return nil
	}
	x.NoEvict = found && e.NoEvict()
	c.Out.Int(int64(storeCached(c, k, c.Args[2], expire, &x)))
	return nil
}

// holds reports whether the condition is met by an entry, or by the absence of one. A key without a
// version has version 0; one that is absent has none.
func (o *cacheSet) holds(c *engine.Ctx, e *store.Entry, found bool) bool {
	switch {
	case o.life.nx:
		return !found
	case o.life.xx:
		return found
	case o.versioned:
		return found && e.State(c.Now).Version == o.number
	}
	return true
}

// storeCached stores a value with what x says and a new version, which it returns, and says so to the
// log.
func storeCached(c *engine.Ctx, k store.Key, value []byte, expire int64, x *store.Extras) (version uint64) {
	x.Version = c.Version(k)
	c.SetStringWith(k, value, expire, x)
	if c.Logged() {
		var room [256]byte
		setEffect(c, k, value, expire)
		c.OwnEffect([]byte("CACHE.ATTACH"), k.Name, x.Append(room[:0]))
	}
	return x.Version
}

// cmdCacheMset answers with the versions, in the order of the keys. Of equal keys the last counts.
func cmdCacheMset(c *engine.Ctx) error {
	var o cacheSet
	a := c.Parse(1)
	n := a.IntRange(1, math.MaxInt32, string(engine.ErrNumKeysInvalid))
	if 2*n > int64(a.Left()) {
		a.Fail(engine.ErrKeyValuePairs)
	}
	a.Skip(2 * int(n))
	o.parse(a, false)
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	expire, fresh, err := o.times(c)
	if err == nil {
		err = mayTag(c, o.tags)
	}
	if err != nil {
		return err
	}
	c.Out.Array(len(c.Keys))
	for i, k := range c.Keys {
		e, found := c.Write(k)
		x := store.Extras{Fresh: fresh, Tags: o.tags, NoEvict: found && e.NoEvict()}
		c.Out.Int(int64(storeCached(c, k, c.Args[2*i+3], expire, &x)))
	}
	return nil
}
