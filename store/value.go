package store

// Value is what a key holds, as a codec sees it: type and form, without a
// name, an expiry time or a place. It and the bytes it gives out are valid
// until the shard's lock is released, or until the method of the Sink that got
// it returns. A Value is not safe for concurrent use.
type Value struct {
	typ  Type
	enc  encoding
	data []byte
	body body // nil, or of a big value

	digits [20]byte // an integer member, printed for its reader
}

// Content is the entry's value.
func (e *Entry) Content() Value {
	v := Value{typ: e.rec.typ(), enc: e.rec.encoding(), data: e.value()}
	if v.enc == encBody {
		v.body = e.body()
	}
	return v
}

// Type is the data type.
func (v *Value) Type() Type { return v.typ }

// Len is the length of a string in bytes, and else the number of elements: fields of a hash,
// members of a set.
func (v *Value) Len() int {
	if v.body != nil {
		return v.body.elements()
	}
	return typeRows[v.typ].count(v.data, v.enc)
}

// Text is the value of a string.
func (v *Value) Text() []byte { return v.data }

// Integers reports whether the value is a set that is kept as sorted integers.
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

// Packed reports whether the value is a small hash or set whose order is that in
// which its elements came: OBJECT ENCODING calls it a listpack.
func (v *Value) Packed() bool { return v.enc == encPack }

// Each visits the fields and values of a hash, the members of a set with a nil value, until fn
// returns false. Integers are printed, into a buffer that the next one overwrites.
func (v *Value) Each(fn func(item, value []byte) bool) {
	row := &typeRows[v.typ]
	switch {
	case v.body == nil:
		row.each(v, fn)
	case row.paired:
		v.body.each(fn)
	default:
		v.body.each(func(item, _ []byte) bool { return fn(item, nil) })
	}
}
