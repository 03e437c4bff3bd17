package store

import (
	"strconv"

	"github.com/larderkv/larder/store/arena"
)

// Value is what a key holds, as a codec sees it: type and form, without a
// name, an expiry time or a place. It and the bytes it gives out are valid
// until the shard's lock is released, or until the method of the Sink that got
// it returns. A Value is not safe for concurrent use.
type Value struct {
	typ    Type
	enc    encoding
	data   []byte
	nested *table // of a big collection

	digits [20]byte // an integer member, printed for its reader
}

// Content is the entry's value.
func (e *Entry) Content() Value {
	v := Value{typ: e.rec.typ(), enc: e.rec.encoding(), data: e.value()}
	if v.enc == encTable {
		v.nested = e.nested()
	}
	return v
}

// Type is the data type.
func (v *Value) Type() Type { return v.typ }

// Len is the length of a string in bytes, the number of fields of a hash or of
// members of a set.
func (v *Value) Len() int {
	switch {
	case v.typ == TypeString:
		return len(v.data)
	case v.enc == encTable:
		return v.nested.n
	case v.enc == encIntset:
		return intset(v.data).len()
	case v.typ == TypeHash:
		return pack(v.data).count() / 2
	}
	return pack(v.data).count()
}

// Text is the value of a string.
func (v *Value) Text() []byte { return v.data }

// Integers tells whether the value is a set that is kept as sorted integers.
func (v *Value) Integers() bool { return v.enc == encIntset }

// EachInteger visits the members of such a set in ascending order, until fn
// returns false.
func (v *Value) EachInteger(fn func(n int64) bool) {
	is := intset(v.data)
	for i := range is.len() {
		if !fn(is.at(i)) {
			return
		}
	}
}

// Packed tells whether the value is a small hash or set whose order is that in
// which its elements came: OBJECT ENCODING calls it a listpack.
func (v *Value) Packed() bool { return v.enc == encPack }

// Each visits the fields and values of a hash, or the members of a set with a
// nil value, until fn returns false. Integers are printed, into a buffer that
// the next one overwrites.
func (v *Value) Each(fn func(item, value []byte) bool) {
	switch {
	case v.enc == encTable:
		v.eachElement(fn)
	case v.enc == encIntset:
		v.EachInteger(func(n int64) bool { return fn(strconv.AppendInt(v.digits[:0], n, 10), nil) })
	case v.typ == TypeHash:
		p := pack(v.data)
		for off := p.first(); off < len(p); {
			var field, value []byte
			field, off = p.next(off)
			value, off = p.next(off)
			if !fn(field, value) {
				return
			}
		}
	default:
		pack(v.data).each(func(member []byte) bool { return fn(member, nil) })
	}
}

func (v *Value) eachElement(fn func(item, value []byte) bool) {
	t := v.nested
	t.each(func(ref arena.Ref) bool {
		if v.typ == TypeSet {
			return fn(recordKey(t.mem, ref), nil)
		}
		return fn(recordKey(t.mem, ref), recordValue(t.mem, ref))
	})
}
