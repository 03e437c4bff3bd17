package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store/arena"
)

// A record is one allocation in the arena:
//
//	word   4 bytes   type, encoding, flags, and 24 bits for package eviction
//	klen   uvarint
//	vlen   uvarint
//	expire 8 bytes   unix milliseconds, only when flagExpire is set
//	key    klen bytes
//	extras           only when the sign bit of expire is set: what else is known of the key (extras.go)
//	value  vlen bytes
//
// A key of 16 bytes with a value of 64 has a header of six bytes. Elements of
// big hashes and sets are records too: the key is the field or member.
//
// The word, from the low end: 3 bits type, 3 bits encoding, 1 bit expire, 1 bit
// without a use, 24 bits for package eviction.

// Type is a value's data type.
type Type uint8

// The data types.
const (
	TypeString Type = iota
	TypeHash
	TypeSet
	TypeList
	TypeZset

	// NumTypes is the number of data types: tables by type have as many rows. A record
	// has room for 8.
	NumTypes
)

type encoding uint8

// Encodings. A string's name for the client is derived from its bytes, but
// for encRaw, which says that a command built the value in place, and encText.
const (
	encPlain  encoding = iota // string: int, embstr or raw, by content
	encRaw                    // string grown by APPEND or SETRANGE
	encPack                   // hash, set, sorted set: packed blob
	encIntset                 // set of integers
	encBody                   // the value is the handle of a body
	encText                   // string that is never an int, such as a sum of INCRBYFLOAT
)

const (
	typeMask   = 0x7
	encShift   = 3
	encMask    = 0x7 << encShift
	flagExpire = 1 << 6
	wordShift  = 32 - eviction.WordBits // the eviction word lies above

	maxHeader = 4 + 5 + 5 + 8
)

func metaOf(t Type, e encoding) uint32 { return uint32(t) | uint32(e)<<encShift }

// record is a decoded header. Offsets count from the start of the heap.
type record struct {
	off    uint64
	meta   uint32
	key    uint64 // offset of the key
	klen   int
	vlen   int
	expire int64 // 0: none
	extra  int   // bytes of extras between key and value, 0: none
}

func (r *record) value() uint64      { return r.key + uint64(r.klen+r.extra) }
func (r *record) size() int          { return int(r.value()-r.off) + r.vlen }
func (r *record) typ() Type          { return Type(r.meta & typeMask) }
func (r *record) encoding() encoding { return encoding(r.meta & encMask >> encShift) }

// recordMeta is the first word of the record at ref.
func recordMeta(mem []byte, ref arena.Ref) uint32 {
	off := ref.Off()
	return binary.LittleEndian.Uint32(mem[off : off+4 : off+4])
}

// readRecord decodes the header at ref.
func readRecord(mem []byte, ref arena.Ref) (r record) {
	r.decode(mem, ref)
	return r
}

// decode makes r the header at ref. It is zero.
func (r *record) decode(mem []byte, ref arena.Ref) {
	off := ref.Off()
	r.off = off
	b := mem[off : off+8 : off+8]
	r.meta = binary.LittleEndian.Uint32(b)
	p := off + 6
	if b[4] < 0x80 && b[5] < 0x80 {
		r.klen, r.vlen = int(b[4]), int(b[5])
	} else {
		p = off + 4
		r.klen, p = readLen(mem, p)
		r.vlen, p = readLen(mem, p)
	}
	if r.meta&flagExpire != 0 {
		r.expire = int64(binary.LittleEndian.Uint64(mem[p:]))
		p += 8
		if r.expire < 0 {
			r.decodeExtras(mem, p)
		}
	}
	r.key = p
}

func readLen(mem []byte, p uint64) (int, uint64) {
	b := mem[p]
	if b < 0x80 {
		return int(b), p + 1
	}
	n := int(b & 0x7F)
	for shift := 7; ; shift += 7 {
		p++
		b = mem[p]
		n |= int(b&0x7F) << shift
		if b < 0x80 {
			return n, p + 1
		}
	}
}

func lenSize(n int) int {
	size := 1
	for n >= 0x80 {
		n >>= 7
		size++
	}
	return size
}

// recordSize is the length of a record before rounding to a size class, without extras.
func recordSize(klen, vlen int, expire bool) int {
	n := 4 + lenSize(klen) + lenSize(vlen) + klen + vlen
	if expire {
		n += 8
	}
	return n
}

// writeHeader writes the header at the start of b and returns its length. expire is in unix
// milliseconds, 0 for none; record.date of what has extras.
func writeHeader(b []byte, meta uint32, klen, vlen int, expire int64) int {
	if expire != 0 {
		meta |= flagExpire
	} else {
		meta &^= flagExpire
	}
	binary.LittleEndian.PutUint32(b, meta)
	p := 4
	p += binary.PutUvarint(b[p:], uint64(klen))
	p += binary.PutUvarint(b[p:], uint64(vlen))
	if expire != 0 {
		binary.LittleEndian.PutUint64(b[p:], uint64(expire))
		p += 8
	}
	return p
}

// newRecord allocates and fills a record. expire is in unix milliseconds, 0
// for none. key and value are copied.
func (t *table) newRecord(meta uint32, key, value []byte, expire int64) arena.Ref {
	n := recordSize(len(key), len(value), expire != 0)
	ref := t.alloc(n)
	b := t.ar.Bytes(ref, n)
	p := writeHeader(b, meta, len(key), len(value), expire)
	p += copy(b[p:], key)
	copy(b[p:], value)
	return ref
}

// recordKey returns the key at ref; it aliases the arena.
func recordKey(mem []byte, ref arena.Ref) []byte {
	r := readRecord(mem, ref)
	return mem[r.key : r.key+uint64(r.klen) : r.key+uint64(r.klen)]
}

// recordValue returns the value at ref; it aliases the arena.
func recordValue(mem []byte, ref arena.Ref) []byte {
	r := readRecord(mem, ref)
	v := r.value()
	return mem[v : v+uint64(r.vlen) : v+uint64(r.vlen)]
}

// keyEquals compares the key at ref without decoding the rest.
func keyEquals(mem []byte, ref arena.Ref, key []byte) bool {
	off := ref.Off()
	b := mem[off : off+8 : off+8]
	if b[4] < 0x80 && b[5] < 0x80 {
		if int(b[4]) != len(key) {
			return false
		}
		p := off + 6 + uint64(binary.LittleEndian.Uint32(b)&flagExpire)>>3
		return string(mem[p:p+uint64(len(key))]) == string(key)
	}
	return string(recordKey(mem, ref)) == string(key)
}
