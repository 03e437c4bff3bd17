package commands

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Times to live of the fields of hashes (store/elementttl.go), as in Redis 7.4, and the commands of
// Redis 8.0 that get or set fields together with them. Fields whose time has come are not there for
// any of these commands.
//
// The log gets what was done to which fields: a command's own words, run again later, would find
// fields that have expired since, as nothing expires in a replay.

func hashTTLCommands() []engine.Spec {
	const (
		cat   = engine.CatHash
		write = engine.Write | engine.DenyOOM | engine.Fast
		read  = engine.ReadOnly | engine.Fast

		conditions = " [NX | XX | GT | LT] FIELDS <numfields=integer field [field ...]>"
		fields     = "key FIELDS <numfields=integer field [field ...]>"
		times      = "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | "
		perField   = "O(N) where N is the number of fields."
	)
	one := func(flags engine.KeyFlags) []engine.KeySpec { return []engine.KeySpec{engine.Key(1, flags)} }
	update, access := one(engine.RW|engine.Update), one(engine.RO|engine.Access)
	row := func(name string, handler engine.Handler, arity int, flags engine.Flags, keys []engine.KeySpec, element int, since, syntax, summary string) engine.Spec {
		return engine.Spec{
			Name: name, Handler: handler, Arity: arity, Flags: flags, Keys: keys, Element: element,
			Group: "hash", Categories: cat, Since: since, Syntax: syntax, Summary: summary, Complexity: perField,
		}
	}
	rows := []engine.Spec{
		row("hexpire", cmdHexpire, -6, write, update, 5, "7.4.0", "key seconds"+conditions,
			"Sets the time to live of fields in seconds."),
		row("hpexpire", cmdHpexpire, -6, write, update, 5, "7.4.0", "key milliseconds"+conditions,
			"Sets the time to live of fields in milliseconds."),
		row("hexpireat", cmdHexpireat, -6, write, update, 5, "7.4.0", "key unix-time-seconds"+conditions,
			"Sets the Unix time in seconds at which fields expire."),
		row("hpexpireat", cmdHpexpireat, -6, write, update, 5, "7.4.0", "key unix-time-milliseconds"+conditions,
			"Sets the Unix time in milliseconds at which fields expire."),
		row("hpersist", cmdHpersist, -5, engine.Write|engine.Fast, update, 4, "7.4.0", fields, "Removes the time to live of fields."),
		row("httl", cmdHttl, -5, read, access, 4, "7.4.0", fields, "Returns the time to live of fields in seconds."),
		row("hpttl", cmdHpttl, -5, read, access, 4, "7.4.0", fields, "Returns the time to live of fields in milliseconds."),
		row("hexpiretime", cmdHexpiretime, -5, read, access, 4, "7.4.0", fields, "Returns the Unix time in seconds at which fields expire."),
		row("hpexpiretime", cmdHpexpiretime, -5, read, access, 4, "7.4.0", fields, "Returns the Unix time in milliseconds at which fields expire."),
		row("hgetdel", cmdHgetdel, -5, engine.Write|engine.Fast, one(engine.RW|engine.Access|engine.Delete), 4, "8.0.0", fields,
			"Returns the values of fields and removes them."),
		row("hgetex", cmdHgetex, -5, engine.Write|engine.Fast, one(engine.RW|engine.Access|engine.Update), 4, "8.0.0",
			"key "+times+"PERSIST] FIELDS <numfields=integer field [field ...]>",
			"Returns the values of fields and sets or removes their time to live."),
		row("hsetex", cmdHsetex, -6, write, update, 4, "8.0.0",
			"key [FNX | FXX] "+times+"KEEPTTL] FIELDS <numfields=integer field value [field value ...]>",
			"Sets fields of a hash with a time to live."),
	}
	for i := range rows {
		if rows[i].Flags&engine.ReadOnly != 0 && rows[i].Name != "hexpiretime" && rows[i].Name != "hpexpiretime" {
			rows[i].Tips = []string{"nondeterministic_output"}
		}
	}
	return rows
}

// Replies for a field.
const (
	fieldNone    = -2 // there is no such field
	fieldNoTTL   = -1 // it has no time to live
	fieldUnmet   = 0  // the condition is not met
	fieldSet     = 1
	fieldDeleted = 2 // the time has passed
)

// maxFieldTime is the last time at which a field can expire, as in Redis: the year 4199.
const maxFieldTime = (1<<48 - 2) >> 2

// parseFields reads FIELDS, a number and as many groups of arguments, which are the last.
func parseFields(a *engine.Args, group int) [][]byte {
	if !a.Match("FIELDS") {
		a.Fail(engine.ErrNoFields)
	}
	n := a.IntRange(1, math.MaxInt32, string(engine.ErrFieldCount))
	if a.Left()%group != 0 || n != int64(a.Left()/group) {
		a.Fail(engine.ErrFieldsCount)
	}
	return a.Rest()
}

// fieldDeadline turns a time to live as the client wrote it into unix milliseconds.
func fieldDeadline(c *engine.Ctx, n int64, unit expiryUnit) (int64, error) {
	most := int64(maxFieldTime)
	if !unit.absolute() {
		most -= c.Now
	}
	if unit.seconds() {
		most /= 1000
	}
	switch {
	case n < 0:
		return 0, engine.ErrFieldTime
	case n > most:
		return 0, engine.ErrInvalidExpire(c.Spec)
	}
	if unit.seconds() {
		n *= 1000
	}
	if !unit.absolute() {
		n += c.Now
	}
	return n, nil
}

// fieldWork is what a command does to fields of one hash, and what it says of it.
type fieldWork struct {
	c                       *engine.Ctx
	h                       store.Hash
	found                   bool     // there is a hash
	at                      int64    // when fields expire
	dated, persisted, taken [][]byte // fields, for the log
	changed                 [3]bool  // something was dated, persisted, taken
}

func (w *fieldWork) open(c *engine.Ctx) (err error) {
	w.c = c
	w.h, w.found, err = c.WriteHash(c.Keys[0])
	return err
}

// expiry is when a field expires, 0 for never, if there is such a field.
func (w *fieldWork) expiry(field []byte) (at int64, ok bool) {
	if !w.found {
		return 0, false
	}
	return w.h.FieldExpiry(field)
}

// expire gives a field the time, or removes it if that has passed. A log that is replayed removes
// nothing before it says so itself.
func (w *fieldWork) expire(field []byte) int64 {
	if w.at <= w.c.Now && !w.c.Loading {
		w.take(field)
		return fieldDeleted
	}
	w.h.ExpireField(field, w.at)
	w.changed[0] = true
	if w.c.Logged() {
		w.dated = append(w.dated, field)
	}
	return fieldSet
}

func (w *fieldWork) persist(field []byte) {
	w.h.ExpireField(field, 0)
	w.changed[1] = true
	if w.c.Logged() {
		w.persisted = append(w.persisted, field)
	}
}

func (w *fieldWork) take(field []byte) {
	w.found = w.h.Take(field)
	w.changed[2] = true
	if w.c.Logged() {
		w.taken = append(w.taken, field)
	}
}

// close tells everybody what was done.
func (w *fieldWork) close() {
	for i, ev := range [...]store.Event{store.EventHExpire, store.EventHPersist, store.EventHDel} {
		if w.changed[i] {
			w.h.Told(ev)
		}
	}
	c, key := w.c, w.c.Keys[0].Name
	if len(w.dated) > 0 {
		datedEffect(c, w.at, w.dated)
	}
	if len(w.persisted) > 0 {
		c.Effect(fieldWords(w.persisted, "HPERSIST", string(key), "FIELDS")...)
	}
	if len(w.taken) > 0 {
		c.Effect(append([][]byte{[]byte("HDEL"), key}, w.taken...)...)
	}
}

// datedEffect says that fields have got a time at which they expire.
func datedEffect(c *engine.Ctx, at int64, fields [][]byte) {
	c.Effect(fieldWords(fields, "HPEXPIREAT", string(c.Keys[0].Name), strconv.FormatInt(at, 10), "FIELDS")...)
}

// fieldWords are a command's first words, the number of fields and the fields.
func fieldWords(fields [][]byte, head ...string) [][]byte {
	words := make([][]byte, 0, len(head)+1+len(fields))
	for _, w := range head {
		words = append(words, []byte(w))
	}
	return append(append(words, strconv.AppendInt(nil, int64(len(fields)), 10)), fields...)
}

func cmdHexpire(c *engine.Ctx) error    { return expireFields(c, inSeconds) }
func cmdHpexpire(c *engine.Ctx) error   { return expireFields(c, inMillis) }
func cmdHexpireat(c *engine.Ctx) error  { return expireFields(c, atSeconds) }
func cmdHpexpireat(c *engine.Ctx) error { return expireFields(c, atMillis) }

// expireFields takes one condition at most, where EXPIRE takes several.
func expireFields(c *engine.Ctx, unit expiryUnit) error {
	var o expireIf
	a := c.Parse(2)
	n := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	at, err := fieldDeadline(c, n, unit)
	if err != nil {
		return err
	}
	switch {
	case a.Match("NX"):
		o.nx = true
	case a.Match("XX"):
		o.xx = true
	case a.Match("GT"):
		o.gt = true
	case a.Match("LT"):
		o.lt = true
	}
	fields := parseFields(a, 1)
	if err := a.Err(); err != nil {
		return err
	}
	w := fieldWork{at: at}
	if err := w.open(c); err != nil {
		return err
	}
	c.Out.Array(len(fields))
	for _, f := range fields {
		present, ok := w.expiry(f)
		switch {
		case !ok:
			c.Out.Int(fieldNone)
		case !o.allows(present, at):
			c.Out.Int(fieldUnmet)
		default:
			c.Out.Int(w.expire(f))
		}
	}
	w.close()
	return nil
}

// openFields is open for a request of fields alone, each of which gets an element of the reply.
func (w *fieldWork) openFields(c *engine.Ctx) (fields [][]byte, err error) {
	a := c.Parse(2)
	fields = parseFields(a, 1)
	if err := a.Err(); err != nil {
		return nil, err
	}
	if err := w.open(c); err != nil {
		return nil, err
	}
	c.Out.Array(len(fields))
	return fields, nil
}

func cmdHpersist(c *engine.Ctx) error {
	var w fieldWork
	fields, err := w.openFields(c)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch at, ok := w.expiry(f); {
		case !ok:
			c.Out.Int(fieldNone)
		case at == 0:
			c.Out.Int(fieldNoTTL)
		default:
			w.persist(f)
			c.Out.Int(fieldSet)
		}
	}
	w.close()
	return nil
}

func cmdHttl(c *engine.Ctx) error         { return replyFieldExpiry(c, inSeconds) }
func cmdHpttl(c *engine.Ctx) error        { return replyFieldExpiry(c, inMillis) }
func cmdHexpiretime(c *engine.Ctx) error  { return replyFieldExpiry(c, atSeconds) }
func cmdHpexpiretime(c *engine.Ctx) error { return replyFieldExpiry(c, atMillis) }

// replyFieldExpiry rounds seconds up, where TTL rounds to the nearest.
func replyFieldExpiry(c *engine.Ctx, unit expiryUnit) error {
	a := c.Parse(2)
	fields := parseFields(a, 1)
	if err := a.Err(); err != nil {
		return err
	}
	h, exists, err := c.ReadHash(c.Keys[0])
	if err != nil {
		return err
	}
	c.Out.Array(len(fields))
	for _, f := range fields {
		at, ok := int64(0), false
		if exists {
			at, ok = h.FieldExpiry(f)
		}
		switch {
		case !ok:
			at = fieldNone
		case at == 0:
			at = fieldNoTTL
		default:
			if !unit.absolute() {
				at = max(at-c.Now, 0)
			}
			if unit.seconds() {
				at = (at + 999) / 1000
			}
		}
		c.Out.Int(at)
	}
	return nil
}

// replyField answers with the value of a field, or with null.
func (w *fieldWork) replyField(field []byte) (ok bool) {
	var value []byte
	if w.found {
		value, ok = w.h.Get(field)
	}
	replyValue(w.c, value, ok)
	return ok
}

func cmdHgetdel(c *engine.Ctx) error {
	var w fieldWork
	fields, err := w.openFields(c)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if w.replyField(f) {
			w.take(f)
		}
	}
	w.close()
	return nil
}

// fieldDate reads the time of o's option, 0 if there is none.
func fieldDate(c *engine.Ctx, o *setOptions) (int64, error) {
	if o.unit == noExpiry {
		return 0, nil
	}
	n, ok := lex.ParseInt(o.expiry)
	if !ok {
		return 0, engine.ErrNotInteger
	}
	return fieldDeadline(c, n, o.unit)
}

func cmdHgetex(c *engine.Ctx) error {
	var o setOptions
	a := c.Parse(2)
	for !a.Done() && (o.parseExpiry(a, o.persist) || o.unit == noExpiry && a.Match("PERSIST")) {
		o.persist = o.unit == noExpiry
	}
	fields := parseFields(a, 1)
	if err := a.Err(); err != nil {
		return err
	}
	at, err := fieldDate(c, &o)
	if err != nil {
		return err
	}
	w := fieldWork{at: at}
	if err := w.open(c); err != nil {
		return err
	}
	c.Out.Array(len(fields))
	for _, f := range fields {
		if !w.replyField(f) {
			continue
		}
		if o.unit != noExpiry {
			w.expire(f)
		} else if present, _ := w.expiry(f); o.persist && present != 0 {
			w.persist(f)
		}
	}
	w.close()
	return nil
}

// hsetexOptions are the options of HSETEX.
type hsetexOptions struct {
	setOptions
	fnx, fxx bool // none of the fields, or all of them, must be there
}

func (o *hsetexOptions) parse(a *engine.Args) {
	for !a.Done() {
		switch {
		case o.parseExpiry(a, o.keepTTL):
		case o.unit == noExpiry && a.Match("KEEPTTL"):
			o.keepTTL = true
		case !o.fxx && a.Match("FNX"):
			o.fnx = true
		case !o.fnx && a.Match("FXX"):
			o.fxx = true
		default:
			return
		}
	}
}

func cmdHsetex(c *engine.Ctx) error {
	var o hsetexOptions
	a := c.Parse(2)
	o.parse(a)
	pairs := parseFields(a, 2)
	if err := a.Err(); err != nil {
		return err
	}
	at, err := fieldDate(c, &o.setOptions)
	if err != nil {
		return err
	}
	w := fieldWork{at: at}
	if err := w.open(c); err != nil {
		return err
	}
	for i := 0; i < len(pairs) && (o.fnx || o.fxx); i += 2 {
		if _, ok := w.expiry(pairs[i]); ok != o.fxx {
			c.Out.Int(0)
			return nil
		}
	}
	if err := w.set(pairs, &o); err != nil {
		return err
	}
	w.close()
	c.Out.Int(1)
	return nil
}

// forgetDead has a replay, in which nothing has expired, keep no time of fields that are set anew.
func (w *fieldWork) forgetDead(pairs [][]byte) {
	var dead [][]byte
	for i := 0; i < len(pairs) && w.found; i += 2 {
		if w.h.Dead(pairs[i]) {
			dead = append(dead, pairs[i])
		}
	}
	if len(dead) > 0 {
		w.c.Effect(fieldWords(dead, "HPERSIST", string(w.c.Keys[0].Name), "FIELDS")...)
	}
}

// set sets fields as the options say.
func (w *fieldWork) set(pairs [][]byte, o *hsetexOptions) error {
	c, k := w.c, w.c.Keys[0]
	if o.keepTTL {
		w.forgetDead(pairs)
		if _, err := c.SetFieldsKeeping(k, pairs); err != nil {
			return err
		}
		if c.Logged() {
			words := [][]byte{[]byte("HSETEX"), k.Name, []byte("KEEPTTL"), []byte("FIELDS"), strconv.AppendInt(nil, int64(len(pairs)/2), 10)}
			c.Effect(append(words, pairs...)...)
		}
		return nil
	}
	if _, err := c.SetFields(k, pairs); err != nil {
		return err
	}
	if c.Logged() {
		c.Effect(append([][]byte{[]byte("HSET"), k.Name}, pairs...)...)
	}
	if o.unit == noExpiry {
		return nil
	}
	if err := w.open(c); err != nil {
		return err
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := w.expiry(pairs[i]); ok { // not of the same name as one that has gone already
			w.expire(pairs[i])
		}
	}
	return nil
}
