package store

// What reading a file into the store needs beyond the operations of commands:
// insertions that look for the key once and tell when it is there already, and a
// prefetch that fits them. They tell no watcher and count no change. The caller
// holds the key's shard, and has set Loading in the View.

// InsertString adds a string, unless the key exists. expire is in unix
// milliseconds, 0 for none.
func (v *View) InsertString(k Key, value []byte, expire int64) bool {
	t := v.tableForWrite(k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	ref := newRecord(t.ar, v.newMeta(TypeString, encPlain), k.Name, value, expire)
	t.insert(k.hash, ref, expire, v.Now)
	return true
}

// InsertIntegers adds a set of integers in ascending order, unless the key
// exists. members are little-endian, each of width bytes: 2, 4 or 8. There is at
// least one. A set with more members than an intset may have becomes a table.
func (v *View) InsertIntegers(k Key, width int, members []byte) bool {
	t := v.tableForWrite(k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	s := Set{v: v, k: k, e: v.insertCollection(t, k, v.newMeta(TypeSet, encIntset), 1+len(members))}
	b := s.e.value()
	b[0] = byte(width)
	copy(b[1:], members)
	if int64(len(members)/width) > v.Store.enc.SetMaxIntset.Load() {
		s.convertToTable()
	}
	return true
}

// PrefetchInsertLocked begins to load the bucket that an insertion will look at.
func (v *View) PrefetchInsertLocked(k *Key) {
	if t := v.Store.shards[k.shard].dbs[v.DB]; t != nil {
		t.prefetchBucket(k.hash)
	}
}
