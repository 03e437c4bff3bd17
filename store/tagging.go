package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/tags"
)

// Tags of keys.
//
// Package tags knows which tags there are, what has invalidated them, and where keys with a tag may
// be found. Here is the keyspace's part: the links in a key's extras, which readers ask whether a key
// is still valid, and the sweep, which removes in the background what is not.
//
// A key whose tag was invalidated is hidden at once, like one whose time has come, and by the same
// rules: readers leave it where it is, a writer who holds the lock removes it, and the maintenance
// finds those that nobody asks for.
//
// A tag belongs to a database as its keys do: it is told apart from others of the same name by the
// database's mark, which FLUSHDB renews and SWAPDB exchanges. So flushing takes no look at tags; those
// of before go when the last of their keys has been freed.

// MaxTags is how many tags a key can have, MaxTagName how long the name of one can be, in bytes.
const (
	MaxTags    = 64
	MaxTagName = tags.MaxName
)

// linkSize is the size of a link in a record: 5 bytes of reference, 6 bytes of stamp.
const linkSize = 11

func linkAt(links []byte, i int) (ref tags.Ref, stamp uint64) {
	b := links[i*linkSize : i*linkSize+linkSize : i*linkSize+linkSize]
	first := binary.LittleEndian.Uint64(b)
	return tags.Ref(first & (1<<40 - 1)), first>>40 | uint64(b[8])<<24 | uint64(binary.LittleEndian.Uint16(b[9:]))<<32
}

func putLink(links []byte, i int, ref tags.Ref, stamp uint64) {
	b := links[i*linkSize : i*linkSize+linkSize : i*linkSize+linkSize]
	binary.LittleEndian.PutUint64(b, uint64(ref)|stamp<<40)
	b[8] = byte(stamp >> 24)
	binary.LittleEndian.PutUint16(b[9:], uint16(stamp>>32))
}

// placeOf is what finds a key again: 40 bits of its hash, and its shard.
func placeOf(k *Key) uint64 { return k.hash>>24<<8 | uint64(k.shard) }

// mark is what a database's tags are told by.
func (s *Store) mark(db int) uint32 { return s.tagMarks[db].Load() }

// renewMark makes the tags of a database those of another one, which is gone. All locks are held.
func (s *Store) renewMark(db int) {
	s.lastMark++
	s.tagMarks[db].Store(s.lastMark)
}

// retainExtras is for a copy of a record with extras.
func (sh *shard) retainExtras(r *record) {
	links := r.extras(sh.ar.Mem()).links()
	for i := range len(links) / linkSize {
		ref, _ := linkAt(links, i)
		sh.s.tags.Retain(ref)
	}
	sh.countLinked(links, +1)
}

// dropExtras is for a record with extras that is freed.
func (sh *shard) dropExtras(r *record) {
	links := r.extras(sh.ar.Mem()).links()
	for i := range len(links) / linkSize {
		ref, _ := linkAt(links, i)
		sh.s.tags.Drop(ref)
	}
	sh.countLinked(links, -1)
}

// endLinks is unlinkTags, and dropExtras too unless a snapshot is owed the record and goes on to hold the
// tags. All of it but for the count of records is left to the caller for one tag, if that is not 0.
func (sh *shard) endLinks(links []byte, owed bool, but tags.Ref) {
	for i := range len(links) / linkSize {
		if ref, stamp := linkAt(links, i); ref != but {
			sh.s.tags.Unlink(ref, stamp)
			if !owed {
				sh.s.tags.Drop(ref)
			}
		}
	}
	if !owed {
		sh.countLinked(links, -1)
	}
}

func (sh *shard) countLinked(links []byte, sign int) {
	if len(links) > 0 {
		sh.linked += sign
	}
}

// unlinkExtras is for a record with extras that leaves its table of the keyspace.
func (sh *shard) unlinkExtras(t *table, r *record) {
	t.spare(r, -1)
	sh.unlinkTags(r)
}

func (sh *shard) unlinkTags(r *record) {
	links := r.extras(sh.ar.Mem()).links()
	for i := range len(links) / linkSize {
		sh.s.tags.Unlink(linkAt(links, i))
	}
}

// stateOf reports whether a tag was invalidated since a record with these extras was linked to it, and
// whether one was softly.
func (sh *shard) stateOf(x rawExtras) (gone, stale bool) {
	if x.flags()&hasLinks == 0 {
		return false, false
	}
	return sh.stateOfLinks(x.links())
}

func (sh *shard) stateOfLinks(links []byte) (gone, stale bool) {
	for i := range len(links) / linkSize {
		g, s := sh.s.tags.State(linkAt(links, i))
		gone, stale = gone || g, stale || s
	}
	return gone, stale
}

// invalidated reports whether a tag of a record with extras was invalidated.
func (sh *shard) invalidated(r *record) bool {
	gone, _ := sh.stateOf(r.extras(sh.ar.Mem()))
	return gone
}

// ended reports whether a record is to be taken for absent: its time has come, or a tag of it was
// invalidated.
func (sh *shard) ended(r *record, now int64) bool {
	return r.expire != 0 && r.expire <= now || r.extra > 0 && sh.invalidated(r)
}

// newExtras makes the extras of a record for a key, in b. A link of the record that it replaces, if
// there is one, goes on where the tag is the same and the key is as good as new; others end.
func (v *View) newExtras(k Key, x *Extras, old *Entry, b []byte) rawExtras {
	raw, links := x.encode(b)
	if sh := v.shard(&k); x.Version > sh.number {
		sh.number = x.Version
	}
	var before []byte
	if old != nil && old.rec.extra > 0 {
		before = old.extras().links()
	}
	d, mark := v.Store.tags, v.Store.mark(v.DB)
	var kept uint64 // of before, by position
	for i, name := range x.Tags {
		ref := d.Hold(mark, name)
		at, stamp := findLink(before, ref)
		if stamp != 0 {
			if gone, stale := d.State(ref, stamp); gone || stale {
				stamp = 0
			} else {
				kept |= 1 << at
			}
		}
		if stamp == 0 {
			stamp = d.Link(ref, placeOf(&k))
		}
		putLink(links, i, ref, stamp)
	}
	for i := range len(before) / linkSize {
		if kept&(1<<i) == 0 {
			d.Unlink(linkAt(before, i))
		}
	}
	v.shard(&k).countLinked(links, +1)
	return raw
}

// findLink finds the link to a tag; the stamp is 0 if there is none.
func findLink(links []byte, to tags.Ref) (i int, stamp uint64) {
	for i := range len(links) / linkSize {
		if ref, stamp := linkAt(links, i); ref == to {
			return i, stamp
		}
	}
	return 0, 0
}

// describe is what an entry has beside value and expiry time. The names of tags are good while the
// entry is.
func (e *Entry) describe() Extras {
	x, _ := e.sh.describe(e.extras())
	return x
}

// describe is the same for the extras of a record that is not freed meanwhile. Who makes a record of
// them makes other links, which know of no invalidation: what is stale by a tag is fresh until the
// year 1970. gone says that a tag was invalidated, so that the key is none any more.
func (sh *shard) describe(raw rawExtras) (x Extras, gone bool) {
	x, links := raw.decode()
	if n := len(links) / linkSize; n > 0 {
		x.Tags = make([][]byte, n)
		for i := range x.Tags {
			ref, _ := linkAt(links, i)
			x.Tags[i] = sh.s.tags.Name(ref)
		}
	}
	gone, stale := sh.stateOfLinks(links)
	if stale {
		x.Fresh = 1
	}
	return x, gone
}

// Extras is what an entry that was found has beside value and expiry time, if it has something. The names
// of tags are good until the next change of the key.
func (e *Entry) Extras() (x Extras, ok bool) {
	if e.rec.extra == 0 {
		return x, false
	}
	return e.describe(), true
}

// SetExtras gives a key other extras in place of all it has, and reports whether the key is there.
// Tags are distinct, MaxTags at most.
func (v *View) SetExtras(k Key, x *Extras) bool {
	e, ok := v.Write(k)
	if !ok {
		return false
	}
	v.setExtras(&e, k, x)
	v.Dirty++
	v.Changed(k, EventTag)
	return true
}

// Attach is SetExtras for what reads a file, and as part of a change that is told of otherwise.
func (v *View) Attach(k Key, x *Extras) {
	if e, ok := v.Write(k); ok {
		v.setExtras(&e, k, x)
		v.booked(k)
	}
}

func (v *View) setExtras(e *Entry, k Key, x *Extras) {
	var room [maxExtras]byte
	raw := v.newExtras(k, x, e, room[:0])
	e.become(e.t.newRecordWith(e.rec.meta, e.name(), raw, e.value(), e.rec.expire))
	e.sh.noteFresh(e.t, e.p, x.Fresh, v.Now)
}

// SetStringWith is SetString of a value with extras; expire is not KeepTTL. Tags are distinct, MaxTags
// at most.
func (v *View) SetStringWith(k Key, value []byte, expire int64, x *Extras) {
	var room [maxExtras]byte
	var e Entry
	if v.write(&e, k) {
		v.Dirty++
		meta := metaOf(TypeString, encPlain) | e.word()<<wordShift
		v.renewString(&e, meta, value, expire, v.newExtras(k, x, &e, room[:0]))
		e.sh.noteFresh(e.t, e.p, x.Fresh, v.Now)
	} else {
		t := v.tableForWrite(&k)
		raw := v.newExtras(k, x, nil, room[:0])
		ref := t.newRecordWith(v.newMeta(&k, TypeString, encPlain), k.Name, raw, value, expire)
		p := t.insert(k.hash, ref, expire, v.Now)
		v.shard(&k).noteFresh(t, p, x.Fresh, v.Now)
		r := readRecord(t.mem, ref)
		t.spare(&r, +1)
		v.Dirty++
		v.Changed(k, EventNew)
	}
	v.Changed(k, EventSet)
	if expire > 0 {
		v.Changed(k, EventExpire)
	}
}

// Invalidate has all keys of a database that have a tag hidden from now on, to be removed in the
// background, or stale if soft; it returns how many. It takes constant time. All locks are held, so
// that no key gets the tag meanwhile that the log would have behind the invalidation.
func (v *View) Invalidate(tag []byte, soft bool) (keys int64) {
	mark := v.Store.mark(v.DB)
	v.Store.leasing.noteInvalidation(v.Store, mark, tag)
	return v.Store.tags.Invalidate(mark, tag, soft)
}

// ScanTags calls fn with tags that keys of the view's database have, from a cursor on, which is 0 at
// first. It looks at about most tags, and returns the next cursor, 0 at the end. The name is good until
// fn returns, which must not use the store.
func (v *View) ScanTags(cursor uint64, most int, fn func(tag []byte, keys, stale int64)) (next uint64) {
	return v.Store.tags.Scan(v.Store.mark(v.DB), cursor, most, fn)
}

// TagStats are counts of tags.
type TagStats struct {
	Tags    int64 // that some key has
	Bytes   int64 // that they take, beside their keys' records
	Pending int64 // places at which the sweep has yet to look for a key that was invalidated
}

// Tags counts tags.
func (s *Store) Tags() TagStats {
	return TagStats{Tags: s.tags.Count(), Bytes: s.tags.Used(), Pending: s.tags.PendingEntries()}
}
