package store

import (
	"bytes"
	"math/rand/v2"

	"github.com/larderkv/larder/store/arena"
)

// Times to live of elements: of the fields of hashes and of the members of sets.
//
// # Where they are
//
// An element of a nested table is a record, and a record may have an expiry time, as a key has. So an
// element with a time to live takes 8 bytes more than one without, is swept as keys are (expire.go:
// due ticks and hints of the nested table itself), and what is copied, renamed or kept for a
// snapshot brings its time along. A packed hash or set, or an intset, has no place for times: it becomes
// a table with the first one, and stays one. That takes some 300 bytes more for a hash of few fields;
// triples in a pack, as in Redis' listpackex, would take 2 to 9 bytes for each field, and all code that
// walks over packs would have to know two forms of them.
//
// # Who hides and who removes
//
// As with keys: an element whose time has come is there for no reader, and only who holds the shard's
// lock for writing removes it. That is the background work, and whoever sets the element anew. A
// command that removes elements passes it over: it had none. HLEN and SCARD count it until it is
// removed, as HLEN does in Redis 7.4, and so does everything that goes by the number of elements; a hash
// or set of nothing else exists until then. A command that stores something made of a set removes what has
// expired first (Ctx.Expire of the engine), since its words would find it when they are run again.
//
// # How the background finds them
//
// By the way that it finds keys. A key's bucket and sub-table are told (noteExpire) of the first
// time of an element as if it were the key's own. The sweep that comes to the bucket then looks at the
// bodies of its records, sweeps one sub-table of a body that is due, and notes when to look at the
// body again: at once if more of it is due. So there is no list of bodies with such elements that
// RENAME, MOVE, SWAPDB or FLUSHDB would have to keep true: who puts a body under a key (View.put)
// notes it there. The price is a look at each body that lies in a bucket that is due.
//
// # What is told
//
// The log gets HDEL or SREM for each element, since nothing expires while it is replayed, and clients
// the event hexpired or sexpired once per sweep of a body. The key whose last element went goes with it,
// which HDEL and SREM do in a replay, and clients are told by del.
//
// # Snapshots
//
// A file has the first time of a hash in front of its fields, and of a set in front of its key. A table
// keeps it (first), as a lower bound: it is lowered when an element gets an earlier time, and forgotten
// when none has one and no snapshot is on its way, since the snapshot writes the elements as they were
// at its cut.

// ElementListener is told of an element of a value of type typ that the store itself removes, as a
// Listener is of keys. The bytes are valid until it returns.
type ElementListener func(db int, typ Type, key, element []byte)

// ListenElements sets who is told. Nobody else uses the store yet.
func (s *Store) ListenElements(fn ElementListener) { s.elements = fn }

// gone reports whether an expiry time has come; 0 is none.
func (v *View) gone(expire int64) bool { return expire != 0 && expire <= v.Now && !v.Loading }

// dated reports whether elements of a table have expiry times.
func (t *table) dated() bool { return t.ttls > 0 }

// noteElements lets the sweep find a body's elements by the record at p, which has the body and has
// just come there.
func (t *table) noteElements(sh *shard, p pos, ref arena.Ref, now int64) {
	r := readRecord(t.mem, ref)
	if nested, ok := sh.bodyOf(&r).(*table); ok && nested.dated() {
		t.noteExpire(p, nested.first, now)
	}
}

// dateElement gives an element of the entry's nested table an expiry time, in unix milliseconds, 0 for
// none.
func (e *Entry) dateElement(el *Entry, at, now int64) {
	t := el.t
	if at != 0 {
		if !t.dated() && !e.sh.unfinished(t.mark()) {
			t.first = 0
		}
		if t.first == 0 || at < t.first {
			t.first = at
		}
		e.t.noteExpire(e.p, at, now)
	}
	el.setExpire(at, now)
}

// expireElements removes elements of a hash or set, the value of the record at p of t, whose time has
// come: those of one sub-table. For a snapshot it gives the record another place. It returns when to look
// again, in unix milliseconds, 0 for never, and whether no element is left.
func (sh *shard) expireElements(db int, t *table, p pos, ref arena.Ref, now int64) (next int64, emptied bool) {
	e := Entry{sh: sh, t: t, ref: ref, p: p, rec: readRecord(t.mem, ref)}
	nested, ok := sh.bodyOf(&e.rec).(*table)
	if !ok || !nested.dated() {
		return 0, false
	}
	sub, due := nested.nextDue(now)
	if !due {
		return nested.nextExpiry(now), false
	}
	e.own() // with its number of elements at the cut
	name := recordKey(t.mem, e.ref)
	removed := nested.sweep(sub, now, func(raw arena.Ref, _ bool) {
		el := readRecord(nested.mem, raw&^parityBit)
		if sh.s.elements != nil {
			sh.s.elements(db, e.Type(), name, nested.mem[el.key:el.key+uint64(el.klen)])
		}
		sh.releaseRecord(nested, &el, raw&^parityBit, raw&parityBit)
	}, nil)
	sh.settleBody(nested)
	if removed > 0 {
		sh.s.expiredElements.Add(int64(removed))
		k := sh.s.Key(name)
		sh.announceRemoval(db, t, &k, typeRows[e.Type()].expired, true)
	}
	if nested.n == 0 {
		return 0, true
	}
	return now >> tickShift << tickShift, false // in this tick
}

// nextExpiry is when to look at the table again.
func (t *table) nextExpiry(now int64) int64 {
	if t.due == 0 {
		return 0
	}
	at := now >> tickShift
	return (at + int64(int32(t.due-uint32(at)))) << tickShift
}

// settled reports that no element has expired, by the ticks alone. That it does not does not say that one
// has.
func (t *table) settled(now int64) bool {
	return !t.dated() || t.walk == 0 && (t.due == 0 || before(tickAt(now)+1, t.due))
}

// ExpiredElements is how many elements have been removed because their time had come.
func (s *Store) ExpiredElements() int64 { return s.expiredElements.Load() }

// WriteElements finds a hash or a set, as typ says, that is to be changed.
func (v *View) WriteElements(k Key, typ Type) (l Elements, ok bool, err error) {
	if typ == TypeHash {
		h, ok, err := v.WriteHash(k)
		return h.Elements, ok, err
	}
	s, ok, err := v.WriteSet(k)
	return s.Elements, ok, err
}

// ReadElements finds a hash or a set, as typ says, for reading.
func (v *View) ReadElements(k Key, typ Type) (l Elements, ok bool, err error) {
	if typ == TypeHash {
		h, ok, err := v.ReadHash(k)
		return h.Elements, ok, err
	}
	s, ok, err := v.ReadSet(k)
	return s.Elements, ok, err
}

// Dated reports whether elements may have expiry times.
func (l *Elements) Dated() bool { return l.e.rec.encoding() == encBody && l.e.nested().dated() }

// dead reports whether the time of an element at ref of t, the nested table, has come.
func (l *Elements) dead(t *table, ref arena.Ref) bool { return t.ttls > 0 && l.v.goneAt(t, ref) }

func (v *View) goneAt(t *table, ref arena.Ref) bool {
	r := readRecord(t.mem, ref)
	return v.gone(r.expire)
}

// Dead reports whether an element is still there although its time has come. Who sets it anew on the
// condition that it is not there, or adds to it, does something else when the log is replayed.
func (l *Elements) Dead(name []byte) bool {
	if !l.Dated() {
		return false
	}
	el, ok := l.e.element(l.e.nested(), name)
	return ok && l.v.gone(el.rec.expire)
}

// revive takes the time of a member of a set away that is dead, and added again.
func (l *Elements) revive(member []byte) bool {
	el, _ := l.e.element(l.e.nested(), member)
	l.e.dateElement(&el, 0, l.v.Now)
	l.v.revived = append(l.v.revived, member)
	return true
}

// Expiry is when an element expires, in unix milliseconds, 0 for never. ok is false if there is no
// such element.
func (l *Elements) Expiry(name []byte) (at int64, ok bool) {
	switch {
	case l.e.rec.encoding() == encBody:
		el, ok := l.e.element(l.e.nested(), name)
		return el.rec.expire, ok && !l.v.gone(el.rec.expire)
	case l.e.Type() == TypeHash:
		_, ok = l.Get(name)
	default:
		ok = l.Has(name)
	}
	return 0, ok
}

// Expire sets when an element, which is there, expires: in unix milliseconds, 0 for never.
func (l *Elements) Expire(name []byte, at int64) {
	if l.e.rec.encoding() != encBody {
		if at == 0 {
			return
		}
		l.convert()
	}
	el, ok := l.e.element(l.e.nested(), name)
	if !ok || l.v.gone(el.rec.expire) {
		panic("BUG: store: no such element")
	}
	if el.rec.expire != at {
		l.e.dateElement(&el, at, l.v.Now)
	}
	l.v.Dirty++
}

// DateElements gives elements of a hash or set that have just been loaded, or moved there, their expiry
// times, in unix milliseconds, 0 for never. Names stand at every stride-th of items.
func (v *View) DateElements(k Key, typ Type, items [][]byte, stride int, until []int64) {
	dirty := v.Dirty
	l, ok, err := v.WriteElements(k, typ)
	if !ok || err != nil {
		panic("BUG: store: what is to be dated is not there")
	}
	for i, at := range until {
		if at != 0 {
			l.Expire(items[i*stride], at)
		}
	}
	v.Dirty = dirty
	v.booked(k)
}

// ResolveElements gives the elements of a set that has just been loaded their expiry times. What they
// have as such is a number of their own, which until turns into unix milliseconds, 0 for none, -1
// for a member that is to go. It reports whether one is left; if not, the key has gone.
func (v *View) ResolveElements(k Key, until func(number int64) int64) (left bool) {
	dirty := v.Dirty
	s, ok, err := v.WriteSet(k)
	if !ok || err != nil {
		panic("BUG: store: the set that was loaded is not there")
	}
	t := s.e.nested()
	var refs []arena.Ref
	t.eachRef(func(ref arena.Ref) bool {
		refs = append(refs, ref)
		return true
	})
	t.first = 0
	for _, ref := range refs {
		r := readRecord(t.mem, ref)
		at, name := until(r.expire), r.name(t.mem)
		if at < 0 {
			s.e.removeElement(name)
			continue
		}
		el, _ := s.e.element(t, name)
		s.e.dateElement(&el, at, v.Now)
	}
	v.Dirty = dirty
	if s.e.spent() {
		return false
	}
	v.booked(k)
	return true
}

// Take removes an element, which is there, and reports whether others are left; if not, the handle is
// spent. Told says so to others.
func (l *Elements) Take(name []byte) (left bool) {
	l.remove(name)
	l.v.Dirty++
	return !l.e.spent()
}

// Told says what has happened to elements that were taken, or whose times to live were changed.
func (l *Elements) Told(ev Event) { l.e.changed(l.v, l.k, ev) }

// deleteAll removes elements and returns how many were there. Those whose time has come go, too, as
// they do when the log is replayed, but do not count.
func (l *Elements) deleteAll(names [][]byte, ev Event) (removed int) {
	expired := 0
	for _, name := range names {
		dead := l.Dead(name)
		if !l.remove(name) {
			continue
		}
		l.v.Dirty++
		if dead {
			expired++
		} else {
			removed++
		}
		if l.e.spent() {
			break
		}
	}
	switch {
	case removed > 0:
		l.e.changed(l.v, l.k, ev)
	case expired > 0:
		l.e.changed(l.v, l.k, typeRows[l.e.Type()].expired)
	}
	return removed
}

// ExpireElements removes the elements of a hash or set whose time has come, and tells of each before it
// goes. The bytes are valid until told returns.
func (v *View) ExpireElements(k Key, told func(typ Type, element []byte)) {
	e, ok := v.Peek(k)
	if !ok || e.rec.encoding() != encBody {
		return
	}
	t, ok := e.body().(*table)
	if !ok || t.settled(v.Now) || v.Loading {
		return
	}
	typ := e.Type()
	l, _, _ := v.WriteElements(k, typ)
	var names [][]byte
	t.eachRef(func(ref arena.Ref) bool {
		if l.dead(t, ref) {
			names = append(names, bytes.Clone(recordKey(t.mem, ref)))
		}
		return true
	})
	for _, name := range names {
		told(typ, name)
		l.e.removeElement(name)
	}
	if len(names) > 0 {
		v.Store.expiredElements.Add(int64(len(names)))
		l.e.changed(v, k, typeRows[typ].expired)
		v.booked(k)
	}
}

// LiveLen is the number of elements that have not expired. Where one may have it looks at all of them.
func (l *Elements) LiveLen() int {
	switch l.e.rec.encoding() {
	case encIntset:
		return intset(l.e.value()).len()
	case encPack:
		return typeRows[l.e.Type()].count(l.e.value(), encPack)
	}
	t := l.e.nested()
	if t.settled(l.v.Now) {
		return t.n
	}
	n := 0
	t.eachRef(func(ref arena.Ref) bool {
		if !l.dead(t, ref) {
			n++
		}
		return true
	})
	return n
}

// repeatLive makes n independent draws of elements with times to live: a draw that hits one that has
// expired is made again, and after many of those among a list of the others.
func (l *Elements) repeatLive(n int, fn func(ref arena.Ref) bool) {
	t := l.e.nested()
	var live []arena.Ref
	misses := 0
	for n > 0 {
		var ref arena.Ref
		if live == nil {
			ref = t.random()
		} else {
			ref = live[rand.IntN(len(live))]
		}
		if l.dead(t, ref) {
			if misses++; misses < 100 {
				continue
			}
			if live = l.liveRefs(t); len(live) == 0 {
				return
			}
			continue
		}
		if n--; !fn(ref) {
			return
		}
	}
}

func (l *Elements) liveRefs(t *table) (live []arena.Ref) {
	t.eachRef(func(ref arena.Ref) bool {
		if !l.dead(t, ref) {
			live = append(live, ref)
		}
		return true
	})
	return live
}

// copyMember copies the record of a member of another set, but for its time to live.
func (t *table) copyMember(ref arena.Ref) arena.Ref {
	if recordMeta(t.mem, ref)&flagExpire == 0 {
		return t.copyRecord(ref)
	}
	return t.newRecord(metaOf(TypeString, encPlain), recordKey(t.mem, ref), nil, 0)
}

// FirstExpiry is a time before which no element expires, in unix milliseconds, 0 if none does.
func (v *Value) FirstExpiry() int64 {
	if t, ok := v.body.(*table); ok && t.dated() {
		return t.first
	}
	return 0
}

// EachDated visits the elements like Each, with their expiry times in unix milliseconds, 0 for none.
func (v *Value) EachDated(fn func(item, value []byte, expire int64) bool) {
	t, ok := v.body.(*table)
	if !ok || !t.dated() {
		v.Each(func(item, value []byte) bool { return fn(item, value, 0) })
		return
	}
	t.eachRef(func(ref arena.Ref) bool {
		r := readRecord(t.mem, ref)
		v := r.value()
		end := v + uint64(r.vlen)
		return fn(t.mem[r.key:v:v], t.mem[v:end:end], r.expire)
	})
}

// firstExpiry is what a snapshot says of a body in front of its elements.
func firstExpiry(b body) int64 {
	if t, ok := b.(*table); ok {
		return t.first
	}
	return 0
}
