package store

// What reading a file and SORT's STORE need beyond the commands of lists; see load.go.

// InsertList adds a list of elements in order, at least one, unless the key exists, which it
// reports. It tells no watcher and counts no change.
func (v *View) InsertList(k Key, elements [][]byte) bool {
	t := v.tableForWrite(&k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	l := v.newList(t, k, Back, elements)
	l.loaded()
	v.booked(k)
	return true
}

// AppendElements adds elements at the end of the list at k, which may be new, and returns its new
// length. Like InsertList it tells nobody.
func (v *View) AppendElements(k Key, elements [][]byte) (n int, err error) {
	l, ok, err := v.WriteList(k)
	if err != nil {
		return 0, err
	}
	if ok {
		_, size := elementSizes(elements)
		l.add(Back, elements, size)
	} else {
		l = v.newList(v.tableForWrite(&k), k, Back, elements)
	}
	l.loaded()
	v.booked(k)
	return l.Len(), nil
}

// StoreList gives a key the list of some elements in place of whatever it held, for SORT's STORE.
// No elements are no list: the key is gone then. The elements must not be those of the store.
func (v *View) StoreList(k Key, elements [][]byte) {
	if len(elements) == 0 {
		v.Delete(k)
		return
	}
	replaced := v.Vacate(k)
	l := v.newList(v.tableForWrite(&k), k, Back, elements)
	l.loaded()
	v.Dirty += int64(len(elements)) - 1
	v.stored(k, replaced, EventSortStore)
}
