package store

import "github.com/larderkv/larder/store/arena"

// Large values that come whole, from a payload.
//
// A payload of a million elements is decoded some hundreds of elements at a time, and each lot goes
// into the arena while it is in the processor's cache: to list all of them first takes 24 bytes of
// Go's memory for each, which the collector then has to look through, and reading each of them from
// memory twice. The number of elements is known in front, so that the table of members has its size
// from the start and no name is hashed twice. A name that comes twice is found as it is added, which
// makes the payload a bad one: what was built is discarded, and the key still has its old value.
//
// Members are added in groups, whose buckets are loaded from memory together. A sorted set's order
// is sorted and built once, in the end.

// NewLarge is a large value under construction: it belongs to no key yet and is seen by nobody. It
// lives in the arena of its key's shard, which stays locked, and ends with InsertLarge or Discard.
type NewLarge struct {
	v   *View
	k   Key
	typ Type

	members *table    // of a hash or set
	zset    *zsetBody // its order is built in the end
	order   []scoredRef

	list   List
	holder *table // has the list's entry as its only one; nil: the list has no element yet
}

// IsLarge reports whether a collection of n elements, or whatever a list has, can be a NewLarge: a
// hash, set or sorted set with a table for certain, however short its elements are.
func (v *View) IsLarge(typ Type, n int) bool {
	enc, most := v.Store.enc, int64(0)
	switch typ {
	case TypeHash:
		most = enc.HashMaxEntries.Load()
	case TypeSet:
		most = v.smallSet()
	case TypeZset:
		most = enc.ZsetMaxEntries.Load()
	case TypeList:
		return true
	case TypeString:
		return false
	}
	return int64(n) > most
}

// smallSet is the number of members up to which a set may be without a table.
func (v *View) smallSet() int64 {
	return max(v.Store.enc.SetMaxEntries.Load(), v.Store.enc.SetMaxIntset.Load())
}

// NewLarge begins a value of type typ for k, whose shard is locked. It is to get n elements; of a
// list n says nothing.
func (v *View) NewLarge(k Key, typ Type, n int) *NewLarge {
	l := &NewLarge{v: v, k: k, typ: typ}
	switch typ {
	case TypeHash, TypeSet:
		l.members = newTable(v.shard(&k), v.Store.seed)
		l.members.reserve(n)
	case TypeZset:
		l.zset = newZsetBody(v.shard(&k), v)
		l.zset.reserve(n)
		l.zset.unordered = true
	case TypeString, TypeList:
	}
	return l
}

// Add adds elements: fields and values in turn, members, list elements, or members and the eight
// bytes of their scores. It returns false if one has a name that is there already.
func (l *NewLarge) Add(items [][]byte) bool {
	switch l.typ {
	case TypeHash:
		return l.members.addGroups(items, 2, nil) == len(items)/2
	case TypeSet:
		return l.members.addGroups(items, 1, nil) == len(items)
	case TypeZset:
		return l.zset.addGroups(items, 2, func(ref arena.Ref, value []byte) {
			l.order = append(l.order, scoredRef{bytesFloat(value), ref})
		}) == len(items)/2
	case TypeList:
		l.push(items)
	case TypeString:
	}
	return true
}

func (l *NewLarge) push(elements [][]byte) {
	switch {
	case len(elements) == 0:
	case l.holder == nil:
		l.holder = newTable(l.v.shard(&l.k), l.v.Store.seed)
		l.list = l.v.newList(l.holder, l.k, Back, elements)
	default:
		_, size := elementSizes(elements)
		l.list.add(Back, elements, size)
	}
}

// Len is the number of elements so far.
func (l *NewLarge) Len() int {
	switch {
	case l.members != nil:
		return l.members.n
	case l.zset != nil:
		return l.zset.n
	case l.holder != nil:
		return l.list.Len()
	}
	return 0
}

// InsertLarge gives the value, which has an element, to its key, unless the key exists, which it
// reports. It tells no watcher and counts no change.
func (v *View) InsertLarge(l *NewLarge) bool {
	t := v.tableForWrite(&l.k)
	if _, _, exists := t.find(l.k.hash, l.k.Name); exists {
		return false
	}
	switch {
	case l.members != nil:
		v.newBodyEntry(t, l.k, l.typ, l.members)
	case l.zset != nil:
		l.zset.unordered = false
		l.zset.sort(l.order)
		l.zset.arrange(l.order)
		v.newBodyEntry(t, l.k, l.typ, l.zset)
	default:
		l.list.loaded()
		l.list.e.attach(v, l.k, 0)
	}
	v.booked(l.k)
	return true
}

// Discard frees the value.
func (l *NewLarge) Discard() {
	switch {
	case l.members != nil:
		l.v.shard(&l.k).discard(l.members)
	case l.zset != nil:
		l.v.shard(&l.k).discard(l.zset)
	case l.holder != nil:
		l.list.e.drop()
	}
}

// attach moves an entry out of a table of its own into the keyspace, where its key is absent. expire
// is in unix milliseconds, 0 for none.
func (e *Entry) attach(v *View, k Key, expire int64) {
	e.t.remove(e.p, 0)
	e.t.disown(e.ref)
	e.t = v.tableForWrite(&k)
	e.t.adopt(e.ref)
	e.p = e.t.insert(k.hash, e.ref, 0, v.Now)
	if expire != 0 {
		e.setExpire(expire, v.Now)
	}
}

// groupSize is how many members are added together: their buckets are loaded from memory at the
// same time.
const groupSize = 32

// addGroups adds members with what belongs to them, the name at every stride-th item and the value,
// if stride is 2, behind it. It leaves out those that are there already, and returns the number of
// the others. added, unless it is nil, is told of each of them.
func (t *table) addGroups(items [][]byte, stride int, added func(ref arena.Ref, value []byte)) (n int) {
	var hashes [groupSize]uint64
	for len(items) > 0 {
		group := items[:min(len(items), groupSize*stride)]
		for i := 0; i < len(group); i += stride {
			h := t.hash(group[i])
			hashes[i/stride] = h
			t.prefetchBucket(h)
		}
		for i := 0; i < len(group); i += stride {
			h, name, value := hashes[i/stride], group[i], []byte(nil)
			if _, _, known := t.find(h, name); known {
				continue
			}
			if stride == 2 {
				value = group[i+1]
			}
			ref := t.newRecord(metaOf(TypeString, encPlain), name, value, 0)
			t.insert(h, ref, 0, 0)
			if n++; added != nil {
				added(ref, value)
			}
		}
		items = items[len(group):]
	}
	return n
}
