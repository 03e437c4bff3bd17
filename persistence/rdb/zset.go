package rdb

import (
	"encoding/binary"
	"math"

	"github.com/larderkv/larder/store/lex"
)

// Sorted sets. A score is eight bytes, little-endian, as the store has it (version 8 and later); or
// text behind a byte with its length (before); or an element of a listpack or ziplist, an integer
// if it is a whole number, else text. All of them are decoded to the eight bytes.

// Lengths of a score in text that stand for what is no number of digits.
const (
	scoreNaN      = 253
	scoreInfinite = 254
	scoreNegative = 255 // infinite as well
)

const (
	errNaN   = "a sorted set has a score that is not a number"
	errScore = "a sorted set has a malformed score"
)

// scored decodes a member with a score of eight bytes.
func (d *decoder) scored(c *cursor) {
	d.add(c.str(&d.items))
	score := c.take(8)
	if score != nil && math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(score))) {
		c.bad = errNaN
	}
	d.add(score)
}

// textScored decodes a member with a score in text.
func (d *decoder) textScored(c *cursor) {
	d.add(c.str(&d.items))
	length := c.take(1)
	if length == nil {
		return
	}
	switch length[0] {
	case scoreNaN:
		c.bad = errNaN
	case scoreInfinite:
		d.addScore(math.Inf(1))
	case scoreNegative:
		d.addScore(math.Inf(-1))
	default:
		score, ok := lex.ParseFloat(c.take(uint64(length[0])))
		if !ok && c.bad == "" {
			c.bad = errScore
		}
		d.addScore(score)
	}
}

// scores completes a sorted set in one blob: the items that are scores become their eight bytes.
func (d *decoder) scores(err error) error {
	switch {
	case err != nil:
		return err
	case len(d.list)%2 != 0:
		return corruption("a sorted set has a member without a score")
	}
	for i := 1; i < len(d.list); i += 2 {
		score, ok := lex.ParseFloat(d.list[i])
		if !ok {
			return corruption(errScore)
		}
		d.list[i] = d.score(score)
	}
	return d.outcome()
}

func (it *items) addScore(f float64) { it.add(it.score(f)) }

func (it *items) score(f float64) []byte {
	b := it.room(8)
	binary.LittleEndian.PutUint64(b, math.Float64bits(f))
	return b
}

// appendScore appends a score to a listpack, given its bits. Redis stores as an integer what one of
// up to 63 bits stands for (double2ll), -0 included, so that its sign is lost.
func appendScore(b []byte, bits uint64) []byte {
	f := math.Float64frombits(bits)
	if math.Abs(f) <= 1<<62 && f == math.Trunc(f) {
		from := len(b)
		b = appendListpackedInt(b, int64(f))
		return append(b, byte(len(b)-from))
	}
	var text [lex.FloatSize]byte
	return appendListpacked(b, lex.AppendFloat(text[:0], f))
}
