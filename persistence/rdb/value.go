package rdb

import (
	"encoding/binary"
	"math"

	"github.com/larderkv/larder/store"
)

// largePack is the length of a listpack above which a collection is written element
// by element, so that no copy of it has to be kept in memory. Redis and larder turn
// what they load into a listpack again if their limits say so. With the limits
// that both come with, no listpack is longer than 17 KB.
const largePack = 1 << 20

// quicklistNode is the length up to which Redis keeps a list in one node, by the limit that it
// comes with (list-max-listpack-size -2).
const quicklistNode = 8 << 10

// form is how a value is written that is one string: as which type, and that string. What the
// format has between the two is the lead.
type form struct {
	typ  byte
	lead string
	blob []byte
}

// blobs builds collections that are stored as one string.
type blobs struct {
	b     []byte
	n     int // elements in b
	limit int // length of b at most

	// Bound once, since binding a method allocates.
	addItem, addPair, addScored func(item, value []byte) bool
	addInteger                  func(n int64) bool
}

func newBlobs() *blobs {
	s := new(blobs)
	s.addItem, s.addPair, s.addScored, s.addInteger = s.appendItem, s.appendPair, s.appendScored, s.appendInteger
	return s
}

// build returns the form of v if it is written as one string, valid until the next call. If it is
// not, whole is false and the type that of big values.
func (s *blobs) build(v *store.Value) (f form, whole bool) {
	if cap(s.b) > keepBuffer {
		s.b = nil
	}
	row := &codecs[v.Type()]
	if f, whole = row.inline(s, v); whole {
		return f, true
	}
	return form{typ: row.big}, false
}

func (s *blobs) text(v *store.Value) (form, bool) { return form{typ: typeString, blob: v.Text()}, true }

// set: small sets of strings have no form of their own in version 10.
func (s *blobs) set(v *store.Value) (form, bool) {
	if !v.Integers() {
		return form{}, false
	}
	return form{typ: typeSetIntset, blob: s.intset(v)}, true
}

func (s *blobs) hash(v *store.Value) (form, bool) {
	if !v.Packed() {
		return form{}, false
	}
	return s.listpack(form{typ: typeHashListpack}, v, s.addPair, 2, largePack)
}

// list makes a quicklist of one packed node, the only one that a list of its length would have in
// Redis. Longer ones are written element by element: the number of nodes comes before them, and is
// not known before they have all been seen.
func (s *blobs) list(v *store.Value) (form, bool) {
	limit := quicklistNode
	if v.Packed() {
		limit = largePack
	}
	return s.listpack(form{typ: typeListQuicklist2, lead: "\x01\x02"}, v, s.addItem, 1, limit)
}

func (s *blobs) zset(v *store.Value) (form, bool) {
	if !v.Packed() {
		return form{}, false
	}
	return s.listpack(form{typ: typeZsetListpack}, v, s.addScored, 2, largePack)
}

// listpack completes a form with a listpack, to which add adds an element of so many items. It
// returns false if that would be longer than limit.
func (s *blobs) listpack(f form, v *store.Value, add func(item, value []byte) bool, items, limit int) (form, bool) {
	s.b, s.n, s.limit = beginListpack(s.b[:0]), 0, limit
	v.Each(add)
	if len(s.b) > limit {
		return form{}, false
	}
	s.b = endListpack(s.b, items*s.n)
	f.blob = s.b
	return f, true
}

func (s *blobs) appendItem(item, _ []byte) bool {
	s.b = appendListpacked(s.b, item)
	s.n++
	return len(s.b) <= s.limit
}

func (s *blobs) appendPair(item, value []byte) bool {
	s.b = appendListpacked(appendListpacked(s.b, item), value)
	s.n++
	return len(s.b) <= s.limit
}

func (s *blobs) appendScored(item, value []byte) bool {
	s.b = appendScore(appendListpacked(s.b, item), binary.LittleEndian.Uint64(value))
	s.n++
	return len(s.b) <= s.limit
}

func (s *blobs) intset(v *store.Value) []byte {
	s.b = binary.LittleEndian.AppendUint32(s.b[:0], intsetWidth(v))
	s.b = binary.LittleEndian.AppendUint32(s.b, uint32(v.Len()))
	v.EachInteger(s.addInteger)
	return s.b
}

func (s *blobs) appendInteger(n int64) bool {
	switch s.b[0] {
	case 2:
		s.b = binary.LittleEndian.AppendUint16(s.b, uint16(n))
	case 4:
		s.b = binary.LittleEndian.AppendUint32(s.b, uint32(n))
	default:
		s.b = binary.LittleEndian.AppendUint64(s.b, uint64(n))
	}
	return true
}

// intsetWidth is the width of the widest member, which is the first or the last.
func intsetWidth(v *store.Value) uint32 {
	var lowest, highest int64
	i := 0
	v.EachInteger(func(n int64) bool {
		if i == 0 {
			lowest = n
		}
		i++
		highest = n
		return true
	})
	switch {
	case lowest >= math.MinInt16 && highest <= math.MaxInt16:
		return 2
	case lowest >= math.MinInt32 && highest <= math.MaxInt32:
		return 4
	}
	return 8
}
