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

// setOptions are the options of SET, MSETEX and GETEX.
type setOptions struct {
	nx, xx, keepTTL bool           // SET, MSETEX
	get             bool           // SET
	when            valueCondition // SET
	persist         bool           // GETEX
	unit            expiryUnit
	expiry          []byte // the argument of unit, not yet read
}

// parseSet reads the options of SET. An option that contradicts an earlier one
// is a syntax error; repeating one is not, and the last argument counts.
func (o *setOptions) parseSet(a *engine.Args) {
	for !a.Done() {
		switch {
		case o.parseStoring(a):
		case a.Match("GET"):
			o.get = true
		case !o.nx && !o.xx && o.when.parse(a):
		default:
			a.Syntax()
		}
	}
}

// parseMsetex reads the options of MSETEX.
func (o *setOptions) parseMsetex(a *engine.Args) {
	for !a.Done() {
		if !o.parseStoring(a) {
			a.Syntax()
		}
	}
}

// parseStoring reads an option that SET and MSETEX have.
func (o *setOptions) parseStoring(a *engine.Args) bool {
	switch {
	case o.parseExpiry(a, o.keepTTL):
	case !o.xx && !o.when.given && a.Match("NX"):
		o.nx = true
	case !o.nx && !o.when.given && a.Match("XX"):
		o.xx = true
	case o.unit == noExpiry && a.Match("KEEPTTL"):
		o.keepTTL = true
	default:
		return false
	}
	return true
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
	expireAt, err := o.expireAt(c)
	if err != nil {
		return err
	}
	done, err := o.set(c, expireAt)
	switch {
	case err != nil || !done:
	case o.unit != noExpiry || o.when.given:
		setEffect(c, c.Keys[0], c.Args[2], expireAt)
	case o.get:
		effectWithoutGet(c)
	}
	return err
}

// expireAt is the expiry time that the options ask for, as View.SetString takes it.
func (o *setOptions) expireAt(c *engine.Ctx) (int64, error) {
	switch {
	case o.keepTTL:
		return store.KeepTTL, nil
	case o.unit != noExpiry:
		return deadline(c, o.expiry, o.unit)
	}
	return 0, nil
}

// setEffect says that a key has got a value and a time to live, none, or the one it had.
func setEffect(c *engine.Ctx, k store.Key, value []byte, at int64) {
	if !c.Logged() {
		return // digits need not be made
	}
	switch at {
	case 0:
		c.Effect([]byte("SET"), k.Name, value)
	case store.KeepTTL:
		c.Effect([]byte("SET"), k.Name, value, []byte("KEEPTTL"))
	default:
		var digits [20]byte
		c.Effect([]byte("SET"), k.Name, value, []byte("PXAT"), strconv.AppendInt(digits[:0], at, 10))
	}
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
	var old []byte
	switch {
	case o.get:
		// The old value is the reply in any case, so it is written before
		// it is overwritten.
		if old, found, err = c.GetString(k); err == nil {
			replyValue(c, old, found)
		}
	case o.when.given:
		old, found, err = writtenString(c, k)
	case o.nx || o.xx:
		_, found = c.Write(k)
	}
	if err != nil {
		return false, err
	}
	if o.nx && found || o.xx && !found || !o.when.holds(old, found) {
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
	setEffect(c, c.Keys[0], c.Args[3], at)
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
	deleteKey(c) // of an absent key it ends the lease
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

func cmdMsetex(c *engine.Ctx) error {
	var o setOptions
	a := c.Parse(1)
	n := a.IntRange(1, math.MaxInt32, string(engine.ErrNumKeysInvalid))
	if 2*n > int64(a.Left()) {
		a.Fail(engine.ErrKeyValuePairs)
	}
	a.Skip(2 * int(n))
	o.parseMsetex(a)
	if err := a.Err(); err != nil {
		return err
	}
	expireAt, err := o.expireAt(c)
	if err != nil {
		return err
	}
	if o.nx || o.xx {
		for _, k := range c.Keys {
			if _, found := c.Write(k); found == o.nx {
				c.Out.Int(0)
				return nil
			}
		}
	}
	for i, k := range c.Keys {
		c.SetString(k, c.Args[2*i+3], expireAt)
	}
	msetexEffect(c, expireAt)
	c.Out.Int(1)
	return nil
}

// msetexEffect says what MSETEX has done in commands that Redis has had for longer.
func msetexEffect(c *engine.Ctx, expireAt int64) {
	switch {
	case !c.Logged():
	case expireAt == 0:
		words := append([][]byte{[]byte("MSET")}, c.Args[2:2+2*len(c.Keys)]...)
		c.Effect(words...)
	default:
		for i, k := range c.Keys {
			setEffect(c, k, c.Args[2*i+3], expireAt)
		}
	}
}
