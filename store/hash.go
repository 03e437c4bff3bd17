package store

import (
	"math/rand/v2"

	"github.com/larderkv/larder/store/arena"
)

// Hash is the handle of a hash; see collection.go for what a handle is.
//
// A small hash is a pack of field, value, field, value in the order in which
// the fields were first set. A field's value is replaced in place, inside the
// record's slot while it fits. A large hash is a table whose records have the
// field for a key.
type Hash struct{ Elements }

// ReadHash finds a hash for reading.
func (v *View) ReadHash(k Key) (h Hash, ok bool, err error) {
	if !v.read(&h.e, &k) {
		return h, false, nil
	}
	if h.e.Type() != TypeHash {
		return h, false, ErrWrongType
	}
	h.v, h.k = v, k
	return h, true, nil
}

// WriteHash finds a hash that is to be changed. It creates none: SetFields does.
func (v *View) WriteHash(k Key) (h Hash, ok bool, err error) {
	if !v.write(&h.e, k) {
		return h, false, nil
	}
	if h.e.Type() != TypeHash {
		return h, false, ErrWrongType
	}
	h.v, h.k = v, k
	h.e.own()
	return h, true, nil
}

// SetFields sets fields to values, pairs being field, value, field, value ...
// (at least one pair), and creates the hash if need be. It returns the number
// of fields that were new.
func (v *View) SetFields(k Key, pairs [][]byte) (created int, err error) {
	return v.setFields(k, pairs, EventHSet, false)
}

// SetFieldsKeeping is SetFields for fields that keep their times to live.
func (v *View) SetFieldsKeeping(k Key, pairs [][]byte) (created int, err error) {
	return v.setFields(k, pairs, EventHSet, true)
}

// SetField is SetFields of one field for a command that has an event of its own. Unless that is the
// event of HSET the field keeps its time to live.
func (v *View) SetField(k Key, field, value []byte, ev Event) error {
	pair := [2][]byte{field, value}
	_, err := v.setFields(k, pair[:], ev, ev != EventHSet)
	return err
}

func (v *View) setFields(k Key, pairs [][]byte, ev Event, keep bool) (created int, err error) {
	n := len(pairs) / 2
	h, ok, err := v.WriteHash(k)
	if err != nil {
		return 0, err
	}
	if !ok {
		h.v, h.k = v, k
		created = h.create(pairs)
		v.Changed(k, EventNew)
		pairs = pairs[2*created:]
	} else if !h.fits(pairs) {
		h.convert()
	}
	for i := 0; i < len(pairs); i += 2 {
		if h.set(pairs[i], pairs[i+1], keep) {
			created++
		}
	}
	v.Dirty += int64(n)
	v.Changed(k, ev)
	return created, nil
}

// fits reports whether a packed hash may take the pairs as far as their lengths
// go. Redis converts before the first one is set if any is too long.
func (h *Hash) fits(pairs [][]byte) bool {
	if h.e.rec.encoding() == encBody {
		return true
	}
	_, fit := packItems(pairs, h.v.Store.enc.HashMaxValue.Load())
	return fit
}

// create makes the key and stores the pairs in front of the first repetition of
// a field; it returns their number.
func (h *Hash) create(pairs [][]byte) int {
	v, enc := h.v, h.v.Store.enc
	t := v.tableForWrite(&h.k)
	size, fit := packItems(pairs, enc.HashMaxValue.Load())
	if !fit || int64(len(pairs)/2) > enc.HashMaxEntries.Load() {
		h.e = v.newBodyEntry(t, h.k, TypeHash, newTable(v.shard(&h.k), v.Store.seed))
		return 0
	}
	h.e = v.insertCollection(t, h.k, v.newMeta(&h.k, TypeHash, encPack), size)
	used, taken := fillPack(h.e.value(), pairs, 2)
	if used < size {
		h.e.resizeValue(used, encPack, false)
	}
	return taken / 2
}

// Len is the number of fields, at least 1.
func (h *Hash) Len() int {
	if h.e.rec.encoding() == encBody {
		return h.e.nested().n
	}
	return pack(h.e.value()).count() / 2
}

// findField looks a field up in a packed hash. It returns the offsets of the field
// and of its value.
func (h *Elements) findField(p pack, field []byte) (off, at int, ok bool) {
	if off = h.next; off > 0 && off < len(p) {
		if s, end := p.next(off); string(s) == string(field) {
			return off, end, true
		}
	}
	return p.findField(field)
}

// Get returns the value of a field of a hash.
func (h *Elements) Get(field []byte) (value []byte, ok bool) {
	if h.e.rec.encoding() != encBody {
		p := pack(h.e.value())
		_, at, ok := h.findField(p, field)
		if !ok {
			return nil, false
		}
		value, h.next = p.next(at)
		return value, true
	}
	t := h.e.nested()
	_, ref, ok := t.find(t.hash(field), field)
	if !ok {
		return nil, false
	}
	return h.value(t, ref)
}

// value is the value of an element, unless its time has come.
func (h *Elements) value(t *table, ref arena.Ref) (value []byte, ok bool) {
	r := readRecord(t.mem, ref)
	if h.v.gone(r.expire) {
		return nil, false
	}
	v := r.value()
	end := v + uint64(r.vlen)
	return t.mem[v:end:end], true
}

// Set sets one field and reports whether it was new. ev is the event of the command.
func (h *Hash) Set(field, value []byte, ev Event) (created bool) {
	created = h.set(field, value, ev != EventHSet)
	h.v.Dirty++
	h.v.Changed(h.k, ev)
	return created
}

func (h *Hash) set(field, value []byte, keep bool) (created bool) {
	if h.e.rec.encoding() == encBody {
		return h.setElement(field, value, keep)
	}
	p := pack(h.e.value())
	enc := h.v.Store.enc
	limit := enc.HashMaxValue.Load()
	_, at, ok := h.findField(p, field)
	n, add := p.count(), packedSize(len(value))
	if !ok {
		n += 2
		add += packedSize(len(field))
	}
	if int64(n/2) > enc.HashMaxEntries.Load() || int64(len(field)) > limit || int64(len(value)) > limit || len(p)+add > packMaxSize {
		h.convert()
		return h.setElement(field, value, keep)
	}
	if !ok {
		b, at := h.e.editPack(packEdit{off: len(p), add: add, count: n})
		at += putPacked(b[at:], field)
		putPacked(b[at:], value)
		h.next = 0
		return true
	}
	end := p.skip(at)
	b := []byte(p)
	if end-at != add {
		b, at = h.e.editPack(packEdit{off: at, cut: end - at, add: add, count: n})
	}
	putPacked(b[at:], value)
	h.next = at + add
	return false
}

// setElement takes a field's time to live away unless it is to be kept.
func (h *Hash) setElement(field, value []byte, keep bool) (created bool) {
	t := h.e.nested()
	el, ok := h.e.element(t, field)
	if !ok {
		hash := t.hash(field)
		t.insert(hash, h.v.newRecord(t, metaOf(TypeString, encPlain), field, value, 0), 0, 0)
		return true
	}
	if el.rec.expire != 0 {
		created = h.v.gone(el.rec.expire)
		if created || !keep {
			h.e.dateElement(&el, 0, h.v.Now)
		}
	}
	if h.v.Loan.Holds(value) {
		el.become(h.v.newRecord(t, el.rec.meta, field, value, el.rec.expire))
	} else if el.rec.vlen == len(value) && !el.unsaved() {
		copy(el.value(), value)
	} else {
		el.replaceValue(value, encPlain)
	}
	return created
}

// Delete removes fields and returns how many were there. The handle is spent if none is left.
func (h *Hash) Delete(fields [][]byte) (removed int) { return h.deleteAll(fields, EventHDel) }

// Each visits all fields.
func (h *Hash) Each(fn func(field, value []byte)) {
	h.each(func(field, value []byte) bool {
		fn(field, value)
		return true
	})
}

func (h *Hash) each(fn func(field, value []byte) bool) {
	if h.e.rec.encoding() == encBody {
		t := h.e.nested()
		t.eachRef(func(ref arena.Ref) bool {
			value, ok := h.value(t, ref)
			return !ok || fn(recordKey(t.mem, ref), value)
		})
		return
	}
	p := pack(h.e.value())
	for off := p.first(); off < len(p); {
		var field, value []byte
		field, off = p.next(off)
		value, off = p.next(off)
		if !fn(field, value) {
			return
		}
	}
}

// Scan visits about count fields from a cursor on and returns the cursor to go
// on with, 0 at the end. A field that is there throughout is visited at least
// once. A packed hash is visited whole.
func (h *Hash) Scan(cursor uint64, count int, fn func(field, value []byte)) (next uint64) {
	if h.e.rec.encoding() != encBody {
		h.Each(fn)
		return 0
	}
	t := h.e.nested()
	return t.scanTable(cursor, count, func(ref arena.Ref) {
		if value, ok := h.value(t, ref); ok {
			fn(recordKey(t.mem, ref), value)
		}
	})
}

// Random draws one field. It is nil if all have expired.
func (h *Hash) Random() (field, value []byte) {
	h.Repeat(1, func(f, v []byte) bool {
		field, value = f, v
		return false
	})
	return field, value
}

// Repeat makes n independent draws, until fn returns false.
func (h *Hash) Repeat(n int, fn func(field, value []byte) bool) {
	if h.Dated() {
		t := h.e.nested()
		h.repeatLive(n, func(ref arena.Ref) bool { return fn(recordKey(t.mem, ref), recordValue(t.mem, ref)) })
		return
	}
	if h.e.rec.encoding() == encBody {
		t := h.e.nested()
		for ; n > 0; n-- {
			ref := t.random()
			if !fn(recordKey(t.mem, ref), recordValue(t.mem, ref)) {
				return
			}
		}
		return
	}
	p := pack(h.e.value())
	size := p.count() / 2
	if n == 1 {
		fn(p.pair(p.nth(2 * rand.IntN(size))))
		return
	}
	offsets := p.offsets(2)
	for ; n > 0; n-- {
		if !fn(p.pair(int(offsets[rand.IntN(size)]))) {
			return
		}
	}
}

// pair returns the field at off and its value.
func (p pack) pair(off int) (field, value []byte) {
	field, off = p.next(off)
	value, _ = p.next(off)
	return field, value
}

// Sample draws n distinct fields, n <= LiveLen, until fn returns false. Of a packed
// hash they come in its order.
func (h *Hash) Sample(n int, fn func(field, value []byte) bool) {
	if h.e.rec.encoding() == encBody && !h.Dated() {
		t := h.e.nested()
		t.sample(n, func(ref arena.Ref) bool { return fn(recordKey(t.mem, ref), recordValue(t.mem, ref)) })
		return
	}
	s := selection{need: n, left: h.LiveLen()}
	h.each(func(field, value []byte) bool {
		return !s.take() || fn(field, value) && s.need > 0
	})
}
