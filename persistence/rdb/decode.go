package rdb

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// decoder takes values apart. What it gives out aliases its input or its own
// buffers and is valid until the next value.
type decoder struct {
	typ   store.Type
	str   []byte // of a string
	items        // of a hash or set
	// of a set of integers: their width and the members, little-endian, if it
	// can be taken over as it is
	width   int
	members []byte

	names distinct
}

// What a value may turn out to be.
var (
	errEmpty    = errors.New("empty collection")
	errExpired  = errors.New("all fields have expired")
	errFieldTTL = errors.New("fields have TTLs")
)

// textOf decodes the string that all of b is.
func (d *decoder) textOf(b []byte) ([]byte, error) {
	d.reset()
	c := cursor{b: b}
	s := c.str(&d.items)
	if c.bad == "" && c.p != len(b) {
		c.bad = "a string has a wrong length"
	}
	return s, c.err()
}

func (d *decoder) reset() {
	d.items.reset()
	d.width, d.members = 0, nil
	if cap(d.items.text) > keepBuffer {
		d.items.text = nil
	}
}

// value decodes a value of a known type at the beginning of b. now, in unix
// milliseconds, tells which fields with a TTL have expired; 0: none.
func (d *decoder) value(typ byte, b []byte, now int64) error {
	d.reset()
	c := cursor{b: b}
	d.typ = store.TypeHash
	switch typ {
	case typeString:
		d.typ = store.TypeString
		d.str = c.str(&d.items)
		return c.err()
	case typeSet:
		d.typ = store.TypeSet
		return d.elements(&c, typ, int(c.count(1)), 0, now)
	case typeHash:
		return d.elements(&c, typ, int(c.count(2)), 0, now)
	case typeHashTTLPreGA:
		return d.elements(&c, typ, int(c.count(3)), 0, now)
	case typeHashTTL:
		first := c.uint64()
		return d.elements(&c, typ, int(c.count(3)), first, now)
	}
	if typ == typeHashPackTTL {
		c.uint64() // the first expiry time, of use to those who do not look inside
	}
	blob := c.str(&d.items)
	if err := c.err(); err != nil {
		return err
	}
	return d.blob(typ, blob, now)
}

// repeats tells whether a field or member comes twice. Integers of an intset are
// in order, so that decoding them has found out already.
func (d *decoder) repeats() bool {
	if d.typ == store.TypeHash {
		return d.names.repeats(d.list, 2)
	}
	return d.names.repeats(d.list, 1)
}

// elements decodes n elements of a hash or set at the cursor.
func (d *decoder) elements(c *cursor, typ byte, n int, firstTTL uint64, now int64) error {
	d.list = slices.Grow(d.list, min(2*n, 1<<16))
	live, left := false, false
	for ; n > 0 && c.bad == ""; n-- {
		switch typ {
		case typeSet:
			d.add(c.str(&d.items))
		case typeHash:
			d.add(c.str(&d.items))
			d.add(c.str(&d.items))
		default:
			at := fieldExpiry(c.number(), firstTTL)
			field, value := c.str(&d.items), c.str(&d.items)
			switch {
			case at == 0:
				d.add(field)
				d.add(value)
			case at > math.MaxInt64:
				c.bad = "a field has an expiry time out of range"
			case now != 0 && int64(at) <= now:
				left = true
			default:
				live = true
			}
		}
	}
	if err := c.err(); err != nil {
		return err
	}
	return d.outcome(live, left)
}

// fieldExpiry is when a field expires, 0 for never. The final format of Redis 7.4
// counts from the first expiry time of the hash, from 1 on.
func fieldExpiry(ttl, first uint64) uint64 {
	if ttl == 0 || first == 0 {
		return ttl
	}
	if ttl > math.MaxInt64 || first > math.MaxInt64 {
		return math.MaxUint64
	}
	return ttl + first - 1
}

// outcome turns what was left out of a hash into an error.
func (d *decoder) outcome(live, left bool) error {
	switch {
	case live:
		return errFieldTTL
	case len(d.list) > 0:
		return nil
	case left:
		return errExpired
	}
	return errEmpty
}

// blob decodes a collection that is one string.
func (d *decoder) blob(typ byte, b []byte, now int64) (err error) {
	switch typ {
	case typeSetIntset:
		d.typ = store.TypeSet
		d.width, d.members, err = checkIntset(b)
		if err == nil && len(d.members) == 0 {
			return errEmpty
		}
		return err
	case typeSetListpack:
		d.typ = store.TypeSet
		err = d.addListpack(b)
	case typeHashListpack:
		err = d.addListpack(b)
	case typeHashPackTTL, typeHashPackTTLPreGA:
		if err = d.addListpack(b); err == nil {
			return d.withoutTTLs(now)
		}
	case typeHashZiplist:
		err = d.addZiplist(b)
	case typeHashZipmap:
		err = d.addZipmap(b)
	default:
		return corruption("unknown RDB encoding type")
	}
	switch {
	case err != nil:
		return err
	case d.typ == store.TypeHash && len(d.list)%2 != 0:
		return corruption("a hash has a field without a value")
	}
	return d.outcome(false, false)
}

// withoutTTLs turns triples of field, value and expiry time into pairs.
func (d *decoder) withoutTTLs(now int64) error {
	if len(d.list)%3 != 0 {
		return corruption("a hash has a field without a TTL")
	}
	live, left, kept := false, false, 0
	for i := 0; i < len(d.list); i += 3 {
		at, ok := lex.ParseInt(d.list[i+2])
		switch {
		case !ok || at < 0:
			return corruption("a field has a malformed TTL")
		case at == 0:
			d.list[kept], d.list[kept+1] = d.list[i], d.list[i+1]
			kept += 2
		case now != 0 && at <= now:
			left = true
		default:
			live = true
		}
	}
	d.list = d.list[:kept]
	return d.outcome(live, left)
}

// cursor reads from bytes that are all there. It remembers what went wrong
// first; from then on it returns zeros.
type cursor struct {
	b   []byte
	p   int
	bad corruption
}

func (c *cursor) err() error {
	if c.bad != "" {
		return c.bad
	}
	return nil
}

// take returns the next n bytes.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)-c.p) {
		c.p = len(c.b)
		if c.bad == "" {
			c.bad = errTruncated
		}
		return nil
	}
	b := c.b[c.p : c.p+int(n) : c.p+int(n)]
	c.p += int(n)
	return b
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// length reads a length; coded tells that it is a string in a special form.
func (c *cursor) length() (n uint64, coded bool) {
	b := c.take(1)
	if b == nil {
		return 0, false
	}
	switch first := b[0]; {
	case first < len14:
		return uint64(first), false
	case first < len32:
		if b = c.take(1); b != nil {
			n = uint64(first&0x3F)<<8 | uint64(b[0])
		}
	case first == len32:
		if b = c.take(4); b != nil {
			n = uint64(binary.BigEndian.Uint32(b))
		}
	case first == len64:
		if b = c.take(8); b != nil {
			n = binary.BigEndian.Uint64(b)
		}
	case first >= lenCoded:
		return uint64(first), true
	default:
		c.bad = "unknown form of a length"
	}
	return n, false
}

func (c *cursor) number() uint64 {
	n, coded := c.length()
	if coded {
		c.bad = "a string stands where a number is expected"
		return 0
	}
	return n
}

// count reads the number of elements, each of at least size bytes.
func (c *cursor) count(size uint64) uint64 {
	n := c.number()
	if n > uint64(len(c.b)-c.p)/size {
		c.bad = "more elements than there are bytes"
		return 0
	}
	return n
}

// str reads a string. It aliases b, or the text of it.
func (c *cursor) str(it *items) []byte {
	n, coded := c.length()
	if !coded {
		return c.take(n)
	}
	var b []byte
	switch n {
	case intByte:
		b = c.take(1)
	case intShort:
		b = c.take(2)
	case intLong:
		b = c.take(4)
	case lzfCoded:
		return c.lzf(it)
	default:
		c.bad = "unknown form of a string"
	}
	if b == nil {
		return nil
	}
	return it.print(littleInt(b))
}

func (c *cursor) lzf(it *items) []byte {
	packed, size := c.number(), c.number()
	b := c.take(packed)
	if b == nil || c.bad != "" {
		return nil
	}
	if !lzfPlausible(packed, size) {
		c.bad = errImplausible
		return nil
	}
	s := it.room(int(size))
	if !decompress(s, b) {
		c.bad = "malformed compressed string"
		return nil
	}
	return s
}
