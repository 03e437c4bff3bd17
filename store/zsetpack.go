package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// The packed sorted set: a pack (pack.go) of member, score, member, score ... in ascending order
// of score, and of the members' bytes where scores are equal. That is the order of every reply, so
// a range by rank, by score or by name is one stretch of the pack, and ZRANGE copies it out as it
// stands.
//
// A score is an element of 0 to 8 bytes. A whole number below 2^55 takes as few bytes as it needs,
// as a zigzag number (0, -1, 1, -2 ... are 0, 1, 2, 3 ...), least significant byte first: a score
// of 0 is the empty element and one below 128 takes one byte; a zero loses its sign, as in Redis.
// Anything else is the eight bytes of IEEE 754, least significant first. Redis keeps scores in a
// listpack as integers or as printed text, which has to be parsed for every comparison.

// floatScore is the length of a score that is no small whole number.
const floatScore = 8

// zigzag turns a score into the number that a short element holds; ok is false for scores that
// need all eight bytes.
func zigzag(score float64) (z uint64, ok bool) {
	const limit = 1 << 55
	if !(score > -limit && score < limit) {
		return 0, false
	}
	n := int64(score)
	if float64(n) != score {
		return 0, false
	}
	return uint64(n<<1 ^ n>>63), true
}

// packedScore is the size of a score as an element of a pack, its length byte included.
func packedScore(score float64) int {
	z, ok := zigzag(score)
	if !ok {
		return 1 + floatScore
	}
	return 1 + (bits.Len64(z)+7)/8
}

// putScore writes a score as an element at the beginning of b and returns its size.
func putScore(b []byte, score float64) int {
	z, ok := zigzag(score)
	if !ok {
		b[0] = floatScore
		binary.LittleEndian.PutUint64(b[1:], math.Float64bits(score))
		return 1 + floatScore
	}
	n := (bits.Len64(z) + 7) / 8
	b[0] = byte(n)
	for i := range n {
		b[1+i] = byte(z >> (8 * i))
	}
	return 1 + n
}

// score reads the score at off and returns it with the offset behind it.
func (p pack) score(off int) (score float64, end int) {
	n := int(p[off])
	off++
	end = off + n
	var word uint64
	if off+8 <= len(p) {
		word = binary.LittleEndian.Uint64(p[off:])
	} else {
		for i, c := range p[off:end] {
			word |= uint64(c) << (8 * i)
		}
	}
	if n == floatScore {
		return math.Float64frombits(word), end
	}
	z := word & (1<<(8*uint(n)) - 1)
	return float64(int64(z>>1) ^ -int64(z&1)), end
}

// scored reads the pair at off and returns the offset behind it.
func (p pack) scored(off int) (member []byte, score float64, end int) {
	member, off = p.next(off)
	score, end = p.score(off)
	return member, score, end
}

// putScored writes a pair at the beginning of b.
func putScored(b, member []byte, score float64) {
	n := putPacked(b, member)
	putScore(b[n:], score)
}

// place returns where a pair belongs: the offset of the first that does not come before it, or the
// pack's end.
func (p pack) place(score float64, member []byte) (off int) {
	for off = p.first(); off < len(p); {
		n, start := p.length(off)
		s, end := p.score(start + n)
		if s > score || s == score && bytes.Compare(p[start:start+n], member) >= 0 {
			break
		}
		off = end
	}
	return off
}

// rankOf counts the pairs in front of the one at off.
func (p pack) rankOf(off int) (rank int) {
	for at := p.first(); at < off; rank++ {
		at = p.skip(p.skip(at))
	}
	return rank
}

// last returns the offset of the last pair.
func (p pack) last() int { return p.nth(p.count() - 2) }

// setPacked is set for a packed sorted set.
func (z *Zset) setPacked(member []byte, score float64, rule ScoreRule) (result float64, change ScoreChange) {
	p := pack(z.e.value())
	off, at, known := p.findField(member)
	if !known {
		if change = rule.forNew(); change == ScoreAdded {
			z.insertPacked(p, member, score)
		}
		return score, change
	}
	current, end := p.score(at)
	if result, change = rule.apply(current, score); change == ScoreUpdated {
		z.movePacked(p, member, result, off, at, end)
	}
	return result, change
}

// insertPacked adds a member that is not there, to the tree if the pack cannot take it.
func (z *Zset) insertPacked(p pack, member []byte, score float64) {
	n, size, enc := p.count(), packedSize(len(member))+packedScore(score), z.v.Store.enc
	if int64(n/2) >= enc.ZsetMaxEntries.Load() || int64(len(member)) > enc.ZsetMaxValue.Load() || len(p)+size > packMaxSize {
		z.convert()
		b := z.body()
		b.insert(b.hash(member), member, score)
		return
	}
	b, at := z.e.editPack(packEdit{off: p.place(score, member), add: size, count: n + 2})
	putScored(b[at:], member, score)
}

// movePacked gives a member another score. Its pair is p[off:end], with the score at at.
func (z *Zset) movePacked(p pack, member []byte, score float64, off, at, end int) {
	n, to, size := p.count(), p.place(score, member), packedScore(score)
	switch stays := to == off || to == end; {
	case stays && size == end-at:
		putScore(p[at:], score)
	case stays:
		b, at := z.e.editPack(packEdit{off: at, cut: end - at, add: size, count: n})
		putScore(b[at:], score)
	case size == end-at && to > end: // what stands between moves down
		at = off + copy(p[off:], p[end:to])
		putScored(p[at:], member, score)
	case size == end-at: // or up
		copy(p[to+end-off:], p[to:off])
		putScored(p[to:], member, score)
	default:
		// The number of elements is the same in the end, and kept meanwhile.
		z.e.editPack(packEdit{off: off, cut: end - off, count: n})
		if to > off {
			to -= end - off
		}
		b, at := z.e.editPack(packEdit{off: to, add: packedSize(len(member)) + size, count: n})
		putScored(b[at:], member, score)
	}
}

// cutPacked removes the pairs between two offsets, n of them.
func (z *Zset) cutPacked(p pack, off, end, n int) {
	if left := p.count() - 2*n; left == 0 {
		z.e.drop()
	} else {
		z.e.editPack(packEdit{off: off, cut: end - off, count: left})
	}
}

// rankPacked finds a member and counts those before it.
func (z *Zset) rankPacked(member []byte) (rank int, score float64, ok bool) {
	p := pack(z.e.value())
	off, at, ok := p.findField(member)
	if !ok {
		return 0, 0, false
	}
	score, _ = p.score(at)
	return p.rankOf(off), score, true
}

// eachPacked visits the pairs from rank from on.
func (z *Zset) eachPacked(from int, fn func(member []byte, score float64) bool) {
	p := pack(z.e.value())
	for off := p.nth(2 * from); off < len(p); {
		member, score, end := p.scored(off)
		if !fn(member, score) {
			return
		}
		off = end
	}
}

// eachPackedBack visits the pairs from rank from down. A pack can be walked forwards only, so the
// offsets are noted first.
func (z *Zset) eachPackedBack(from int, fn func(member []byte, score float64) bool) {
	p := pack(z.e.value())
	var few [128]uint32
	offsets := few[:0]
	for off, i := p.first(), 0; i <= from; i++ {
		offsets = append(offsets, uint32(off))
		off = p.skip(p.skip(off))
	}
	for i := from; i >= 0; i-- {
		if member, score, _ := p.scored(int(offsets[i])); !fn(member, score) {
			return
		}
	}
}

// packWriter fills a packed sorted set whose size is known.
type packWriter struct{ rest []byte }

// newPackWriter begins a pack of n pairs in b.
func newPackWriter(b []byte, n int) packWriter {
	return packWriter{b[binary.PutUvarint(b, uint64(2*n)):]}
}

// add writes the next pair.
func (w *packWriter) add(member []byte, score float64) {
	n := putPacked(w.rest, member)
	n += putScore(w.rest[n:], score)
	w.rest = w.rest[n:]
}
