package rdb

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/larderkv/larder/store"
)

// Times to live of the members of sets.
//
// No type of the format that Redis 7 reads has them, and a file is to load there. So a set is written as
// one without times, between auxiliary fields, which every other server skips: in front of it
// larder-dated with a time before which no member expires, in decimal unix milliseconds, and behind it as
// many larder-times as it takes. Their values, one behind the other, have a uvarint for each member in
// the order of the file: 0 if it does not expire, else its time minus that of larder-dated, plus 1.
//
// The times come behind the members since a snapshot gives out each element once, and both sides
// would otherwise have to keep the members. What they keep is the times, some 5 bytes for each. The
// set is loaded in pieces in any case, by several goroutines: a member's number stands in place of its
// time until all are there (store.View.ResolveElements).
//
// A DUMP payload has one value and no auxiliary fields. There the times stand between the value and the
// footer, where RESTORE of other servers does not look: trailerMagic, 8 bytes of the first time, little
// endian, and the uvarints.

const (
	auxDated = "larder-dated"
	auxTimes = "larder-times"

	trailerMagic = auxTimes
	timesChunk   = 32 << 10 // of one larder-times
)

var errTimes = corruption("the times of a set's members are malformed")

// announceTimes writes what stands in front of a set.
func (e *Encoder) announceTimes() {
	e.op(opAux)
	e.str([]byte(auxDated))
	e.str(strconv.AppendInt(nil, e.first, 10))
	e.times = e.times[:0]
}

// writeTimes writes what stands behind it. A database is selected in front of the key, not here.
func (e *Encoder) writeTimes() {
	for part := range slices.Chunk(e.times, timesChunk) {
		e.op(opAux)
		e.str([]byte(auxTimes))
		e.str(part)
	}
	if cap(e.times) > chunkSize {
		e.times = nil
	}
}

// timesAux takes one of these fields and reports whether it was one.
func (s *splitter) timesAux(name string, text []byte) (is, ok bool) {
	switch name {
	case auxDated:
		first, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || first <= 0 {
			return true, s.fail(s.base+int64(s.keep), "malformed auxiliary field "+auxDated)
		}
		s.key.dated = first
		return true, true
	case auxTimes:
		switch {
		case s.timed != nil:
			s.timed.times = append(s.timed.times, text...)
		case s.uncut: // by who takes values as they are; else the key was left out
			return true, s.memberExpires()
		}
		return true, true
	}
	return false, true
}

// awaitTimes is called when all pieces of a collection have been cut.
func (s *splitter) awaitTimes(b *bigKey) {
	if b.dated != 0 {
		s.timed = b
	}
}

// endTimes hands the set over whose times have come: the last of its pieces has no element.
func (s *splitter) endTimes() {
	if s.timed != nil {
		s.batch.pieces = append(s.batch.pieces, piece{of: s.timed})
		s.timed = nil
	}
}

// number gives the members of a piece their numbers, from 1 on, in place of times.
func (d *decoder) number(big *bigKey, p *piece) {
	if big.dated == 0 {
		return
	}
	for i := range len(d.list) {
		d.until = append(d.until, int64(p.first+i+1))
	}
}

// resolve gives the members of a set that has been loaded their times. It reports whether the set is
// there; what it has to say otherwise is in err.
func (in *inserter) resolve(k store.Key, big *bigKey, err *error) bool {
	times, bad := parseTimes(big.times, big.dated, big.counted)
	if bad != nil {
		in.view.Delete(k)
		*err = bad
		return false
	}
	left := in.view.ResolveElements(k, func(number int64) int64 {
		at := times[number-1]
		if at != 0 && at <= in.l.o.Now {
			return -1
		}
		return at
	})
	if !left {
		*err = ErrExpired
	}
	return left
}

// parseTimes reads the times of n members, 0 for none.
func parseTimes(b []byte, first int64, n int) ([]int64, error) {
	if first <= 0 || n > len(b) {
		return nil, errTimes
	}
	times := make([]int64, n)
	for i := range times {
		ttl, size := binary.Uvarint(b)
		if size <= 0 || ttl > math.MaxInt64-uint64(first) {
			return nil, errTimes
		}
		if b = b[size:]; ttl != 0 {
			times[i] = first + int64(ttl) - 1
		}
	}
	if len(b) > 0 {
		return nil, errTimes
	}
	return times, nil
}

// appendTrailer begins the times of a payload.
func appendTrailer(b []byte, first int64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, trailerMagic...), uint64(first))
}

// hasTrailer reports whether what stands behind the value of a payload are times.
func hasTrailer(b []byte) bool { return bytes.HasPrefix(b, []byte(trailerMagic)) }

// splitTrailer takes the value of a payload apart if it is a set with times; first is 0 for others.
func splitTrailer(typ byte, value []byte) (set []byte, first int64, times []byte) {
	if typ != typeSet || !bytes.Contains(value, []byte(trailerMagic)) {
		return nil, 0, nil
	}
	var it items
	c := cursor{b: value}
	for n := c.count(1); n > 0 && c.bad == ""; n-- {
		it.reset()
		c.str(&it)
	}
	times = value[c.p:]
	if !hasTrailer(times) || len(times) < len(trailerMagic)+8 {
		return nil, 0, nil
	}
	times = times[len(trailerMagic):]
	return value[:c.p], int64(binary.LittleEndian.Uint64(times)), times[8:]
}

// trailer reads the times behind a set that was decoded, if there are any, and leaves out the members
// that have expired. In a file nothing stands there.
func (d *decoder) trailer(b []byte) error {
	if d.typ != store.TypeSet || !hasTrailer(b) {
		return nil
	}
	if b = b[len(trailerMagic):]; len(b) < 8 {
		return errTimes
	}
	times, err := parseTimes(b[8:], int64(binary.LittleEndian.Uint64(b)), len(d.list))
	if err != nil {
		return err
	}
	kept := 0
	for i, at := range times {
		if at != 0 && d.now != 0 && uint64(at) <= d.now {
			d.left = true
			continue
		}
		d.list[kept] = d.list[i]
		d.until = append(d.until, at)
		kept++
	}
	d.list = d.list[:kept]
	return d.outcome()
}
