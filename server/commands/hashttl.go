package commands

import (
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// Times to live of the fields of hashes (store/elementttl.go), as in Redis 7.4, and the commands of
// Redis 8.0 that get or set fields together with them. Fields whose time has come are not there for
// any of these commands.
//
// What these commands share with those of sets stands in elementttl.go.

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

func cmdHexpire(c *engine.Ctx) error      { return expireElements(c, &hashFields, inSeconds) }
func cmdHpexpire(c *engine.Ctx) error     { return expireElements(c, &hashFields, inMillis) }
func cmdHexpireat(c *engine.Ctx) error    { return expireElements(c, &hashFields, atSeconds) }
func cmdHpexpireat(c *engine.Ctx) error   { return expireElements(c, &hashFields, atMillis) }
func cmdHpersist(c *engine.Ctx) error     { return persistElements(c, &hashFields) }
func cmdHttl(c *engine.Ctx) error         { return replyExpiries(c, &hashFields, inSeconds) }
func cmdHpttl(c *engine.Ctx) error        { return replyExpiries(c, &hashFields, inMillis) }
func cmdHexpiretime(c *engine.Ctx) error  { return replyExpiries(c, &hashFields, atSeconds) }
func cmdHpexpiretime(c *engine.Ctx) error { return replyExpiries(c, &hashFields, atMillis) }

// hashFields is what the shared code has to know of hashes.
var hashFields = elementKind{
	typ: store.TypeHash, word: "FIELDS",
	errNone: engine.ErrNoFields, errNumber: engine.ErrFieldCount, errCount: engine.ErrFieldsCount,
	expireAt: "HPEXPIREAT", persist: "HPERSIST", remove: "HDEL",
	events: [...]store.Event{store.EventHExpire, store.EventHPersist, store.EventHDel},
}

// replyField answers with the value of a field, or with null.
func (w *elementWork) replyField(field []byte) (ok bool) {
	var value []byte
	if w.found {
		value, ok = w.el.Get(field)
	}
	replyValue(w.c, value, ok)
	return ok
}

func cmdHgetdel(c *engine.Ctx) error {
	w := elementWork{kind: &hashFields}
	fields, err := w.openAll(c)
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

func cmdHgetex(c *engine.Ctx) error {
	var o setOptions
	a := c.Parse(2)
	for !a.Done() && (o.parseExpiry(a, o.persist) || o.unit == noExpiry && a.Match("PERSIST")) {
		o.persist = o.unit == noExpiry
	}
	fields := hashFields.parse(a, 1)
	if err := a.Err(); err != nil {
		return err
	}
	at, err := elementDate(c, &o)
	if err != nil {
		return err
	}
	w := elementWork{kind: &hashFields, at: at}
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
	pairs := hashFields.parse(a, 2)
	if err := a.Err(); err != nil {
		return err
	}
	at, err := elementDate(c, &o.setOptions)
	if err != nil {
		return err
	}
	w := elementWork{kind: &hashFields, at: at}
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
func (w *elementWork) forgetDead(pairs [][]byte) {
	var dead [][]byte
	for i := 0; i < len(pairs) && w.found; i += 2 {
		if w.el.Dead(pairs[i]) {
			dead = append(dead, pairs[i])
		}
	}
	if len(dead) > 0 {
		w.c.Effect(elementWords(dead, "HPERSIST", string(w.c.Keys[0].Name), "FIELDS")...)
	}
}

// set sets fields as the options say.
func (w *elementWork) set(pairs [][]byte, o *hsetexOptions) error {
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
