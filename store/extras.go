package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/larderkv/larder/store/arena"
)

// Extras: what a key carries beside its value and its time to live: tags, until when it is fresh,
// how long it took to fill, a version, and the mark that keeps it from eviction.
//
// Most keys have none of it and are to pay nothing. So no bit of a record's first word is spent:
// whether there are extras is the sign bit of the expiry time, which is there for keys that have
// extras without a time too, and they stand between the key, which is found where it always is, and
// the value. Who decodes a record looks at the sign where there is an expiry time, and whoever copies
// a record up to its value copies them with the key.
//
//	length  2 bytes   of all of it
//	flags   1 byte    which of the following are there
//	fresh   8 bytes   until when the value is fresh, unix milliseconds
//	cost    4 bytes   milliseconds that it took to make the value
//	version 8 bytes   changes whenever the key is stored with extras
//	links   1 + n*11  number of tags, and for each a reference and a stamp (package tags)
//
// A change of the value leaves them, as it leaves the time to live: INCR, APPEND, HSET. A new value
// (SET, and every other command that stores a whole key) takes all of them away but the mark.
//
// A record with links holds its tags (retainExtras, dropExtras), also while only a snapshot waits for
// it. A record that is in a table of the keyspace counts as a key of its tags besides (newExtras,
// unlinkExtras).

// extrasBit in a record's expiry time says that the record has extras.
const extrasBit = math.MinInt64

const (
	extrasHead  = 2 + 1
	freshSize   = 8
	costSize    = 4
	versionSize = 8
	maxExtras   = extrasHead + freshSize + costSize + versionSize + 1 + MaxTags*linkSize
)

// The flags.
const (
	hasNoEvict = 1 << iota
	hasFresh
	hasCost
	hasVersion
	hasLinks
	toldStale // it has no part in extras: clients have been told that the value is no longer fresh (fresh.go)
)

// Extras is what a key has beside value and expiry time. The zero value is that of most keys.
type Extras struct {
	NoEvict bool   // it is never evicted
	Fresh   int64  // unix milliseconds up to which the value is fresh; 0: as long as it is there
	Cost    int64  // milliseconds it took to make the value, up to 2^32-1; 0: not known
	Version uint64 // 0: none
	Tags    [][]byte
}

// decodeExtras is decode's part for a record whose expiry time has the sign bit. The key is at p.
func (r *record) decodeExtras(mem []byte, p uint64) {
	r.expire &= math.MaxInt64
	r.extra = int(binary.LittleEndian.Uint16(mem[p+uint64(r.klen):]))
}

// date is the expiry time as the record has it.
func (r *record) date() int64 {
	if r.extra > 0 {
		return r.expire | extrasBit
	}
	return r.expire
}

// sizeWith is the record's size with a value of n bytes.
func (r *record) sizeWith(n int) int { return recordSize(r.klen, n, r.date() != 0) + r.extra }

// extras are the bytes of a record's extras, empty for none. They alias mem.
func (r *record) extras(mem []byte) rawExtras {
	from, to := r.key+uint64(r.klen), r.value()
	return rawExtras(mem[from:to:to])
}

func (e *Entry) extras() rawExtras { return e.rec.extras(e.t.mem) }

// shed ends the links of an entry that gets a new value, and returns the extras that it keeps: the
// mark alone.
func (e *Entry) shed() rawExtras {
	x := e.extras()
	if x.flags() != 0 {
		e.sh.unlinkTags(&e.rec)
	}
	if !x.noEvict() {
		return nil
	}
	return rawExtras{extrasHead, 0, hasNoEvict}
}

// name is the name of a record's key. It aliases mem.
func (r *record) name(mem []byte) []byte {
	end := r.key + uint64(r.klen)
	return mem[r.key:end:end]
}

// name is the key's name. It aliases the arena.
func (e *Entry) name() []byte { return e.rec.name(e.t.mem) }

// newRecordWith is newRecord of a key with extras; extra may be empty. The record takes over what the
// links hold. value and extra may alias the arena.
func (t *table) newRecordWith(meta uint32, key []byte, extra rawExtras, value []byte, expire int64) arena.Ref {
	if len(extra) == 0 {
		return t.newRecord(meta, key, value, expire)
	}
	n := recordSize(len(key), len(value), true) + len(extra)
	ref := t.alloc(n)
	b := t.ar.Bytes(ref, n)
	p := writeHeader(b, meta, len(key), len(value), expire|extrasBit)
	p += copy(b[p:], key)
	p += copy(b[p:], extra)
	copy(b[p:], value)
	return ref
}

// rawExtras are extras as a record has them; empty for none.
type rawExtras []byte

func (x rawExtras) flags() byte {
	if len(x) == 0 {
		return 0
	}
	return x[2]
}

func (x rawExtras) noEvict() bool { return x.flags()&hasNoEvict != 0 }

// decode takes the extras apart, but for the links, which follow in links.
func (x rawExtras) decode() (e Extras, links []byte) {
	e.NoEvict = x.noEvict()
	e.Fresh, e.Cost, e.Version, links = x.numbers()
	return e, links
}

// numbers are what readers want to know, and the links, which stand behind them.
func (x rawExtras) numbers() (fresh, cost int64, version uint64, links []byte) {
	if len(x) == 0 {
		return 0, 0, 0, nil
	}
	fresh, cost, version, at := extrasNumbers(x, 0)
	if at > 0 {
		links = x[at:]
	}
	return fresh, cost, version, links
}

// extrasNumbers are those of the extras at an offset of mem, and the offset of their links, 0 if they have
// none.
func extrasNumbers(mem []byte, at uint64) (fresh, cost int64, version, links uint64) {
	flags := mem[at+extrasHead-1]
	at += extrasHead
	if flags&hasFresh != 0 {
		fresh = int64(binary.LittleEndian.Uint64(mem[at : at+freshSize : at+freshSize]))
		at += freshSize
	}
	if flags&hasCost != 0 {
		cost = int64(binary.LittleEndian.Uint32(mem[at : at+costSize : at+costSize]))
		at += costSize
	}
	if flags&hasVersion != 0 {
		version = binary.LittleEndian.Uint64(mem[at : at+versionSize : at+versionSize])
		at += versionSize
	}
	if flags&hasLinks != 0 {
		links = at + 1
	}
	return fresh, cost, version, links
}

// links are the links alone.
func (x rawExtras) links() []byte {
	flags := x.flags()
	if flags&hasLinks == 0 {
		return nil
	}
	at := extrasHead + 1
	if flags&hasFresh != 0 {
		at += freshSize
	}
	if flags&hasCost != 0 {
		at += costSize
	}
	if flags&hasVersion != 0 {
		at += versionSize
	}
	return x[at:]
}

// encode appends the extras to b, with room for the links, which are yet to be made. It appends
// nothing if there is nothing.
func (e *Extras) encode(b []byte) (raw rawExtras, links []byte) {
	from := len(b)
	b = append(b, 0, 0, 0)
	flags := byte(0)
	if e.NoEvict {
		flags |= hasNoEvict
	}
	if e.Fresh != 0 {
		flags, b = flags|hasFresh, binary.LittleEndian.AppendUint64(b, uint64(e.Fresh))
	}
	if e.Cost != 0 {
		flags, b = flags|hasCost, binary.LittleEndian.AppendUint32(b, uint32(min(e.Cost, math.MaxUint32)))
	}
	if e.Version != 0 {
		flags, b = flags|hasVersion, binary.LittleEndian.AppendUint64(b, e.Version)
	}
	if n := len(e.Tags); n > 0 {
		flags, b = flags|hasLinks, append(b, byte(n))
		at := len(b)
		b = append(b, make([]byte, n*linkSize)...)
		links = b[at:]
	}
	if flags == 0 {
		return nil, nil
	}
	b[from+2] = flags
	binary.LittleEndian.PutUint16(b[from:], uint16(len(b)-from))
	return rawExtras(b[from:]), links
}

// Append appends a form of the extras that files have: 1, the number of this form; the flags; then
// what the flags say, numbers as uvarints, and of tags their number, and length and bytes of each.
func (e *Extras) Append(b []byte) []byte {
	flags := byte(0)
	for _, f := range [...]struct {
		there bool
		flag  byte
	}{{e.NoEvict, hasNoEvict}, {e.Fresh != 0, hasFresh}, {e.Cost != 0, hasCost},
		{e.Version != 0, hasVersion}, {len(e.Tags) > 0, hasLinks}} {
		if f.there {
			flags |= f.flag
		}
	}
	b = append(b, extrasForm, flags)
	if e.Fresh != 0 {
		b = binary.AppendUvarint(b, uint64(e.Fresh))
	}
	if e.Cost != 0 {
		b = binary.AppendUvarint(b, uint64(e.Cost))
	}
	if e.Version != 0 {
		b = binary.AppendUvarint(b, e.Version)
	}
	if len(e.Tags) > 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Tags)))
		for _, name := range e.Tags {
			b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		}
	}
	return b
}

// extrasForm is the number of what Append writes.
const extrasForm = 1

// ErrExtras is about what is not written by Extras.Append.
var ErrExtras = errors.New("store: malformed extras of a key")

// ParseExtras reads what Append has written. It copies the names of tags.
func ParseExtras(b []byte) (*Extras, error) {
	if len(b) < 2 || b[0] != extrasForm || b[1] >= hasLinks<<1 {
		return nil, ErrExtras
	}
	flags, ok := b[1], true
	b = b[2:]
	number := func(flag byte, most uint64) (n uint64) {
		if flags&flag != 0 {
			var size int
			if n, size = binary.Uvarint(b); size <= 0 || n == 0 || n > most {
				ok, size = false, max(size, 0)
			}
			b = b[size:]
		}
		return n
	}
	e := &Extras{NoEvict: flags&hasNoEvict != 0}
	e.Fresh = int64(number(hasFresh, math.MaxInt64))
	e.Cost = int64(number(hasCost, math.MaxUint32))
	e.Version = number(hasVersion, math.MaxUint64)
	for range number(hasLinks, MaxTags) {
		n := number(flags, MaxTagName)
		if !ok || n > uint64(len(b)) {
			return nil, ErrExtras
		}
		e.Tags, b = append(e.Tags, bytes.Clone(b[:n])), b[n:]
	}
	if !ok || len(b) > 0 || hasTwice(e.Tags) {
		return nil, ErrExtras
	}
	return e, nil
}

func hasTwice(names [][]byte) bool {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[string(name)] {
			return true
		}
		seen[string(name)] = true
	}
	return false
}

// saveExtras appends the form for files of a record's extras to b. gone says that a tag was invalidated,
// so that the key is none any more. The record is not freed meanwhile.
func (sh *shard) saveExtras(b []byte, raw rawExtras) (saved []byte, gone bool) {
	x, gone := sh.describe(raw)
	return x.Append(b), gone
}
