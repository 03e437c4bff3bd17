package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// cmdCacheFail: the holder of a lease says that it could not make the value. The next who waits gets the
// lease. With STALE the value that there is lives on, so that readers have it until somebody succeeds.
// It answers whether the lease was held.
func cmdCacheFail(c *engine.Ctx) error {
	a := c.Parse(2)
	token, extend := a.IntRange(0, math.MaxInt64, string(engine.ErrFailToken)), int64(0)
	if a.MatchValue("STALE") {
		extend = a.IntRange(1, math.MaxInt64, string(engine.ErrStaleTime))
	}
	if !a.Done() {
		a.Syntax()
	}
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	held := c.EndLease(c.Keys[0], uint64(token))
	if held && extend > 0 {
		liveOn(c, c.Keys[0], extend)
	}
	replyDone(c, held)
	return nil
}

// liveOn has a value live for some more milliseconds, but no longer after it was fresh than
// stale-if-error-max says, however often it is done. The value is stale then: if it had no end of its
// fresh time it gets one, so that the bound counts from there.
func liveOn(c *engine.Ctx, k store.Key, extend int64) {
	e, ok := c.Write(k)
	if !ok || e.ExpireAt() == 0 || e.Type() != store.TypeString {
		return
	}
	s, end := e.State(c.Now), e.ExpireAt()
	const loaded = 1 // the fresh time of a stale value that was read from a file, which knows no better one
	switch {
	case s.Stale && (s.Fresh <= loaded || s.Fresh > c.Now):
		s.Fresh = c.Now
	case s.Fresh == 0:
		s.Fresh = end
	}
	most := c.Kernel.Config.Values().StaleIfErrorMax
	until := min(c.Now+min(extend, most), s.Fresh+most)
	if until <= end {
		return
	}
	x, _ := e.Extras()
	x.Fresh = s.Fresh
	c.SetExtras(k, &x)
	c.SetExpire(k, until)
	if c.Logged() {
		var room [256]byte
		c.Effect([]byte("PEXPIREAT"), k.Name, strconv.AppendInt(nil, until, 10))
		c.OwnEffect([]byte("CACHE.ATTACH"), k.Name, x.Append(room[:0]))
	}
}
