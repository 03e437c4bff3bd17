package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/lex"
)

// What reading a file into the store needs beyond the operations of commands:
// insertions that look for the key once and tell when it is there already, and a
// prefetch that fits them. They tell no watcher, count no change, and take a key
// for existing also when it has expired. The caller holds the key's shard.

// InsertString adds a string, unless the key exists. expire is in unix
// milliseconds, 0 for none.
func (v *View) InsertString(k Key, value []byte, expire int64) bool {
	t := v.tableForWrite(&k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	ref := t.newRecord(v.newMeta(&k, TypeString, encPlain), k.Name, value, expire)
	t.insert(k.hash, ref, expire, v.Now)
	v.booked(k)
	return true
}

// InsertIntegers adds a set of integers in ascending order, unless the key
// exists. members are little-endian, each of width bytes: 2, 4 or 8. There is at
// least one. A set with more members than an intset may have becomes a table.
func (v *View) InsertIntegers(k Key, width int, members []byte) bool {
	t := v.tableForWrite(&k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	s := Set{Elements{v: v, k: k, e: v.insertCollection(t, k, v.newMeta(&k, TypeSet, encIntset), 1+len(members))}}
	b := s.e.value()
	b[0] = byte(width)
	copy(b[1:], members)
	if int64(len(members)/width) > v.Store.enc.SetMaxIntset.Load() {
		s.convert()
	}
	v.booked(k)
	return true
}

// InsertDistinct adds a hash or set, unless the key exists: fields and values in
// turn, or members, of which none comes twice. There is at least one.
func (v *View) InsertDistinct(k Key, typ Type, items [][]byte) bool {
	t := v.tableForWrite(&k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	if typ == TypeHash {
		v.insertItems(t, k, typ, items, 2, v.Store.enc.HashMaxEntries.Load(), v.Store.enc.HashMaxValue.Load())
	} else if _, integer := lex.ParseInt(items[0]); integer { // it may have to be an intset
		s := Set{Elements{v: v, k: k}}
		for _, m := range items[s.create(t, items):] {
			s.add(m)
		}
	} else {
		v.insertItems(t, k, typ, items, 1, v.Store.enc.SetMaxEntries.Load(), v.Store.enc.SetMaxValue.Load())
	}
	v.booked(k)
	return true
}

// insertItems adds a collection as a pack if it is within the limits, else as a
// table.
func (v *View) insertItems(t *table, k Key, typ Type, items [][]byte, stride int, entries, longest int64) {
	size, fit := packItems(items, longest)
	if !fit || int64(len(items)/stride) > entries {
		nested := newTable(v.shard(&k), v.Store.seed)
		nested.reserve(len(items) / stride)
		nested.addGroups(items, stride, nil)
		v.newBodyEntry(t, k, typ, nested)
		return
	}
	e := v.insertCollection(t, k, v.newMeta(&k, typ, encPack), size)
	b := e.value()
	at := binary.PutUvarint(b, uint64(len(items)))
	for _, s := range items {
		at += putPacked(b[at:], s)
	}
}

// PrefetchInsertLocked begins to load the bucket that an insertion will look at.
func (v *View) PrefetchInsertLocked(k *Key) {
	if t := v.Store.shards[k.shard].dbs[v.DB]; t != nil {
		t.prefetchBucket(k.hash)
	}
}

// reservedFill is how many records a sub-table of a reserved table is meant to
// get: far enough below the 1084 at which it would be split that chance does not
// get there.
const reservedFill = 900

// Reserve makes tables for keys that are about to come, so that they need not be
// grown step by step, which is a third of the cost of an insertion. It does
// nothing to shards that have a table for the database. It takes one shard lock at
// a time. The memory is 8.5 bytes per key; EndReserve gives back what was too much.
func (s *Store) Reserve(db, keys int) {
	n := keys / len(s.shards)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		if t := sh.dbs[db]; t == nil && n > 0 {
			sh.dbs[db] = sh.newKeyspace()
			sh.dbs[db].reserve(n)
		}
		sh.mu.Unlock()
	}
}

// EndReserve is called when the keys of Reserve have come.
func (s *Store) EndReserve(db int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		if t := sh.dbs[db]; t != nil {
			for sub := range t.subs {
				t.shrink(uint32(sub))
			}
		}
		sh.mu.Unlock()
	}
}

// reserve gives an empty table the sub-tables and buckets for n records.
func (t *table) reserve(n int) {
	for n>>t.depth > reservedFill {
		t.depth++
	}
	buckets := bucketsFor(n >> t.depth)
	t.dir = make([]uint32, 1<<t.depth)
	t.subs = make([]subtable, 1<<t.depth)
	for i := range t.subs {
		t.dir[i] = uint32(i)
		t.subs[i] = subtable{
			base: t.newArray(buckets), buckets: uint16(buckets), depth: t.depth, prefix: uint32(i),
		}
	}
	t.widest = uint16(buckets)
}
