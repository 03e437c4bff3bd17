package commands

import (
	"bytes"
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// SET and its family: everything that gives a key a new string, a time to
// live with it, or both.
//
// Redis spells a time to live in four ways. They become one absolute time in
// unix milliseconds before the store hears of them; 0 means none. Times in the
// past are legal where they are absolute: the key then exists for no reader.

// expiryUnit is how the argument of a time to live is to be read.
type expiryUnit uint8

const (
	noExpiry  expiryUnit = iota
	inSeconds            // EX
	inMillis             // PX
	atSeconds            // EXAT
	atMillis             // PXAT
)

func (u expiryUnit) seconds() bool  { return u == inSeconds || u == atSeconds }
func (u expiryUnit) absolute() bool { return u == atSeconds || u == atMillis }

// setOptions are the options of SET and GETEX.
type setOptions struct {
	nx, xx, get, keepTTL bool // SET
	persist              bool // GETEX
	unit                 expiryUnit
	expiry               []byte // the argument of unit, not yet read
}

// parseSet reads the options of SET. An option that contradicts an earlier one
// is a syntax error; repeating one is not, and the last argument counts.
func (o *setOptions) parseSet(a *engine.Args) {
	for !a.Done() {
		switch {
		case o.parseExpiry(a, o.keepTTL):
		case !o.xx && a.Match("NX"):
			o.nx = true
		case !o.nx && a.Match("XX"):
			o.xx = true
		case a.Match("GET"):
			o.get = true
		case o.unit == noExpiry && a.Match("KEEPTTL"):
			o.keepTTL = true
		default:
			a.Syntax()
		}
	}
}

// parseGetex reads the options of GETEX.
func (o *setOptions) parseGetex(a *engine.Args) {
	for !a.Done() {
		switch {
		case o.parseExpiry(a, o.persist):
		case o.unit == noExpiry && a.Match("PERSIST"):
			o.persist = true
		default:
			a.Syntax()
		}
	}
}

// parseExpiry reads one of EX, PX, EXAT and PXAT with its argument.
func (o *setOptions) parseExpiry(a *engine.Args, excluded bool) bool {
	if excluded {
		return false
	}
	unit := noExpiry
	switch {
	case o.allows(inSeconds) && a.MatchValue("EX"):
		unit = inSeconds
	case o.allows(inMillis) && a.MatchValue("PX"):
		unit = inMillis
	case o.allows(atSeconds) && a.MatchValue("EXAT"):
		unit = atSeconds
	case o.allows(atMillis) && a.MatchValue("PXAT"):
		unit = atMillis
	default:
		return false
	}
	o.unit, o.expiry = unit, a.Next()
	return true
}

func (o *setOptions) allows(u expiryUnit) bool { return o.unit == noExpiry || o.unit == u }

// deadline turns a time to live as the client wrote it into unix milliseconds.
func deadline(c *engine.Ctx, text []byte, unit expiryUnit) (int64, error) {
	n, ok := lex.ParseInt(text)
	if !ok {
		return 0, engine.ErrNotInteger
	}
	if n <= 0 || unit.seconds() && n > math.MaxInt64/1000 {
		return 0, engine.ErrInvalidExpire(c.Spec)
	}
	if unit.seconds() {
		n *= 1000
	}
	if !unit.absolute() {
		if n > math.MaxInt64-c.Now {
			return 0, engine.ErrInvalidExpire(c.Spec)
		}
		n += c.Now
	}
	return n, nil
}

func cmdSet(c *engine.Ctx) error {
	if len(c.Args) == 3 {
		c.SetString(c.Keys[0], c.Args[2], 0)
		c.Out.OK()
		return nil
	}
	var o setOptions
	a := c.Parse(3)
	o.parseSet(a)
	if err := a.Err(); err != nil {
		return err
	}
	var expireAt int64
	switch {
	case o.keepTTL:
		expireAt = store.KeepTTL
	case o.unit != noExpiry:
		at, err := deadline(c, o.expiry, o.unit)
		if err != nil {
			return err
		}
		expireAt = at
	}
	done, err := o.set(c, expireAt)
	switch {
	case err != nil || !done:
	case o.unit != noExpiry:
		setEffect(c, c.Args[2], expireAt)
	case o.get:
		effectWithoutGet(c)
	}
	return err
}

// setEffect says that the key has got a value and a time to live.
func setEffect(c *engine.Ctx, value []byte, at int64) {
	var digits [20]byte
	c.Effect([]byte("SET"), c.Keys[0].Name, value, []byte("PXAT"), strconv.AppendInt(digits[:0], at, 10))
}

// effectWithoutGet drops the option that only concerns the reply.
func effectWithoutGet(c *engine.Ctx) {
	var room [8][]byte
	words := append(room[:0], c.Args[:3]...)
	for _, a := range c.Args[3:] {
		if !bytes.EqualFold(a, []byte("GET")) {
			words = append(words, a)
		}
	}
	c.Effect(words...)
}

// set does what SET does once its options are known to be right, and reports
// whether it set the key.
func (o *setOptions) set(c *engine.Ctx, expireAt int64) (done bool, err error) {
	k := c.Keys[0]
	var found bool
	switch {
	case o.get:
		// The old value is the reply in any case, so it is written before
		// it is overwritten.
		old, ok, err := c.GetString(k)
		if err != nil {
			return false, err
		}
		replyValue(c, old, ok)
		found = ok
	case o.nx || o.xx:
		_, found = c.Write(k)
	}
	if o.nx && found || o.xx && !found {
		if !o.get {
			c.Out.Null()
		}
		return false, nil
	}
	c.SetString(k, c.Args[2], expireAt)
	if !o.get {
		c.Out.OK()
	}
	return true, nil
}

func cmdSetnx(c *engine.Ctx) error {
	if _, found := c.Write(c.Keys[0]); found {
		c.Out.Int(0)
		return nil
	}
	c.SetString(c.Keys[0], c.Args[2], 0)
	c.Out.Int(1)
	return nil
}

func cmdSetex(c *engine.Ctx) error  { return setFor(c, inSeconds) }
func cmdPsetex(c *engine.Ctx) error { return setFor(c, inMillis) }

func setFor(c *engine.Ctx, unit expiryUnit) error {
	at, err := deadline(c, c.Args[2], unit)
	if err != nil {
		return err
	}
	c.SetString(c.Keys[0], c.Args[3], at)
	setEffect(c, c.Args[3], at)
	c.Out.OK()
	return nil
}

func cmdGetset(c *engine.Ctx) error {
	o := setOptions{get: true}
	done, err := o.set(c, 0)
	if done {
		c.Effect([]byte("SET"), c.Args[1], c.Args[2])
	}
	return err
}

func cmdGetdel(c *engine.Ctx) error {
	v, ok, err := c.GetString(c.Keys[0])
	if err != nil {
		return err
	}
	replyValue(c, v, ok)
	if ok {
		deleteKey(c)
	}
	return nil
}

// cmdGetex looks at the key before it reads the time to live: a missing key is
// null even if the number is none.
func cmdGetex(c *engine.Ctx) error {
	var o setOptions
	a := c.Parse(2)
	o.parseGetex(a)
	if err := a.Err(); err != nil {
		return err
	}
	k := c.Keys[0]
	v, ok, err := c.GetString(k)
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Null()
		return nil
	}
	var at int64
	if o.unit != noExpiry {
		if at, err = deadline(c, o.expiry, o.unit); err != nil {
			return err
		}
	}
	c.Out.Bulk(v)
	switch {
	case o.persist:
		if c.Persist(k) {
			c.Effect([]byte("PERSIST"), k.Name)
		}
	case at != 0:
		expireAt(c, at)
	}
	return nil
}

func cmdMset(c *engine.Ctx) error {
	if len(c.Args)%2 == 0 {
		return engine.ErrArity(c.Spec)
	}
	setAll(c)
	c.Out.OK()
	return nil
}

func cmdMsetnx(c *engine.Ctx) error {
	if len(c.Args)%2 == 0 {
		return engine.ErrArity(c.Spec)
	}
	for _, k := range c.Keys {
		if _, found := c.Write(k); found {
			c.Out.Int(0)
			return nil
		}
	}
	setAll(c)
	c.Out.Int(1)
	return nil
}

// setAll sets every key to the argument behind it; of equal keys the last counts.
func setAll(c *engine.Ctx) {
	for i, k := range c.Keys {
		c.SetString(k, c.Args[2*i+2], 0)
	}
}
