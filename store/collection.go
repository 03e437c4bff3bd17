package store

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/larderkv/larder/store/arena"
)

// What hashes and sets share.
//
// A collection begins as a packed value inside its key's record (pack.go,
// intset.go) and gets a body (body.go), a nested table, when it passes a limit of
// Encodings; the way back is a new key. A handle, Hash or Set, is an Entry with
// the operations of its type: made once per command, on the handler's stack, and
// valid until something other than itself changes the key's shard. No empty
// collection exists: the operation that removes the last element removes the
// key, and the handle is then spent.
//
// Bytes that come out of a handle alias the arena (members of an intset: a
// buffer of the shard, overwritten by the next member) and are good until the
// next step of an iteration or the next change. Bytes that go in are copied and
// must not alias the collection that is being changed.

// Elements is the handle of a hash or a set as far as both are the same.
type Elements struct {
	v *View
	k Key
	e Entry

	// next is the offset in the pack of a hash behind the pair touched last. Commands
	// tend to name fields in the order in which they were set, so it is where
	// a search looks first: HSET and HMGET of all fields are then linear in
	// the size of the hash and not quadratic. 0: unknown.
	next int
}

// convert turns an intset or a pack into a table.
func (l *Elements) convert() {
	t := newTable(l.e.sh, l.v.Store.seed)
	packed := l.e.Content()
	packed.Each(func(name, value []byte) bool {
		t.addElement(name, value)
		return true
	})
	l.e.embody(t)
}

// remove removes an element and reports whether it was there. The handle is spent if none is left.
func (l *Elements) remove(name []byte) bool {
	switch enc := l.e.rec.encoding(); {
	case enc == encBody:
		return l.e.removeElement(name)
	case enc == encIntset:
		return l.removeInteger(name)
	case l.e.Type() == TypeSet:
		p := pack(l.e.value())
		off, end, ok := p.find(name)
		if ok {
			l.cut(p, off, end, 1)
		}
		return ok
	}
	p := pack(l.e.value())
	off, at, ok := p.findField(name)
	if ok {
		l.cut(p, off, p.skip(at), 2)
		l.next = 0
	}
	return ok
}

// cut removes n elements of a pack, which lie between two offsets.
func (l *Elements) cut(p pack, off, end, n int) {
	if n = p.count() - n; n == 0 {
		l.e.drop()
	} else {
		l.e.editPack(packEdit{off: off, cut: end - off, count: n})
	}
}

// insertCollection adds a record with a value of n arbitrary bytes to t, which
// is the keyspace or a table of one detached collection. The key is absent.
func (v *View) insertCollection(t *table, k Key, meta uint32, n int) Entry {
	size := recordSize(len(k.Name), n, false)
	ref := t.alloc(size)
	b := t.ar.Bytes(ref, size)
	copy(b[writeHeader(b, meta, len(k.Name), n, 0):], k.Name)
	p := t.insert(k.hash, ref, 0, v.Now)
	return Entry{sh: v.shard(&k), t: t, ref: ref, p: p, rec: readRecord(t.mem, ref)}
}

// element finds a field or a member in a nested table, as an entry that can be
// changed like any other.
func (e *Entry) element(t *table, name []byte) (Entry, bool) {
	p, ref, ok := t.find(t.hash(name), name)
	if !ok {
		return Entry{}, false
	}
	return Entry{sh: e.sh, t: t, ref: ref, p: p, rec: readRecord(t.mem, ref)}, true
}

// removeElement takes a field or member out of the entry's table, and the key
// out of the keyspace if it was the last.
func (e *Entry) removeElement(name []byte) bool {
	t := e.nested()
	el, ok := e.element(t, name)
	if !ok {
		return false
	}
	el.remove()
	if t.n == 0 {
		e.drop()
	}
	return true
}

// drop removes the entry itself; spent tells afterwards.
func (e *Entry) drop() {
	e.remove()
	e.t = nil
}

func (e *Entry) spent() bool { return e.t == nil }

// changed says what has happened to the collection at k, and that it is gone if so.
func (e *Entry) changed(v *View, k Key, ev Event) {
	v.Changed(k, ev)
	if e.spent() {
		v.Changed(k, EventDel)
	}
}

// addElement adds a field or member that t does not have.
func (t *table) addElement(name, value []byte) {
	t.insert(t.hash(name), t.newRecord(metaOf(TypeString, encPlain), name, value, 0), 0, 0)
}

// fillPack writes items as a pack into b, which has room for all of them, until
// it meets a name that is there already. Names stand at every stride-th item. It
// returns the finished pack's length and the number of items taken.
func fillPack(b []byte, items [][]byte, stride int) (size, taken int) {
	head := lenSize(len(items))
	used := binary.PutUvarint(b, uint64(len(items)))
	for ; taken < len(items); taken += stride {
		p := pack(b[:used])
		var known bool
		if stride == 1 {
			_, _, known = p.find(items[taken])
		} else {
			_, _, known = p.findField(items[taken])
		}
		if known {
			break
		}
		for _, s := range items[taken : taken+stride] {
			used += putPacked(b[used:], s)
		}
	}
	if taken < len(items) {
		edit := packEdit{off: used, count: taken}
		edit.apply(b, used)
		used += lenSize(taken) - head
	}
	return used, taken
}

// editPack changes the entry's pack: it finds room and moves what stands behind
// the edit. It returns the value and the offset of the add bytes to be written.
func (e *Entry) editPack(edit packEdit) (b []byte, at int) {
	p := pack(e.value())
	used, size := len(p), edit.size(p)
	if size > used {
		b = e.resizeValue(size, encPack, false)
		return b, edit.apply(b, used)
	}
	at = edit.apply(p, used)
	if size == used {
		return p, at
	}
	return e.resizeValue(size, encPack, false), at
}

// packItems is the sum of the items' sizes in a pack, header included, and
// whether none is longer than limit.
func packItems(items [][]byte, limit int64) (size int, fit bool) {
	size = lenSize(len(items))
	for _, s := range items {
		if int64(len(s)) > limit {
			return 0, false
		}
		size += packedSize(len(s))
	}
	return size, size <= packMaxSize
}

// selection draws need of left elements in one pass: each has the same chance,
// and the order stays (Knuth's algorithm S).
type selection struct{ need, left int }

// take decides on the next element.
func (s *selection) take() bool {
	if s.need == 0 {
		return false
	}
	yes := rand.IntN(s.left) < s.need
	s.left--
	if yes {
		s.need--
	}
	return yes
}

// scanTable makes steps of an iteration until count elements have been visited,
// or ten times as many buckets, the bound that Redis has too.
func (t *table) scanTable(cursor uint64, count int, fn func(ref arena.Ref)) uint64 {
	visited := 0
	for steps := 1; ; steps++ {
		cursor = t.scan(cursor, func(ref arena.Ref) {
			visited++
			fn(ref)
		})
		if cursor == 0 || visited >= count || steps >= 10*count {
			return cursor
		}
	}
}

// passShare decides how distinct random elements of a table are drawn: one pass
// over all if at least one in passShare is wanted, else one draw after another,
// repeated when it hits an element that was drawn before. A pass costs some
// nanoseconds per element, a draw about twenty times that.
const passShare = 16

// sample visits n distinct random records, n <= t.n, until fn returns false.
func (t *table) sample(n int, fn func(ref arena.Ref) bool) {
	if n >= t.n/passShare {
		s := selection{need: n, left: t.n}
		t.eachRef(func(ref arena.Ref) bool {
			return !s.take() || fn(ref) && s.need > 0
		})
		return
	}
	drawn := make(map[arena.Ref]struct{}, n)
	for len(drawn) < n {
		ref := t.random()
		if _, again := drawn[ref]; again {
			continue
		}
		drawn[ref] = struct{}{}
		if !fn(ref) {
			return
		}
	}
}

// each visits the elements of a pack until fn returns false.
func (p pack) each(fn func(s []byte) bool) {
	for off := p.first(); off < len(p); {
		var s []byte
		if s, off = p.next(off); !fn(s) {
			return
		}
	}
}

// offsets lists where every stride-th element begins, so that many draws from
// one pack need one walk.
func (p pack) offsets(stride int) []uint32 {
	list := make([]uint32, 0, p.count()/stride)
	for off := p.first(); off < len(p); {
		list = append(list, uint32(off))
		for range stride {
			off = p.skip(off)
		}
	}
	return list
}
