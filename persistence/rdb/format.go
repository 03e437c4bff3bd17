package rdb

// Version is the format's version that larder writes: that of Redis 7.0, since
// nothing that larder keeps needs a newer one.
const Version = 10

// Versions that can be read: from Redis 2.6 to 7.4.
const (
	minVersion = 6
	maxVersion = 12
)

// Magic is what an RDB file begins with.
const Magic = "REDIS"

const (
	headSize   = len(Magic) + 4 // four digits of version
	footerSize = 2 + 8          // of a DUMP payload: version, checksum
)

// Opcodes: what stands where the type of a key would.
const (
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
	numTypes             = 26
)

// shape is how a value's bytes are divided: all that is needed to find its end.
type shape uint8

const (
	shapeNone     shape = iota // not a type
	shapeString                // one string: a string, or a collection in one blob
	shapeStrings               // a count, and as many strings
	shapePairs                 // a count, and twice as many strings
	shapeZset                  // a count; strings with scores in text
	shapeZset2                 // a count; strings with scores of 8 bytes
	shapeNodes                 // a count; numbers with strings
	shapeTTL                   // a count; numbers with two strings
	shapeFirstTTL              // 8 bytes, then the same
	shapeTTLPack               // 8 bytes and a string
	shapeStream
	shapeModule
)

// typeRow is what there is to know about a type to skip it and to talk of it.
type typeRow struct {
	name  string // as TYPE says it
	form  string // of the encoding, for reports
	shape shape
	known bool // larder has this type
}

// rowOf returns the type's row; shapeNone if there is no such type.
func rowOf(t byte) typeRow {
	if t >= numTypes {
		return typeRow{}
	}
	return [numTypes]typeRow{
		typeString:           {"string", "string", shapeString, true},
		typeList:             {"list", "linked list", shapeStrings, false},
		typeSet:              {"set", "hashtable", shapeStrings, true},
		typeZset:             {"zset", "skiplist v1", shapeZset, false},
		typeHash:             {"hash", "hashtable", shapePairs, true},
		typeZset2:            {"zset", "skiplist", shapeZset2, false},
		typeModule2:          {"module", "module", shapeModule, false},
		typeHashZipmap:       {"hash", "zipmap", shapeString, true},
		typeListZiplist:      {"list", "ziplist", shapeString, false},
		typeSetIntset:        {"set", "intset", shapeString, true},
		typeZsetZiplist:      {"zset", "ziplist", shapeString, false},
		typeHashZiplist:      {"hash", "ziplist", shapeString, true},
		typeListQuicklist:    {"list", "quicklist of ziplists", shapeStrings, false},
		typeStream:           {"stream", "stream", shapeStream, false},
		typeHashListpack:     {"hash", "listpack", shapeString, true},
		typeZsetListpack:     {"zset", "listpack", shapeString, false},
		typeListQuicklist2:   {"list", "quicklist", shapeNodes, false},
		typeStream2:          {"stream", "stream v2", shapeStream, false},
		typeSetListpack:      {"set", "listpack", shapeString, true},
		typeStream3:          {"stream", "stream v3", shapeStream, false},
		typeHashTTLPreGA:     {"hash", "hashtable with field TTLs, preview", shapeTTL, true},
		typeHashPackTTLPreGA: {"hash", "listpack with field TTLs, preview", shapeString, true},
		typeHashTTL:          {"hash", "hashtable with field TTLs", shapeFirstTTL, true},
		typeHashPackTTL:      {"hash", "listpack with field TTLs", shapeTTLPack, true},
	}[t]
}
