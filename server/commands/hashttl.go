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
		times  = "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | "
		update = engine.RW | engine.Update
	)
	return append(hashFields.commands(), hashFields.complete([]engine.Spec{{
		Name: "hgetdel", Handler: cmdHgetdel, Arity: -5, Flags: engine.Write | engine.Fast, Element: 4, Since: "8.0.0",
		Keys:   []engine.KeySpec{engine.Key(1, engine.RW|engine.Access|engine.Delete)},
		Syntax: "key " + hashFields.list(), Summary: "Returns the values of fields and removes them.",
	}, {
		Name: "hgetex", Handler: cmdHgetex, Arity: -5, Flags: engine.Write | engine.Fast, Element: 4, Since: "8.0.0",
		Keys:    []engine.KeySpec{engine.Key(1, update|engine.Access)},
		Syntax:  "key " + times + "PERSIST] " + hashFields.list(),
		Summary: "Returns the values of fields and sets or removes their time to live.",
	}, {
		Name: "hsetex", Handler: cmdHsetex, Arity: -6, Flags: engine.Write | engine.DenyOOM | engine.Fast, Element: 4,
		Since: "8.0.0", Keys: []engine.KeySpec{engine.Key(1, update)},
		Syntax: "key [FNX | FXX] " + times +
			"KEEPTTL] FIELDS <numfields=integer field value [field value ...]>",
		Summary: "Sets fields of a hash with a time to live.",
	}})...)
}

// hashFields is what the shared code has to know of hashes.
var hashFields = elementKind{
	typ: store.TypeHash, word: "FIELDS", prefix: "h", one: "field",
	group: "hash", cat: engine.CatHash, since: "7.4.0",
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
			words := [][]byte{
				[]byte("HSETEX"), k.Name, []byte("KEEPTTL"), []byte("FIELDS"),
				strconv.AppendInt(nil, int64(len(pairs)/2), 10),
			}
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
