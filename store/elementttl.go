package store

import (
	"math/rand/v2"

	"github.com/larderkv/larder/store/arena"
)

// Times to live of elements: of the fields of hashes.
//
// # Where they are
//
// An element of a nested table is a record, and a record may have an expiry time, as a key has. So a
// field with a time to live takes 8 bytes more than one without, is swept as keys are (expire.go:
// due ticks and hints of the nested table itself), and what is copied, renamed or kept for a
// snapshot brings its time along. A packed hash has no place for times: it becomes a table with the
// first one, and stays one. That takes some 300 bytes more for a hash of few fields; triples in a
// pack, as in Redis' listpackex, would take 2 to 9 bytes for each field, and all code that walks over
// packs would have to know two forms of them.
//
// # Who hides and who removes
//
// As with keys: a field whose time has come is there for no reader, and only who holds the shard's
// lock for writing removes it. That is the background work, and whoever sets the field anew. A
// command that removes fields passes it over: it had none. HLEN counts it until it is removed, as in
// Redis 7.4, and so does everything that goes by the number of fields; a hash of nothing else exists
// until then.
//
// # How the background finds them
//
// By the way that it finds keys. A key's bucket and sub-table are told (noteExpire) of the first
// time of a field as if it were the key's own. The sweep that comes to the bucket then looks at the
// bodies of its records, sweeps one sub-table of a hash that is due, and notes when to look at the
// hash again: at once if more of it is due. So there is no list of hashes with such fields that
// RENAME, MOVE, SWAPDB or FLUSHDB would have to keep true: who puts a hash under a key (View.put)
// notes it there. The price is a look at each hash that lies in a bucket that is due.
//
// # What is told
//
// The log gets HDEL for each field, since nothing expires while it is replayed, and clients the event
// hexpired once per sweep of a hash. The hash whose last field went goes with it, which HDEL does in
// a replay, and clients are told by del.
//
// # Snapshots
//
// A file has the first time of a hash in front of its fields. A table keeps it (first), as a lower
// bound: it is lowered when a field gets an earlier time, and forgotten when no field has one and no
// snapshot is on its way, since the snapshot writes the fields as they were at its cut.

// ElementListener is told of an element that the store itself removes, as a Listener is of keys. The
// bytes are valid until it returns.
type ElementListener func(db int, key, element []byte)

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

// expireElements removes elements of a hash, the value of the record at p of t, whose time has come: those
// of one sub-table. For a snapshot it gives the record another place. It returns when to look again, in unix milliseconds, 0 for never, and whether no
// element is left.
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
			sh.s.elements(db, name, nested.mem[el.key:el.key+uint64(el.klen)])
		}
		sh.releaseRecord(nested, &el, raw&^parityBit, raw&parityBit)
	}, nil)
	sh.settleBody(nested)
	if removed > 0 {
		sh.s.expiredElements.Add(int64(removed))
		sh.announceRemoval(db, t, name, EventHExpired, true)
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

// ExpiredElements is how many elements have been removed because their time had come.
func (s *Store) ExpiredElements() int64 { return s.expiredElements.Load() }

// field finds a field of a hash with a table that has not expired.
func (h *Hash) field(name []byte) (el Entry, ok bool) {
	el, ok = h.e.element(h.e.nested(), name)
	return el, ok && !h.v.gone(el.rec.expire)
}

// Dead reports whether a field is still there although its time has come. Who sets it anew on the
// condition that it is not there, or adds to it, does something else when the log is replayed.
func (h *Hash) Dead(name []byte) bool {
	if !h.Dated() {
		return false
	}
	el, ok := h.e.element(h.e.nested(), name)
	return ok && h.v.gone(el.rec.expire)
}

// FieldExpiry is when a field expires, in unix milliseconds, 0 for never. ok is false if there is no
// such field.
func (h *Hash) FieldExpiry(name []byte) (at int64, ok bool) {
	if h.e.rec.encoding() != encBody {
		_, ok = h.Get(name)
		return 0, ok
	}
	el, ok := h.field(name)
	return el.rec.expire, ok
}

// ExpireField sets when a field, which is there, expires: in unix milliseconds, 0 for never.
func (h *Hash) ExpireField(name []byte, at int64) {
	if h.e.rec.encoding() != encBody {
		if at == 0 {
			return
		}
		h.convert()
	}
	el, ok := h.field(name)
	if !ok {
		panic("BUG: store: no such field")
	}
	if el.rec.expire != at {
		h.e.dateElement(&el, at, h.v.Now)
	}
	h.v.Dirty++
}

// DateFields gives fields of a hash that has just been loaded their expiry times, in unix milliseconds,
// 0 for never. pairs are fields and values in turn; a field has half of its index in until.
func (v *View) DateFields(k Key, pairs [][]byte, until []int64) {
	dirty := v.Dirty
	h, ok, err := v.WriteHash(k)
	if !ok || err != nil {
		panic("BUG: store: the hash that was loaded is not there")
	}
	for i, at := range until {
		if at != 0 {
			h.ExpireField(pairs[2*i], at)
		}
	}
	v.Dirty = dirty
	v.booked(k)
}

// Take removes a field, which is there, and reports whether others are left; if not, the handle is
// spent. Told says so to others.
func (h *Hash) Take(name []byte) (left bool) {
	h.remove(name)
	h.v.Dirty++
	return !h.e.spent()
}

// Told says what has happened to fields that were taken, or whose times to live were changed.
func (h *Hash) Told(ev Event) { h.e.changed(h.v, h.k, ev) }

// Dated reports whether fields may have expiry times.
func (h *Hash) Dated() bool { return h.e.rec.encoding() == encBody && h.e.nested().dated() }

// LiveLen is the number of fields that have not expired. Where fields have times to live it looks at
// all of them.
func (h *Hash) LiveLen() int {
	if !h.Dated() {
		return h.Len()
	}
	n := 0
	h.Each(func(_, _ []byte) { n++ })
	return n
}

// repeatLive is Repeat for fields with times to live: a draw that hits one that has expired is made
// again, and after many of those among a list of the others.
func (h *Hash) repeatLive(n int, fn func(field, value []byte) bool) {
	t := h.e.nested()
	var live []arena.Ref
	misses := 0
	for n > 0 {
		var ref arena.Ref
		if live == nil {
			ref = t.random()
		} else {
			ref = live[rand.IntN(len(live))]
		}
		r := readRecord(t.mem, ref)
		if h.v.gone(r.expire) {
			if misses++; misses < 100 {
				continue
			}
			if live = h.liveRefs(t); len(live) == 0 {
				return
			}
			continue
		}
		if n--; !fn(recordKey(t.mem, ref), recordValue(t.mem, ref)) {
			return
		}
	}
}

func (h *Hash) liveRefs(t *table) (live []arena.Ref) {
	t.eachRef(func(ref arena.Ref) bool {
		if r := readRecord(t.mem, ref); !h.v.gone(r.expire) {
			live = append(live, ref)
		}
		return true
	})
	return live
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
