package rdb

import (
	"bytes"

	"github.com/larderkv/larder/store"
)

// Version is the format's version that larder writes: that of Redis 7.0. Only hashes of which
// fields expire (typeHashTTL) are of a later one.
const Version = 10

// magic is what larder's files begin with, as those of Redis, of KeyDB and of Valkey up to 8 do.
const magic = "REDIS"

const (
	headSize   = len(magic) + 4 // four digits of version
	footerSize = 2 + 8          // of a DUMP payload: version, checksum
)

// dialect is a form of the format, with versions and numbers of types of its own: Valkey went its
// own way with version 9. Types up to 21 are the same in both.
type dialect struct {
	name     string // of the servers that write it
	magic    string // what files begin with; the rest of headSize is the version
	min, max int    // versions that can be read
}

var dialects = [...]dialect{
	redisDialect:  {"Redis", magic, 6, 12}, // from Redis 2.6 to 8.2
	valkeyDialect: {"Valkey", "VALKEY", 80, 80},
}

const (
	redisDialect = iota
	valkeyDialect
)

// dialectOf finds out in which dialect a file is that begins with head; nil: it is no RDB file.
func dialectOf(head []byte) *dialect {
	for i := range dialects {
		if bytes.HasPrefix(head, []byte(dialects[i].magic)) {
			return &dialects[i]
		}
	}
	return nil
}

// SignatureSize is how many bytes IsFile wants at most.
const SignatureSize = len("VALKEY")

// IsFile reports whether a file that begins with head is in the RDB format.
func IsFile(head []byte) bool { return dialectOf(head) != nil }

// reads reports whether larder can read a version of the dialect.
func (d *dialect) reads(version int) bool { return version >= d.min && version <= d.max }

// typeOf is the row of typeRows for a number of the dialect, false if there is no such type.
func (d *dialect) typeOf(number byte) (typ byte, ok bool) {
	if d == &dialects[valkeyDialect] && number > lastCommonType {
		return typeHashTTLValkey, number == valkeyHashTTL
	}
	return number, number < numTypes && typeRows[number].shape != shapeNone
}

// numberOf is the reverse of typeOf.
func numberOf(typ byte) byte {
	if typ == typeHashTTLValkey {
		return valkeyHashTTL
	}
	return typ
}

// Opcodes: what stands where the type of a key would.
const (
	opSlotImport    = 243 // Valkey's alone
	opSlotInfo      = 244
	opFunction      = 245
	opFunctionPreGA = 246
	opModuleAux     = 247
	opIdle          = 248
	opFreq          = 249
	opAux           = 250
	opResizeDB      = 251
	opExpireMs      = 252
	opExpire        = 253
	opSelectDB      = 254
	opEOF           = 255
)

// Types of values.
const (
	typeString           = 0
	typeList             = 1
	typeSet              = 2
	typeZset             = 3
	typeHash             = 4
	typeZset2            = 5
	typeModulePreGA      = 6
	typeModule2          = 7
	typeHashZipmap       = 9
	typeListZiplist      = 10
	typeSetIntset        = 11
	typeZsetZiplist      = 12
	typeHashZiplist      = 13
	typeListQuicklist    = 14
	typeStream           = 15
	typeHashListpack     = 16
	typeZsetListpack     = 17
	typeListQuicklist2   = 18
	typeStream2          = 19
	typeSetListpack      = 20
	typeStream3          = 21
	typeHashTTLPreGA     = 22
	typeHashPackTTLPreGA = 23
	typeHashTTL          = 24
	typeHashPackTTL      = 25
	numTypes             = 26 // in Redis' files
	typeHashTTLValkey    = 26 // 22 in Valkey's files
)

const (
	lastCommonType = typeStream3
	valkeyHashTTL  = 22
)

// shape is how a value's bytes are divided: all that is needed to find its end.
type shape uint8

const (
	shapeNone      shape = iota // not a type
	shapeString                 // one string: a string, or a collection in one blob
	shapeTTLPack                // 8 bytes and a string
	shapeStrings                // a count, and as many strings
	shapePairs                  // a count, and twice as many strings
	shapeZset                   // a count; strings with scores in text
	shapeZset2                  // a count; strings with scores of 8 bytes
	shapeNodes                  // a count; numbers with strings
	shapeTTL                    // a count; numbers with two strings
	shapeFirstTTL               // 8 bytes, then the same
	shapeValkeyTTL              // a count; two strings with 8 bytes
	shapeStream
	shapeModule
)

// layout is how a value that is a count and elements is divided.
type layout struct {
	lead int                  // bytes in front of the count
	size uint64               // of the shortest element
	skip func(w *window) bool // passes over an element; nil: the shape is another
	kept bool                 // no element is ever left out, since none has a TTL
}

var layouts = [...]layout{
	shapeStrings:   {size: 1, skip: (*window).skipString, kept: true},
	shapePairs:     {size: 2, skip: (*window).skipPair, kept: true},
	shapeZset:      {size: 2, skip: func(w *window) bool { return w.skipString() && w.skipScore() }, kept: true},
	shapeZset2:     {size: 9, skip: func(w *window) bool { return w.skipString() && w.skip(8) }, kept: true},
	shapeNodes:     {size: 2, skip: func(w *window) bool { return w.skipNumber() && w.skipString() }, kept: true},
	shapeTTL:       {size: 3, skip: (*window).skipTTLField},
	shapeFirstTTL:  {lead: 8, size: 3, skip: (*window).skipTTLField},
	shapeValkeyTTL: {size: 10, skip: func(w *window) bool { return w.skipPair() && w.skip(8) }},
	shapeModule:    {},
}

// typeRow is what there is to know about a type of the format: how to skip it, how to talk of it,
// and how to decode it.
type typeRow struct {
	name  string // as TYPE says it
	form  string // of the encoding, for reports
	shape shape

	// Of types that larder has: what it becomes, and one of two functions. blob decodes a value
	// that is one string. element decodes one of the elements that stand behind a count; such a
	// value comes in pieces if it is long.
	typ     store.Type
	blob    func(d *decoder, b []byte) error
	element func(d *decoder, c *cursor)
}

// known reports whether larder has this type.
func (r *typeRow) known() bool { return r.blob != nil || r.element != nil }

// typeRows has a hole where there is no such type: shapeNone.
var typeRows = [numTypes + 1]typeRow{
	typeString:           {"string", "string", shapeString, store.TypeString, (*decoder).text, nil},
	typeList:             {"list", "linked list", shapeStrings, store.TypeList, nil, (*decoder).member},
	typeSet:              {"set", "hashtable", shapeStrings, store.TypeSet, nil, (*decoder).member},
	typeZset:             {"zset", "skiplist v1", shapeZset, store.TypeZset, nil, (*decoder).textScored},
	typeHash:             {"hash", "hashtable", shapePairs, store.TypeHash, nil, (*decoder).field},
	typeZset2:            {"zset", "skiplist", shapeZset2, store.TypeZset, nil, (*decoder).scored},
	typeModule2:          {name: "module", form: "module", shape: shapeModule},
	typeHashZipmap:       {"hash", "zipmap", shapeString, store.TypeHash, (*decoder).hashZipmap, nil},
	typeListZiplist:      {"list", "ziplist", shapeString, store.TypeList, (*decoder).listZiplist, nil},
	typeSetIntset:        {"set", "intset", shapeString, store.TypeSet, (*decoder).intset, nil},
	typeZsetZiplist:      {"zset", "ziplist", shapeString, store.TypeZset, (*decoder).zsetZiplist, nil},
	typeHashZiplist:      {"hash", "ziplist", shapeString, store.TypeHash, (*decoder).hashZiplist, nil},
	typeListQuicklist:    {"list", "quicklist of ziplists", shapeStrings, store.TypeList, nil, (*decoder).ziplistNode},
	typeStream:           {name: "stream", form: "stream", shape: shapeStream},
	typeHashListpack:     {"hash", "listpack", shapeString, store.TypeHash, (*decoder).hashListpack, nil},
	typeZsetListpack:     {"zset", "listpack", shapeString, store.TypeZset, (*decoder).zsetListpack, nil},
	typeListQuicklist2:   {"list", "quicklist", shapeNodes, store.TypeList, nil, (*decoder).node},
	typeStream2:          {name: "stream", form: "stream v2", shape: shapeStream},
	typeSetListpack:      {"set", "listpack", shapeString, store.TypeSet, (*decoder).setListpack, nil},
	typeStream3:          {name: "stream", form: "stream v3", shape: shapeStream},
	typeHashTTLPreGA:     {"hash", "hashtable with field TTLs, preview", shapeTTL, store.TypeHash, nil, (*decoder).ttlField},
	typeHashPackTTLPreGA: {"hash", "listpack with field TTLs, preview", shapeString, store.TypeHash, (*decoder).hashTTLPack, nil},
	typeHashTTL:          {"hash", "hashtable with field TTLs", shapeFirstTTL, store.TypeHash, nil, (*decoder).ttlField},
	typeHashPackTTL:      {"hash", "listpack with field TTLs", shapeTTLPack, store.TypeHash, (*decoder).hashTTLPack, nil},
	typeHashTTLValkey:    {"hash", "hashtable with field TTLs, Valkey", shapeValkeyTTL, store.TypeHash, nil, (*decoder).valkeyField},
}
