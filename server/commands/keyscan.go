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
	s, err := parseKeyScan(c, 1)
	if err != nil {
		return err
	}
	s.begin(c)
	s.end(s.step(c))
	return nil
}

// parseKeyScan reads a cursor at Args[at] and the options behind it.
func parseKeyScan(c *engine.Ctx, at int) (s keyScan, err error) {
	if s.collectionScan, err = parseCursor(c, at); err != nil {
		return s, err
	}
	a := c.Parse(at + 1)
	for !a.Done() {
		switch {
		case s.matchOption(a):
		case a.MatchValue("TYPE"):
			s.typed, s.typeName = true, string(a.Next())
		case a.Match("NOVALUES"):
			a.Fail(engine.ErrNoValues)
		default:
			a.Syntax()
		}
	}
	return s, a.Err()
}

func cmdRandomkey(c *engine.Ctx) error {
	name, ok := c.RandomLocked()
	replyValue(c, name, ok)
	return nil
}
