package rdb

import "github.com/larderkv/larder/store"

// codec is how values of one of larder's types get into a file and out of it again. What the types
// of the format need stands in format.go: one type of larder is several of those.
type codec struct {
	// inline returns the form of a value that is written as one string: a text, or a blob that is
	// valid until the next one. It returns false for all others.
	inline func(s *blobs, v *store.Value) (f form, ok bool)
	// big is the type of those others: a count, and as many elements as write writes. 0, the type
	// of strings: there are none.
	big   byte
	dated byte // the same if elements have times to live; 0: there is none (membertimes.go)
	write func(w elementWriter, item, value []byte)

	stride   int    // items that one element is decoded to; 0 of strings, which have none
	repeated string // what a name is that comes twice, for errors; "": it may
	ordered  bool   // pieces are added in the order in which they stand in the file
	// insert adds the decoded value as a new key, expire in unix milliseconds, 0 for none. It
	// returns false if the key exists.
	insert func(v *store.View, k store.Key, d *decoder, expire int64) bool
	// add adds the items of a piece to a key, which it makes if need be, and returns the number of
	// elements that were not there.
	add func(v *store.View, k store.Key, list [][]byte) (n int, err error)
	// complete, if not nil, is called when the key has all pieces.
	complete func(v *store.View, k store.Key)
}

// elementWriter takes the parts of elements: a file (Encoder) or a payload (Dumper).
type elementWriter interface {
	str(s []byte)
	raw(b []byte)
}

var codecs = [store.NumTypes]codec{
	store.TypeString: {inline: (*blobs).text, insert: insertString},
	store.TypeHash: {
		inline: (*blobs).hash, big: typeHash, dated: typeHashTTL, write: writePair,
		stride: 2, repeated: "field in hash", insert: insertHash, add: (*store.View).SetFields,
	},
	store.TypeSet: {
		inline: (*blobs).set, big: typeSet, write: writeItem,
		stride: 1, repeated: "member in set", insert: insertSet, add: (*store.View).AddMembers,
	},
	store.TypeList: {
		inline: (*blobs).list, big: typeList, write: writeItem,
		stride: 1, ordered: true, insert: insertList, add: addList,
	},
	store.TypeZset: {
		inline: (*blobs).zset, big: typeZset2, write: writeScored,
		stride: 2, repeated: "member in sorted set", insert: insertZset, add: (*store.View).AddScored,
		complete: (*store.View).Arrange,
	},
}

func writeItem(w elementWriter, item, _ []byte) { w.str(item) }

func writePair(w elementWriter, item, value []byte) {
	w.str(item)
	w.str(value)
}

// writeScored: the score is eight bytes, as the store gives them.
func writeScored(w elementWriter, item, value []byte) {
	w.str(item)
	w.raw(value)
}

func insertString(v *store.View, k store.Key, d *decoder, expire int64) bool {
	return v.InsertString(k, d.str, expire)
}

func insertSet(v *store.View, k store.Key, d *decoder, expire int64) bool {
	if d.width != 0 {
		return expiring(v, k, expire, v.InsertIntegers(k, d.width, d.members))
	}
	inserted := insertDistinct(v, k, d, expire)
	if inserted && len(d.until) > 0 {
		v.DateElements(k, d.typ, d.list, 1, d.until)
	}
	return inserted
}

func insertHash(v *store.View, k store.Key, d *decoder, expire int64) bool {
	inserted := insertDistinct(v, k, d, expire)
	if inserted && len(d.until) > 0 {
		v.DateElements(k, d.typ, d.list, 2, d.until)
	}
	return inserted
}

func insertDistinct(v *store.View, k store.Key, d *decoder, expire int64) bool {
	return expiring(v, k, expire, v.InsertDistinct(k, d.typ, d.list))
}

func insertList(v *store.View, k store.Key, d *decoder, expire int64) bool {
	return expiring(v, k, expire, v.InsertList(k, d.list))
}

func addList(v *store.View, k store.Key, list [][]byte) (n int, err error) {
	_, err = v.AppendElements(k, list)
	return len(list), err
}

func insertZset(v *store.View, k store.Key, d *decoder, expire int64) bool {
	return expiring(v, k, expire, v.InsertZset(k, d.list))
}

// expiring gives a key that was inserted its expiry time.
func expiring(v *store.View, k store.Key, expire int64, inserted bool) bool {
	if inserted && expire != 0 {
		v.SetExpire(k, expire)
	}
	return inserted
}
