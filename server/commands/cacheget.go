package commands

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// CACHE.GET and its like: all that a cache's client wants to know of a value in one round trip.

func cacheCommands() []engine.Spec {
	const (
		cat    = engine.CatString
		update = engine.RW | engine.Access | engine.Update
		life   = "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds] " +
			"[FRESH milliseconds] [TAGS numtags=integer tag [tag ...]]"
	)
	return []engine.Spec{
		{Name: "cache.set", Handler: cmdCacheSet, Arity: -3, Flags: engine.Write | engine.DenyOOM,
			Keys:  []engine.KeySpec{engine.Key(1, update)},
			Group: "string", Categories: cat, Since: ownSince,
			Syntax:     "key value " + life + " [NX | XX | VERSION version=integer | LEASE token=integer]",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Sets a string with its time to live, the time that it is fresh, and its tags, on a condition.",
			Complexity: "O(N) where N is the number of tags."},
		{Name: "cache.mset", Handler: cmdCacheMset, Arity: -4, Flags: engine.Write | engine.DenyOOM,
			Keys:  []engine.KeySpec{{Flags: engine.RW | engine.Update, Pos: 1, Step: 2, ByCount: true, FirstAt: 1}},
			Group: "string", Categories: cat, Since: ownSince,
			Syntax:     "numkeys key value [key value ...] " + life,
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Sets several strings with their time to live, the time that they are fresh, and their tags.",
			Complexity: "O(N*T) where N is the number of keys and T that of tags."},
		{Name: "cache.get", Handler: cmdCacheGet, Arity: -2, Flags: engine.ReadOnly | engine.Fast | engine.Blocking,
			Keys:  []engine.KeySpec{engine.Key(1, engine.RO|engine.Access)},
			Group: "string", Categories: cat, Since: ownSince,
			Syntax:     "key [LEASE milliseconds [WAIT milliseconds [STALE]] [BETA beta=double]]",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Returns a string, whether and for how long it is fresh, and its version. Whoever is to make it anew gets a lease; others may wait.",
			Complexity: "O(1)"},
		{Name: "cache.mget", Handler: cmdCacheMget, Arity: -3, Flags: engine.ReadOnly | engine.Fast,
			Keys:  []engine.KeySpec{engine.NumKeys(1, engine.RO|engine.Access)},
			Group: "string", Categories: cat, Since: ownSince,
			Syntax:     "numkeys key [key ...] [LEASE milliseconds [BETA beta=double]]",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Returns several strings at one moment, of each whether and for how long it is fresh, and its version. Whoever is to make one anew gets a lease.",
			Complexity: "O(N) where N is the number of keys."},
		{Name: "cache.fail", Handler: cmdCacheFail, Arity: -3, Flags: engine.Write | engine.Fast,
			Keys:  []engine.KeySpec{engine.Key(1, update)},
			Group: "string", Categories: cat, Since: ownSince,
			Syntax:     "key token=integer [STALE milliseconds]",
			Summary:    "Gives up a lease, and lets a stale value live for longer.",
			Complexity: "O(N) where N is the length of the value if its life is prolonged."},
	}
}

// cached is the reply of CACHE.GET.
type cached struct {
	value   []byte
	state   cacheState
	left    int64 // milliseconds that the value is fresh, or lives if it is fresh until then; -1: without end
	token   uint64
	version uint64
}

type cacheState uint8

const (
	cacheMiss cacheState = iota
	cacheHit
	cacheStale
)

// reply is the state as it is answered.
func (s cacheState) reply() string {
	return [...]string{cacheMiss: "$4\r\nmiss\r\n", cacheHit: "$3\r\nhit\r\n", cacheStale: "$5\r\nstale\r\n"}[s]
}

// write answers in one piece if the value is short: a hit is to cost little more than that of GET.
func (r *cached) write(c *engine.Ctx) {
	const (
		most  = 128  // bytes of all but the value
		short = 1024 // bytes of a value
	)
	b := append(c.Out.Room(most), "*5\r\n"...)
	switch n := len(r.value); {
	case r.state == cacheMiss:
		b = c.Out.AppendNull(b)
	case n <= short && c.Out.Fits(most+n):
		b = protocol.AppendBulk(b, r.value)
	default:
		c.Out.Put(b)
		c.Out.Bulk(r.value)
		b = c.Out.Room(most)
	}
	if r.state == cacheHit { // as a constant, which is copied without a call
		b = append(b, "$3\r\nhit\r\n"...)
	} else {
		b = append(b, r.state.reply()...)
	}
	b = protocol.AppendInt(b, r.left)
	if r.token != 0 {
		b = protocol.AppendInt(b, int64(r.token))
	} else {
		b = c.Out.AppendNull(b)
	}
	c.Out.Put(protocol.AppendInt(b, int64(r.version)))
}

// cacheGet is the options of CACHE.GET and CACHE.MGET.
type cacheGet struct {
	lease int64 // milliseconds; 0: none is asked for
	wait  int64 // milliseconds; 0: not at all
	stale bool  // waits only if there is no stale value either
	beta  float64
}

// longestWait is the longest time of an option, in milliseconds.
const longestWait = math.MaxInt64 / int64(time.Millisecond)

// usage makes a syntax error one that says what the arguments are, for commands that no other server has.
func usage(c *engine.Ctx, err error) error {
	if errors.Is(err, engine.ErrSyntax) {
		return engine.ErrUsage(c.Spec)
	}
	return err
}

// leaseAlone reads what most readers say: LEASE and a time, and nothing else. It reports whether this is
// so; any other options, and what is wrong, are left to parse.
func (o *cacheGet) leaseAlone(options [][]byte) bool {
	if len(options) != 2 || string(options[0]) != "LEASE" { // in capitals, which is compared without a call
		return false
	}
	lease, ok := lex.ParseInt(options[1])
	if !ok || lease < 1 || lease > longestWait {
		return false
	}
	o.lease, o.beta = lease, 1
	return true
}

// parse reads the options. waits says that WAIT is among them.
func (o *cacheGet) parse(a *engine.Args, waits bool) {
	o.beta = 1
	for !a.Done() {
		switch {
		case o.lease == 0 && a.MatchValue("LEASE"):
			o.lease = a.IntRange(1, longestWait, string(engine.ErrLeaseTime))
		case waits && o.lease > 0 && o.wait == 0 && a.MatchValue("WAIT"):
			o.wait = a.IntRange(1, longestWait, string(engine.ErrWaitTime))
		case o.wait > 0 && a.Match("STALE"):
			o.stale = true
		case o.lease > 0 && a.MatchValue("BETA"):
			o.beta = parseBeta(a)
		default:
			a.Syntax()
		}
	}
}

func parseBeta(a *engine.Args) float64 {
	beta, ok := lex.ParseFloat(a.Next())
	if !ok || !(beta >= 0) {
		a.Fail(engine.ErrBeta)
	}
	return beta
}

// lookup finds what there is under a key, and asks for a lease if one may be due. busy says that another
// client has it, or is about to.
func (o *cacheGet) lookup(c *engine.Ctx, k *store.Key, r *cached) (busy bool, err error) {
	var e store.Entry
	var ok bool
	if c.Waited() {
		ok, err = readAgain(c, k, &e)
	} else {
		ok, err = c.ReadString(&e, k)
	}
	if err != nil {
		return false, err
	}
	if ok && !o.fill(c, &e, r) || o.lease == 0 {
		return false, nil
	}
	r.token, busy = c.TakeLease(*k, o.lease, !ok && e.Hidden())
	return busy, nil
}

// readAgain is ReadString for a command that has waited, and has counted its lookup before.
func readAgain(c *engine.Ctx, k *store.Key, e *store.Entry) (ok bool, err error) {
	if *e, ok = c.Peek(*k); ok && e.Type() != store.TypeString {
		err = store.ErrWrongType
	}
	return ok, err
}

// fill makes r the reply about an entry, and reports whether its reader is to make the value anew.
func (o *cacheGet) fill(c *engine.Ctx, e *store.Entry, r *cached) (anew bool) {
	s := e.State(c.Now)
	r.value, r.version = e.Bytes(), s.Version
	if s.Stale {
		r.state = cacheStale
		return true
	}
	r.state = cacheHit
	end := s.Fresh
	if end == 0 {
		end = e.ExpireAt() // it is fresh until then
	}
	if end == 0 {
		r.left = -1
		return false
	}
	r.left = max(end-c.Now, 0)
	return mayBeEarly(r.left, s.Cost, o.beta) && early(c.Now, end, s.Cost, o.beta, 1-rand.Float64())
}

// early reports whether the reader of a fresh value is to make it anew before its end: with a
// probability that rises as the end comes near, and the sooner the longer the value takes to make (cost,
// in milliseconds). So there is a new one in time without all readers asking at once. The rule is
// optimal among those by which readers decide independently: Vattani, Chierichetti, Lowenstein, Optimal
// Probabilistic Cache Stampede Prevention, VLDB 2015. u is drawn from (0, 1].
func early(now, end, cost int64, beta, u float64) bool {
	return float64(now)-float64(cost)*beta*math.Log(u) >= float64(end)
}

// mayBeEarly reports whether there is a u for which the reader of a value that is fresh for so long is
// early. Most of the time there is none, which spares drawing it and its logarithm: u is a multiple of
// 2^-53, and -log(2^-53) is below 37.
func mayBeEarly(left, cost int64, beta float64) bool {
	return cost != 0 && beta != 0 && float64(left) <= 37*float64(cost)*beta
}

func cmdCacheGet(c *engine.Ctx) error {
	var o cacheGet
	var r cached
	if options := c.Args[2:]; len(options) > 0 && !o.leaseAlone(options) {
		a := c.Parse(2)
		o.parse(a, true)
		if err := a.Err(); err != nil {
			return usage(c, err)
		}
	}
	busy, err := o.lookup(c, &c.Keys[0], &r)
	if err != nil {
		return err
	}
	if busy && o.wait > 0 && c.MayWait() && (r.state == cacheMiss || r.state == cacheStale && !o.stale) {
		return c.WaitForLease(c.Keys[0], time.Duration(o.wait)*time.Millisecond, replyMiss)
	}
	if c.Waited() && r.state == cacheHit && r.token == 0 {
		c.ReplyShared(r.version, len(r.value), func() { r.write(c) })
		return nil
	}
	r.write(c)
	return nil
}

// replyMiss is what the end of a WAIT brings.
func replyMiss(c *engine.Ctx) error {
	(&cached{}).write(c)
	return nil
}

// cmdCacheMget answers with an array for each key. One of another type reads as missing, as MGET's.
func cmdCacheMget(c *engine.Ctx) error {
	var o cacheGet
	a := c.Parse(1)
	n := a.IntRange(1, math.MaxInt32, string(engine.ErrNumKeysInvalid))
	if n > int64(a.Left()) {
		a.Fail(engine.ErrNumKeysMany)
	}
	a.Skip(int(n))
	o.parse(a, false)
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	c.Out.Array(len(c.Keys))
	for i := range c.Keys {
		var r cached
		_, _ = o.lookup(c, &c.Keys[i], &r) // on an error it is the miss that it was
		r.write(c)
	}
	return nil
}
