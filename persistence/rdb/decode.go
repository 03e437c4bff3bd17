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
	items        // of a collection
	// of a set of integers: their width and the members, little-endian, if it
	// can be taken over as it is
	width   int
	members []byte

	// Of a hash whose fields have TTLs: the time, in unix milliseconds, by which a field has
	// expired, 0 for never; what TTLs count from; when each of the fields in the list expires, 0 for
	// never; whether there were fields that are left out.
	now, firstTTL uint64
	until         []int64
	left          bool

	names distinct
}

// errEmpty is what a value may turn out to be, or ErrExpired.
var errEmpty = errors.New("empty collection")

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
	d.firstTTL, d.until, d.left = 0, d.until[:0], false
	if cap(d.items.text) > keepBuffer {
		d.items.text = nil
	}
}

// value decodes a value of a known type that is all of b. now, in unix
// milliseconds, says which fields with a TTL have expired; 0: none.
func (d *decoder) value(typ byte, b []byte, now int64) error {
	d.reset()
	row, c := &typeRows[typ], cursor{b: b}
	d.typ, d.now = row.typ, uint64(now)
	switch {
	case row.element != nil:
		l := &layouts[row.shape]
		if l.lead != 0 {
			d.firstTTL = c.uint64()
		}
		if err := d.elements(&c, row, int(c.count(l.size))); err != nil {
			return err
		}
		return d.trailer(b[c.p:])
	case row.blob == nil:
		return corruption("unknown RDB encoding type")
	case row.shape == shapeTTLPack:
		c.uint64() // the first expiry time, of use to those who do not look inside
	}
	blob := c.str(&d.items)
	if err := c.err(); err != nil {
		return err
	}
	return row.blob(d, blob)
}

// piece decodes n elements of a key that comes in pieces.
func (d *decoder) piece(of *bigKey, b []byte, n int, now int64) error {
	d.reset()
	row := &typeRows[of.typ]
	d.typ, d.now, d.firstTTL = row.typ, uint64(now), of.firstTTL
	return d.elements(&cursor{b: b}, row, n)
}

// elements decodes n elements at the cursor.
func (d *decoder) elements(c *cursor, row *typeRow, n int) error {
	d.list = slices.Grow(d.list, min(2*n, 1<<16))
	for ; n > 0 && c.bad == ""; n-- {
		row.element(d, c)
	}
	if err := c.err(); err != nil {
		return err
	}
	return d.outcome()
}

// streamItems is about how many items are decoded at a time: 12 KB of slices, which stay in the
// processor's first cache.
const streamItems = 512

// stream decodes the n elements at the cursor, some hundreds of items at a time, and gives them to
// add, until that returns false. It reports whether all were well.
func (d *decoder) stream(c *cursor, row *typeRow, n int, add func(items [][]byte) bool) bool {
	for n > 0 {
		d.reset()
		for ; n > 0 && len(d.list) < streamItems && c.bad == ""; n-- {
			row.element(d, c)
		}
		if c.bad != "" || !add(d.list) {
			return false
		}
	}
	return true
}

// repeats reports whether a name comes twice that must not. Integers of an intset are
// in order, so that decoding them has found out already.
func (d *decoder) repeats() bool {
	row := &codecs[d.typ]
	return row.repeated != "" && d.names.repeats(d.list, row.stride)
}

// count is the number of elements, 0 of a string.
func (d *decoder) count() int {
	switch stride := codecs[d.typ].stride; {
	case d.width != 0:
		return len(d.members) / d.width
	case stride != 0:
		return len(d.list) / stride
	}
	return 0
}

// What the rows of the table of types decode.

func (d *decoder) text(b []byte) error {
	d.str = b
	return nil
}

func (d *decoder) member(c *cursor) { d.add(c.str(&d.items)) }

func (d *decoder) field(c *cursor) {
	d.add(c.str(&d.items))
	d.add(c.str(&d.items))
}

func (d *decoder) ttlField(c *cursor) {
	at := fieldExpiry(c.number(), d.firstTTL)
	field, value := c.str(&d.items), c.str(&d.items)
	if at > math.MaxInt64 {
		c.bad = "a field has an expiry time out of range"
		return
	}
	d.fieldUntil(field, value, at != 0, int64(at))
}

// valkeyField: Valkey has the time behind the value, -1 for none.
func (d *decoder) valkeyField(c *cursor) {
	field, value := c.str(&d.items), c.str(&d.items)
	at := int64(c.uint64())
	if at < -1 {
		c.bad = "a field has an expiry time out of range"
		return
	}
	d.fieldUntil(field, value, at != -1, at)
}

// fieldUntil keeps a field that has not expired. A time of 0 has passed since 1970.
func (d *decoder) fieldUntil(field, value []byte, expires bool, at int64) {
	switch {
	case !expires:
		at = 0
	case d.now != 0 && uint64(at) <= d.now:
		d.left = true
		return
	default:
		at = max(at, 1)
	}
	d.add(field)
	d.add(value)
	d.until = append(d.until, at)
}

func (d *decoder) intset(b []byte) (err error) {
	d.width, d.members, err = checkIntset(b)
	if err == nil && len(d.members) == 0 {
		return errEmpty
	}
	return err
}

func (d *decoder) listZiplist(b []byte) error  { return d.single(d.addZiplist(b)) }
func (d *decoder) setListpack(b []byte) error  { return d.single(d.addListpack(b)) }
func (d *decoder) hashListpack(b []byte) error { return d.pairs(d.addListpack(b)) }
func (d *decoder) hashZiplist(b []byte) error  { return d.pairs(d.addZiplist(b)) }
func (d *decoder) hashZipmap(b []byte) error   { return d.pairs(d.addZipmap(b)) }

func (d *decoder) zsetListpack(b []byte) error { return d.scores(d.addListpack(b)) }
func (d *decoder) zsetZiplist(b []byte) error  { return d.scores(d.addZiplist(b)) }

// single completes a collection in one blob whose items are its elements.
func (d *decoder) single(err error) error {
	if err != nil {
		return err
	}
	return d.outcome()
}

// pairs completes a hash in one blob.
func (d *decoder) pairs(err error) error {
	switch {
	case err != nil:
		return err
	case len(d.list)%2 != 0:
		return corruption("a hash has a field without a value")
	}
	return d.outcome()
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

// outcome turns what is not there, or was left out, into an error.
func (d *decoder) outcome() error {
	switch {
	case len(d.list) > 0:
		return nil
	case d.left:
		return ErrExpired
	}
	return errEmpty
}

// hashTTLPack takes triples of field, value and expiry time and keeps those that have not expired.
func (d *decoder) hashTTLPack(b []byte) error {
	if err := d.addListpack(b); err != nil {
		return err
	}
	if len(d.list)%3 != 0 {
		return corruption("a hash has a field without a TTL")
	}
	kept := 0
	for i := 0; i < len(d.list); i += 3 {
		at, ok := lex.ParseInt(d.list[i+2])
		switch {
		case !ok || at < 0:
			return corruption("a field has a malformed TTL")
		case at != 0 && d.now != 0 && uint64(at) <= d.now:
			d.left = true
		default:
			d.list[kept], d.list[kept+1] = d.list[i], d.list[i+1]
			d.until = append(d.until, at)
			kept += 2
		}
	}
	d.list = d.list[:kept]
	return d.outcome()
}

// cursor reads from bytes that are all there. It remembers what went wrong
// first; from then on it returns zeros.
type cursor struct {
	b   []byte
	p   int
	bad corruption
}

// check takes over what is wrong with a part.
func (c *cursor) check(err error) {
	if err == nil {
		return
	}
	var bad corruption
	if errors.As(err, &bad) && c.bad == "" {
		c.bad = bad
	}
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

// length reads a length; coded reports that it is a string in a special form.
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
