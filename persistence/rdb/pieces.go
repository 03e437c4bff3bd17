package rdb

import (
	"encoding/binary"
	"sync/atomic"
)

// bigKey is a collection that comes in pieces, inserted one by one by whoever
// gets them.
type bigKey struct {
	entry
	name     []byte
	offset   int64
	firstTTL uint64
	pieces   atomic.Int32  // not yet inserted, and one until the last was cut
	cut      chan struct{} // done of the last piece that was cut
	counted  int           // elements that were cut
	times    []byte        // of the members of a set, as they stand in the file

	// The lock of the key's shard protects what follows.
	begun bool
	bad   error // further pieces are left out
	left  bool  // some fields had expired
}

// elements passes over the elements of a collection. One that gets longer than
// a block, read or decompressed, is cut into pieces; whole reports that it was not.
func (s *splitter) elements(e *entry, l *layout) (whole, ok bool) {
	if !s.skip(uint64(l.lead)) {
		return false, false
	}
	n, ok := s.count(l.size)
	if !ok {
		return false, false
	}
	start := s.pos - s.keep // of the elements that are not yet in a piece
	held := 0
	s.unpacked = 0
	for i := uint64(0); i < n; i++ {
		if uint64(s.pos-s.keep)+s.unpacked > blockSize && held > 0 {
			if s.cut == nil && !s.beginCut(e, l) {
				return false, false
			}
			s.cutPiece(start, held, false)
			start, held, s.unpacked = 0, 0, 0
		}
		if !l.skip(&s.window) {
			return false, false
		}
		held++
	}
	if s.cut == nil && e.dated != 0 && !s.beginCut(e, l) {
		return false, false
	}
	if s.cut != nil {
		s.cutPiece(start, held, true)
		s.awaitTimes(s.cut)
		s.last = lastKey{lastNamed, s.cut.name, s.cut.typ, s.cut.db}
		s.cut, s.name = nil, nil
		return false, true
	}
	return true, true
}

// beginCut decodes what all pieces of a collection have in common.
func (s *splitter) beginCut(e *entry, l *layout) bool {
	b := &bigKey{entry: *e, offset: s.base + int64(s.keep)}
	var ok bool
	if b.name, ok = s.keyName(); !ok {
		return false
	}
	s.name = b.name
	if l.lead != 0 {
		b.firstTTL = binary.LittleEndian.Uint64(s.buf[s.keep+e.value:])
	}
	b.pieces.Store(1)
	if e.dated != 0 {
		b.pieces.Add(1) // the times
	}
	s.cut = b
	return true
}

// cutPiece makes a piece of what was read from start, relative to keep, up to pos.
func (s *splitter) cutPiece(start, n int, last bool) {
	if !last {
		s.cut.pieces.Add(1)
	}
	p := piece{of: s.cut, at: s.keep + start, end: s.pos, n: n, first: s.cut.counted, last: last}
	s.cut.counted += n
	if codecs[typeRows[s.cut.typ].typ].ordered {
		p.turn, p.done = s.cut.cut, make(chan struct{})
		s.cut.cut = p.done
	}
	s.batch.pieces = append(s.batch.pieces, p)
	s.keep = s.pos
}
