package store

import (
	"bytes"
	"slices"
)

// What reading a file needs of sorted sets; see load.go. Pairs are a member and the eight bytes of
// its score (floatBytes), in turn. The reader has excluded NaN.

// InsertZset adds a sorted set, unless the key exists. There is at least one pair, and no member
// comes twice. Files that larder has written have small ones in order.
func (v *View) InsertZset(k Key, pairs [][]byte) bool {
	t := v.tableForWrite(&k)
	if _, _, exists := t.find(k.hash, k.Name); exists {
		return false
	}
	size, fit := v.packPairs(pairs)
	if !fit {
		b := newZsetBody(v.shard(&k), v)
		b.reserve(len(pairs) / 2)
		b.fill(pairs)
		b.arrange(b.inOrder())
		v.newBodyEntry(t, k, TypeZset, b)
		v.booked(k)
		return true
	}
	e := v.insertCollection(t, k, v.newMeta(&k, TypeZset, encPack), size)
	v.booked(k)
	w := newPackWriter(e.value(), len(pairs)/2)
	if ascending(pairs) {
		for i := 0; i < len(pairs); i += 2 {
			w.add(pairs[i], bytesFloat(pairs[i+1]))
		}
		return true
	}
	for _, s := range sortedPairs(pairs) {
		w.add(s.Member, s.Score)
	}
	return true
}

// packPairs is the size of a packed sorted set of the pairs, and whether it may be one.
func (v *View) packPairs(pairs [][]byte) (size int, fit bool) {
	enc := v.Store.enc
	if int64(len(pairs)/2) > enc.ZsetMaxEntries.Load() {
		return 0, false
	}
	longest := enc.ZsetMaxValue.Load()
	size = lenSize(len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		if int64(len(pairs[i])) > longest {
			return 0, false
		}
		size += packedSize(len(pairs[i])) + packedScore(bytesFloat(pairs[i+1]))
	}
	return size, size <= packMaxSize
}

// compareScored is the order of a sorted set.
func compareScored(a, b Scored) int {
	switch {
	case a.Score < b.Score:
		return -1
	case a.Score > b.Score:
		return 1
	}
	return bytes.Compare(a.Member, b.Member)
}

func pairAt(pairs [][]byte, i int) Scored { return Scored{pairs[i], bytesFloat(pairs[i+1])} }

func ascending(pairs [][]byte) bool {
	for i := 2; i < len(pairs); i += 2 {
		if compareScored(pairAt(pairs, i-2), pairAt(pairs, i)) > 0 {
			return false
		}
	}
	return true
}

func sortedPairs(pairs [][]byte) []Scored {
	list := make([]Scored, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pairAt(pairs, i))
	}
	slices.SortFunc(list, compareScored)
	return list
}

// AddScored sets the scores of members, creating the sorted set if need be, and returns the number
// of those that were new. While a file is being read (View.Loading), the order of a large sorted set
// that begins like this is left to Arrange: to put members that come in the order of a table, as
// larder writes them, one by one into the order takes more than twice the time. Until then nobody
// may look at it, and a member does not come twice: the second one is not added.
func (v *View) AddScored(k Key, pairs [][]byte) (added int, err error) {
	z, ok, err := v.WriteZset(k)
	if err != nil {
		return 0, err
	}
	if _, fit := v.packPairs(pairs); v.Loading && !ok && !fit {
		b := newZsetBody(v.shard(&k), v)
		b.unordered = true
		v.newBodyEntry(v.tableForWrite(&k), k, TypeZset, b)
		added = b.fill(pairs)
		v.booked(k)
		return added, nil
	}
	if ok && !z.isPack() && z.body().unordered {
		added = z.body().fill(pairs)
		v.booked(k)
		return added, nil
	}
	c, err := v.SetScores(k, len(pairs)/2, func(i int) Scored { return pairAt(pairs, 2*i) }, 0)
	return c.Added, err
}

// fill adds members to the table alone.
func (b *zsetBody) fill(pairs [][]byte) (added int) { return b.addGroups(pairs, 2, nil) }

// Arrange completes the sorted set at k, if AddScored has left its order to be made. It takes 16
// bytes for each member meanwhile, in Go's memory.
func (v *View) Arrange(k Key) {
	z, ok, err := v.WriteZset(k)
	if err != nil || !ok || z.isPack() {
		return
	}
	if b := z.body(); b.unordered {
		b.unordered = false
		b.arrange(b.inOrder())
		v.booked(k)
	}
}
