package commands

import (
	"fmt"
	"math"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Times to live of elements (store/elementttl.go): what the commands of hashes (hashttl.go) and those
// of sets (setttl.go) share. Elements whose time has come are not there for any of them.
//
// The log gets what was done to which elements: a command's own words, run again later, would find
// elements that have expired since, as nothing expires in a replay. No other server knows times of
// members, so those go into annotations, and what such a server reads from the log is the sets without
// them: the members that went are removed by SREM.

// elementKind is what differs between fields of hashes and members of sets.
type elementKind struct {
	typ    store.Type
	word   string // in front of the number of elements
	prefix string // of the commands' names
	one    string // what an element is called
	group  string
	cat    engine.Category
	since  string

	errNone, errNumber, errCount engine.Error // the word is missing; the number is none; it is wrong

	expireAt, persist, remove string         // commands, for the log
	own                       bool           // the first two are larder's alone
	events                    [3]store.Event // times given, times taken away, elements removed
}

// Replies for an element.
const (
	elementNone    = -2 // there is none
	elementNoTTL   = -1 // it has no time to live
	elementUnmet   = 0  // the condition is not met
	elementSet     = 1
	elementDeleted = 2 // the time has passed
)

// maxElementTime is the last time at which an element can expire, as in Redis: the year 4199.
const maxElementTime = (1<<48 - 2) >> 2

// commands are those that both kinds have.
func (k *elementKind) commands() []engine.Spec {
	own := engine.Flags(0)
	if k.own {
		own = engine.Own
	}
	var (
		persist = engine.Write | engine.Fast | own
		write   = persist | engine.DenyOOM
		read    = engine.ReadOnly | engine.Fast
		update  = []engine.KeySpec{engine.Key(1, engine.RW|engine.Update)}
		access  = []engine.KeySpec{engine.Key(1, engine.RO|engine.Access)}
		varying = []string{"nondeterministic_output"}
		list    = " " + k.list()
	)
	expire := func(name string, unit expiryUnit, argument, summary string) engine.Spec {
		return engine.Spec{
			Name: k.prefix + name, Arity: -6, Flags: write, Keys: update, Element: 5,
			Syntax: "key " + argument + " [NX | XX | GT | LT]" + list, Summary: fmt.Sprintf(summary, k.one+"s"),
			Handler: func(c *engine.Ctx) error { return expireElements(c, k, unit) },
		}
	}
	ask := func(name string, unit expiryUnit, tips []string, summary string) engine.Spec {
		return engine.Spec{
			Name: k.prefix + name, Arity: -5, Flags: read, Keys: access, Element: 4,
			Syntax: "key" + list, Summary: fmt.Sprintf(summary, k.one+"s"), Tips: tips,
			Handler: func(c *engine.Ctx) error { return replyExpiries(c, k, unit) },
		}
	}
	return k.complete([]engine.Spec{
		expire("expire", inSeconds, "seconds", "Sets the time to live of %s in seconds."),
		expire("pexpire", inMillis, "milliseconds", "Sets the time to live of %s in milliseconds."),
		expire("expireat", atSeconds, "unix-time-seconds", "Sets the Unix time in seconds at which %s expire."),
		expire("pexpireat", atMillis, "unix-time-milliseconds",
			"Sets the Unix time in milliseconds at which %s expire."),
		{
			Name: k.prefix + "persist", Arity: -5, Flags: persist, Keys: update, Element: 4,
			Syntax: "key" + list, Summary: "Removes the time to live of " + k.one + "s.",
			Handler: func(c *engine.Ctx) error { return persistElements(c, k) },
		},
		ask("ttl", inSeconds, varying, "Returns the time to live of %s in seconds."),
		ask("pttl", inMillis, varying, "Returns the time to live of %s in milliseconds."),
		ask("expiretime", atSeconds, nil, "Returns the Unix time in seconds at which %s expire."),
		ask("pexpiretime", atMillis, nil, "Returns the Unix time in milliseconds at which %s expire."),
	})
}

// complete gives rows what all of the kind have.
func (k *elementKind) complete(rows []engine.Spec) []engine.Spec {
	for i := range rows {
		r := &rows[i]
		r.Group, r.Categories = k.group, k.cat
		r.Complexity = "O(N) where N is the number of " + k.one + "s."
		if r.Since == "" {
			r.Since = k.since
		}
	}
	return rows
}

// list is the syntax of a list of elements.
func (k *elementKind) list() string {
	return fmt.Sprintf("%s <num%ss=integer %[2]s [%[2]s ...]>", k.word, k.one)
}

// parse reads the word, a number and as many groups of arguments, which are the last.
func (k *elementKind) parse(a *engine.Args, group int) [][]byte {
	if !a.Match(k.word) {
		a.Fail(k.errNone)
	}
	n := a.IntRange(1, math.MaxInt32, string(k.errNumber))
	if a.Left()%group != 0 || n != int64(a.Left()/group) {
		a.Fail(k.errCount)
	}
	return a.Rest()
}

// elementDeadline turns a time to live as the client wrote it into unix milliseconds.
func elementDeadline(c *engine.Ctx, n int64, unit expiryUnit) (int64, error) {
	most := int64(maxElementTime)
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

// elementWork is what a command does to elements of one key, and what it says of it.
type elementWork struct {
	kind                    *elementKind
	c                       *engine.Ctx
	el                      store.Elements
	found                   bool     // there is a key
	at                      int64    // when elements expire
	dated, persisted, taken [][]byte // elements, for the log
	changed                 [3]bool  // something was dated, persisted, taken
}

func (w *elementWork) open(c *engine.Ctx) (err error) {
	w.c = c
	w.el, w.found, err = c.WriteElements(c.Keys[0], w.kind.typ)
	return err
}

// expiry is when an element expires, 0 for never, if there is such an element.
func (w *elementWork) expiry(name []byte) (at int64, ok bool) {
	if !w.found {
		return 0, false
	}
	return w.el.Expiry(name)
}

// expire gives an element the time, or removes it if that has passed. A log that is replayed removes
// nothing before it says so itself.
func (w *elementWork) expire(name []byte) int64 {
	if w.at <= w.c.Now && !w.c.Loading {
		w.take(name)
		return elementDeleted
	}
	w.el.Expire(name, w.at)
	w.changed[0] = true
	if w.c.Logged() {
		w.dated = append(w.dated, name)
	}
	return elementSet
}

func (w *elementWork) persist(name []byte) {
	w.el.Expire(name, 0)
	w.changed[1] = true
	if w.c.Logged() {
		w.persisted = append(w.persisted, name)
	}
}

func (w *elementWork) take(name []byte) {
	w.found = w.el.Take(name)
	w.changed[2] = true
	if w.c.Logged() {
		w.taken = append(w.taken, name)
	}
}

// close tells everybody what was done.
func (w *elementWork) close() {
	for i, ev := range w.kind.events {
		if w.changed[i] {
			w.el.Told(ev)
		}
	}
	c, key := w.c, w.c.Keys[0].Name
	if len(w.dated) > 0 {
		w.say(elementWords(w.dated, w.kind.expireAt, string(key), strconv.FormatInt(w.at, 10), w.kind.word))
	}
	if len(w.persisted) > 0 {
		w.say(elementWords(w.persisted, w.kind.persist, string(key), w.kind.word))
	}
	if len(w.taken) > 0 {
		c.Effect(append([][]byte{[]byte(w.kind.remove), key}, w.taken...)...)
	}
}

// say adds an effect that other servers may not know.
func (w *elementWork) say(words [][]byte) {
	if w.kind.own {
		w.c.OwnEffect(words...)
	} else {
		w.c.Effect(words...)
	}
}

// elementWords are a command's first words, the number of elements and the elements.
func elementWords(names [][]byte, head ...string) [][]byte {
	words := make([][]byte, 0, len(head)+1+len(names))
	for _, w := range head {
		words = append(words, []byte(w))
	}
	return append(append(words, strconv.AppendInt(nil, int64(len(names)), 10)), names...)
}

// expireElements takes one condition at most, where EXPIRE takes several.
func expireElements(c *engine.Ctx, kind *elementKind, unit expiryUnit) error {
	var o expireIf
	a := c.Parse(2)
	n := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	at, err := elementDeadline(c, n, unit)
	if err != nil {
		return err
	}
	o.match(a)
	names := kind.parse(a, 1)
	if err := a.Err(); err != nil {
		return err
	}
	w := elementWork{kind: kind, at: at}
	if err := w.open(c); err != nil {
		return err
	}
	c.Out.Array(len(names))
	for _, name := range names {
		present, ok := w.expiry(name)
		switch {
		case !ok:
			c.Out.Int(elementNone)
		case !o.allows(present, at):
			c.Out.Int(elementUnmet)
		default:
			c.Out.Int(w.expire(name))
		}
	}
	w.close()
	return nil
}

// openAll is open for a request of elements alone, each of which gets a part of the reply.
func (w *elementWork) openAll(c *engine.Ctx) (names [][]byte, err error) {
	a := c.Parse(2)
	names = w.kind.parse(a, 1)
	if err := a.Err(); err != nil {
		return nil, err
	}
	if err := w.open(c); err != nil {
		return nil, err
	}
	c.Out.Array(len(names))
	return names, nil
}

func persistElements(c *engine.Ctx, kind *elementKind) error {
	w := elementWork{kind: kind}
	names, err := w.openAll(c)
	if err != nil {
		return err
	}
	for _, name := range names {
		switch at, ok := w.expiry(name); {
		case !ok:
			c.Out.Int(elementNone)
		case at == 0:
			c.Out.Int(elementNoTTL)
		default:
			w.persist(name)
			c.Out.Int(elementSet)
		}
	}
	w.close()
	return nil
}

// replyExpiries rounds seconds up, where TTL rounds to the nearest.
func replyExpiries(c *engine.Ctx, kind *elementKind, unit expiryUnit) error {
	a := c.Parse(2)
	names := kind.parse(a, 1)
	if err := a.Err(); err != nil {
		return err
	}
	el, exists, err := c.ReadElements(c.Keys[0], kind.typ)
	if err != nil {
		return err
	}
	c.Out.Array(len(names))
	for _, name := range names {
		at, ok := int64(0), false
		if exists {
			at, ok = el.Expiry(name)
		}
		switch {
		case !ok:
			at = elementNone
		case at == 0:
			at = elementNoTTL
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

// elementDate reads the time of o's option, 0 if there is none.
func elementDate(c *engine.Ctx, o *setOptions) (int64, error) {
	if o.unit == noExpiry {
		return 0, nil
	}
	n, ok := lex.ParseInt(o.expiry)
	if !ok {
		return 0, engine.ErrNotInteger
	}
	return elementDeadline(c, n, o.unit)
}
