package store

import (
	"strconv"
	"strings"
)

// typeRow is what the keyspace has to know about a data type. Everything else about a type is in
// the files of its name, and what it has to know about a big value is the interface body.
//
// The codecs of snapshots and of the log's base are tables by type as well: persistence/rdb,
// persistence/aof. All of them have NumTypes rows, and a test for each finds one that is missing.
type typeRow struct {
	name   string // as TYPE says it
	paired bool   // an element has a value: Value.Each and Sink.Element give it out

	// expired is told when the time of elements had come; 0: they have no times.
	expired Event
	// encoding is OBJECT ENCODING's name for how the value is kept.
	encoding func(e *Entry) string
	// count is the number of elements of a value without a body; of a string, its bytes.
	count func(data []byte, enc encoding) int
	// each visits the elements of a value without a body until fn returns false. A string has none.
	each func(v *Value, fn func(item, value []byte) bool)
}

var typeRows = [NumTypes]typeRow{
	TypeString: {
		name: "string", encoding: stringEncoding,
		count: func(data []byte, _ encoding) int { return len(data) },
		each:  func(*Value, func(item, value []byte) bool) {},
	},
	TypeHash: {
		name: "hash", paired: true, encoding: packedEncoding, expired: EventHExpired,
		count: func(data []byte, _ encoding) int { return pack(data).count() / 2 },
		each:  eachPair,
	},
	TypeSet: {name: "set", encoding: packedEncoding, expired: EventSExpired, count: setCount, each: eachMember},
	TypeList: {
		name: "list", encoding: listEncoding,
		count: func(data []byte, _ encoding) int { return packedList(data).count() },
		each:  eachListed,
	},
	TypeZset: {
		name: "zset", paired: true, encoding: zsetEncoding,
		count: func(data []byte, _ encoding) int { return pack(data).count() / 2 },
		each:  eachScoredPair,
	},
}

// String is the type's name as TYPE says it.
func (t Type) String() string { return typeRows[t].name }

// TypeNamed finds a type by its name in any case.
func TypeNamed(name string) (t Type, ok bool) {
	for t := range Type(NumTypes) {
		if strings.EqualFold(name, t.String()) {
			return t, true
		}
	}
	return 0, false
}

// Encoding is Redis' name for how the value is kept.
func (e *Entry) Encoding() string { return typeRows[e.rec.typ()].encoding(e) }

func packedEncoding(e *Entry) string {
	switch e.rec.encoding() {
	case encIntset:
		return "intset"
	case encPack:
		return "listpack"
	}
	return "hashtable"
}

func setCount(data []byte, enc encoding) int {
	if enc == encIntset {
		return intset(data).len()
	}
	return pack(data).count()
}

func eachPair(v *Value, fn func(item, value []byte) bool) {
	p := pack(v.data)
	for off := p.first(); off < len(p); {
		var field, value []byte
		field, off = p.next(off)
		value, off = p.next(off)
		if !fn(field, value) {
			return
		}
	}
}

func eachMember(v *Value, fn func(item, value []byte) bool) {
	if v.enc == encIntset {
		v.EachInteger(func(n int64) bool { return fn(strconv.AppendInt(v.digits[:0], n, 10), nil) })
		return
	}
	pack(v.data).each(func(member []byte) bool { return fn(member, nil) })
}
