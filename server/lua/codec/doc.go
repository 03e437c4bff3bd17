// Package codec has the libraries that Redis gives its scripts beside those of Lua: cjson, cmsgpack,
// struct and bit. Results, error texts and limits are those of the C code that Redis 7 carries
// (lua-cjson 2.1.0, lua-cmsgpack 0.4.0, struct 0.2, Lua BitOp 1.0.2), including where a cast of C
// wraps around: conversions of numbers are those of a compiler for x86-64.
//
// # What is not as in Redis
//
// Redis has one interpreter, so a script that changes a setting of cjson (encode_max_depth and the
// like) changes it for all scripts after it. Here interpreters are many, and which one runs a script
// is chance. So settings last until the script ends: see Libraries.Reset.
//
// cjson.decode_array_with_array_mt is there, which Redis 7.0 lacks: an empty JSON array that was
// decoded with it on is encoded as an array again, instead of as an object.
//
// # Limits
//
// What scripts pass is hostile until proven otherwise. Memory is allocated for what has been read,
// never for what a header announces: an array of 4 billion elements in 5 bytes of MessagePack is an
// error at its first element. Memory that a result will take is asked for before it is allocated
// (Thread.Reserve). Every element takes a step, so that the hook sees what takes long. Nesting is
// bounded by the settings, by 16 in cmsgpack.pack, and everywhere by the 8000 stack slots that C
// gives a native (Thread.Room): Go's stack grows with it to some megabytes at most.
package codec

import "github.com/larderkv/larder/server/lua"

// Libraries is what the libraries of one State keep between calls.
type Libraries struct {
	buf     []byte // results are built here
	keys    [keySlots]*lua.String
	cjson   *cjson
	arrayMT *lua.Table // marks tables that were JSON arrays
}

const (
	// keptBuffer is how large a buffer may be that is kept for the next result.
	keptBuffer = 64 << 10
	// keySlots and maxKey bound the keys that are kept: see Libraries.key.
	keySlots = 64
	maxKey   = 32
)

// Open makes the libraries global variables of a State. Scripts cannot change their tables.
func Open(s *lua.State) *Libraries {
	l := &Libraries{arrayMT: s.Table(0, 0)}
	l.arrayMT.SetReadOnly(true)
	l.cjson = &cjson{libs: l, settings: defaultSettings}
	global := func(name string, t *lua.Table) {
		t.SetReadOnly(true)
		s.Globals().SetStr(lua.NewString(name), t.Value())
	}
	// In Redis' order, which pairs(_G) shows.
	global("cjson", l.cjson.table(s))
	global("struct", l.structTable(s))
	global("cmsgpack", l.cmsgpackTable(s))
	global("bit", bitTable(s))
	return l
}

// Reset undoes what a script has set, before the next one runs.
func (l *Libraries) Reset() { l.cjson.settings = defaultSettings }

// key is part of a string as a string, or the one of the last key that was the same: documents have
// the same keys again and again.
func (l *Libraries) key(t *lua.Thread, source *lua.String, start, end int) (*lua.String, error) {
	size := end - start
	if size == 0 || size > maxKey {
		return t.Substring(source, start, end)
	}
	text := source.Str()[start:end]
	hash := uint32(text[0]) + uint32(text[size-1])*5 + uint32(text[size/2])*17 + uint32(size)*3
	slot := &l.keys[hash%keySlots]
	if *slot == nil || (*slot).Str() != text {
		s, err := t.Substring(source, start, end)
		if err != nil {
			return nil, err
		}
		*slot = s
	}
	return *slot, nil
}

// field puts a string into the table of a library.
func field(t *lua.Table, name, text string) {
	t.SetStr(lua.NewString(name), lua.NewString(text).Value())
}
