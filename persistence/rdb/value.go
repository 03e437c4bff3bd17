package rdb

import (
	"encoding/binary"
	"math"

	"github.com/larderkv/larder/store"
)

// largePack is the length of a listpack above which a hash is written field by
// field, so that no copy of it has to be kept in memory. Redis and larder turn
// what they load into a listpack again if their limits say so. With the limits
// that both come with, no listpack is longer than 17 KB.
const largePack = 1 << 20

// blobs builds collections that are stored as one string.
type blobs struct {
	b []byte
	n int

	// Bound once, since binding a method allocates.
	addPair    func(item, value []byte) bool
	addInteger func(n int64) bool
}

func newBlobs() *blobs {
	s := new(blobs)
	s.addPair, s.addInteger = s.appendPair, s.appendInteger
	return s
}

// build returns the type as which v is written, and the string if it is one: a
// text, or a blob that is valid until the next call. If it is none, whole is false.
func (s *blobs) build(v *store.Value) (typ byte, blob []byte, whole bool) {
	if cap(s.b) > keepBuffer {
		s.b = nil
	}
	row := &codecs[v.Type()]
	if typ, blob, whole = row.inline(s, v); whole {
		return typ, blob, true
	}
	return row.big, nil, false
}

func (s *blobs) text(v *store.Value) (byte, []byte, bool) { return typeString, v.Text(), true }

// set: small sets of strings have no form of their own in version 10.
func (s *blobs) set(v *store.Value) (byte, []byte, bool) {
	if !v.Integers() {
		return 0, nil, false
	}
	return typeSetIntset, s.intset(v), true
}

func (s *blobs) hash(v *store.Value) (byte, []byte, bool) {
	if !v.Packed() {
		return 0, nil, false
	}
	blob := s.listpack(v)
	return typeHashListpack, blob, blob != nil
}

// listpack returns nil if the result would be longer than largePack.
func (s *blobs) listpack(v *store.Value) []byte {
	s.b, s.n = beginListpack(s.b[:0]), 0
	v.Each(s.addPair)
	if len(s.b) > largePack {
		return nil
	}
	s.b = endListpack(s.b, 2*s.n)
	return s.b
}

func (s *blobs) appendPair(item, value []byte) bool {
	s.b = appendListpacked(appendListpacked(s.b, item), value)
	s.n++
	return len(s.b) <= largePack
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
