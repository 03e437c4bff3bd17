package commands

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Times to live of the members of sets, as in Redis 8.12, and SADDEX in its form and in Dragonfly's.
// What these commands share with those of hashes stands in elementttl.go.

func setTTLCommands() []engine.Spec {
	return append(setMembers.commands(), setMembers.complete([]engine.Spec{{
		Name: "saddex", Handler: cmdSaddex, Arity: -4, Element: 3,
		Flags: engine.Write | engine.DenyOOM | engine.Fast | engine.Own,
		Keys:  []engine.KeySpec{engine.Key(1, engine.RW|engine.Insert)},
		Syntax: "key [MNX | MXX] " +
			"[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] " +
			"<seconds member [member ...] | " + setMembers.list() + ">",
		Summary: "Adds members with a time to live to a set.",
	}})...)
}

// setMembers is what the shared code has to know of sets.
var setMembers = elementKind{
	typ: store.TypeSet, word: "MEMBERS", prefix: "s", one: "member",
	group: "set", cat: engine.CatSet, since: "8.12.0",
	errNone: engine.ErrNoMembers, errNumber: engine.ErrMemberCount, errCount: engine.ErrMembersCount,
	expireAt: "SPEXPIREAT", persist: "SPERSIST", remove: "SREM", own: true,
	events: [...]store.Event{store.EventSExpire, store.EventSPersist, store.EventSRem},
}

// addMembers adds members to a set, the first of the command's keys or another, and says to the log
// which of them were still there although their time had come: a replay, in which nothing expires,
// would keep their times. It takes them away there, since to remove the last member would take what
// belongs to the key.
func addMembers(c *engine.Ctx, k store.Key, members [][]byte) (added int, revived bool, err error) {
	added, again, err := c.AddReviving(k, members)
	if len(again) > 0 && c.Logged() {
		c.OwnEffect(elementWords(again, setMembers.persist, string(k.Name), setMembers.word)...)
	}
	return added, len(again) > 0, err
}

// saddexOptions are the options of SADDEX.
type saddexOptions struct {
	setOptions
	mnx, mxx bool // none of the members, or all of them, must be there
}

func (o *saddexOptions) parse(a *engine.Args) {
	for !a.Done() {
		switch {
		case o.parseExpiry(a, o.keepTTL):
		case o.unit == noExpiry && a.Match("KEEPTTL"):
			o.keepTTL = true
		case !o.mxx && a.Match("MNX"):
			o.mnx = true
		case !o.mnx && a.Match("MXX"):
			o.mxx = true
		default:
			return
		}
	}
}

// parseSaddex reads a request in either form. In Dragonfly's a number stands where Redis has a word.
// members are its last arguments; at is 0 for no time.
func parseSaddex(c *engine.Ctx) (o saddexOptions, at int64, members [][]byte, err error) {
	a := c.Parse(2)
	o.parse(a)
	if !o.mnx && !o.mxx && o.unit == noExpiry && !a.Done() {
		if _, isNumber := lex.ParseInt(a.Peek()); isNumber {
			n := a.Int64()
			switch {
			case a.Done():
				return o, 0, nil, engine.ErrArity(c.Spec)
			case n < 1:
				return o, 0, nil, engine.ErrInvalidExpire(c.Spec)
			}
			at, err = elementDeadline(c, n, inSeconds)
			return o, at, a.Rest(), err
		}
	}
	members = setMembers.parse(a, 1)
	if err = a.Err(); err == nil {
		at, err = elementDate(c, &o.setOptions)
	}
	return o, at, members, err
}

func cmdSaddex(c *engine.Ctx) error {
	o, at, members, err := parseSaddex(c)
	if err != nil {
		return err
	}
	w := elementWork{kind: &setMembers, at: at}
	if err := w.open(c); err != nil {
		return err
	}
	for i := 0; i < len(members) && (o.mnx || o.mxx); i++ {
		if _, ok := w.expiry(members[i]); ok != o.mxx {
			c.Out.Int(0)
			return nil
		}
	}
	dated := members
	if o.keepTTL {
		dated = w.absent(members)
	}
	added, _, err := addMembers(c, c.Keys[0], members)
	if err != nil {
		return err
	}
	if added > 0 && c.Logged() {
		c.Effect(append([][]byte{[]byte("SADD"), c.Args[1]}, members...)...)
	}
	if err := w.open(c); err != nil {
		return err
	}
	for _, m := range dated {
		switch present, ok := w.expiry(m); {
		case !ok: // of the same name as one that has gone already
		case o.unit != noExpiry || at != 0:
			w.expire(m)
		case present != 0:
			w.persist(m)
		}
	}
	w.close()
	c.Out.Int(int64(added))
	return nil
}

// absent are those of the members that are not there.
func (w *elementWork) absent(members [][]byte) (list [][]byte) {
	for _, m := range members {
		if _, ok := w.expiry(m); !ok {
			list = append(list, m)
		}
	}
	return list
}
