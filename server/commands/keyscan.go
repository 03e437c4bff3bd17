package commands

import (
	"math"
	"strings"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// Walks over the keyspace: KEYS, SCAN and RANDOMKEY.
//
// A walk holds one shard at a time and lets go of it after scanSlice keys, so
// that commands of other loops are not kept waiting however large the
// database or the COUNT is. In exchange KEYS is not one moment's picture
// unless it runs inside EXEC: of keys that come and go meanwhile it may see
// some, and one may be listed twice if its shard's table is rebuilt meanwhile.

// scanSlice is how many keys a walk visits under one lock: less than half a
// millisecond.
const scanSlice = 4096

// keyScan is one step of SCAN, or the whole of KEYS.
type keyScan struct {
	collectionScan
	typed    bool // only keys of the type typeName, which may be no type's name
	typeName string
}

// picks reports whether the walk is for a key.
func (s *keyScan) picks(e *store.Entry, name []byte) bool {
	return s.match(name) && (!s.typed || strings.EqualFold(s.typeName, e.Type().String()))
}

// step visits about s.count keys and replies with those that match. It returns
// the cursor to go on from.
func (s *keyScan) step(c *engine.Ctx) (next uint64) {
	visit := func(e *store.Entry, name []byte) {
		if s.picks(e, name) {
			s.emit(name)
		}
	}
	next = s.cursor
	for left := s.count; left > 0; left -= scanSlice {
		next = c.Scan(next, min(left, scanSlice), visit)
		if next == 0 {
			break
		}
	}
	return next
}

func cmdKeys(c *engine.Ctx) error {
	s := keyScan{collectionScan: collectionScan{count: math.MaxInt, pattern: narrowing(c.Args[1])}}
	s.begin(c)
	s.step(c)
	head := c.Out.Len()
	c.Out.Array(s.written)
	c.Out.MoveToFront(s.body, head)
	return nil
}

// narrowing compiles a pattern. It is nil if everything matches.
func narrowing(text []byte) *lex.Pattern {
	if p := lex.Compile(text, false); !p.All() {
		return p
	}
	return nil
}

func cmdScan(c *engine.Ctx) error {
	cursor, ok := lex.ParseCursor(c.Args[1])
	if !ok {
		return engine.ErrInvalidCursor
	}
	s := keyScan{collectionScan: collectionScan{cursor: cursor, count: 10}}
	if err := s.parse(c.Parse(2)); err != nil {
		return err
	}
	s.begin(c)
	s.end(s.step(c))
	return nil
}

func (s *keyScan) parse(a *engine.Args) error {
	for !a.Done() {
		switch {
		case a.MatchValue("COUNT"):
			n := a.Int64()
			if n < 1 && a.Err() == nil {
				a.Syntax()
			}
			s.count = int(min(n, mostScanned))
		case a.MatchValue("MATCH"):
			s.pattern = narrowing(a.Next())
		case a.MatchValue("TYPE"):
			s.typed, s.typeName = true, string(a.Next())
		case a.Match("NOVALUES"):
			a.Fail(engine.ErrNoValues)
		default:
			a.Syntax()
		}
	}
	return a.Err()
}

func cmdRandomkey(c *engine.Ctx) error {
	name, ok := c.RandomLocked()
	replyValue(c, name, ok)
	return nil
}
